# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What alerts, or a person's word, lead to on a fleet: against which release they speak, and who is busy. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._clock import parse_utc
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.journal._lock import has_expired
from ansible_collections.sluice.release.plugins.module_utils.trigger import _alerts, _decide
from ansible_collections.sluice.release.plugins.module_utils.trigger._alerts import Served
from ansible_collections.sluice.release.plugins.module_utils.trigger._decide import Cause, Circumstances, Decision
from ansible_collections.sluice.release.plugins.module_utils.trigger._model import Trigger

# Whoever runs one of these does something about it already. A deploy, a backup and a drill give way, as they do for
# rollback.yml.
_BUSY = ("rollback", "restore", "recover", "emergency")


@dataclass(frozen=True)
class Host:
    """One host: what its journal says, and who holds its lock."""

    state: Mapping[str, Any]
    holder: Optional[Mapping[str, Any]] = None


@dataclass(frozen=True)
class Raised:
    """What is done. ``alerts``: the keys of those that it is done for; ``lines``: what became of the others."""

    decision: Decision
    release: Optional[str]
    version: str
    alerts: tuple[str, ...] = ()
    lines: tuple[str, ...] = field(default=())

    def message(self, command: str) -> str:
        """Return what a person is told who has to decide."""
        thing = f"keep release {self.version}" if self.version else "keep the release"
        decision = self.decision
        if decision.action == _decide.ASK:
            remedy = f"To take it back, run: {command}. It was not, for {decision.why}"
        elif decision.action == _decide.ROLLBACK:
            remedy = f"It is taken back by level {decision.level}" + (f", and {decision.also}" if decision.also else "")
        else:
            remedy = f"That is only recorded, for {decision.why}"
        return str(SluiceError(thing, f"{decision.trigger}: {decision.reason}", remedy))


def hear(
    payload: Any,
    triggers: Sequence[Trigger],
    hosts: Mapping[str, Host],
    where: Circumstances,
    *,
    within: float,
    now: float,
) -> Raised:
    """Return what the alerts lead to. ``within``: seconds since the switch for which they count by themselves."""
    release, served = speaks_of(hosts)
    heard = _alerts.sift(_alerts.read_alerts(payload), triggers, served, _seen(hosts, release))
    lines = tuple(f"{one.text}: left aside, for {one.ignored}" for one in heard if one.ignored)
    against = [one for one in heard if one.ignored is None]
    here = circumstances(hosts, where, now)
    if served.since is not None and now - parse_utc(served.since) > within and here.spent is None:
        here = replace(here, spent=f"{served.version} has served since {served.since}, longer than trigger_within")
    decision = _decide.decide([one.cause for one in against], triggers, here)
    # What could not be looked into is to be heard again.
    keys = () if here.busy else tuple(one.key for one in against)
    return Raised(decision, release, served.version, keys, lines)


def declare(
    name: str, words: str, triggers: Sequence[Trigger], hosts: Mapping[str, Host], where: Circumstances, now: float
) -> Raised:
    """Return what a person's word leads to. SluiceError when the profile has no such trigger to declare."""
    offered = [trigger.name for trigger in triggers if trigger.declared]
    if name not in offered:
        cause = f"no trigger of the profile that may be declared is called {name}" if name else "none was named"
        remedy = f"Name one with -e trigger_name=, of {', '.join(offered)}" if offered else "Use rollback.yml"
        raise SluiceError("declare a trigger", cause, remedy)
    release, served = speaks_of(hosts)
    decision = _decide.decide([Cause(words, trigger=name)], triggers, circumstances(hosts, where, now))
    return Raised(decision, release, served.version)


def speaks_of(hosts: Mapping[str, Host]) -> tuple[Optional[str], Served]:
    """Return the release that serves, or is being switched to, and since when: since the first host has it."""
    found: list[tuple[str, str, str]] = []
    for host in hosts.values():
        opened, arrival, current = (host.state.get(key) or {} for key in ("open", "arrival", "current"))
        if opened.get("switched") and opened.get("kind") == "deploy":
            found.append((opened["switched"], opened["release"], str(opened.get("version") or "")))
        elif arrival.get("time"):
            found.append((arrival["time"], str(current.get("release")), str(current.get("version") or "")))
    if not found:
        return None, Served("", None)
    _time, release, version = max(found)
    return release, Served(version, min(time for time, of, _version in found if of == release))


def circumstances(hosts: Mapping[str, Host], where: Circumstances, now: float) -> Circumstances:
    """Return what keeps a rollback from happening by itself, on any of the hosts."""
    busy = spent = None
    for name, host in sorted(hosts.items()):
        opened, holder = host.state.get("open") or {}, host.holder
        what = f"{opened.get('kind')} {opened.get('release')}"
        held = holder is not None and not has_expired(holder, now)
        if opened and opened.get("kind") in _BUSY:
            if held:
                busy = busy or f"{what} is under way on {name}"
            else:
                spent = spent or f"{what} was interrupted on {name}; run recover.yml"
        elif held and holder is not None and not holder.get("run"):
            reason = f" for {holder['reason']}" if holder.get("reason") else ""
            spent = spent or f"{holder['owner']} holds the lock of {name}{reason}"
        spent = spent or _decide.spent(host.state)
    return replace(where, busy=where.busy or busy, spent=where.spent or spent)


def _seen(hosts: Mapping[str, Host], release: Optional[str]) -> set[str]:
    return {
        key
        for host in hosts.values()
        for one in host.state.get("triggers") or []
        if one.get("release") == release
        for key in one.get("alerts") or []
    }

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the ticks of all hosts lead to together: a release goes back everywhere, or nowhere. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.report._words import worst
from ansible_collections.sluice.release.plugins.module_utils.trigger import _decide as trigger
from ansible_collections.sluice.release.plugins.module_utils.trigger._model import Trigger


@dataclass(frozen=True)
class Host:
    """One host's tick: the result of release_watch (None: there is none), or why there is none."""

    tick: Optional[Mapping[str, Any]] = None
    failure: Optional[str] = None

    @property
    def trouble(self) -> Optional[str]:
        """Why the host could not be looked at; None when it could, or need not be."""
        if self.failure is None and (self.tick or {}).get("state") == "interrupted":
            return str((self.tick or {})["line"])
        return self.failure

    @property
    def held(self) -> bool:
        """Whether a run of the application is under way there, so that it decides and not the watch."""
        return (self.tick or {}).get("state") == "held"


@dataclass(frozen=True)
class Outcome:
    """What is done now: ``action`` is none, record, ask or rollback. ``failed``: a person should look at it.

    ``release`` is watched; ``report`` is the release whose report has something new to say. ``trigger`` has fired.
    """

    action: str
    trigger: Optional[str]
    level: Optional[str]
    release: Optional[str]
    report: Optional[str]
    verdict: Optional[str]
    reason: str
    message: str
    failed: bool
    over: bool


def weigh(hosts: Mapping[str, Host], triggers: Sequence[Trigger], where: trigger.Circumstances) -> trigger.Decision:
    """Return what the findings of all hosts lead to. One host that is red for long enough takes all of them back."""
    ticks = _ticks(hosts)
    spent = next((str(tick["spent"]) for tick in ticks.values() if tick.get("spent")), None)
    busy = "a run of the application is under way, which decides" if _busy(hosts) else None
    causes = [
        trigger.Cause(str(one["text"]), check=str(one["check"]), host=name, policy=one.get("policy"))
        for name, tick in ticks.items()
        for one in tick.get("findings") or []
        if one.get("check")
    ]
    return trigger.decide(causes, triggers, replace(where, spent=spent, busy=busy))


def decide(hosts: Mapping[str, Host], weighed: trigger.Decision, automatic: str, command: str) -> Outcome:
    """Return what the fleet does after a tick, which was ``weighed``.

    ``automatic``: rollback_automatic; ``command``: what a person runs who is asked.
    """
    ticks = _ticks(hosts)
    failures = {name: host.trouble for name, host in sorted(hosts.items()) if host.trouble}
    red = {name: told for name, tick in ticks.items() if (told := _red(tick))}
    verdict = worst([*(tick.get("verdict") for tick in ticks.values()), *("red" for _host in failures)])
    versions = ", ".join(sorted({str(tick["version"]) for tick in ticks.values() if tick.get("version")}))
    subject = f"keep release {versions}" if versions else "watch the release"
    reason = _said({**red, **failures}, several=len(hosts) > 1)
    over = bool(hosts) and not failures and all(tick.get("over") for tick in ticks.values())
    action = weighed.action if weighed.fired or not red else trigger.RECORD
    message = ""
    if action == trigger.ROLLBACK:
        also = f", and {weighed.also}" if weighed.also else ""
        message = str(
            SluiceError(subject, reason, f"Trigger {weighed.trigger} takes it back by level {weighed.level}{also}")
        )
    elif action == trigger.ASK:
        message = str(SluiceError(subject, reason, f"To take it back, run: {command}. It was not, for {weighed.why}"))
    elif red or failures:
        message = str(SluiceError(f"call the watch of {versions or 'the release'} green", reason))
    # Where all that is red is only to be recorded, nobody has to hear of it at once.
    silent = automatic == "false" if not weighed.fired else weighed.action == trigger.RECORD and not _busy(hosts)
    failed = bool(failures) or (bool(red) and not silent)
    release = next((str(tick["release"]) for tick in ticks.values() if tick.get("release")), None)
    ended = [str(one["release"]) for tick in ticks.values() for one in tick.get("watches") or []]
    report = ended[0] if ended else release if action in (trigger.ASK, trigger.RECORD) else None
    return Outcome(action, weighed.trigger, weighed.level, release, report, verdict, reason, message, failed, over)


def _ticks(hosts: Mapping[str, Host]) -> dict[str, Mapping[str, Any]]:
    return {name: host.tick for name, host in sorted(hosts.items()) if host.tick is not None and not host.trouble}


def _busy(hosts: Mapping[str, Host]) -> bool:
    return any(host.held for host in hosts.values())


def _red(tick: Mapping[str, Any]) -> str:
    return "; ".join(str(f["text"]) for f in tick.get("findings") or [] if f["verdict"] == "red")


def _said(texts: Mapping[str, Optional[str]], *, several: bool) -> str:
    return "; ".join(f"{name}: {text}" if several else str(text) for name, text in texts.items()).rstrip(".")

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What all hosts of a release decide together. Pure: what is known of every host in, one decision for each out."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.journal._state import ROLLBACK

# From this similarity on a variable counts as a misspelt option of a role.
_NEAR_MISS = 0.85
# A misspelt sluice_ key is wrong anyway; the nearest known one is only a suggestion.
_SUGGESTION = 0.6

# Ansible's own names, and names that belong to whoever invented them.
_FOREIGN = re.compile(
    r"(ansible_|_|awx_|tower_|molecule_).*"
    r"|group_names|groups|hostvars|inventory_\w+|omit|play_hosts|playbook_dir|role_\w+|environment|vars"
)


@dataclass(frozen=True)
class Host:
    """What the controller knows of a host.

    ``state`` is what the journal says (None: nothing), ``alive`` whether the host still takes part, ``failure`` why it
    failed (None: it did not). ``target`` is where the run goes, ``changed`` whether the switch changed anything,
    ``back`` how taking it back went (None: it was not), ``verdicts`` what its gates said.
    """

    state: Mapping[str, Any] | None
    alive: bool = True
    failure: str | None = None
    target: Mapping[str, Any] | None = None
    changed: bool = False
    back: Mapping[str, Any] | None = None
    verdicts: tuple[str, ...] = ()

    @property
    def settled(self) -> bool:
        """Whether the host runs already, by its journal, the code and the configuration that the run goes to."""
        current = (self.state or {}).get("current")
        return bool(self.target and current and _place(self.target) == _place(current))

    @property
    def open(self) -> Mapping[str, Any] | None:
        """The release that the host's journal has open."""
        opened = (self.state or {}).get("open")
        return opened if isinstance(opened, Mapping) else None


def _place(target: Mapping[str, Any]) -> tuple[Any, Any]:
    return (target.get("artifact") or {}).get("id"), (target.get("config") or {}).get("version")


@dataclass(frozen=True)
class Ending:
    """How a release ends on one host. ``good``: the application runs what was asked for, and the job may say so.

    ``restored`` is the target that runs again where the release was taken back.
    """

    outcome: str
    verdict: str
    good: bool
    message: str
    restored: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Verdict:
    """What one host does next (none, finish, take_back, abandon), and why."""

    action: str
    reason: str


# --- before the release ----------------------------------------------------------------------------------------------


def one_environment(environments: Mapping[str, str | None]) -> str:
    """Return the one environment that all hosts belong to. SluiceError when there is none, or more than one."""
    select = "Select one environment with -l, such as -l lab"
    if not environments:
        raise SluiceError("plan the release", "no host is selected", select)
    without = sorted(host for host, environment in environments.items() if not environment)
    if without:
        raise SluiceError(
            "plan the release", f"{_hosts(without)} without an environment: sluice_environment is not set there", select
        )
    members: dict[str, list[str]] = {}
    for host, environment in sorted(environments.items()):
        members.setdefault(str(environment), []).append(host)
    if len(members) > 1:
        said = ", ".join(f"{name} ({', '.join(hosts)})" for name, hosts in sorted(members.items()))
        raise SluiceError("plan the release", f"the hosts belong to more than one environment: {said}", select)
    return next(iter(members))


def check_keys(names: Iterable[str], known: Iterable[str]) -> None:
    """Find misspelt names in a profile. SluiceError naming every one and what it may have been meant to be.

    ``known`` are the options of all roles. A name that begins with ``sluice_`` must be one of them; any other must not
    be so near to one of them that it can only be a mistake.
    """
    known = sorted(set(known))
    wrong = []
    for name in sorted(set(names) - set(known)):
        ours = name.startswith("sluice_")
        if not ours and _FOREIGN.fullmatch(name):
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=_SUGGESTION if ours else _NEAR_MISS)
        if near:
            wrong.append(f"unknown key {name}. Did you mean {near[0]}?")
        elif ours:
            wrong.append(f"unknown key {name}.")
    if wrong:
        raise SluiceError("use the profile", " ".join(wrong), "", unknown_keys=wrong)


def release_id(moment: datetime, label: str) -> str:
    """Return the id of a release: the moment (UTC) and the version or, without one, what kind of run it is."""
    # A version may be a git ref; an id is part of a file name.
    safe = re.sub(r"[^A-Za-z0-9._+-]+", "-", label).strip("-.")[:80]
    return f"{moment:%Y%m%dT%H%M%SZ}" + (f"-{safe}" if safe else "")


# --- in the release --------------------------------------------------------------------------------------------------


def check_barrier(stage: str, hosts: Mapping[str, Host]) -> None:
    """Let the fleet pass only as a whole. SluiceError naming every host that is not ready, and why."""
    missing = {name: host for name, host in hosts.items() if not host.alive or host.failure}
    if not missing:
        return
    said = "; ".join(f"host {name} {_why(host)}" for name, host in sorted(missing.items()))
    moved = sorted(name for name, host in hosts.items() if (host.open or {}).get("moved"))
    remedy = f"Taking back: {_hosts(moved)}" if moved else "Nothing was moved on any host"
    raise SluiceError(f"start {stage}", said, remedy, not_ready=sorted(missing))


def settled(hosts: Mapping[str, Host]) -> bool:
    """Return whether the run has nothing to move on any host."""
    return bool(hosts) and all(host.settled for host in hosts.values())


def decide(point: str, hosts: Mapping[str, Host]) -> dict[str, Verdict]:
    """Return what every host does next.

    ``point``: ``recover`` judges what a killed run has left, by the journals alone; ``decide`` ends a run that knows
    what failed. Each host with an open release gets finish, take_back or abandon, the others none.
    """
    failed = sorted(name for name, host in hosts.items() if host.failure or not host.alive)
    verdicts = {}
    for name, host in hosts.items():
        opened = host.open
        if opened is None:
            verdicts[name] = Verdict("none", "no release is open")
        elif point == "recover":
            verdicts[name] = _recover(opened, hosts)
        elif not failed:
            verdicts[name] = Verdict("finish", "no host has failed")
        else:
            verdicts[name] = _end_failed(opened, "; ".join(f"host {who} {_why(hosts[who])}" for who in failed))
    return verdicts


def close(action: str, name: str, hosts: Mapping[str, Host]) -> Ending:
    """Return how the release ends on host ``name``, after ``action`` (finish, take_back or abandon) was carried out."""
    own = hosts[name]
    if action == "finish":
        moves_nothing = settled(hosts) and not any(host.changed for host in hosts.values())
        outcome = "unchanged" if moves_nothing else "succeeded"
        return Ending(outcome, _worst(own.verdicts), True, "")
    opened = own.open or {}
    moved = {host_name: host for host_name, host in hosts.items() if (host.open or {}).get("moved")}
    failures = "; ".join(f"host {who} {_why(host)}" for who, host in sorted(hosts.items()) if not _is_well(host))
    cause = failures or f"release {opened.get('release')} was interrupted"
    asked = f"release version {opened['version']}" if opened.get("version") else f"{opened.get('kind') or 'release'}"
    if not moved:
        error = SluiceError(asked, cause, "Nothing was moved; the application is as it was")
        return Ending("failed", "red", False, str(error))
    not_back = {who: host for who, host in moved.items() if not (host.back or {}).get("verified")}
    if not_back:
        said = "; ".join(f"{who}: {(host.back or {}).get('reason') or 'unknown'}" for who, host in not_back.items())
        remedy = f"{_hosts(sorted(not_back))} could not be taken back ({said.rstrip('.')}). Run rollback.yml"
        return Ending("failed", "red", False, str(SluiceError(asked, cause, remedy)), (own.back or {}).get("restored"))
    versions = ", ".join(sorted({str((host.back or {}).get("to") or "nothing, as before") for host in moved.values()}))
    # A rollback that was interrupted and is carried through has reached what was asked for.
    if opened.get("kind") == ROLLBACK:
        return Ending("succeeded", "green", True, f"Rolled back to {versions}.")
    error = SluiceError(asked, cause, f"Rolled back to {versions}")
    return Ending("rolled_back", "red", False, str(error), (own.back or {}).get("restored"))


def _is_well(host: Host) -> bool:
    return host.alive and not host.failure


def _worst(verdicts: Iterable[str]) -> str:
    """Return the worst of the verdicts; green when nothing was measured."""
    order = ("green", "pending", "yellow", "red")
    return max((v for v in verdicts if v in order), key=order.index, default="green")


def _recover(opened: Mapping[str, Any], hosts: Mapping[str, Host]) -> Verdict:
    release = opened["release"]
    closed = sorted(name for name, host in hosts.items() if _has_succeeded(host, release))
    same = [host.open for host in hosts.values() if host.open is not None and host.open["release"] == release]
    # A host of which nothing is known may be the one that did not pass.
    unknown = sorted(name for name, host in hosts.items() if host.state is None)
    if closed and opened["moved"]:
        return Verdict("finish", f"release {release} has succeeded on {', '.join(closed)}")
    if not unknown and all(one["passed"] for one in same):
        return Verdict("finish", f"release {release} was verified on every host")
    where = f"in {opened['stage']}" if opened["stage"] else f"after {(opened['left'] or ['it began'])[-1]}"
    return _back(opened, f"release {release} was interrupted {where}")


def _back(opened: Mapping[str, Any], reason: str) -> Verdict:
    return Verdict("take_back" if opened["moved"] else "abandon", reason)


def _end_failed(opened: Mapping[str, Any], reason: str) -> Verdict:
    """Take a failed release back, at most once: a rollback that has failed is for a person to look at."""
    if opened.get("kind") == ROLLBACK:
        return Verdict("abandon", f"a rollback is not taken back; {reason}")
    return _back(opened, reason)


def _has_succeeded(host: Host, release: str) -> bool:
    last = (host.state or {}).get("last") or {}
    return bool(last.get("release") == release and last.get("outcome") == "succeeded")


def _why(host: Host) -> str:
    if host.failure:
        return f"has failed ({host.failure.strip().rstrip('.')})"
    return "has failed or cannot be reached"


def _hosts(names: list[str]) -> str:
    return f"{'host' if len(names) == 1 else 'hosts'} {', '.join(names)}"

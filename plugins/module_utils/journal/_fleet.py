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
    """What the controller knows of a host: the journal's state (None: nothing), whether it still takes part, and why
    it failed (None: it did not).
    """

    state: Mapping[str, Any] | None
    alive: bool = True
    failure: str | None = None

    @property
    def open(self) -> Mapping[str, Any] | None:
        """The release that the host's journal has open."""
        opened = (self.state or {}).get("open")
        return opened if isinstance(opened, Mapping) else None


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
    remedy = f"{_hosts(moved)} had moved and will be taken back" if moved else "Nothing was moved on any host"
    raise SluiceError(f"start {stage}", said, remedy, not_ready=sorted(missing))


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
            verdicts[name] = _back(opened, "; ".join(f"host {who} {_why(hosts[who])}" for who in failed))
    return verdicts


def fleet_outcome(hosts: Mapping[str, Host], verdicts: Mapping[str, Verdict]) -> str:
    """Return how the release ends for the fleet as a whole: succeeded, rolled_back, failed or unchanged."""
    actions = {verdict.action for verdict in verdicts.values()}
    if "take_back" in actions:
        return "rolled_back"
    if "abandon" in actions or any(host.failure or not host.alive for host in hosts.values()):
        return "failed"
    moved = any((host.open or {}).get("moved") for host in hosts.values())
    return "succeeded" if "finish" in actions and moved else "unchanged"


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


def _has_succeeded(host: Host, release: str) -> bool:
    last = (host.state or {}).get("last") or {}
    return bool(last.get("release") == release and last.get("outcome") == "succeeded")


def _why(host: Host) -> str:
    if host.failure:
        return f"has failed ({host.failure.strip().rstrip('.')})"
    return "has failed or cannot be reached"


def _hosts(names: list[str]) -> str:
    return f"{'host' if len(names) == 1 else 'hosts'} {', '.join(names)}"

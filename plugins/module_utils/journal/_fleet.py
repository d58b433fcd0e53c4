# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What all hosts of a release decide together. Pure: what is known of every host in, one decision for each out."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.journal._entry import (
    DRILL,
    EMERGENCY,
    INTERRUPTED,
    ROLLBACK,
)
from ansible_collections.sluice.release.plugins.module_utils.trigger import _decide as trigger
from ansible_collections.sluice.release.plugins.module_utils.trigger._model import Trigger

# From this similarity on a variable counts as a misspelt option of a role.
_NEAR_MISS = 0.85
# A misspelt sluice_ key is wrong anyway; the nearest known one is only a suggestion.
_SUGGESTION = 0.6

# What goes back by itself while a deploy goes on is code and configuration, and never the database.
_HIGHEST = 2

# The kinds of a run that are no verbs.
_VERBS = {DRILL: "drill the rollback", EMERGENCY: "carry out the emergency action", ROLLBACK: "roll back"}

# Ansible's own names, and names that belong to whoever invented them.
_FOREIGN = re.compile(
    r"(ansible_|_|awx_|tower_|molecule_).*"
    r"|group_names|groups|hostvars|inventory_\w+|omit|play_hosts|playbook_dir|role_\w+|environment|vars"
)


# How the fence says it; a module may have put its own words before that.
_LOST = re.compile(r"(the lock was taken over by|its lock is gone).*")


@dataclass(frozen=True)
class Host:
    """What the controller knows of a host.

    ``state`` is what the journal says (None: nothing), ``alive`` whether the host still takes part, ``failure`` why it
    failed (None: it did not). ``target`` is where the run goes, ``changed`` whether the switch changed anything,
    ``back`` how taking it back went (None: it was not), ``verdicts`` what its gates said, ``fenced`` whether it failed
    because another run has taken the lock, ``unreachable`` because nothing could be asked of it, ``waited`` because of
    another host alone. ``red``: the checks, by name and in words, that failed it; None: something else has.
    """

    state: Mapping[str, Any] | None
    alive: bool = True
    failure: str | None = None
    target: Mapping[str, Any] | None = None
    changed: bool = False
    back: Mapping[str, Any] | None = None
    verdicts: tuple[str, ...] = ()
    fenced: bool = False
    unreachable: bool = False
    waited: bool = False
    red: tuple[tuple[str | None, str], ...] | None = None

    @property
    def settled(self) -> bool:
        """Whether the host runs already, by its journal, the code and the configuration that the run goes to.

        What was left running for a person to decide about is not settled: its gates have to pass first.
        """
        current = (self.state or {}).get("current")
        good = (self.state or {}).get("good")
        proven = good is None or any(_place(one) == _place(current or {}) for one in good)
        return bool(self.target and current and _place(self.target) == _place(current) and proven)

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

    ``restored`` is the target that runs again where the release was taken back, ``interrupted`` that it was because its
    run was killed: nothing was found to be wrong with the release itself. ``stays_open``: the record is not closed, so
    that the next run finds what is left to do; a release that is closed keeps nothing of that.
    """

    outcome: str
    verdict: str
    good: bool
    message: str
    restored: Mapping[str, Any] | None = None
    interrupted: bool = False
    stays_open: bool = False


@dataclass(frozen=True)
class Verdict:
    """What one host does next (none, finish, take_back, hold, abandon, leave), and why."""

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


def left_out(hosts: Iterable[str], environments: Mapping[str, str | None], environment: str) -> list[str]:
    """Return the hosts of the environment that a run on ``hosts`` does not touch (``-l`` names a part of the fleet)."""
    taking_part = set(hosts)
    return sorted(host for host, name in environments.items() if name == environment and host not in taking_part)


# --- in the release --------------------------------------------------------------------------------------------------


def check_barrier(stage: str, hosts: Mapping[str, Host]) -> None:
    """Let the fleet pass only as a whole. SluiceError naming every host that is not ready, and why.

    A rollback leaves behind what cannot be reached: whatever runs there was bad enough to be left by the others.
    """
    missing = {name: host for name, host in hosts.items() if not host.alive or host.failure}
    only_lost = all(host.unreachable for host in missing.values()) and len(missing) < len(hosts)
    if not missing or (only_lost and _rolls_back(hosts)):
        _check_artifacts(stage, hosts)
        return
    said = "; ".join(f"host {name} {_why(host)}" for name, host in sorted(missing.items()))
    moved = sorted(name for name, host in hosts.items() if (host.open or {}).get("moved"))
    remedy = _whereabouts(moved)
    raise SluiceError(f"start {stage}", said, remedy, not_ready=sorted(missing))


def _check_artifacts(stage: str, hosts: Mapping[str, Host]) -> None:
    """Let a release begin only with one and the same artifact on every host; a rollback goes where each host was."""
    members: dict[tuple[str, str], list[str]] = {}
    for name, host in sorted(hosts.items()):
        artifact = (host.target or {}).get("artifact") or {}
        if artifact and (host.open or {}).get("kind") not in (DRILL, ROLLBACK):
            members.setdefault((str(artifact.get("id")), str(artifact.get("checksum"))), []).append(name)
    if len(members) < 2:
        return
    said = ", ".join(f"{artifact} ({_hosts(names)})" for (artifact, _checksum), names in members.items())
    moved = sorted(name for name, host in hosts.items() if (host.open or {}).get("moved"))
    remedy = _whereabouts(moved)
    raise SluiceError(
        f"start {stage}",
        f"the hosts do not have the same artifact: {said}",
        f"{remedy}. Give all the same source, or let one build the image and push it",
        artifacts={name: artifact for (artifact, _checksum), names in members.items() for name in names},
    )


def _whereabouts(moved: list[str]) -> str:
    return f"So far it runs on {_hosts(moved)}" if moved else "Nothing was moved on any host"


def settled(hosts: Mapping[str, Host]) -> bool:
    """Return whether the run has nothing to move on any host."""
    return bool(hosts) and all(host.settled for host in hosts.values())


def weigh(
    hosts: Mapping[str, Host], triggers: Sequence[Trigger], where: trigger.Circumstances
) -> trigger.Decision | None:
    """Return what the red checks of a deploy lead to; None where nothing is to be weighed.

    A deploy that could not be carried out goes back in any case, and so does every other kind of run: nobody can want
    to keep a part of it.
    """
    causes = []
    for name, host in sorted(hosts.items()):
        if _is_well(host) or host.waited:
            continue
        if host.red is None or not host.alive or (host.open or {}).get("kind") != "deploy":
            return None
        causes += [trigger.Cause(text, check=check, host=name) for check, text in host.red]
    return trigger.decide(causes, triggers, replace(where, highest=_HIGHEST)) if causes else None


def decide(point: str, hosts: Mapping[str, Host], weighed: trigger.Decision | None = None) -> dict[str, Verdict]:
    """Return what every host does next.

    ``point``: ``recover`` judges what a killed run has left, by the journals alone; ``decide`` ends a run that knows
    what failed. Each host with an open release gets finish, take_back, hold or abandon, the others none. A run that has
    lost its lock leaves everything to whoever has it now. ``weighed``: what ``weigh`` has said.
    """
    failed = sorted(name for name, host in hosts.items() if host.failure or not host.alive)
    verdicts = {}
    for name, host in hosts.items():
        opened = host.open
        if opened is None:
            verdicts[name] = Verdict("none", "no release is open")
        elif point == "recover":
            verdicts[name] = _recover(opened, hosts)
        elif any(one.fenced for one in hosts.values()):
            verdicts[name] = Verdict("leave", "another run has taken the lock, and decides about the release")
        elif not failed:
            verdicts[name] = Verdict("finish", "no host has failed")
        else:
            reason = "; ".join(f"host {who} {_why(hosts[who])}" for who in failed)
            if is_held(weighed):
                verdicts[name] = Verdict("hold" if opened["moved"] else "abandon", reason)
                continue
            verdicts[name] = _end_failed(opened, reason, host, all(_is_lost(hosts[who]) for who in failed))
    return verdicts


def is_held(weighed: trigger.Decision | None) -> bool:
    """Whether a release stays where it is, red as it is, until a person decides."""
    return weighed is not None and weighed.action in (trigger.ASK, trigger.RECORD)


def to_fence(hosts: Mapping[str, Host]) -> list[str]:
    """Return the hosts that cannot be told, and may serve another version than the fleet goes to: no request for them.

    Where a deploy fails, those are the ones that had moved; where a rollback succeeds, any of them.
    """
    lost = {name: host for name, host in hosts.items() if _is_lost(host)}
    if len(lost) == len(hosts):
        return []
    return sorted(name for name, host in lost.items() if _rolls_back(hosts) or (host.open or {}).get("moved"))


def _rolls_back(hosts: Mapping[str, Host]) -> bool:
    return any((host.open or {}).get("kind") == ROLLBACK for host in hosts.values())


def close(
    action: str,
    name: str,
    hosts: Mapping[str, Host],
    weighed: trigger.Decision | None = None,
    command: str = "",
    *,
    by: str = "",
) -> Ending:
    """Return how the release ends on host ``name``, after ``action`` (of :class:`Verdict`) was carried out.

    ``command``: what a person runs to take it back who is asked. ``by``: the kind of the run that ends it.
    """
    own = hosts[name]
    if action == "finish":
        moves_nothing = settled(hosts) and not any(host.changed for host in hosts.values())
        outcome = "unchanged" if moves_nothing else "succeeded"
        return Ending(outcome, _worst(own.verdicts), True, "")
    opened = own.open or {}
    moved = {host_name: host for host_name, host in hosts.items() if (host.open or {}).get("moved")}
    failures = "; ".join(f"host {who} {_why(host)}" for who, host in sorted(hosts.items()) if not _is_well(host))
    cause = failures or f"release {opened.get('release')} was interrupted"
    kind = _VERBS.get(str(opened.get("kind")), opened.get("kind") or "release")
    asked = f"release version {opened['version']}" if opened.get("version") else str(kind)
    if action == "leave":
        return Ending("failed", "red", False, str(SluiceError(asked, _fenced(hosts))))
    if not moved:
        error = SluiceError(asked, cause, "Nothing was moved; the application is as it was")
        return Ending("failed", "red", False, str(error))
    if weighed is not None and is_held(weighed):
        remedy = f"It was not taken back, for {weighed.why}, and serves on {_hosts(sorted(moved))}"
        remedy += f". To take it back, run: {command}. To keep it, deploy it again"
        target = opened.get("target") if action == "hold" else None
        return Ending("failed", "red", False, str(SluiceError(asked, cause, remedy)), target)
    not_back = {who: host for who, host in moved.items() if not (host.back or {}).get("verified")}
    if not_back:
        said = "; ".join(f"{who}: {(host.back or {}).get('reason') or 'unknown'}" for who, host in not_back.items())
        left = f"{_hosts(sorted(not_back))} could not be taken back ({said.rstrip('.')})"
        # What was written since the backup lies beside the live database: whatever runs next must complete that first.
        halfway = any((host.open or {}).get("database") for host in not_back.values())
        then = "recover.yml, which gives the database its place back" if halfway else "rollback.yml"
        error = SluiceError(asked, cause, f"{left}. Mend that, then run {then}")
        return Ending(
            "failed",
            "red",
            False,
            str(error),
            (own.back or {}).get("restored"),
            stays_open=name in not_back and bool(opened.get("database")),
        )
    versions = ", ".join(sorted({str((host.back or {}).get("to") or "nothing, as before") for host in moved.values()}))
    if any((host.back or {}).get("returns") for host in moved.values()):
        error = SluiceError(asked, cause, f"{versions} serves as before, and the database is as it was")
        return Ending("failed", "red", False, str(error), (own.back or {}).get("restored"))
    # A rollback that was interrupted and is carried through has reached what was asked for.
    if opened.get("kind") == ROLLBACK:
        return Ending("succeeded", "green", True, f"Rolled back to {versions}.")
    error = SluiceError(asked, cause, f"Rolled back to {versions}")
    # Who rolls back while it is on its way has found something wrong with it.
    was_killed = by != ROLLBACK and not failures and all(_only_interrupted(host) for host in moved.values())
    return Ending("rolled_back", "red", False, str(error), (own.back or {}).get("restored"), was_killed)


# --- between releases ------------------------------------------------------------------------------------------------


def who_runs_what(states: Mapping[str, Mapping[str, Any] | None]) -> list[dict[str, Any]]:
    """Return a row for every host, by its journal; ``state`` None is a host that could not be asked."""
    rows = []
    for host, state in sorted(states.items()):
        current = (state or {}).get("current") or {}
        opened = (state or {}).get("open") or {}
        last = (state or {}).get("last") or {}
        rows.append(
            {
                "host": host,
                "known": state is not None,
                "version": current.get("version"),
                "artifact": (current.get("artifact") or {}).get("id"),
                "config": (current.get("config") or {}).get("version"),
                "release": current.get("release"),
                "last": {key: last.get(key) for key in ("release", "kind", "outcome", "ended")} if last else None,
                "open": {key: opened.get(key) for key in ("release", "kind", "stage")} if opened else None,
            }
        )
    return rows


def table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the rows as lines of equal columns for a terminal."""
    cells = [["host", "version", "artifact", "config", "last run", "ended"]]
    for row in rows:
        last = row["last"] or {}
        values = [row["version"], row["artifact"], row["config"]]
        told = [*("-" if value is None else str(value) for value in values)]
        run = f"{(last['kind'] or 'release').replace('_', ' ')} {last['outcome']}" if last else "-"
        cells.append(
            [row["host"], *told, run, last.get("ended") or "-"] if row["known"] else [row["host"], "unreachable"]
        )
    whole = [line for line in cells if len(line) == len(cells[0])]
    widths = [max(len(line[column]) for line in whole) for column in range(len(cells[0]))]
    widths[0] = max(len(line[0]) for line in cells)
    return ["  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in cells]


def differences(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say in what the hosts differ, and which have to be looked at. Empty for a fleet that is of one mind."""
    found = [f"{row['host']}: cannot be asked" for row in rows if not row["known"]]
    found += [
        f"{row['host']}: {row['open']['kind'] or 'release'} {row['open']['release']} is open"
        + (f", in stage {row['open']['stage']}" if row["open"]["stage"] else "")
        for row in rows
        if row["open"]
    ]
    # The numbers of config versions are each host's own, so only the code is compared.
    runs: dict[str | None, list[str]] = {}
    for row in rows:
        if row["known"]:
            runs.setdefault(row["artifact"], []).append(row["host"])
    if len(runs) > 1:
        # What most of them run is what the others are measured by.
        usual = max(runs, key=lambda artifact: len(runs[artifact]))
        found += [
            f"{', '.join(hosts)}: {artifact or 'nothing that the journal knows'}, where others run {usual or 'nothing'}"
            for artifact, hosts in sorted(runs.items(), key=lambda item: item[1])
            if artifact != usual
        ]
    return found


def _fenced(hosts: Mapping[str, Host]) -> str:
    """Return in one sentence who has taken the lock from the run, by the first host that was told."""
    name, host = next((name, host) for name, host in sorted(hosts.items()) if host.fenced)
    said = _LOST.search(host.failure or "")
    return f"on host {name} {said[0]}" if said else f"host {name} has lost its lock"


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


def _end_failed(opened: Mapping[str, Any], reason: str, host: Host, only_lost: bool) -> Verdict:
    """Take a failed release back. A failed rollback goes back to what it was to leave, so that one version serves.

    That some hosts cannot be reached is no reason to bring a bad version back to the others.
    """
    if opened.get("kind") == ROLLBACK and only_lost and opened.get("moved"):
        return Verdict("abandon" if _is_lost(host) else "finish", f"the hosts that can be reached went back; {reason}")
    return _back(opened, reason)


def _is_lost(host: Host) -> bool:
    return not host.alive or host.unreachable


def _has_succeeded(host: Host, release: str) -> bool:
    last = (host.state or {}).get("last") or {}
    return bool(last.get("release") == release and last.get("outcome") == "succeeded")


def _only_interrupted(host: Host) -> bool:
    """Whether the journal of the host knows no stage that has failed by itself."""
    return (host.open or {}).get("failed_reason") in (None, INTERRUPTED)


def _why(host: Host) -> str:
    if host.failure:
        return f"has failed ({host.failure.strip().rstrip('.')})"
    return "has failed or cannot be reached"


def _hosts(names: list[str]) -> str:
    return f"{'host' if len(names) == 1 else 'hosts'} {', '.join(names)}"

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A drill of the rollbacks: what it would do, how long each level has taken, and whether that was good enough. Pure.

Every level is the rollback itself, and after it the host is led back. The journal of such a run reads, for each level::

    rollback -> switch -> verify -> return -> switch -> verify

The first three are what a rollback takes; the others belong to the drill.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.journal._entry import DRILL, ROLLBACK, SWITCH, VERIFY
from ansible_collections.sluice.release.plugins.module_utils.journal._preview import BUDGETS, budget_of, expected, named
from ansible_collections.sluice.release.plugins.module_utils.journal._target import (
    CONFIG,
    DATABASE,
    Goal,
    Wish,
    choose,
    earlier_configs,
)

HERE = "here"
SHADOW = "shadow"

# The stage in which the host is led back to what served.
RETURN = "return"

# What a rollback consists of; its seconds are theirs.
STEPS = (ROLLBACK, SWITCH, VERIFY)

# Of the config version that level 1 goes to where there is no other; only the plan sees it.
_STAND_IN: Mapping[str, Any] = {"version": "a copy of it", "path": None}

_VERB = "drill the rollback"

State = Mapping[str, Any]
Entry = Mapping[str, Any]


# --- before it -------------------------------------------------------------------------------------------------------


def read_levels(levels: Iterable[Any]) -> tuple[int, ...]:
    """Return the levels in order, each once."""
    try:
        asked = sorted({int(level) for level in levels})
    except (TypeError, ValueError):
        asked = []
    if not asked or not set(asked) <= set(BUDGETS):
        raise SluiceError(f"{_VERB}", "rollback_drill_levels names no level, or one that is none", "Name 1, 2 or 3")
    return tuple(asked)


def check_place(place: str, environment: str, *, production: bool) -> None:
    """Let nobody move what serves in production for an exercise."""
    if place == HERE and production:
        raise SluiceError(
            f"{_VERB} in {environment}",
            "it is production, and every level would move what serves there",
            "Drill on a copy of it, or beside it with rollback_drill_place: shadow",
        )


def goals(states: Mapping[str, State], levels: Sequence[int], backup_id: Optional[str]) -> dict[int, dict[str, Goal]]:
    """Return where each level would lead each host. SluiceError when one of them leads nowhere: then none is run."""
    found: dict[int, dict[str, Goal]] = {}
    wish = Wish(backup_id=backup_id, revertible=False, stand_in=_STAND_IN)
    for host, state in states.items():
        if state["current"] is None:
            raise SluiceError(
                _VERB, f"the journal of host {host} does not know what runs there", "Deploy a version first"
            )
        for level in levels:
            try:
                found.setdefault(level, {})[host] = choose(_settled(state), level, wish)
            except SluiceError as error:
                cause = f"on host {host} {error.cause}" if len(states) > 1 else error.cause
                raise SluiceError(f"drill the rollback by level {level}", cause, error.remedy) from error
    return found


def needs_stand_in(state: State, levels: Sequence[int]) -> bool:
    """Return whether level 1 has no other configuration to go to, so that it needs one that says the same."""
    return CONFIG in levels and state["current"] is not None and not earlier_configs(state)


def before(where: Mapping[int, Goal]) -> Optional[Mapping[str, Any]]:
    """Return the version that a level of code goes to; None when none is drilled."""
    return next((goal.target for level, goal in where.items() if level > CONFIG), None)


def plan_lines(
    where: Mapping[int, Mapping[str, Goal]],
    states: Mapping[str, State],
    budgets: Mapping[Any, Any] | None,
    place: str,
) -> list[str]:
    """Return what the drill would do, line by line."""
    at = "where the application runs" if place == HERE else "at a shadow beside the application, which is not touched"
    lines = [f"Drill {at}: level{'' if len(where) == 1 else 's'} {', '.join(map(str, where))}."]
    lines += [f"{host}: {named(state['current'])} serves, and again after each." for host, state in states.items()]
    for level, hosts in where.items():
        first = next(iter(hosts.values()))
        lines += [f"Level {level}: {host} -> {named(goal.target)}, {goal.reason}." for host, goal in hosts.items()]
        if level == DATABASE:
            lines.append(
                f"Level {level}: backup {first.backup_id} is restored, proven and swapped in; then the database that"
                " served gets its place back. What is written in between goes with the copy."
            )
        took = expected(level, list(states.values()))
        before = f"{took.seconds:.0f} s, as the {took.how} {took.release} took" if took else "not known yet"
        lines.append(f"Level {level}: expected {before}. Budget: {budget_of(level, budgets):g} s.")
    return lines


def _settled(state: State) -> State:
    """What a killed run has left is dealt with when the drill opens; what has passed is what runs then."""
    opened = state.get("open") or {}
    return {**state, "current": opened["target"]} if opened.get("passed") and opened.get("target") else state


# --- after it --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """One level on one host. ``seconds`` is None when it was not carried through, and then ``why`` says why."""

    seconds: Optional[float]
    steps: Mapping[str, float] = field(default_factory=dict)
    why: Optional[str] = None


def measure(entries: Iterable[Entry], levels: Sequence[int], failure: Optional[str] = None) -> dict[int, Measured]:
    """Return how long each level took, by the entries of the drill; the journal has measured it.

    ``failure``: why the host has stopped before its first level.
    """
    parts: list[list[Entry]] = []
    for entry in entries:
        if entry["event"] == "entered" and entry["stage"] == ROLLBACK:
            parts.append([])
        if parts:
            parts[-1].append(entry)
    return {
        level: _measured(parts[number])
        if number < len(parts)
        else Measured(None, why=failure if failure and not parts else "it was not reached")
        for number, level in enumerate(levels)
    }


def _measured(entries: Sequence[Entry]) -> Measured:
    steps: dict[str, float] = {}
    back = False
    for entry in entries:
        back = back or (entry["event"] == "entered" and entry["stage"] == RETURN)
        if entry["event"] == "failed":
            reason = str(entry.get("reason") or "no reason was recorded")
            return Measured(None, steps, f"the way back to what served failed: {reason}" if back else reason)
        if entry["event"] == "left" and entry["stage"] in STEPS and not back:
            steps[str(entry["stage"])] = float(entry["seconds"])
    if set(steps) != set(STEPS):
        return Measured(None, steps, "it did not come to its end")
    return Measured(round(sum(steps.values()), 3), steps)


def result(
    hosts: Mapping[str, Mapping[int, Measured]], levels: Sequence[int], budgets: Mapping[Any, Any] | None
) -> dict[str, Any]:
    """Return what the journal keeps of the drill: by level the slowest host, and which levels were missed, and why."""
    seconds: dict[str, Optional[float]] = {}
    steps: dict[str, dict[str, float]] = {}
    missed: dict[str, str] = {}
    for level in levels:
        found = {host: measured[level] for host, measured in hosts.items()}
        name, budget = str(level), budget_of(level, budgets) or 0.0
        whole = [one.seconds for one in found.values() if one.seconds is not None]
        steps[name] = {
            step: max(one.steps[step] for one in found.values() if step in one.steps)
            for step in STEPS
            if any(step in one.steps for one in found.values())
        }
        seconds[name] = max(whole) if whole and len(whole) == len(found) else None
        failed = [
            f"{host}: {one.why}" if len(hosts) > 1 else str(one.why)
            for host, one in found.items()
            if one.seconds is None
        ]
        took = seconds[name]
        if failed:
            missed[name] = "; ".join(failed)
        elif took is not None and took > budget:
            missed[name] = f"it took {took:.0f} s of {budget:g} s"
    return {
        "levels": seconds,
        "steps": steps,
        "budgets": {str(level): budget_of(level, budgets) for level in levels},
        "missed": missed,
        "met": not missed,
    }


def missed_text(data: Mapping[str, Any]) -> str:
    """Return in one sentence, without its period, what was not good enough."""
    return "; ".join(f"level {level}: {str(why).rstrip('.')}" for level, why in (data.get("missed") or {}).items())


# --- long after it ---------------------------------------------------------------------------------------------------


def newest(entries: Iterable[Entry]) -> dict[str, dict[str, Any]]:
    """Return by level what its newest drill has found: ``seconds`` (None: failed), ``why``, ``release``, ``time``."""
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if entry["event"] == "noted" and entry["name"] == DRILL:
            data = entry.get("data") or {}
            for level, seconds in (data.get("levels") or {}).items():
                found[str(level)] = {
                    "seconds": seconds,
                    "why": (data.get("missed") or {}).get(str(level)),
                    "release": entry["release"],
                    "time": entry["time"],
                }
    return found

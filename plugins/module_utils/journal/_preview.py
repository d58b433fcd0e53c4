# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a rollback would do, how long it takes and how long it may take. Pure; for a person at three in the morning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.journal._entry import DRILL, ROLLBACK
from ansible_collections.sluice.release.plugins.module_utils.journal._target import DATABASE, Goal

# Seconds by level, where the profile says nothing else.
BUDGETS = {1: 120.0, 2: 300.0, 3: 600.0}


@dataclass(frozen=True)
class Expected:
    """How long a rollback took the last time: ``how`` is drill or rollback. Seconds."""

    seconds: float
    how: str
    release: str
    time: str


def budget_of(level: int, budgets: Mapping[Any, Any] | None) -> float | None:
    """Return the seconds that a rollback of this level may take; None for the automatic one, which is a stage."""
    own = {str(key): value for key, value in (budgets or {}).items()}
    unknown = sorted(set(own) - set(map(str, BUDGETS)))
    if unknown:
        raise SluiceError("read rollback_budgets", f"there is no level {', '.join(unknown)}", "Name 1, 2 or 3")
    if level not in BUDGETS:
        return None
    try:
        seconds = float(own.get(str(level), BUDGETS[level]))
    except (TypeError, ValueError) as error:
        raise SluiceError("read rollback_budgets", f"level {level} has no number", "Give seconds") from error
    return seconds


def expected(level: int, states: Sequence[Mapping[str, Any]]) -> Expected | None:
    """Return how long the level takes: as the newest drill of any host says, or else the newest rollback."""
    for how in ("drill", ROLLBACK):
        known = [
            found
            for state in states
            for found in [((state.get("measured") or {}).get(str(level)) or {}).get(how)]
            if found
        ]
        if known:
            # Each host has written it down at a moment of its own.
            newest = max(known, key=lambda one: str(one["time"]))["release"]
            slowest = max((one for one in known if one["release"] == newest), key=lambda one: float(one["seconds"]))
            return Expected(float(slowest["seconds"]), how, slowest["release"], slowest["time"])
    return None


def preview(
    level: int,
    goals: Mapping[str, Goal],
    states: Mapping[str, Mapping[str, Any]],
    *,
    why: str | None,
    budget: float | None,
) -> list[str]:
    """Return the lines that say what the rollback would do on each host. It has changed nothing."""
    first = next(iter(goals.values()))
    lines = [f"Level {level}: {(first.target or {}).get('version') or 'nothing'}, {first.reason}."]
    if why:
        lines.append(f"Why this level: {why}.")
    for host, state in states.items():
        opened = state.get("open")
        if opened:
            what = str(opened["kind"] or "release").replace("_", " ")
            stage = f", in stage {opened['stage']}" if opened["stage"] else ""
            by = f" by {opened['data']['operator']}" if opened["data"].get("operator") else ""
            lines.append(f"{host}: {what} {opened['release']}{by} is open{stage}; it is {_fate(opened)}.")
    lines += [f"{host}: {named(states[host]['current'])} -> {named(goal.target)}" for host, goal in goals.items()]
    lines.append(_database(first, level))
    took = expected(level, list(states.values()))
    known = (
        f"{took.seconds:.0f} s, as the {'drill' if took.how == 'drill' else 'rollback'} {took.release} took"
        if took
        else "unknown, for no rollback by this level was measured here, and no drill"
    )
    lines.append(f"Expected: {known}." + (f" Budget: {budget:g} s." if budget else ""))
    return lines


def _fate(opened: Mapping[str, Any]) -> str:
    if not opened["moved"]:
        return "ended first, for it has moved nothing"
    if opened["passed"]:
        return "finished first, for it has passed"
    if opened["kind"] == DRILL:
        return "brought back first to what served before it"
    return "carried through" if opened["kind"] == ROLLBACK else "taken back, and that is the rollback"


def named(target: Mapping[str, Any] | None) -> str:
    """Return a target in words."""
    if target is None:
        return "nothing that the journal knows"
    artifact, config = target.get("artifact") or {}, target.get("config") or {}
    return f"{target.get('version')} (artifact {artifact.get('id')}, config {config.get('version')})"


def _database(goal: Goal, level: int) -> str:
    if level < DATABASE or not goal.database:
        return "Database: stays as it is."
    back = f"backup {goal.backup_id} is restored" if goal.backup_id else "nothing else is done, for there is no backup"
    if goal.migrations:
        return f"Database: {', '.join(goal.migrations)} are taken back by the revert command; should it fail, {back}."
    return f"Database: {back}, proven beside the live one, and swapped in."

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds where a rollback of a host goes; see the module of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, ClassVar

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.journal._entry import DRILL, ROLLBACK
from ansible_collections.sluice.release.plugins.module_utils.journal._preview import budget_of, expected, preview
from ansible_collections.sluice.release.plugins.module_utils.journal._target import (
    AUTOMATIC,
    Goal,
    Wish,
    choose,
    ended,
    is_unproven,
    smallest_level,
    would_settle,
)
from ansible_collections.sluice.release.plugins.plugin_utils._fleet_action import FleetAction

States = dict[str, Mapping[str, Any]]


class ActionModule(FleetAction):
    ARGUMENTS: ClassVar[Mapping[str, Any]] = {
        "level": {"type": "str", "choices": ["0", "1", "2", "3", "auto"], "required": True},
        "version": {"type": "str"},
        "backup_id": {"type": "str"},
        "revertible": {"type": "bool", "default": True},
        "breaking": {"type": "list", "elements": "str", "default": []},
        "budgets": {"type": "dict", "default": {}},
        "stand_in": {"type": "dict"},
    }

    def act(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        host = task_vars["inventory_hostname"]
        states = _states(host, task_vars)
        hostvars = task_vars.get("hostvars") or {}
        known = [hostvars[name] for name in states if name in hostvars]
        wish = Wish(
            version=args["version"],
            backup_id=args["backup_id"],
            revertible=args["revertible"],
            breaking=tuple(args["breaking"]),
            # What a drill goes back to is not what the run before it has left.
            settled=any(_was_settled(one) for one in known) and not any(map(_is_drill, states.values())),
            stand_in=args["stand_in"],
            returning=any(one.get("pipeline_failure") for one in known)
            or any((state.get("open") or {}).get("failed_stage") for state in states.values()),
        )
        level, why = _level(args["level"], states, wish)
        if level == AUTOMATIC:
            return self._result(level, None, choose(states[host], level, wish), states[host])
        budget = budget_of(level, args["budgets"])
        goals = _goals(states, level, wish)
        took = expected(level, list(states.values()))
        return {
            **self._result(level, why, goals[host], states[host]),
            "budget": budget,
            "expected": asdict(took) if took else None,
            "preview": preview(level, goals, states, why=why, budget=budget),
        }

    @staticmethod
    def _result(level: int, why: str | None, goal: Goal, state: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "level": level,
            "why": why,
            "target": goal.target,
            "backup_id": goal.backup_id,
            "migrations": list(goal.migrations),
            "moves_database": goal.database,
            "leaves": state["current"],
            "reason": goal.reason,
            "returns": goal.returns,
            # What a failed rollback returns to was bad enough to be left: that it serves is all that can be asked.
            "verifies": goal.target is not None and (not goal.returns or _is_drill(state)),
        }


def _states(host: str, task_vars: Mapping[str, Any]) -> States:
    """Return what the journal says of every host that takes part. SluiceError when one was not read."""
    hostvars = task_vars.get("hostvars") or {}
    names = [name for name in task_vars.get("ansible_play_hosts") or () if name in hostvars]
    facts = {name: hostvars[name].get("ansible_facts") or {} for name in names}
    facts[host] = task_vars.get("ansible_facts") or {}
    for name, known in facts.items():
        if "sluice_journal" not in known:
            raise SluiceError(f"find where {name} goes back to", "its journal was not read", "Open the run first")
    return {name: known["sluice_journal"] for name, known in facts.items()}


def _was_settled(hostvars: Mapping[str, Any]) -> bool:
    """Whether this run has taken back on the host what another one had begun. A drill was no move of its own."""
    decision = hostvars.get("__recover_decision") or {}
    return decision.get("action") == "take_back" and decision.get("kind") != DRILL


def _is_drill(state: Mapping[str, Any]) -> bool:
    return (state.get("open") or {}).get("kind") == DRILL


def _level(asked: str, states: States, wish: Wish) -> tuple[int, str | None]:
    """Return the one level for all hosts; with auto, the smallest that leads back on each."""
    if asked != "auto":
        return int(asked), None
    return smallest_level(states.values(), wish)


def _goals(states: States, level: int, wish: Wish) -> dict[str, Goal]:
    """Return where every host goes. SluiceError when one cannot: then none does."""
    goals = {}
    held = any(is_unproven(state) for state in states.values())
    for name, state in states.items():
        # Where a release was left red on a part of the fleet, the others have not moved, and stay where they are.
        here = replace(wish, settled=True) if held and not is_unproven(state) else wish
        try:
            goals[name] = choose(ended(state), _level_here(state, level), would_settle(state, here))
        except SluiceError as error:
            if len(states) == 1:
                raise
            raise SluiceError(
                error.verb_and_thing, f"on host {name} {error.cause}", error.remedy, **error.fields
            ) from error
    return goals


def _level_here(state: Mapping[str, Any], level: int) -> int:
    """A rollback of another run that has moved would be carried through."""
    opened = state.get("open") or {}
    return AUTOMATIC if opened.get("kind") == ROLLBACK and opened.get("moved") else level

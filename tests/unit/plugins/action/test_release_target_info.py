# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release_target_info answers out of what the journal has told before."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.action.release_target_info import ActionModule
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError


def target(version: str, config: int = 1) -> dict[str, Any]:
    return {"release": f"R-{version}", "version": version, "artifact": {"id": version}, "config": {"version": config}}


STATE = {
    "current": target("1.1.0"),
    "good": [target("1.1.0"), target("1.0.0")],
    "bad": [],
    "open": None,
    "since": {"R-1.0.0": {"backup_id": "B1", "migrations": ["1-a"]}},
    "measured": {},
}


def ask(level: str, *states: dict[str, Any] | None, hostvars: dict[str, Any] | None = None, **options: Any) -> Any:
    """Ask for the first host of as many as there are states."""
    action = ActionModule.__new__(ActionModule)
    defaults = {"version": None, "backup_id": None, "revertible": True, "breaking": [], "budgets": {}, "stand_in": None}
    arguments = {**defaults, **options}
    facts = [{} if state is None else {"sluice_journal": state} for state in states]
    known = {f"app{number}": {"ansible_facts": one, **(hostvars or {})} for number, one in enumerate(facts, start=1)}
    told = {"inventory_hostname": "app1", "ansible_facts": facts[0], "ansible_play_hosts": list(known)}
    return action.act({"level": level, **arguments}, {**told, "hostvars": known})


def test_the_code_goes_back_to_the_release_before() -> None:
    found = ask("2", STATE)
    assert (found["target"]["version"], found["leaves"]["version"], found["backup_id"]) == ("1.0.0", "1.1.0", None)
    assert (found["level"], found["budget"], found["expected"], found["moves_database"]) == (2, 300, None, False)


def test_the_database_goes_back_with_it() -> None:
    found = ask("3", STATE)
    assert (found["backup_id"], found["migrations"], found["moves_database"]) == ("B1", ["1-a"], True)


@pytest.mark.parametrize(
    ("states", "options", "level"),
    [
        ([STATE], {}, 2),
        ([STATE], {"breaking": ["1-*"]}, 3),
        # One level for all hosts: the smallest that leads back on each.
        ([{**STATE, "current": target("1.1.0", 2), "good": [target("1.1.0", 2), target("1.1.0")]}], {}, 1),
        ([{**STATE, "current": target("1.1.0", 2), "good": [target("1.1.0", 2), target("1.1.0")]}, STATE], {}, 2),
    ],
)
def test_the_level_that_is_enough(states: list[dict[str, Any]], options: dict[str, Any], level: int) -> None:
    if level == 2 and len(states) == 2:
        states[0]["good"].append(target("1.0.0"))
    found = ask("auto", *states, **options)
    assert found["level"] == level
    assert found["why"]


def test_when_one_host_has_nowhere_to_go_none_goes() -> None:
    with pytest.raises(
        SluiceError, match=r"Cannot roll back by level 2: on host app2 the journal knows no good release"
    ):
        ask("2", STATE, {**STATE, "good": [target("1.1.0")]})


def test_what_the_run_has_taken_back_already_is_not_taken_back_twice() -> None:
    found = ask("2", STATE, hostvars={"__recover_decision": {"action": "take_back"}})
    assert found["target"] == STATE["current"]


def opened(**more: Any) -> dict[str, Any]:
    known = {"release": "R7", "kind": "deploy", "stage": "switch", "data": {"operator": "bob@ci"}, "target": None}
    return {**known, "moved": True, "passed": False, **more}


@pytest.mark.parametrize(
    ("running", "said", "to"),
    [
        (opened(), "app1: deploy R7 by bob@ci is open, in stage switch; it is taken back, and that is", "1.1.0"),
        (opened(moved=False, stage="backup"), "in stage backup; it is ended first, for it has moved nothing.", "1.0.0"),
        (opened(passed=True, stage=None, target=target("1.2.0")), "it is finished first, for it has passed", "1.1.0"),
        (opened(kind="rollback_drill"), "it is brought back first to what served before it", "1.0.0"),
        (opened(kind="rollback", target=target("1.0.0")), "rollback R7 .* it is carried through", "1.0.0"),
    ],
)
def test_a_preview_knows_what_is_running(running: dict[str, Any], said: str, to: str) -> None:
    found = ask("2", {**STATE, "open": running})
    assert re.search(said, "\n".join(found["preview"]))
    assert found["target"]["version"] == to


def test_a_preview_as_a_person_reads_it() -> None:
    measured = {"3": {"rollback": {"seconds": 41.2, "release": "R3", "time": "2026-11-20T01:30:00.000Z"}}}
    found = ask("3", {**STATE, "measured": measured}, STATE, budgets={"3": 1800})
    assert found["preview"] == [
        "Level 3: 1.0.0, the last known good.",
        "app1: 1.1.0 (artifact 1.1.0, config 1) -> 1.0.0 (artifact 1.0.0, config 1)",
        "app2: 1.1.0 (artifact 1.1.0, config 1) -> 1.0.0 (artifact 1.0.0, config 1)",
        "Database: 1-a are taken back by the revert command; should it fail, backup B1 is restored.",
        "Expected: 41 s, as the rollback R3 took. Budget: 1800 s.",
    ]


def test_a_drill_is_believed_before_a_rollback() -> None:
    took = {"seconds": 9.0, "release": "D1", "time": "2026-11-01T00:00:00.000Z"}
    measured = {"2": {"rollback": {**took, "seconds": 30.0, "time": "2026-11-02T00:00:00.000Z"}, "drill": took}}
    assert ask("2", {**STATE, "measured": measured})["expected"] == {"how": "drill", **took}


@pytest.mark.parametrize(
    ("budgets", "said"), [({"4": 60}, "there is no level 4"), ({"2": "soon"}, "level 2 has no number")]
)
def test_a_budget_that_makes_no_sense(budgets: dict[str, Any], said: str) -> None:
    with pytest.raises(SluiceError, match=f"Cannot read rollback_budgets: {said}"):
        ask("2", STATE, budgets=budgets)


def test_a_version_that_never_ran_is_no_target() -> None:
    with pytest.raises(SluiceError, match=r"no good release of version 9\.9\.9"):
        ask("2", STATE, version="9.9.9")


def test_a_host_whose_journal_was_not_read() -> None:
    with pytest.raises(SluiceError, match="Cannot find where app1 goes back to: its journal was not read"):
        ask("2", None)


def test_where_a_release_was_left_red_on_a_part_of_the_fleet_the_others_stay() -> None:
    held = {**STATE, "current": target("1.2.0")}
    assert [ask("2", *states)["target"]["version"] for states in ((held, STATE), (STATE, held))] == ["1.1.0", "1.1.0"]
    assert ask("2", STATE, STATE)["target"]["version"] == "1.0.0"


def test_what_a_drill_goes_back_to_is_what_served_and_is_verified() -> None:
    drill = opened(kind="rollback_drill", failed_stage="verify")
    found = ask("0", {**STATE, "open": drill})
    assert (found["target"], found["returns"], found["verifies"]) == (STATE["current"], True, True)
    # A rollback that fails goes back to what was bad enough to be left.
    found = ask("0", {**STATE, "open": opened(kind="rollback", target=target("1.0.0"), failed_stage="verify")})
    assert (found["target"], found["returns"], found["verifies"]) == (STATE["current"], True, False)


def test_a_level_of_a_drill_is_a_rollback_whatever_the_run_before_has_left() -> None:
    taken_back = {"__recover_decision": {"action": "take_back", "kind": "deploy"}}
    running = opened(kind="rollback_drill")
    assert ask("2", {**STATE, "open": running}, hostvars=taken_back)["target"]["version"] == "1.0.0"


def test_a_drill_that_was_taken_back_is_not_the_rollback_that_was_asked_for() -> None:
    decision = {"__recover_decision": {"action": "take_back", "kind": "rollback_drill"}}
    assert ask("2", STATE, hostvars=decision)["target"]["version"] == "1.0.0"


def test_a_drill_of_level_1_has_somewhere_to_go() -> None:
    stand_in = {"version": 7, "path": "/srv/config/7"}
    found = ask("1", STATE, stand_in=stand_in)
    assert found["target"] == {**STATE["current"], "config": stand_in}
    # Only where there is no other.
    known = {**STATE, "current": target("1.1.0", 2), "good": [target("1.1.0", 2), target("1.1.0"), target("1.0.0")]}
    assert ask("1", known, stand_in=stand_in)["target"]["config"] == {"version": 1}


def test_the_slowest_host_of_the_newest_drill_is_what_it_takes() -> None:
    def host(seconds: float, release: str, time: str) -> dict[str, Any]:
        drill = {"seconds": seconds, "release": release, "time": f"2026-11-{time}T00:00:00.000Z"}
        return {**STATE, "measured": {"2": {"drill": drill}}}

    found = ask("2", host(9, "D2", "22"), host(11, "D2", "21"), host(30, "D1", "01"))
    assert (found["expected"]["seconds"], found["expected"]["release"]) == (11, "D2")

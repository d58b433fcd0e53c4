# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What toggles come to: turned on and taken back in any order, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.config import _toggles

PROFILE: dict[str, Any] = {
    "cache_off": {"env": {"CACHE_ENABLED": False}, "label": "no cache"},
    "limit_up": {"env": {"RATE_LIMIT_MAX_REQUESTS": 1000}},
    "limit_up_more": {"env": {"RATE_LIMIT_MAX_REQUESTS": 5000}},
    "coordination_off": {"env": {"REDIS_URL": None}, "instances": 1},
}
TOGGLES = _toggles.read(PROFILE)
CACHE = {"name": "cache_off", "env": {"CACHE_ENABLED": "false"}}
LIMIT = {"name": "limit_up", "env": {"RATE_LIMIT_MAX_REQUESTS": "1000"}}
ALONE = {"name": "coordination_off", "env": {"REDIS_URL": ""}, "instances": 1}


def current(version: int = 4, **config: Any) -> dict[str, Any]:
    return {"version": "1.1.0", "artifact": {"id": "1.1.0-a"}, "config": {"version": version, **config}}


def plan(*actions: str, runs: Any = None, undo: bool = False, **options: Any) -> _toggles.Plan:
    given = {"driver": "pm2", "proxy": True, "moment": "now", **options}
    return _toggles.plan(actions, TOGGLES, runs or current(), undo=undo, **given)


@pytest.mark.parametrize(
    ("actions", "undo", "live", "variables", "config"),
    [
        pytest.param(["cache_off"], False, {}, CACHE["env"], {"base": 4, "toggles": [CACHE]}, id="one"),
        pytest.param(
            ["cache_off", "limit_up"], False, {}, {**CACHE["env"], **LIMIT["env"]},
            {"base": 4, "toggles": [CACHE, LIMIT]}, id="two at once",
        ),
        pytest.param(
            ["limit_up"], False, {"base": 3, "toggles": [CACHE]}, {**CACHE["env"], **LIMIT["env"]},
            {"base": 3, "toggles": [CACHE, LIMIT]}, id="another one, made from what was before the first",
        ),
        pytest.param(
            ["cache_off"], False, {"base": 3, "toggles": [CACHE]}, CACHE["env"],
            {"base": 3, "toggles": [CACHE]}, id="the same again",
        ),
        pytest.param(
            ["cache_off"], True, {"base": 3, "toggles": [CACHE, LIMIT]}, LIMIT["env"],
            {"base": 3, "toggles": [LIMIT]}, id="the first of two is taken back",
        ),
        pytest.param(["limit_up"], True, {"base": 3, "toggles": [LIMIT]}, {}, {}, id="the last one is taken back"),
        pytest.param(["limit_up"], True, {}, {}, {}, id="what is not on is taken back"),
        pytest.param(
            ["limit_up_more"], False, {"base": 3, "toggles": [LIMIT]}, {"RATE_LIMIT_MAX_REQUESTS": "5000"},
            {"base": 3, "toggles": [LIMIT, {"name": "limit_up_more", "env": {"RATE_LIMIT_MAX_REQUESTS": "5000"}}]},
            id="the last one counts",
        ),
        pytest.param(
            ["cache_off"], False, {"base": 3, "toggles": [{"name": "gone", "env": {"A": "1"}}]},
            {"A": "1", **CACHE["env"]}, {"base": 3, "toggles": [{"name": "gone", "env": {"A": "1"}}, CACHE]},
            id="one that the profile has no more stays",
        ),
        pytest.param(
            ["coordination_off"], False, {}, {"REDIS_URL": ""}, {"base": 4, "toggles": [ALONE], "instances": 1},
            id="one instance",
        ),
        pytest.param(
            ["restart"], False, {}, {"SLUICE_RESTARTED": "now"}, {"base": 4, "same_as": 4}, id="restart"
        ),
        pytest.param(
            ["restart"], False, {"base": 3, "same_as": 3, "toggles": [CACHE]},
            {**CACHE["env"], "SLUICE_RESTARTED": "now"}, {"base": 3, "toggles": [CACHE], "same_as": 3},
            id="restart with a toggle, twice",
        ),
        pytest.param(
            ["cache_off"], False, {"base": 3, "same_as": 3}, CACHE["env"], {"base": 3, "toggles": [CACHE]},
            id="a toggle after a restart",
        ),
    ],
)  # fmt: skip
def test_what_actions_come_to(
    actions: list[str], undo: bool, live: dict[str, Any], variables: dict[str, str], config: dict[str, Any]
) -> None:
    found = plan(*actions, runs=current(**live), undo=undo)
    assert (found.does, found.variables, found.config) == ("config", variables, config)
    assert found.base == (live.get("base") or 4)
    assert set(found.touched) == {*variables, *(name for one in live.get("toggles", []) for name in one["env"])}


def test_the_other_instances_are_ended_before_they_stop_knowing_of_each_other() -> None:
    first = plan("coordination_off").scaled
    assert first == {**current(), "config": {"version": 4, "instances": 1}}
    assert plan("coordination_off", runs=current(base=3, toggles=[ALONE], instances=1)).scaled is None
    assert plan("coordination_off", runs=current(base=3, toggles=[ALONE], instances=1), undo=True).scaled is None
    assert plan("cache_off").scaled is None


@pytest.mark.parametrize("action", ["maintenance", "status"])
def test_what_makes_no_configuration(action: str) -> None:
    assert plan(action).does == action


@pytest.mark.parametrize(
    ("actions", "options", "error"),
    [
        (["cache_of"], {}, "Cannot carry out cache_of: the profile names no such action. It has cache_off, limit_up,"),
        (["cache_of"], {"proxy": False}, "coordination_off, restart, status."),
        ([], {}, "Cannot carry out an emergency action: none was named."),
        ([""], {}, "none was named"),
        (["maintenance"], {"proxy": False}, "Cannot carry out maintenance: the profile names no proxy."),
        (["cache_off", "restart"], {}, "restart comes alone"),
        (["restart"], {"undo": True}, "Cannot undo restart: it leaves nothing behind"),
        (["status"], {"undo": True}, "Cannot undo status"),
        (["cache_off"], {"runs": {"config": {}}}, "the journal does not know what runs now"),
        (["coordination_off"], {"driver": "compose"}, "driver compose takes the number of instances from the release"),
        (["cache_off"], {"driver": "static"}, "a frontend has no processes"),
    ],
)
def test_what_cannot_be_is_refused(actions: list[str], options: dict[str, Any], error: str) -> None:
    with pytest.raises(SluiceError) as caught:
        plan(*actions, **options)
    assert error in str(caught.value)


@pytest.mark.parametrize(
    ("name", "toggle", "cause"),
    [
        ("restart", {"env": {"A": 1}}, "an action of that name is there already"),
        ("a", {}, "it names no variables (env)"),
        ("a", {"env": {}}, "it names no variables (env)"),
        ("a", "env", "it names no variables (env)"),
        ("a", {"env": {"A": 1}, "then": "restart"}, "then is unknown"),
        ("a", {"env": {"A": [1]}}, "the value of A is no text"),
        ("a", {"env": {"A": 1}, "instances": 0}, "0 is no number of instances"),
        ("a", {"env": {"A": 1}, "instances": "many"}, "'many' is no number of instances"),
    ],
)
def test_a_toggle_that_can_never_work_is_refused(name: str, toggle: Any, cause: str) -> None:
    with pytest.raises(SluiceError) as caught:
        _toggles.read({name: toggle})
    assert f"Cannot use the toggle {name}: {cause}" in str(caught.value)


def test_what_is_on_is_said() -> None:
    assert _toggles.lines(current(toggles=[CACHE]), TOGGLES, ["cache_off", "status"]) == [
        "runs: 1.1.0 with config 4",
        "on: cache_off (no cache): CACHE_ENABLED=false",
        "actions: cache_off, status",
    ]
    assert _toggles.lines(None, TOGGLES, ["status"]) == ["runs: nothing is known", "on: no toggle", "actions: status"]


@pytest.mark.parametrize(
    ("level", "actions", "error"),
    [
        ("2", ["cache_off"], "Cannot roll back by level 2: toggles were named (cache_off), and they stay with"),
        ("3", ["cache_off", "limit_up"], "Cannot roll back by level 3: toggles were named (cache_off, limit_up)"),
        ("1", ["restart"], "restart is no toggle of the profile. Run emergency.yml -e emergency_action=restart"),
    ],
)
def test_a_rollback_by_toggles_is_of_the_first_level(level: str, actions: list[str], error: str) -> None:
    with pytest.raises(SluiceError) as caught:
        _toggles.check_level(level, actions)
    assert error in str(caught.value)
    for well in ("1", "auto"):
        _toggles.check_level(well, ["cache_off"])


def undo(name: str) -> str:
    return f"emergency.yml -e emergency_action={name} -e emergency_undo=true"


def test_what_a_rollback_by_toggles_would_do() -> None:
    assert _toggles.preview(current(), plan("cache_off", "coordination_off"), TOGGLES) == [
        "Level 1: 1.1.0 stays, with other settings",
        "cache_off (no cache): CACHE_ENABLED=false",
        "coordination_off: REDIS_URL=",
        "at most 1 at a time; the others are ended first",
        f"Taken back by: {undo('cache_off')}; {undo('coordination_off')}",
    ]

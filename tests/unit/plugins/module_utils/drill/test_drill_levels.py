# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill of the rollbacks, as tables: what it would do, what its journal says it took, and whether that was enough."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.drill import _levels
from ansible_collections.sluice.release.plugins.module_utils.drill._levels import Measured


def target(version: str, config: int = 1) -> dict[str, Any]:
    return {"release": f"R-{version}", "version": version, "artifact": {"id": version}, "config": {"version": config}}


def state(*good: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The newest good one runs; a backup was made before each later release."""
    return {
        "current": good[0] if good else None,
        "good": list(good),
        "bad": [],
        "open": None,
        "since": {one["release"]: {"backup_id": f"B-{one['version']}", "migrations": ["1-a"]} for one in good[1:]},
        "measured": {},
        **more,
    }


TWO = state(target("1.1.0"), target("1.0.0"))


# --- before


@pytest.mark.parametrize(("asked", "levels"), [([1, 2, 3], (1, 2, 3)), (["3", 1, 1], (1, 3)), ([2], (2,))])
def test_the_levels_in_order(asked: list[Any], levels: tuple[int, ...]) -> None:
    assert _levels.read_levels(asked) == levels


@pytest.mark.parametrize("asked", [[], [0], [1, 4], ["all"]])
def test_levels_that_are_none(asked: list[Any]) -> None:
    with pytest.raises(SluiceError, match=r"^Cannot drill the rollback: .* names no level"):
        _levels.read_levels(asked)


@pytest.mark.parametrize(
    ("place", "production", "refused"),
    [("here", False, False), ("here", True, True), ("shadow", True, False), ("shadow", False, False)],
)
def test_what_serves_in_production_is_not_moved(place: str, production: bool, refused: bool) -> None:
    if not refused:
        _levels.check_place(place, "prod", production=production)
        return
    with pytest.raises(SluiceError, match=r"^Cannot drill the rollback in prod: .* rollback_drill_place: shadow\.$"):
        _levels.check_place(place, "prod", production=production)


def test_every_level_goes_where_the_rollback_would() -> None:
    found = _levels.goals({"app1": state(target("1.1.0", 2), target("1.1.0"), target("1.0.0"))}, (1, 2, 3), None)
    versions = {level: (goals["app1"].target or {})["version"] for level, goals in found.items()}
    assert versions == {1: "1.1.0", 2: "1.0.0", 3: "1.0.0"}
    assert (found[1]["app1"].target or {})["config"] == {"version": 1}
    # Never by taking migrations back: what they had made would be gone.
    assert (found[3]["app1"].backup_id, found[3]["app1"].migrations) == ("B-1.0.0", ())
    assert (_levels.before({level: goals["app1"] for level, goals in found.items()}) or {})["version"] == "1.0.0"


@pytest.mark.parametrize(
    ("known", "levels", "needed"),
    [
        (TWO, (1, 2), True),
        (TWO, (2, 3), False),
        (state(target("1.1.0", 2), target("1.1.0")), (1,), False),
        (state(), (1,), False),
    ],
)
def test_a_configuration_to_go_to_is_made_where_there_is_no_other(
    known: dict[str, Any], levels: tuple[int, ...], needed: bool
) -> None:
    assert _levels.needs_stand_in(known, levels) is needed
    if needed:
        assert (_levels.goals({"app1": known}, (1,), None)[1]["app1"].target or {})["version"] == "1.1.0"


@pytest.mark.parametrize(
    ("states", "levels", "message"),
    [
        ({"app1": state()}, (1,), "Cannot drill the rollback: the journal of host app1 does not know what runs there"),
        ({"app1": state(target("1.0.0"))}, (1, 2),
         "Cannot drill the rollback by level 2: the journal knows no good release before the current one. Deploy"),
        ({"app1": TWO, "app2": state(target("1.1.0"))}, (2,),
         "Cannot drill the rollback by level 2: on host app2 the journal knows no good release"),
        ({"app1": {**TWO, "since": {}}}, (3,),
         "Cannot drill the rollback by level 3: the journal names no backup that was made before the current release"),
    ],
)  # fmt: skip
def test_a_level_that_leads_nowhere_is_told_before_any_is_run(
    states: dict[str, Any], levels: tuple[int, ...], message: str
) -> None:
    with pytest.raises(SluiceError) as told:
        _levels.goals(states, levels, None)
    assert str(told.value).startswith(message)


def test_what_it_would_do_as_a_person_reads_it() -> None:
    measured = {"2": {"drill": {"seconds": 16.4, "release": "R7", "time": "2026-11-22T01:30:00.000Z"}}}
    known = {"app1": {**TWO, "measured": measured}}
    where = _levels.goals(known, (2, 3), "B9")
    assert _levels.plan_lines(where, known, {2: 20}, "here") == [
        "Drill where the application runs: levels 2, 3.",
        "app1: 1.1.0 (artifact 1.1.0, config 1) serves, and again after each.",
        "Level 2: app1 -> 1.0.0 (artifact 1.0.0, config 1), the last known good.",
        "Level 2: expected 16 s, as the drill R7 took. Budget: 20 s.",
        "Level 3: app1 -> 1.0.0 (artifact 1.0.0, config 1), the last known good.",
        (
            "Level 3: backup B9 is restored, proven and swapped in; then the database that served gets its place back."
            " What is written in between goes with the copy."
        ),
        "Level 3: expected not known yet. Budget: 600 s.",
    ]
    assert "at a shadow beside" in _levels.plan_lines(where, known, {}, "shadow")[0]


# --- after


def entered(stage: str) -> dict[str, Any]:
    return {"event": "entered", "stage": stage}


def left(stage: str, seconds: float) -> dict[str, Any]:
    return {"event": "left", "stage": stage, "seconds": seconds}


def failed(stage: str, reason: str | None = "it did not answer") -> dict[str, Any]:
    return {"event": "failed", "stage": stage, "seconds": 1.0, "reason": reason}


def level(*seconds: float, back: bool = True) -> list[dict[str, Any]]:
    """One level that went well, and the way back of it."""
    found = [{"event": "opened"}]
    for stage, took in zip(_levels.STEPS, seconds, strict=True):
        found += [entered(stage), left(stage, took)]
    return found + ([entered("return"), left("return", 9), entered("switch"), left("switch", 9)] if back else [])


@pytest.mark.parametrize(
    ("entries", "seconds", "why"),
    [
        (level(1, 2, 3), 6.0, None),
        # The way back belongs to the drill, not to the rollback.
        ([*level(1, 2, 3), entered("verify"), left("verify", 50)], 6.0, None),
        ([*level(1, 2, 3), entered("verify"), failed("verify")], None,
         "the way back to what served failed: it did not answer"),
        ([entered("rollback"), left("rollback", 1), entered("switch"), failed("switch")], None, "it did not answer"),
        ([entered("rollback"), failed("rollback", None)], None, "no reason was recorded"),
        ([entered("rollback"), left("rollback", 1)], None, "it did not come to its end"),
        ([], None, "it was not reached"),
    ],
)  # fmt: skip
def test_how_long_one_level_took(entries: list[dict[str, Any]], seconds: float | None, why: str | None) -> None:
    found = _levels.measure(entries, (2,))[2]
    assert (found.seconds, found.why) == (seconds, why)


def test_each_level_has_its_own_seconds() -> None:
    entries = [*level(1, 2, 3), *level(4, 5, 6), entered("rollback"), failed("rollback")]
    found = _levels.measure(entries, (1, 2, 3))
    assert [found[number].seconds for number in (1, 2, 3)] == [6.0, 15.0, None]
    assert found[2].steps == {"rollback": 4.0, "switch": 5.0, "verify": 6.0}


def whole(seconds: float) -> Measured:
    return Measured(seconds, {"rollback": seconds})


@pytest.mark.parametrize(
    ("hosts", "seconds", "missed"),
    [
        ({"app1": {2: whole(8)}}, 8, {}),
        # They go back side by side, so the slowest is what it takes.
        ({"app1": {2: whole(8)}, "app2": {2: whole(9)}}, 9, {}),
        ({"app1": {2: whole(11)}}, 11, {"2": "it took 11 s of 10 s"}),
        ({"app1": {2: Measured(None, why="it fell over")}}, None, {"2": "it fell over"}),
        ({"app1": {2: whole(8)}, "app2": {2: Measured(None, why="it fell over")}}, None, {"2": "app2: it fell over"}),
    ],
)
def test_whether_it_was_good_enough(hosts: dict[str, Any], seconds: float | None, missed: dict[str, str]) -> None:
    found = _levels.result(hosts, (2,), {2: 10})
    assert (found["levels"], found["missed"], found["met"]) == ({"2": seconds}, missed, not missed)
    assert found["budgets"] == {"2": 10}


def test_what_was_missed_in_one_sentence() -> None:
    assert _levels.missed_text({"missed": {"1": "it fell over.", "3": "it took 9 s of 8 s"}}) == (
        "level 1: it fell over; level 3: it took 9 s of 8 s"
    )


def test_the_newest_drill_of_each_level_counts() -> None:
    def note(release: str, **data: Any) -> dict[str, Any]:
        return {"event": "noted", "name": "rollback_drill", "release": release, "time": release, "data": data}

    entries = [
        note("R1", levels={"1": 5.0, "2": 6.0}),
        {**note("R2", levels={"1": 1.0}), "name": "rollback"},
        note("R3", levels={"2": None}, missed={"2": "it fell over"}),
    ]
    assert _levels.newest(entries) == {
        "1": {"seconds": 5.0, "why": None, "release": "R1", "time": "R1"},
        "2": {"seconds": None, "why": "it fell over", "release": "R3", "time": "R3"},
    }

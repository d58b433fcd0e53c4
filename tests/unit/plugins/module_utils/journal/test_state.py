# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the journal says, and what may be written into it, as tables."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.journal._advance import Request, advance, findings
from ansible_collections.sluice.release.plugins.module_utils.journal._entry import Entry, Moment, elapsed, shown
from ansible_collections.sluice.release.plugins.module_utils.journal._state import derive
from ansible_collections.sluice.release.plugins.module_utils.journal._store import chain


def place(artifact: str, config: int = 1) -> dict[str, Any]:
    return {
        "artifact": {"id": artifact, "path": f"/srv/releases/{artifact}", "checksum": artifact * 2},
        "config": {"version": config, "path": f"/srv/config/{config}"},
    }


def target(release: str, artifact: str, config: int = 1) -> dict[str, Any]:
    return {"release": release, "version": release.upper(), **place(artifact, config)}


class Book:
    """A journal in memory; every call is one second after the one before."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.second = 0

    def now(self) -> Moment:
        self.second += 1
        return Moment(f"2026-11-22T01:{self.second // 60:02d}:{self.second % 60:02d}.000Z", float(self.second), "boot")

    def add(self, state: str, release: str = "r1", *, assume: bool = False, **more: Any) -> list[str]:
        """Record a request; return the names of the events."""
        events = advance(self.entries, Request(state, release, **more), self.now(), assume=assume)
        self.entries += chain(self.entries, events)
        return [event["event"] for event in events]

    def open(self, release: str, kind: str = "deploy") -> Book:
        self.add("opened", release, data={"kind": kind, "version": release.upper()})
        return self

    def move(self, release: str, artifact: str, config: int = 1) -> Book:
        self.add("entered", release, stage="switch", data=place(artifact, config))
        return self

    def deploy(self, release: str, artifact: str, config: int = 1, kind: str = "deploy") -> Book:
        self.open(release, kind).move(release, artifact, config)
        self.add("entered", release, stage="verify")
        self.add("closed", release, outcome="succeeded")
        return self

    @property
    def state(self) -> dict[str, Any]:
        return derive(self.entries)


def test_an_empty_journal_knows_nothing() -> None:
    assert derive([]) == {
        "current": None,
        "last_known_good": None,
        "previous_good": None,
        "good": [],
        "bad": [],
        "open": None,
        "last": None,
        "marked": {},
        "database": {"backup_id": None, "migrations": []},
        "since": {},
        "measured": {},
        "arrival": None,
        "triggers": [],
        "releases": 0,
        "head": "",
    }


def test_what_the_release_that_led_to_the_current_one_has_done_to_the_database() -> None:
    book = Book()
    for release, backup, migrations in (("r1", "B1", ["0-z"]), ("r2", "B2", ["1-a", "2-b"])):
        book.open(release)
        book.add("entered", stage="backup", release=release)
        book.add("entered", stage="migrate", evidence={"backup": {"id": backup}}, release=release)
        book.add("entered", stage="switch", evidence={"applied": migrations}, data=place(release), release=release)
        assert book.state["database"]["backup_id"] == (None if release == "r1" else "B1")
        book.add("closed", outcome="succeeded", release=release)
    assert book.state["database"] == {"backup_id": "B2", "migrations": ["1-a", "2-b"]}


def test_an_open_release_says_how_far_it_is() -> None:
    book = Book().open("r1")
    book.add("entered", stage="preflight", budget=30)
    assert book.add("entered", stage="backup", budget=60, evidence={"score": 100}) == ["left", "entered"]
    left, entered = book.entries[-2:]
    assert (left["stage"], left["seconds"], left["budget"], left["data"]) == ("preflight", 1.0, 30, {"score": 100})
    assert (entered["stage"], entered["budget"]) == ("backup", 60)
    expected = {"release": "r1", "version": "R1", "kind": "deploy", "stage": "backup", "left": ["preflight"]}
    assert expected.items() <= book.state["open"].items()
    assert book.state["open"]["stage_started"] == entered["time"]
    assert (book.state["open"]["moved"], book.state["open"]["passed"]) == (False, False)


def test_moved_and_passed() -> None:
    book = Book().open("r1").move("r1", "a")
    assert (book.state["open"]["moved"], book.state["open"]["target"]) == (True, target("r1", "a"))
    book.add("entered", stage="verify")
    assert book.state["open"]["passed"] is False
    book.add("entered", stage="finish")
    assert book.state["open"]["passed"] is True


def test_a_success_is_the_last_known_good() -> None:
    state = Book().deploy("r1", "a").deploy("r2", "b").state
    assert state["current"] == state["last_known_good"] == target("r2", "b")
    assert state["previous_good"] == target("r1", "a")
    assert {"release": "r2", "outcome": "succeeded", "version": "R2"}.items() <= state["last"].items()
    assert (state["releases"], state["open"], state["bad"]) == (2, None, [])


def test_a_success_without_a_switch_changes_nothing_that_runs() -> None:
    book = Book().deploy("r1", "a").open("r2", "backup")
    book.add("closed", "r2", outcome="succeeded")
    assert book.state["current"] == book.state["last_known_good"] == target("r1", "a")


@pytest.mark.parametrize("outcome", ["failed", "unchanged", "rolled_back"])
def test_a_release_that_did_not_move_leaves_what_runs(outcome: str) -> None:
    book = Book().deploy("r1", "a").open("r2")
    book.add("closed", "r2", outcome=outcome)
    assert book.state["current"] == target("r1", "a")
    assert book.state["bad"] == []


@pytest.mark.parametrize(
    ("outcome", "restored", "current", "bad"),
    [
        ("rolled_back", target("r1", "a"), target("r1", "a"), ["b"]),
        ("rolled_back", None, None, ["b"]),  # a first deployment: there was nothing to restore
        ("failed", None, None, []),
        ("failed", target("r1", "a"), target("r1", "a"), []),
        ("unchanged", None, target("r1", "a"), []),
    ],
)
def test_a_release_that_moved_and_did_not_succeed(outcome: str, restored: Any, current: Any, bad: list[str]) -> None:
    book = Book().deploy("r1", "a").open("r2").move("r2", "b")
    book.add("closed", "r2", outcome=outcome, data={"restored": restored} if restored else {})
    assert book.state["current"] == current
    assert book.state["bad"] == bad
    assert book.state["last_known_good"] == target("r1", "a")


def test_a_new_configuration_taken_back_does_not_make_the_code_bad() -> None:
    book = Book().deploy("r1", "a").open("r2").move("r2", "a", 2)
    book.add("closed", "r2", outcome="rolled_back", data={"restored": target("r1", "a")})
    assert book.state["bad"] == []


def test_what_was_taken_back_because_its_run_was_killed_is_not_bad() -> None:
    book = Book().deploy("r1", "a").open("r2").move("r2", "b")
    book.add("closed", "r2", outcome="rolled_back", data={"restored": target("r1", "a"), "interrupted": True})
    assert (book.state["bad"], book.state["marked"]) == ([], {})
    assert book.state["current"] == target("r1", "a")


def test_what_was_bad_and_then_succeeds_is_good() -> None:
    book = Book().deploy("r1", "a").open("r2").move("r2", "b")
    book.add("closed", "r2", outcome="rolled_back", data={"restored": target("r1", "a")})
    assert book.deploy("r3", "b").state["bad"] == []


def test_a_rollback_does_not_offer_what_it_left() -> None:
    book = Book().deploy("r1", "a").deploy("r2", "b").deploy("r3", "c").deploy("r4", "b", kind="rollback")
    assert book.state["current"] == target("r4", "b")
    assert book.state["previous_good"] == target("r1", "a")
    assert book.state["bad"] == ["c"]
    book.deploy("r5", "a", kind="rollback")
    assert (book.state["previous_good"], book.state["bad"]) == (None, ["c", "b"])


def test_a_rollback_of_the_configuration_only() -> None:
    book = Book().deploy("r1", "a", 1).deploy("r2", "a", 2).deploy("r3", "a", 1, kind="rollback")
    assert book.state["last_known_good"] == target("r3", "a", 1)
    assert (book.state["previous_good"], book.state["bad"]) == (None, [])


def test_what_an_emergency_leaves_is_no_place_to_go_back_to() -> None:
    def act(book: Book, release: str, config: int, **more: Any) -> list[int]:
        book.open(release, "emergency")
        data = {**place("a", config), "config": {"version": config, **more}}
        book.add("entered", release, stage="switch", data=data)
        book.add("closed", release, outcome="succeeded")
        assert book.state["current"]["config"] == {"version": config, **more}
        # It is the same release, with its backup and its watch.
        assert book.state["current"]["release"] == "r1"
        return [good["config"]["version"] for good in book.state["good"]]

    book = Book().deploy("r1", "a", 1)
    assert act(book, "r2", 2, base=1, toggles=[{"name": "x"}]) == [2, 1]
    # A second toggle: what there was with the first alone does not come back by itself.
    assert act(book, "r3", 3, base=1, toggles=[{"name": "x"}, {"name": "y"}]) == [3, 1]
    # A restart with both, then both are taken back, then a restart without any.
    assert act(book, "r4", 4, base=1, toggles=[{"name": "x"}, {"name": "y"}], same_as=3) == [4, 1]
    assert act(book, "r5", 1) == [1]
    assert act(book, "r6", 5, base=1, same_as=1) == [5]
    assert book.state["bad"] == []


def test_the_first_switch_names_the_target() -> None:
    book = Book().deploy("r1", "a").open("r2").move("r2", "b")
    book.add("failed", "r2", reason="red")
    book.add("entered", "r2", stage="rollback")
    book.move("r2", "a")
    assert book.state["open"]["target"] == target("r2", "b")


def test_what_is_cut_off_by_a_rollback_has_not_succeeded() -> None:
    book = Book().open("r1").move("r1", "a")
    book.add("entered", stage="verify")
    assert book.add("entered", stage="rollback") == ["failed", "entered"]
    assert (book.state["open"]["passed"], book.state["open"]["failed_stage"]) == (False, "verify")


@pytest.mark.parametrize("begin", [{"state": "entered", "stage": "rollback"}, {"state": "noted", "name": "rollback"}])
def test_once_it_is_taken_back_it_has_not_passed(begin: dict[str, Any]) -> None:
    book = Book().open("r1").move("r1", "a")
    book.add("entered", stage="verify")
    book.add("entered", stage="finish")
    book.add(**begin)
    assert book.state["open"]["passed"] is False


@pytest.mark.parametrize(
    ("before", "request_", "events"),
    [
        ([], {"state": "opened"}, ["opened"]),
        ([("opened", {})], {"state": "opened"}, []),
        ([("opened", {})], {"state": "entered", "stage": "a"}, ["entered"]),
        ([("opened", {}), ("entered", {"stage": "a"})], {"state": "entered", "stage": "a"}, []),
        ([("opened", {}), ("entered", {"stage": "a"})], {"state": "entered", "stage": "b"}, ["left", "entered"]),
        ([("opened", {}), ("entered", {"stage": "a"})], {"state": "failed", "reason": "x"}, ["failed"]),
        ([("opened", {})], {"state": "failed", "stage": "lock", "reason": "x"}, ["failed"]),
        (
            [("opened", {}), ("entered", {"stage": "a"}), ("failed", {"reason": "x"})],
            {"state": "failed", "stage": "a", "reason": "again"},
            [],
        ),
        ([("opened", {})], {"state": "noted", "name": "gate", "data": {"v": 1}}, ["noted"]),
        (
            [("opened", {}), ("noted", {"name": "gate", "data": {"v": 1}})],
            {"state": "noted", "name": "gate", "data": {"v": 1}},
            [],
        ),
        (
            [("opened", {}), ("noted", {"name": "gate"})],
            {"state": "noted", "name": "gate", "data": {"v": 2}},
            ["noted"],
        ),
        ([("opened", {})], {"state": "closed", "outcome": "failed"}, ["closed"]),
        (
            [("opened", {}), ("entered", {"stage": "a"})],
            {"state": "closed", "outcome": "succeeded"},
            ["left", "closed"],
        ),
        ([("opened", {}), ("entered", {"stage": "a"})], {"state": "closed", "outcome": "failed"}, ["failed", "closed"]),
        ([("opened", {}), ("closed", {"outcome": "failed"})], {"state": "closed", "outcome": "failed"}, []),
        ([("opened", {}), ("closed", {"outcome": "failed"})], {"state": "noted", "name": "report"}, ["noted"]),
    ],
)
def test_what_is_written(before: list[tuple[str, dict[str, Any]]], request_: dict[str, Any], events: list[str]) -> None:
    book = Book()
    for state, more in before:
        book.add(state, **more)
    assert book.add(**request_) == events
    assert book.add(**request_) == [], "a second time there is nothing to say"


@pytest.mark.parametrize(
    ("before", "request_", "message"),
    [
        ([], {"state": "entered", "stage": "a"}, "Cannot record entered in release r1: no release is open"),
        ([("opened", "r2", {})], {"state": "closed", "outcome": "failed"}, "release r2 is open"),
        ([("opened", "r2", {})], {"state": "opened"}, "Cannot open release r1: release r2 is still open"),
        (
            [("opened", "r1", {}), ("closed", "r1", {"outcome": "failed"})],
            {"state": "entered", "stage": "a"},
            "it was closed as failed at ",
        ),
        (
            [("opened", "r1", {}), ("closed", "r1", {"outcome": "failed"})],
            {"state": "closed", "outcome": "succeeded"},
            "it was closed as failed at ",
        ),
        (
            [("opened", "r1", {}), ("closed", "r1", {"outcome": "failed"})],
            {"state": "opened"},
            "the journal has a release of that name",
        ),
    ],
)
def test_what_does_not_fit(
    before: list[tuple[str, str, dict[str, Any]]], request_: dict[str, Any], message: str
) -> None:
    book = Book()
    for state, release, more in before:
        book.add(state, release, **more)
    with pytest.raises(SluiceError, match=message):
        book.add(**request_)


def test_check_mode_takes_for_granted_what_was_not_written() -> None:
    book = Book().open("r1")
    assert book.add("entered", "r2", stage="switch", assume=True) == ["entered"]
    assert book.add("opened", "r3", assume=True) == ["opened"]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (Moment("2026-11-22T02:00:00.000Z", 12.5, "boot"), 2.5),  # the calendar was set: the clock counts
        (Moment("2026-11-22T01:00:07.000Z", 3.0, "other"), 7.0),  # after a reboot: the calendar counts
        (Moment("2026-11-22T00:00:00.000Z", 3.0, "other"), 0.0),
    ],
)
def test_elapsed(now: Moment, expected: float) -> None:
    entry = {"time": "2026-11-22T01:00:00.000Z", "monotonic": 10.0, "boot": "boot"}
    assert elapsed(entry, now) == expected


def test_passwords_in_urls_are_not_recorded() -> None:
    book = Book().open("r1")
    book.add("noted", name="x", data={"list": ["redis://:pw1@h"], "url": "postgres://u:pw2@h/d"})
    book.add("failed", reason="no answer from postgres://u:pw3@h/d")
    assert not [secret for secret in ("pw1", "pw2", "pw3") if secret in str(book.entries)]


def test_a_result_shows_no_storage() -> None:
    book = Book().open("r1")
    assert set(shown(book.entries[0])) == {"time", "release", "event", "stage", "name", "data"}


def test_findings_leave_out_what_ansible_adds() -> None:
    result = {"changed": True, "failed": False, "_ansible_no_log": False, "diff": {}, "verdict": "green", "msg": "why"}
    assert findings(result) == {"verdict": "green", "msg": "why"}


def test_a_rollback_marks_what_it_left_by_its_code_or_only_by_its_config() -> None:
    book = Book().deploy("r1", "a", 1).deploy("r2", "a", 2).deploy("r3", "a", 1, kind="rollback")
    assert {name: found["release"] for name, found in book.state["marked"].items()} == {"a config 2": "r3"}
    book.deploy("r4", "b").deploy("r5", "a", 1, kind="rollback")
    assert {name: found["version"] for name, found in book.state["marked"].items()} == {"a config 2": "R2", "b": "R4"}
    # Whoever deploys it again, through the gates, takes the mark away.
    book.deploy("r6", "a", 2).deploy("r7", "b")
    assert book.state["marked"] == {}


def test_a_rollback_that_stays_where_it_is_marks_nothing() -> None:
    book = Book().deploy("r1", "a").deploy("r2", "b").deploy("r3", "b", kind="rollback")
    assert (book.state["bad"], book.state["marked"], book.state["current"]) == ([], {}, target("r3", "b"))


def test_how_long_a_level_has_taken() -> None:
    book = Book().deploy("r1", "a").deploy("r2", "b").open("r3", "rollback")
    book.add("entered", "r3", stage="rollback")
    book.add("entered", "r3", stage="switch", data=place("a"), evidence={"level": 2})
    book.add("closed", "r3", outcome="succeeded")
    found = book.state["measured"]["2"]["rollback"]
    assert (found["release"], found["seconds"]) == ("r3", 3.0)
    book.add("noted", "r3", name="rollback_drill", data={"levels": {"2": 9.5}})
    assert book.state["measured"]["2"]["drill"]["seconds"] == 9.5
    assert book.state["measured"]["2"]["rollback"] == found


@pytest.mark.parametrize(("outcome", "left"), [("succeeded", []), ("failed", ["m2"])])
def test_what_a_rollback_moves_beside_the_code_is_known_before_it_moves(outcome: str, left: list[str]) -> None:
    book = Book().deploy("r1", "a").open("r2")
    book.add("entered", "r2", stage="migrate")
    book.add("entered", "r2", stage="switch", data=place("b"), evidence={"applied": ["m2"]})
    book.add("closed", "r2", outcome="succeeded")
    assert book.state["since"]["r1"]["migrations"] == ["m2"]
    book.open("r3", "rollback").add("entered", "r3", stage="rollback")
    moves = {"target": {"version": "R1", **place("a")}, "database": {"reverted": ["m2"]}}
    book.add("noted", "r3", name="moves", data=moves)
    opened = book.state["open"]
    assert (opened["moved"], opened["target"]["artifact"]["id"], opened["database"]) == (True, "a", moves["database"])
    book.add("closed", "r3", outcome=outcome, data={} if outcome == "succeeded" else {"restored": target("r2", "b")})
    assert book.state["since"].get("r1", {"migrations": []})["migrations"] == left
    assert book.state["current"]["artifact"]["id"] == ("a" if outcome == "succeeded" else "b")


def test_how_what_runs_came_to_run() -> None:
    book = Book()
    assert book.state["arrival"] is None
    book.open("r1").move("r1", "a1")
    assert book.state["open"]["switched"] == "2026-11-22T01:00:02.000Z"
    book.add("closed", "r1", outcome="succeeded")
    came = {"release": "r1", "kind": "deploy", "time": "2026-11-22T01:00:02.000Z"}
    assert book.state["arrival"] == came
    # Other settings are no other release.
    assert book.deploy("e1", "a1", 2, kind="emergency").state["arrival"] == came
    book.open("r2").move("r2", "a2").add("closed", "r2", outcome="rolled_back", data={"restored": target("r1", "a1")})
    assert {key: book.state["arrival"][key] for key in ("release", "kind")} == {"release": "r2", "kind": "rolled_back"}
    assert book.deploy("r3", "a0", kind="rollback").state["arrival"]["kind"] == "rollback"


def test_what_was_left_red_for_a_person_runs_and_is_not_good() -> None:
    book = Book().deploy("r1", "a1").open("r2").move("r2", "a2")
    book.add("closed", "r2", outcome="failed", data={"restored": target("r2", "a2")})
    state = book.state
    assert (state["current"]["release"], state["arrival"]["kind"], state["bad"]) == ("r2", "deploy", [])
    assert [good["release"] for good in state["good"]] == ["r1"]
    # A rollback that has failed and has returned to what it was to leave is another thing.
    book.open("r3", "rollback").move("r3", "a1").add(
        "closed", "r3", outcome="failed", data={"restored": target("r2", "a2")}
    )
    assert book.state["arrival"]["kind"] == "rolled_back"


def test_what_was_said_against_the_release_that_runs() -> None:
    book = Book().deploy("r1", "a1").deploy("r2", "a2")
    asked = {"source": "alert", "trigger": "errors", "level": "2", "action": "ask"}
    book.add("noted", "r2", name="trigger", data={"release": "r1", **asked})
    book.add("noted", "r2", name="trigger", data={"release": "r2", **asked, "alerts": ["abc now"], "reason": "slow"})
    book.add("noted", "r2", name="watch", data={"release": "r2", "event": "tick"})
    book.add("noted", "r2", name="watch", data={"release": "r2", "event": "decided", "action": "rollback"})
    assert [(one["action"], one["alerts"]) for one in book.state["triggers"]] == [
        ("ask", ["abc now"]),
        ("rollback", []),
    ]


def drilling(book: Book) -> Book:
    """A drill that has moved the code and the database."""
    book.open("d1", "rollback_drill")
    book.add("entered", "d1", stage="rollback")
    moves = {"target": {"version": "R1", **place("a")}, "database": {"prepared": "p", "replaced": "q"}}
    book.add("noted", "d1", name="moves", data=moves)
    restored = {"level": 3, "database": {"restored": {"backup_id": "b1"}}}
    book.add("entered", "d1", stage="switch", data=place("a"), evidence=restored)
    book.add("entered", "d1", stage="verify")
    return book


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_a_drill_leaves_the_journal_as_it_was(outcome: str) -> None:
    book = Book().deploy("r1", "a").deploy("r2", "b")
    before = book.state
    drilling(book).add("entered", "d1", stage="return")
    book.add("noted", "d1", name="moves", data={"target": target("r2", "b"), "database": None})
    book.add("entered", "d1", stage="switch", data=place("b"))
    book.add("entered", "d1", stage="verify")
    book.add("closed", "d1", outcome=outcome, data={"restored": target("r2", "b")})
    after = book.state
    same = (
        "current",
        "last_known_good",
        "previous_good",
        "good",
        "bad",
        "marked",
        "since",
        "database",
        "measured",
        "arrival",
    )
    assert {key: after[key] for key in same} == {key: before[key] for key in same}
    assert after["last"]["kind"] == "rollback_drill"


def test_a_drill_that_was_killed_is_known_to_have_moved_and_never_to_have_passed() -> None:
    book = drilling(Book().deploy("r1", "a").deploy("r2", "b"))
    opened = book.state["open"]
    assert (opened["moved"], opened["passed"], opened["target"]) == (True, False, None)
    assert opened["database"] == {"prepared": "p", "replaced": "q"}
    book.add("entered", "d1", stage="return", evidence={"verdict": "green"})
    assert book.state["open"]["passed"] is False


def test_a_drill_goes_from_level_to_level_and_is_cut_off_otherwise() -> None:
    book = drilling(Book().deploy("r1", "a").deploy("r2", "b"))
    assert book.add("entered", "d1", stage="rollback", evidence={"verdict": "green"}) == ["left", "entered"]
    # So it goes when it is led back after a kill.
    book.add("entered", "d1", stage="switch")
    assert book.add("entered", "d1", stage="rollback") == ["failed", "entered"]


def test_a_level_that_a_drill_did_not_carry_through_says_nothing_of_how_long_it_takes() -> None:
    book = Book().deploy("r1", "a")
    book.add("noted", "r1", name="rollback_drill", data={"levels": {"1": 5.0, "2": None}})
    assert set(book.state["measured"]) == {"1"}


@pytest.mark.parametrize(("verified", "event"), [(True, "left"), (False, "failed")])
def test_the_stage_that_has_led_a_failed_run_back_has_not_failed(verified: bool, event: str) -> None:
    book = drilling(Book().deploy("r1", "a").deploy("r2", "b"))
    book.add("entered", "d1", stage="rollback")
    book.add("noted", "d1", name="rollback", data={"verified": verified})
    assert book.add("closed", "d1", outcome="failed", reason="it fell over") == [event, "closed"]

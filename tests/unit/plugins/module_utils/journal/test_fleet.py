# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.journal._fleet import (
    Host,
    check_barrier,
    check_keys,
    close,
    decide,
    differences,
    left_out,
    one_environment,
    release_id,
    settled,
    table,
    to_fence,
    weigh,
    who_runs_what,
)
from ansible_collections.sluice.release.plugins.module_utils.trigger._decide import Circumstances
from ansible_collections.sluice.release.plugins.module_utils.trigger._model import Trigger


def test_one_environment() -> None:
    assert one_environment({"a": "lab", "b": "lab"}) == "lab"


@pytest.mark.parametrize(
    ("environments", "message"),
    [
        ({}, "no host is selected. Select one environment with -l"),
        ({"a": "lab", "b": None, "c": ""}, "hosts b, c without an environment"),
        ({"b": "prod", "a": "lab"}, r"the hosts belong to more than one environment: lab \(a\), prod \(b\)"),
    ],
)
def test_no_or_two_environments_are_refused(environments: dict[str, str | None], message: str) -> None:
    with pytest.raises(SluiceError, match=message):
        one_environment(environments)


KNOWN = ["sluice_database_url", "sluice_root", "gate_checks", "gate_duration"]


@pytest.mark.parametrize(
    "names",
    [
        KNOWN,
        ["ansible_host", "inventory_hostname", "groups", "my_own_thing", "duration", "_gate_check", "shop_db"],
    ],
)
def test_right_names_pass(names: list[str]) -> None:
    check_keys(names, KNOWN)
    assert names


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sluice_databse_url", "unknown key sluice_databse_url. Did you mean sluice_database_url?"),
        ("sluice_qqqqqqqqqqqq", "unknown key sluice_qqqqqqqqqqqq."),
        ("gate_check", "unknown key gate_check. Did you mean gate_checks?"),
        ("gate_durations", "unknown key gate_durations. Did you mean gate_duration?"),
    ],
)
def test_wrong_names_are_named(name: str, message: str) -> None:
    with pytest.raises(SluiceError) as error:
        check_keys([*KNOWN, name], KNOWN)
    assert str(error.value) == f"Cannot use the profile: {message}"


def test_all_wrong_names_are_named_at_once() -> None:
    with pytest.raises(SluiceError) as error:
        check_keys(["sluice_rot", "gate_check"], KNOWN)
    assert len(error.value.fields["unknown_keys"]) == 2


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("1.1.0", "20261122T013000Z-1.1.0"),
        ("", "20261122T013000Z"),
        ("feature/a b", "20261122T013000Z-feature-a-b"),
        ("../x", "20261122T013000Z-x"),
    ],
)
def test_release_id(label: str, expected: str) -> None:
    assert release_id(datetime(2026, 11, 22, 1, 30, tzinfo=UTC), label) == expected


def opened(
    release: str = "r",
    *,
    moved: bool = False,
    passed: bool = False,
    stage: str | None = "x",
    left: tuple[str, ...] = (),
) -> dict[str, Any]:
    return {
        "open": {"release": release, "moved": moved, "passed": passed, "stage": stage, "left": list(left)},
        "last": None,
    }


def closed(outcome: str, release: str = "r") -> dict[str, Any]:
    return {"open": None, "last": {"release": release, "outcome": outcome}}


READY = Host(opened())
MOVED = Host(opened(moved=True))
PASSED = Host(opened(moved=True, passed=True))
DONE = Host(closed("succeeded"))
IDLE = Host(closed("succeeded", "earlier"))
UNKNOWN = Host(None)


def failed(host: Host, why: str = "boom") -> Host:
    return Host(host.state, host.alive, why)


def gone(host: Host) -> Host:
    return Host(host.state, False)


def test_the_barrier_lets_a_whole_fleet_pass() -> None:
    check_barrier("migrate", {"a": READY, "b": READY})
    assert READY.failure is None


@pytest.mark.parametrize(
    ("hosts", "message"),
    [
        (
            {"a": READY, "b": failed(READY, "Cannot reach b: no route.")},
            "Cannot start migrate: host b has failed (Cannot reach b: no route). Nothing was moved on any host.",
        ),
        (
            {"a": READY, "b": gone(UNKNOWN)},
            "Cannot start migrate: host b has failed or cannot be reached. Nothing was moved on any host.",
        ),
        (
            {"a": MOVED, "b": gone(READY), "c": failed(READY, "x")},
            (
                "Cannot start migrate: host b has failed or cannot be reached; host c has failed (x)."
                " So far it runs on host a."
            ),
        ),
    ],
)
def test_the_barrier_names_who_is_missing(hosts: dict[str, Host], message: str) -> None:
    with pytest.raises(SluiceError) as error:
        check_barrier("migrate", hosts)
    assert str(error.value) == message


def going_to(artifact: str, checksum: str = "c", **opened_as: Any) -> Host:
    state = opened()
    state["open"].update(opened_as)
    return Host(state, target={"version": "1", "artifact": {"id": artifact, "checksum": checksum}})


@pytest.mark.parametrize(
    "hosts",
    [
        {"a": going_to("1-a"), "b": going_to("1-a"), "c": READY},
        {"a": going_to("1-a", kind="rollback"), "b": going_to("1-b", kind="rollback")},
        {"a": going_to("1-a", kind="rollback_drill"), "b": going_to("1-b", kind="rollback_drill")},
        {"a": going_to("1-a")},
    ],
)
def test_the_barrier_lets_one_artifact_pass(hosts: dict[str, Host]) -> None:
    check_barrier("switch", hosts)
    assert hosts["a"].target


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        (
            {"a": going_to("1-a"), "c": going_to("1-b", "d"), "b": going_to("1-a")},
            "1-a (hosts a, b), 1-b (host c). Nothing was moved on any host.",
        ),
        ({"a": going_to("1-a"), "b": going_to("1-a", "d")}, "1-a (host a), 1-a (host b). Nothing was moved"),
        (
            {"a": going_to("1-a", moved=True), "b": going_to("1-b")},
            "1-a (host a), 1-b (host b). So far it runs on host a.",
        ),
    ],
)
def test_the_barrier_stops_a_fleet_that_would_run_different_things(hosts: dict[str, Host], said: str) -> None:
    with pytest.raises(SluiceError) as error:
        check_barrier("switch", hosts)
    assert str(error.value).startswith(f"Cannot start switch: the hosts do not have the same artifact: {said}")
    assert set(error.value.fields["artifacts"]) == set(hosts)


@pytest.mark.parametrize(
    ("point", "hosts", "actions"),
    [
        # The end of a run
        ("decide", [PASSED, PASSED], ["finish", "finish"]),
        ("decide", [READY], ["finish"]),
        ("decide", [IDLE], ["none"]),
        ("decide", [failed(MOVED)], ["take_back"]),
        ("decide", [failed(READY)], ["abandon"]),
        ("decide", [PASSED, failed(MOVED)], ["take_back", "take_back"]),
        ("decide", [MOVED, failed(READY)], ["take_back", "abandon"]),
        ("decide", [MOVED, gone(READY)], ["take_back", "abandon"]),
        ("decide", [READY, gone(UNKNOWN)], ["abandon", "none"]),
        ("decide", [failed(IDLE)], ["none"]),
        # What a killed run has left
        ("recover", [IDLE, IDLE], ["none", "none"]),
        ("recover", [PASSED, PASSED], ["finish", "finish"]),
        ("recover", [PASSED, DONE], ["finish", "none"]),
        ("recover", [MOVED, DONE], ["finish", "none"]),
        ("recover", [READY, DONE], ["abandon", "none"]),
        ("recover", [PASSED, MOVED], ["take_back", "take_back"]),
        ("recover", [MOVED, READY], ["take_back", "abandon"]),
        ("recover", [READY, READY], ["abandon", "abandon"]),
        ("recover", [PASSED, IDLE], ["finish", "none"]),
        ("recover", [PASSED, UNKNOWN], ["take_back", "none"]),
        ("recover", [PASSED, Host(opened("other", moved=True))], ["finish", "take_back"]),
    ],
)
def test_decide(point: str, hosts: list[Host], actions: list[str]) -> None:
    fleet = {f"app{number}": host for number, host in enumerate(hosts)}
    verdicts = decide(point, fleet)
    assert [verdict.action for verdict in verdicts.values()] == actions
    assert all(verdict.reason for verdict in verdicts.values())


@pytest.mark.parametrize(
    ("state", "where"),
    [
        (opened(stage="switch"), "in switch"),
        (opened(stage=None, left=("backup",)), "after backup"),
        (opened(stage=None), "after it began"),
    ],
)
def test_recover_says_where_it_was_interrupted(state: dict[str, Any], where: str) -> None:
    assert decide("recover", {"a": Host(state)})["a"].reason == f"release r was interrupted {where}"


ONE = {"version": "1.0", "artifact": {"id": "1.0-a"}, "config": {"version": 1}}
TWO = {"version": "2.0", "artifact": {"id": "2.0-b"}, "config": {"version": 1}}
BACK = {"verified": True, "restored": ONE, "to": "1.0"}


def ended(host: Host, **changes: Any) -> Host:
    return dataclasses.replace(host, **changes)


@pytest.mark.parametrize(
    ("action", "hosts", "outcome", "verdict", "good", "said"),
    [
        ("finish", [ended(PASSED, verdicts=("green", "yellow"))], "succeeded", "yellow", True, ""),
        ("finish", [ended(PASSED, verdicts=("None",))], "succeeded", "green", True, ""),
        ("finish", [Host({"current": TWO}, target=TWO)], "unchanged", "green", True, ""),
        # The journal thought so, but an instance had to be started again.
        ("finish", [Host({"current": TWO}, target=TWO, changed=True)], "succeeded", "green", True, ""),
        ("take_back", [ended(failed(MOVED), back=BACK)], "rolled_back", "red", False, "Rolled back to 1.0"),
        (
            "take_back",
            [ended(failed(MOVED), back={"verified": False, "reason": "no answer."}), ended(PASSED, back=BACK)],
            "failed",
            "red",
            False,
            r"host app0 could not be taken back \(app0: no answer\)",
        ),
        ("abandon", [failed(READY)], "failed", "red", False, "Nothing was moved; the application is as it was"),
        # A host that had not moved shares the outcome of those that had.
        ("abandon", [failed(READY), ended(MOVED, back=BACK)], "rolled_back", "red", False, "Rolled back to 1.0"),
    ],
)
def test_close(action: str, hosts: list[Host], outcome: str, verdict: str, good: bool, said: str) -> None:
    ending = close(action, "app0", {f"app{number}": host for number, host in enumerate(hosts)})
    assert (ending.outcome, ending.verdict, ending.good) == (outcome, verdict, good)
    assert re.search(said, ending.message)
    assert bool(ending.restored) == (outcome == "rolled_back" and hosts[0].back is not None)


@pytest.mark.parametrize(
    ("cause", "by", "failed_reason", "interrupted"),
    [
        (None, "recover", None, True),
        (None, "deploy", "interrupted", True),
        # A person who rolls back has found something wrong with what is on its way.
        (None, "rollback", "interrupted", False),
        # What had failed before its run was killed has failed all the same.
        (None, "recover", "Cannot pass the gate: errors was 7 %.", False),
        ("the switch", "deploy", None, False),
    ],
)
def test_a_run_that_was_killed_says_nothing_against_its_release(
    cause: str | None, by: str, failed_reason: str | None, interrupted: bool
) -> None:
    host = Host(opened(moved=True), failure=cause or "", back=BACK)
    assert host.open is not None
    state = {**(host.state or {}), "open": {**host.open, "failed_reason": failed_reason}}
    ending = close("take_back", "a", {"a": dataclasses.replace(host, state=state)}, by=by)
    assert (ending.outcome, ending.interrupted) == ("rolled_back", interrupted)


def rolling(*, moved: bool = True, **more: Any) -> Host:
    state = opened(moved=moved)
    state["open"]["kind"] = "rollback"
    return Host(state, **more)


@pytest.mark.parametrize(
    ("hosts", "actions"),
    [
        # One version serves everywhere, also when that is the one that was to be left.
        ([rolling(failure="red"), rolling()], ["take_back", "take_back"]),
        ([rolling(moved=False, failure="no such place"), rolling(moved=False)], ["abandon", "abandon"]),
        # That a host cannot be reached is no reason to bring a bad version back to the others.
        ([rolling(alive=False), rolling()], ["abandon", "finish"]),
        ([rolling(failure="no route", unreachable=True), rolling()], ["abandon", "finish"]),
        # Whoever has the lock decides, on the hosts as well that have not noticed yet.
        ([rolling(failure="taken over", fenced=True), rolling()], ["leave", "leave"]),
        ([ended(MOVED, failure="taken over", fenced=True), ended(PASSED), IDLE], ["leave", "leave", "none"]),
    ],
)
def test_how_a_rollback_ends_that_has_failed(hosts: list[Host], actions: list[str]) -> None:
    verdicts = decide("decide", {f"app{number}": host for number, host in enumerate(hosts)})
    assert [verdict.action for verdict in verdicts.values()] == actions


@pytest.mark.parametrize(
    ("database", "back", "stays_open", "said"),
    [
        (None, {"verified": False, "reason": "no answer."}, False, "then run rollback.yml."),
        ({"prepared": "p"}, {"verified": False, "reason": "no answer."}, True, "then run recover.yml, which gives the"),
        ({"prepared": "p"}, None, True, "then run recover.yml, which gives the"),
        ({"prepared": "p"}, {"verified": True, "to": "2.0", "returns": True}, False, "2.0 serves as before"),
    ],
)
def test_a_record_stays_open_while_a_database_is_where_it_should_not_be(
    database: dict[str, str] | None, back: dict[str, Any] | None, stays_open: bool, said: str
) -> None:
    hosts = {}
    for name in ("app0", "app1"):
        host = rolling(failure="red" if name == "app0" else "", back=back)
        assert host.state is not None
        state = {**host.state, "open": {**host.state["open"], "database": database}}
        hosts[name] = dataclasses.replace(host, state=state)
    for name in hosts:
        ending = close("take_back", name, hosts)
        assert (ending.outcome, ending.stays_open) == ("failed", stays_open)
        assert said in ending.message


def test_a_rollback_that_has_failed_says_what_serves() -> None:
    back = {"verified": True, "restored": TWO, "to": "2.0", "returns": True}
    ending = close("take_back", "app0", {"app0": rolling(failure="red", back=back), "app1": rolling(back=back)})
    assert (ending.outcome, ending.good, ending.restored) == ("failed", False, TWO)
    assert ending.message.endswith("has failed (red). 2.0 serves as before, and the database is as it was.")


def test_who_was_taken_over_says_by_whom_and_nothing_else() -> None:
    said = "Cannot go on with release r: the lock was taken over by bob@ci at noon (rollback: errors)."
    ending = close("leave", "app0", {"app0": ended(MOVED, failure=said, fenced=True)})
    assert (ending.outcome, ending.good) == ("failed", False)
    assert (
        ending.message == "Cannot release: on host app0 the lock was taken over by bob@ci at noon (rollback: errors)."
    )


def deploying(*red: str, moved: bool = True, **more: Any) -> Host:
    """A host in a deploy; ``red``: the checks that its gate has failed it for."""
    state = opened(moved=moved)
    state["open"].update(kind="deploy", version="2.0", target=TWO)
    if red:
        checks = tuple((check, f"{check} was bad") for check in red)
        return Host(state, failure=f"Cannot pass the gate: {', '.join(red)}", red=checks, **more)
    return Host(state, **more)


WAITED = deploying(failure="Cannot start verify: host app0 has failed", waited=True)
UNMOVED = deploying(moved=False, failure="Cannot start switch: host app0 has failed", waited=True)
SLOW = Trigger("slow", check="p95", action="consider")
WIPED = Trigger("wiped", check="rows", level="3", may_lose_rows=True)


@pytest.mark.parametrize(
    ("hosts", "word", "action", "verdicts"),
    [
        ([deploying("errors")], "true", "rollback", ["take_back"]),
        ([deploying("p95")], "true", "ask", ["hold"]),
        # The hosts that only wait stay where they are, on either version.
        ([deploying("p95"), WAITED, UNMOVED], "true", "ask", ["hold", "hold", "abandon"]),
        ([deploying("p95"), deploying("errors"), UNMOVED], "true", "rollback", ["take_back", "take_back", "abandon"]),
        ([deploying("errors")], "ask", "ask", ["hold"]),
        ([deploying("errors")], "false", "record", ["hold"]),
        # The database does not go back while the release goes on.
        ([deploying("rows")], "true", "ask", ["hold"]),
        # What could not be carried out goes back in any case.
        ([deploying(failure="the switch has failed")], "false", None, ["take_back"]),
        ([deploying("p95"), deploying(failure="no route", unreachable=True)], "ask", None, ["take_back", "take_back"]),
        ([deploying("p95"), deploying("p95", alive=False)], "ask", None, ["take_back", "take_back"]),
        ([rolling(failure="red", red=(("p95", "slow"),))], "ask", None, ["take_back"]),
        ([deploying()], "ask", None, ["finish"]),
    ],
)
def test_what_red_checks_lead_to_in_a_deploy(
    hosts: list[Host], word: str, action: str | None, verdicts: list[str]
) -> None:
    fleet = {f"app{number}": host for number, host in enumerate(hosts)}
    weighed = weigh(fleet, (SLOW, WIPED), Circumstances(word))
    assert (weighed.action if weighed else None) == action
    assert [verdict.action for verdict in decide("decide", fleet, weighed).values()] == verdicts


def test_what_is_held_serves_and_says_how_to_go_back() -> None:
    fleet = {"app0": deploying("p95"), "app1": UNMOVED}
    weighed = weigh(fleet, (SLOW,), Circumstances())
    ending = close("hold", "app0", fleet, weighed, "ansible-playbook rollback_level2.yml")
    assert (ending.outcome, ending.verdict, ending.good, ending.restored) == ("failed", "red", False, TWO)
    assert ending.message.endswith(
        "It was not taken back, for trigger slow is for a person to consider, and serves on host app0. To take it back,"
        " run: ansible-playbook rollback_level2.yml. To keep it, deploy it again."
    )
    assert close("abandon", "app1", fleet, weighed).restored is None


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ([Host({"current": TWO}, target=TWO)], True),
        ([Host({"current": TWO, "good": [TWO, ONE]}, target=TWO)], True),
        # What was left red for a person to decide about has to pass its gates before it is called good.
        ([Host({"current": TWO, "good": [ONE]}, target=TWO)], False),
        ([Host({"current": TWO}, target=TWO), Host({"current": ONE}, target=TWO)], False),
        ([Host({"current": None}, target=TWO)], False),
        ([Host({"current": TWO})], False),
        ([], False),
    ],
)
def test_settled(hosts: list[Host], expected: bool) -> None:
    assert settled({f"app{number}": host for number, host in enumerate(hosts)}) is expected


def journal_of(artifact: str | None, **more: Any) -> dict[str, Any]:
    current = {"release": "R1", "version": "1.0.0", "artifact": {"id": artifact}, "config": {"version": 3}}
    last = {"release": "R1", "version": "1.0.0", "kind": "deploy", "outcome": "succeeded", "ended": "now"}
    return {"current": current if artifact else None, "open": None, "last": last, **more}


def test_every_host_has_a_row_also_one_that_cannot_be_asked() -> None:
    rows = who_runs_what({"app2": None, "app1": journal_of("1.0.0-abc")})
    assert [row["host"] for row in rows] == ["app1", "app2"]
    assert rows[0] == {
        "host": "app1",
        "known": True,
        "version": "1.0.0",
        "artifact": "1.0.0-abc",
        "config": 3,
        "release": "R1",
        "last": {"release": "R1", "kind": "deploy", "outcome": "succeeded", "ended": "now"},
        "open": None,
    }
    assert (rows[1]["known"], rows[1]["artifact"]) == (False, None)


OPEN = {"release": "R2", "kind": "deploy", "stage": "switch"}


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ({"app1": journal_of("1-a"), "app2": journal_of("1-a")}, []),
        ({"app1": journal_of("1-a"), "app2": None}, ["app2: cannot be asked"]),
        (
            {"app1": journal_of("1-a"), "app2": journal_of("1-a", open=OPEN)},
            ["app2: deploy R2 is open, in stage switch"],
        ),
        (
            {"app1": journal_of("2-b"), "app2": journal_of("1-a"), "app3": journal_of("2-b")},
            ["app2: 1-a, where others run 2-b"],
        ),
        (
            {"app1": journal_of("2-b"), "app2": journal_of("2-b"), "app3": journal_of(None)},
            ["app3: nothing that the journal knows, where others run 2-b"],
        ),
    ],
)
def test_what_a_fleet_that_is_of_two_minds_is_told(states: dict[str, Any], said: list[str]) -> None:
    assert differences(who_runs_what(states)) == said


def test_the_hosts_that_a_run_on_a_part_of_the_fleet_leaves_out() -> None:
    environments = {"app1": "prod", "app2": "prod", "app3": "prod", "stage1": "staging", "bare": None}
    assert left_out(["app2"], environments, "prod") == ["app1", "app3"]


def test_the_table_that_a_person_reads() -> None:
    assert table(who_runs_what({"app1": journal_of("1.0.0-abc"), "database-host": None})) == [
        "host           version  artifact   config  last run          ended",
        "app1           1.0.0    1.0.0-abc  3       deploy succeeded  now",
        "database-host  unreachable",
    ]


def test_an_emergency_action_that_failed_is_said_so() -> None:
    host = ended(failed(MOVED), back=BACK)
    assert host.state
    emergency = {**host.state, "open": {**host.state["open"], "kind": "emergency", "version": ""}}
    ending = close("take_back", "app0", {"app0": ended(host, state=emergency)})
    assert ending.message.startswith("Cannot carry out the emergency action: host app0 has failed")


def test_a_drill_that_has_failed_or_was_killed_is_led_back_to_what_served() -> None:
    state = opened(moved=True, passed=False)
    state["open"]["kind"] = "rollback_drill"
    # Also when only an unreachable host has failed: where the others stand is no place to stay.
    hosts = {"a": Host(state), "b": Host(state, failure="gone", unreachable=True)}
    assert {verdict.action for verdict in decide("decide", hosts).values()} == {"take_back"}
    assert decide("recover", {"a": Host(state)})["a"].action == "take_back"
    back = {"verified": True, "returns": True, "to": "1.1.0", "restored": {"version": "1.1.0"}}
    ending = close("take_back", "a", {"a": Host(state, failure="it fell over", back=back)})
    assert (ending.outcome, ending.good) == ("failed", False)
    told = "host a has failed (it fell over). 1.1.0 serves as before, and the database is as it was."
    assert ending.message == f"Cannot drill the rollback: {told}"


LOST = Host(None, alive=False, unreachable=True)


def test_a_rollback_leaves_behind_what_cannot_be_reached() -> None:
    check_barrier("rollback", {"a": LOST, "b": rolling(moved=False)})
    with pytest.raises(SluiceError, match="host a has failed or cannot be reached"):
        check_barrier("migrate", {"a": LOST, "b": READY})
    with pytest.raises(SluiceError, match="host a has failed"):
        # Something else is wrong with it, which nobody has understood yet.
        check_barrier("rollback", {"a": Host(None, alive=False), "b": rolling(moved=False)})
    with pytest.raises(SluiceError, match="Cannot start rollback"):
        check_barrier("rollback", {"a": dataclasses.replace(rolling(), unreachable=True, failure="gone")})


@pytest.mark.parametrize(
    ("hosts", "fenced"),
    [
        ({"a": LOST, "b": rolling(), "c": rolling()}, ["a"]),
        ({"a": LOST, "b": dataclasses.replace(LOST), "c": rolling()}, ["a", "b"]),
        # A deploy that fails: what had not moved serves the same as the others.
        ({"a": LOST, "b": failed(MOVED)}, []),
        ({"a": dataclasses.replace(MOVED, failure="gone", unreachable=True), "b": failed(MOVED)}, ["a"]),
        ({"a": rolling(), "b": rolling()}, []),
        # Nobody is left who could serve instead.
        ({"a": LOST, "b": dataclasses.replace(rolling(), alive=False)}, []),
    ],
)
def test_what_cannot_be_told_is_asked_nothing(hosts: dict[str, Host], fenced: list[str]) -> None:
    assert to_fence(hosts) == fenced

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
    one_environment,
    release_id,
    settled,
)


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
            "Cannot start migrate: host b has failed or cannot be reached; host c has failed (x). Taking back: host a.",
        ),
    ],
)
def test_the_barrier_names_who_is_missing(hosts: dict[str, Host], message: str) -> None:
    with pytest.raises(SluiceError) as error:
        check_barrier("migrate", hosts)
    assert str(error.value) == message


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


def test_a_failed_rollback_is_not_taken_back() -> None:
    state = opened(moved=True)
    state["open"]["kind"] = "rollback"
    assert decide("decide", {"a": Host(state, failure="red")})["a"].action == "abandon"


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ([Host({"current": TWO}, target=TWO)], True),
        ([Host({"current": TWO}, target=TWO), Host({"current": ONE}, target=TWO)], False),
        ([Host({"current": None}, target=TWO)], False),
        ([Host({"current": TWO})], False),
        ([], False),
    ],
)
def test_settled(hosts: list[Host], expected: bool) -> None:
    assert settled({f"app{number}": host for number, host in enumerate(hosts)}) is expected

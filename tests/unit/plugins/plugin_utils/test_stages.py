# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.plugin_utils import _stages
from ansible_collections.sluice.release.plugins.plugin_utils._stages import Narrator, plain

RELEASE = "20261122T013000Z-1.1.0"
OPENED = {
    "event": "opened",
    "release": RELEASE,
    "data": {"kind": "deploy", "application": "shop", "environment": "lab", "version": "1.1.0"},
}
RED = {"check": "errors", "verdict": "red", "reason": "errors was 38.2 %, critical at or above 5 %, for 3 s"}


def event(kind: str, stage: str | None = None, **more: Any) -> dict[str, Any]:
    return {"event": kind, "release": RELEASE, "stage": stage, "data": {}, **more}


def texts(lines: list[_stages.Line]) -> list[str]:
    return [plain(_stages.trimmed(line)) for line in lines]


def tell(narrator: Narrator, *events: dict[str, Any], host: str = "app1", journal: Any = None) -> list[str]:
    return texts(narrator.events(host, events, journal or {"current": {"version": "1.0.0"}}))


def test_a_release_from_its_start_to_its_end() -> None:
    narrator = Narrator()
    assert tell(narrator, OPENED) == [f"SLUICE  shop  lab  1.0.0 -> 1.1.0   release {RELEASE}"]
    assert tell(narrator, event("entered", "backup", budget=60)) == ["  backup       ▸  up to 60 s"]
    backup = {"backup": {"tables": 5, "bytes": 1204331, "verified": True, "level": "restore"}}
    left = event("left", "backup", seconds=2.14, data=backup)
    assert tell(narrator, left, event("entered", "gate")) == [
        "  backup       ✔  2.1 s of 60 s     5 tables, 1.2 MB, verified by restore",
        "  gate         ▸  started",
    ]
    gates = {"verdict": "green", "score": 100, "gates": [{"check": "errors", "verdict": "green"}]}
    done = [event("left", "gate", seconds=30.1, data=gates), event("closed", outcome="succeeded")]
    assert tell(narrator, *done) == ["  gate         ✔  30.1 s            green, score 100, 1 check"]
    assert texts(narrator.recap([], 3, 60)) == ["", "SUCCEEDED  1.1.0 serves."]


def test_a_red_gate_and_the_way_back() -> None:
    narrator = Narrator()
    tell(narrator, OPENED, event("entered", "gate", budget=120))
    message = "Cannot let 1.1.0 go on: the gate is red. It is taken back."
    narrator.failure("app1", message)
    assert tell(narrator, event("failed", "gate", seconds=9.8, reason=message, data={"gates": [RED]})) == [
        "  gate         ✘  9.8 s of 120 s    red: errors was 38.2 %, critical at or above 5 %, for 3 s",
        f"               {message}",
    ]
    noted = event("noted", name="rollback", data={"level": 2, "to": "1.0.0", "verified": True})
    assert tell(narrator, event("entered", "rollback", budget=300), noted) == ["  rollback     ▸  up to 300 s"]
    end = event("left", "rollback", seconds=4.1), event("closed", outcome="rolled_back", reason="red")
    assert tell(narrator, *end) == ["  rollback     ✔  4.1 s of 300 s    level 2 to 1.0.0"]
    assert narrator.final_failure("1.1.0 was taken back.")
    narrator.report = {"outcome": "rolled_back", "rollback": {"level": 2, "to": "1.0.0", "seconds": 4.1}}
    narrator.report_path = "/reports/x.html"
    assert texts(narrator.recap(["app1"], 3, 60)) == [
        "",
        "FAILED  rolled back to 1.0.0 in 4.1 s.  Report: /reports/x.html",
    ]


def test_a_rollback_that_failed_and_was_led_back_says_why() -> None:
    narrator = Narrator()
    tell(narrator, OPENED, event("entered", "rollback"))
    reason = "Cannot roll back: host app1 has failed (it crashed). 1.1.0 serves as before."
    end = event("left", "rollback", seconds=4.1), event("closed", outcome="failed", reason=reason)
    assert tell(narrator, *end) == ["  rollback     ✔  4.1 s", f"               {reason}"]


def test_several_hosts_have_a_column() -> None:
    narrator = Narrator(hosts=["app1", "web-12"])
    assert tell(narrator, OPENED) == [f"SLUICE  shop  lab  1.0.0 -> 1.1.0  2 hosts   release {RELEASE}"]
    assert tell(narrator, event("entered", "gate"), host="web-12") == ["  gate         web-12  ▸  started"]
    assert tell(narrator, event("entered", "gate"), host="app1") == ["  gate         app1    ▸  started"]


def test_hosts_that_failed_alike_share_one_block() -> None:
    narrator = Narrator(hosts=["app1", "app2", "app3"])
    for host in ("app1", "app2"):
        narrator.failure(host, "Cannot start migrate: host app3 is gone.\nNothing was moved.")
    narrator.failure("app3", "Cannot reach app3.")
    assert texts(narrator.flush()) == [
        "  ✘ app1 and app2  Cannot start migrate: host app3 is gone.",
        "      Nothing was moved.",
        "  ✘ app3  Cannot reach app3.",
    ]
    assert narrator.flush() == []
    # What was told once is not told again by the journal.
    failed = event("failed", "migrate", seconds=0.1, reason="Cannot reach app3.")
    assert tell(narrator, failed, host="app3")[1:] == ["  migrate      app3  ✘  0.1 s"]


def test_failure_outside_a_release_ends_the_run_as_failed() -> None:
    narrator = Narrator(hosts=["app1"])
    narrator.failure("app1", "Cannot use the profile: unknown key sluice_databse_url.")
    assert not narrator.final_failure("a fail task before any release")
    assert texts(narrator.recap(["app1"], 0, 1.5)) == [
        "  ✘ Cannot use the profile: unknown key sluice_databse_url.",
        "",
        "FAILED  on app1 after 1.5 s.",
    ]


def test_run_without_a_release_says_that_it_is_done() -> None:
    assert texts(Narrator().recap([], 2, 12.3)) == ["", "DONE  2 changes after 12.3 s."]


def test_a_killed_release_and_the_next_one_each_have_a_head() -> None:
    narrator = Narrator()
    old = {
        "release": "20261121T000000Z-1.0.9",
        "data": {"application": "shop", "environment": "lab", "version": "1.0.9"},
    }
    entered = {**event("entered", "rollback"), "release": old["release"]}
    assert tell(narrator, entered, journal={"open": old, "current": None}) == [
        "SLUICE  shop  lab  1.0.9   release 20261121T000000Z-1.0.9",
        "  rollback     ▸  started",
    ]
    closed = {**event("closed", outcome="rolled_back", reason="the run was killed"), "release": old["release"]}
    assert tell(narrator, closed, OPENED) == [
        "  rolled back: the run was killed",
        "",
        f"SLUICE  shop  lab  1.0.0 -> 1.1.0   release {RELEASE}",
    ]


def test_check_mode_says_so_and_times_nothing() -> None:
    narrator = Narrator(check=True)
    assert tell(narrator, OPENED) == [f"SLUICE  CHECK  shop  lab  1.0.0 -> 1.1.0   release {RELEASE}"]
    # The journal is not written, so it knows of no stage that would end.
    assert tell(narrator, event("entered", "preflight")) == []
    assert tell(narrator, event("entered", "backup", budget=60)) == ["  preflight    ✔"]
    assert tell(narrator, event("closed", outcome="succeeded")) == ["  backup       ✔"]
    assert texts(narrator.recap([], 5, 9)) == ["", "CHECK  nothing was changed."]


def test_on_a_terminal_stages_have_no_line_as_they_start_and_details_are_wrapped() -> None:
    narrator = Narrator(width=72)
    tell(narrator, OPENED)
    assert tell(narrator, event("entered", "gate", budget=120)) == []
    assert narrator.live("Look at the error rate") == "  gate         ▸    up to 120 s  Look at the error rate"
    assert len(narrator.live("x" * 100)) == 71
    assert tell(narrator, event("failed", "gate", seconds=9.8, data={"gates": [RED]})) == [
        "  gate         ✘  9.8 s of 120 s    red: errors was 38.2 %, critical at",
        "                                    or above 5 %, for 3 s",
    ]
    assert narrator.live() == ""


def test_live_line_names_the_stages_of_all_hosts() -> None:
    narrator = Narrator(width=100, hosts=["a", "b", "c", "d", "e"])
    tell(narrator, OPENED)
    for host in "abcd":
        tell(narrator, event("entered", "gate"), host=host)
    tell(narrator, event("entered", "switch"), host="e")
    assert narrator.live() == "  gate         ▸  4 hosts   switch       ▸  e"


def test_ascii_marks() -> None:
    narrator = Narrator(unicode=False)
    tell(narrator, OPENED)
    lines = tell(narrator, event("entered", "a"), event("left", "a", seconds=1), event("failed", "b", seconds=1))
    assert lines == ["  a            ..  started", "  a            ok  1.0 s", "  b            XX  1.0 s"]
    assert all(line.isascii() for line in lines)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"LANG": "en_US.UTF-8"}, True),
        ({"LANG": "C"}, False),
        ({}, False),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, False),
        ({"LANG": "C.utf8", "LC_CTYPE": "C.UTF-8"}, True),
        ({"LANG": "C", "LC_CTYPE": "de_DE.UTF-8"}, True),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "POSIX"}, False),
        ({"LANG": "en_US.ISO-8859-1"}, False),
    ],
)
def test_locale(environment: dict[str, str], expected: bool) -> None:
    assert _stages.locale_has_unicode(environment) is expected


def test_a_rollback_that_the_watch_has_asked_for_ends_with_its_reason() -> None:
    narrator = Narrator()
    tell(narrator, {**OPENED, "data": {"kind": "rollback"}}, event("closed", outcome="succeeded", data={}))
    assert narrator.final_failure("Cannot keep release 1.1.0: errors was 7 %. It is taken back.")
    assert texts(narrator.recap(["app1"], 0, 5))[-1] == (
        "FAILED  Cannot keep release 1.1.0: errors was 7 %. It is taken back."
    )


def test_a_tick_that_fails_names_the_version_of_its_report() -> None:
    narrator = Narrator()
    narrator.report = {"to": "1.1.0", "outcome": "succeeded"}
    assert texts(narrator.recap(["app1"], 0, 5))[-1] == "FAILED  1.1.0 serves, but the run failed on app1."


@pytest.mark.parametrize(
    ("report", "failed", "text"),
    [
        (
            {"outcome": "succeeded", "seconds": 52.4, "verdict": "green", "requests": {"sent": 195, "failed": 0}},
            [],
            "SUCCEEDED  1.1.0 serves after 52.4 s, verdict green, 0 of 195 requests failed.",
        ),
        ({"outcome": "succeeded"}, ["app1"], "FAILED  1.1.0 serves, but the run failed on app1."),
        ({"outcome": "unchanged"}, [], "UNCHANGED  1.1.0 was already running; nothing was changed."),
        (
            {"outcome": "failed", "error": {"stage": "backup", "host": "app1"}},
            ["app1"],
            "FAILED  1.1.0 failed in stage backup.",
        ),
        ({"outcome": "failed", "error": None}, ["app1"], "FAILED  The end, as the journal has it."),
    ],
)
def test_recap(report: dict[str, Any], failed: list[str], text: str) -> None:
    narrator = Narrator(hosts=["app1"], report=report)
    tell(narrator, OPENED, event("closed", outcome=report["outcome"], reason="The end, as the journal has it."))
    assert texts(narrator.recap(failed, 0, 1)) == ["", text]


def test_a_warming_is_told_by_its_stage_or_in_a_line_of_its_own() -> None:
    data = {"kind": "http", "address": "127.0.0.1:3011", "warm": True, "done": 500, "seconds": 2.5}
    narrator = Narrator(width=100)
    noted = event("noted", name="warming", data=data)
    told = tell(narrator, OPENED, event("entered", "switch"), noted)
    assert told[-1] == f"  warming      ✔  {'':<16}  500 requests to 127.0.0.1:3011, in 2.5 s"
    tell(narrator, event("left", "switch", seconds=1.0), event("entered", "warm"), noted)
    assert tell(narrator, event("left", "warm", seconds=3.0))[-1].endswith("500 requests to 127.0.0.1:3011, in 2.5 s")
    cold = event("noted", name="warming", data={**data, "warm": False, "reason": "it is gone"})
    told = tell(narrator, event("entered", "switch"), cold)
    said = " ".join(" ".join(told).split())
    assert "warming ! 500 requests to 127.0.0.1:3011, in 2.5 s; NOT warm: it is gone" in said


def test_remarks_and_noted_issues_are_warnings() -> None:
    narrator = Narrator(hosts=["app1", "app2"])
    assert texts(narrator.remark("app2", "The lock was taken over")) == ["  ! app2: The lock was taken over"]
    noted = event("noted", name="issue", data={"message": "Cannot remove 0.9.0."})
    assert tell(narrator, OPENED, noted)[1:] == ["  ! Cannot remove 0.9.0."]


def test_a_drill_ends_with_what_its_levels_took() -> None:
    narrator = Narrator(report={"outcome": "succeeded", "to": "1.1.0"})
    data = {
        "levels": {"1": 6.5, "2": 20.0, "3": None},
        "steps": {"1": {"rollback": 1.0, "switch": 5.5}, "2": {"switch": 20.0}, "3": {}},
        "budgets": {"1": 120, "2": 15, "3": 600},
        "missed": {"2": "it took 20 s of 15 s", "3": "it fell over"},
    }
    kind = {**OPENED["data"], "kind": "rollback_drill", "version": "", "from": "1.1.0"}  # type: ignore[dict-item]
    told = tell(narrator, {**OPENED, "data": kind}, event("noted", name="rollback_drill", data=data))
    assert told == [f"SLUICE  rollback drill  shop  lab  from 1.1.0   release {RELEASE}"]
    tell(narrator, event("closed", outcome="succeeded"))
    assert texts(narrator.recap([], 0, 1)) == [
        "",
        "  drill        ✔  level 1  6.5 s of 120 s     rollback 1.0 s, switch 5.5 s",
        "               ✘  level 2  20.0 s of 15 s     switch 20.0 s",
        "               ✘  level 3  -                  it fell over",
        "",
        "SUCCEEDED  1.1.0 serves as before, and the budgets of the drill are met.",
    ]

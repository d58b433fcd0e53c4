# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.report._build import build_report
from ansible_collections.sluice.release.plugins.module_utils.report._html import render_html
from ansible_collections.sluice.release.plugins.module_utils.report._markdown import render_markdown
from ansible_collections.sluice.release.plugins.module_utils.report._schema import violations
from ansible_collections.sluice.release.plugins.module_utils.report._words import headline

Load = Callable[[str], dict[str, Any]]

RELEASE = "20261122T013000Z-1.1.0"


def entry(event: str, second: float = 0, **more: Any) -> dict[str, Any]:
    moment = f"2026-11-22T01:30:{second:06.3f}Z"
    return {"seq": int(second * 1000), "time": moment, "release": RELEASE, "event": event, "data": {}, **more}


def opened(**data: Any) -> dict[str, Any]:
    return entry(
        "opened", data={"kind": "deploy", "application": "a", "environment": "lab", "version": "1.1.0", **data}
    )


def host(name: str, *entries: dict[str, Any]) -> dict[str, Any]:
    return {"host": name, "entries": list(entries)}


@pytest.mark.parametrize(
    ("name", "outcome", "verdict"),
    [
        ("succeeded", "succeeded", "green"),
        ("rolled_back", "rolled_back", "red"),
        ("failed", "failed", "red"),
        ("unchanged", "unchanged", None),
    ],
)
def test_outcome_and_verdict(report: Load, name: str, outcome: str, verdict: str | None) -> None:
    built = report(name)
    assert (built["outcome"], built["verdict"]) == (outcome, verdict)
    assert built["issues"] == []


def test_succeeded_release_keeps_the_interface(report: Load) -> None:
    built = report("succeeded")
    assert (built["release_id"], built["application"], built["environment"]) == (RELEASE, "dealradarus", "lab")
    assert (built["from"], built["to"], built["started"]) == ("1.0.0", "1.1.0", "2026-11-22T01:30:00.123Z")
    assert built["seconds"] == pytest.approx(52.4, abs=0.1)
    first = built["stages"][0]
    expected = {"name": "preflight", "host": "app1", "outcome": "succeeded", "seconds": 1.2, "budget_seconds": 30}
    assert expected.items() <= first.items()
    gate = built["gates"][0]
    assert {"check": "error_rate_pct", "verdict": "green", "threshold": 1, "samples": 60}.items() <= gate.items()
    probe = built["requests"]
    assert (probe["sent"], probe["failed"], probe["longest_gap_ms"]) == (195, 0, 231)
    assert {"id": "20261122T013002Z", "verified": True, "level": "restore", "tables": 5}.items() <= built[
        "backup"
    ].items()
    assert built["rollback"] is None
    assert built["error"] is None


def test_rolled_back_release_says_why_and_how_fast(report: Load) -> None:
    built = report("rolled_back")
    rollback = built["rollback"]
    # The slowest host is how long it took.
    assert {"level": 2, "to": "1.1.0", "seconds": 4.1, "verified": True, "hosts": ["app1", "app2"]}.items() <= (
        rollback.items()
    )
    assert (built["error"]["stage"], built["error"]["host"]) == ("gate", "app1")
    assert built["error"]["message"].startswith("Cannot let 1.2.0 go on: error_rate_pct was 38.2 %")


def test_same_entries_give_the_same_report(report: Load) -> None:
    assert json.dumps(report("rolled_back")) == json.dumps(report("rolled_back"))


def test_entries_of_other_releases_are_left_out() -> None:
    other = {**opened(version="9.9.9"), "release": "20261121T013000Z-9.9.9"}
    built = build_report(RELEASE, [host("app1", other, opened(), entry("closed", 5, outcome="succeeded"))])
    assert (built["to"], built["seconds"]) == ("1.1.0", 5.0)


def test_no_entries_is_an_error_that_names_the_release() -> None:
    with pytest.raises(SluiceError, match=rf"Cannot report on release {RELEASE}: no journal holds an entry of it"):
        build_report(RELEASE, [host("app1")], ["app2"])


SWITCHED = (entry("entered", 1, stage="switch"), entry("left", 2, stage="switch", seconds=1.0))


@pytest.mark.parametrize(
    ("hosts", "unreachable", "outcome"),
    [
        pytest.param([("succeeded", True), ("succeeded", True)], [], "succeeded", id="all"),
        pytest.param([("succeeded", True), ("unchanged", False)], [], "succeeded", id="one had nothing to do"),
        pytest.param([("unchanged", False), ("unchanged", False)], [], "unchanged", id="none had"),
        pytest.param([("rolled_back", True), ("failed", False)], [], "rolled_back", id="the failed one never moved"),
        pytest.param([("rolled_back", True), ("failed", True)], [], "failed", id="the failed one is stuck"),
        pytest.param([("succeeded", True), ("failed", True)], [], "failed", id="one failed"),
        pytest.param([("succeeded", True)], ["app9"], "failed", id="one is out of reach"),
        pytest.param([("succeeded", True), (None, True)], [], "failed", id="one was killed"),
    ],
)
def test_outcome_of_a_fleet(hosts: list[tuple[str | None, bool]], unreachable: list[str], outcome: str) -> None:
    fleet = [
        host(
            f"app{index}",
            opened(),
            *(SWITCHED if moved else ()),
            *([entry("closed", 3, outcome=ended)] if ended else []),
        )
        for index, (ended, moved) in enumerate(hosts)
    ]
    assert build_report(RELEASE, fleet, unreachable)["outcome"] == outcome


def test_killed_run_leaves_an_unfinished_stage_and_an_issue() -> None:
    built = build_report(RELEASE, [host("app1", opened(), entry("entered", 1, stage="migrate", budget=120))])
    assert built["stages"] == [
        {
            "name": "migrate",
            "host": "app1",
            "outcome": "unfinished",
            "seconds": None,
            "budget_seconds": 120,
            "started": "2026-11-22T01:30:01.000Z",
        }
    ]
    assert built["issues"] == ["The run on app1 ended in migrate without closing the release."]


def test_unreachable_and_silent_hosts_are_named() -> None:
    closed = entry("closed", 3, outcome="succeeded")
    built = build_report(RELEASE, [host("app1", opened(), closed), host("app2")], ["app3"])
    assert built["issues"] == [
        "Host app3 could not be reached. What it runs is not known.",
        "Host app2 has no entry of this release in its journal.",
    ]
    assert [(h["host"], h["outcome"]) for h in built["hosts"]] == [("app1", "succeeded"), ("app3", "unreachable")]


def test_stage_over_its_budget_and_noted_issue_are_told() -> None:
    entries = [
        opened(),
        entry("entered", 1, stage="backup", budget=60),
        entry("left", 2, stage="backup", seconds=75.0),
        entry("noted", 3, name="issue", data={"message": "Cannot remove release 0.9.0."}),
        entry("closed", 4, outcome="succeeded"),
    ]
    assert build_report(RELEASE, [host("app1", *entries)])["issues"] == [
        "On app1: Cannot remove release 0.9.0.",
        "Stage backup on app1 took 75.0 s of 60 s.",
    ]


def test_where_it_came_from_is_known_from_the_switch_too() -> None:
    left = entry("left", 2, stage="switch", seconds=1.0, data={"previous": "1.0.0-8c1d77aa02f4"})
    built = build_report(RELEASE, [host("app1", opened(), SWITCHED[0], left)])
    assert built["from"] == "1.0.0"
    unknown = {**left, "data": {"previous": "unknown"}}
    assert build_report(RELEASE, [host("app1", opened(), SWITCHED[0], unknown)])["from"] is None


def test_rollback_without_seconds_took_as_long_as_its_stage() -> None:
    entries = [
        opened(),
        entry("entered", 1, stage="rollback", budget=300),
        entry("noted", 4, name="rollback", data={"level": 2, "to": None, "verified": False, "reason": "no answer"}),
        entry("failed", 5, stage="rollback", seconds=4.0, reason="no answer"),
        entry("closed", 6, outcome="failed", reason="no answer"),
    ]
    rollback = build_report(RELEASE, [host("app1", *entries)])["rollback"]
    assert {"level": 2, "to": None, "seconds": 4.0, "verified": False}.items() <= rollback.items()


def test_a_rollback_that_was_asked_for_says_where_it_went() -> None:
    target = {"version": "1.0.0", "artifact": {"id": "1.0.0-95fc3d9db7b8"}, "config": {"version": 1}}
    entries = [
        opened(kind="rollback", version="", **{"from": "1.1.0"}),
        entry("entered", 1, stage="rollback"),
        entry("left", 2, stage="rollback", seconds=1.0, data={"level": 2, "target": target, "budget": 6.0}),
        entry("entered", 2, stage="switch"),
        entry("left", 6, stage="switch", seconds=4.0),
        entry("entered", 6, stage="verify"),
        entry("left", 7, stage="verify", seconds=1.5),
        entry("closed", 8, outcome="succeeded"),
    ]
    built = build_report(RELEASE, [host("app1", *entries)])
    assert (built["from"], built["to"]) == ("1.1.0", "1.0.0")
    assert built["rollback"] == {
        "level": 2,
        "to": "1.0.0",
        "artifact": "1.0.0-95fc3d9db7b8",
        "seconds": 6.5,
        "budget_seconds": 6.0,
        "reason": None,
        "verified": True,
        "hosts": ["app1"],
    }
    assert built["issues"] == ["The rollback by level 2 took 6.5 s of 6 s."]


def test_probes_of_several_hosts_are_summed() -> None:
    def probe(failed: int, gap: float) -> dict[str, Any]:
        errors = {"timeout": failed}
        data = {
            "sent": 10,
            "failed": failed,
            "longest_gap_ms": gap,
            "errors": errors,
            "series": [[0, 10 - failed, failed]],
        }
        return entry("noted", 2, name="requests", data=data)

    closed = entry("closed", 3, outcome="succeeded")
    fleet = [host("app1", opened(), probe(1, 90), closed), host("app2", opened(), probe(2, 400), closed)]
    assert build_report(RELEASE, fleet)["requests"] == {
        "sent": 20,
        "failed": 3,
        "longest_gap_ms": 400,
        "errors": {"timeout": 3},
        "series": [[0, 17, 3]],
    }


@pytest.mark.parametrize(
    ("previous", "data", "unserved"),
    [(None, {}, 6), ("1.0.0-3f2a9c1b77d0", {}, 0), ("unknown", {}, 0), (None, {"from": "1.0.0"}, 0)],
)
def test_what_nobody_could_answer_is_told_apart(previous: str | None, data: dict[str, Any], unserved: int) -> None:
    counts = {"sent": 20, "failed": 8, "failed_at_first": 6, "longest_gap_ms": 9, "errors": {"refused": 8}}
    fleet = [
        host(
            "app1",
            opened(**data),
            entry("entered", 1, stage="switch"),
            entry("left", 2, stage="switch", data={"evidence": {"previous": previous}}),
            entry("noted", 3, name="requests", data={**counts, "series": [[0, 0, 5], [1, 4, 1], [2, 8, 2]]}),
            entry("closed", 4, outcome="succeeded"),
        )
    ]
    built = build_report(RELEASE, fleet)
    probe = built["requests"]
    assert (probe["failed"], probe.get("unserved", 0), violations(built)) == (8, unserved, [])
    early = [[0, 0, 5, 5], [1, 4, 1, 1], [2, 8, 2, 0]]
    assert probe["series"] == (early if unserved else [row[:3] for row in early])
    words = render_markdown(built)
    assert ("2 of 20 requests failed, 6 more before anything served" in words) == bool(unserved)
    page = render_html(built)
    assert ('<span class="pill calm">6 before anything served</span>' in page) == bool(unserved)
    assert ("Another 6 failed before anything served." in page) == bool(unserved)


def test_what_is_noted_after_the_end_makes_no_release_longer() -> None:
    late = entry("noted", 50, name="requests", data={"sent": 1, "failed": 0, "longest_gap_ms": 5})
    built = build_report(RELEASE, [host("app1", opened(), entry("closed", 4, outcome="succeeded"), late)])
    assert (built["seconds"], built["requests"]["sent"]) == (4.0, 1)


def test_fields_may_lie_within_the_data() -> None:
    data = {"stage": "gate", "seconds": 9.8, "reason": "red", "evidence": {"gates": [{"check": "x", "verdict": "red"}]}}
    entries = [opened(), entry("entered", 1, data={"stage": "gate", "budget": 120}), entry("failed", 11, data=data)]
    built = build_report(RELEASE, [host("app1", *entries)])
    assert (built["stages"][0]["seconds"], built["stages"][0]["budget_seconds"]) == (9.8, 120)
    assert (built["gates"][0]["check"], built["gates"][0]["samples"]) == ("x", 0)


def test_a_drill_says_how_long_each_level_took_and_that_what_served_serves() -> None:
    noted = {
        "place": "here",
        "met": False,
        "levels": {"1": 6.5, "2": None},
        "steps": {"1": {"rollback": 1.0, "switch": 4.0, "verify": 1.5}},
        "budgets": {"1": 120.0, "2": 300.0},
        "missed": {"2": "it | fell over"},
        "targets": {"1": {"version": "1.1.0"}, "2": {"version": "1.0.0"}},
    }
    restored = {"database": {"restored": {"backup_id": "B1"}}}
    entries = [
        opened(kind="rollback_drill", version="", **{"from": "1.1.0"}),
        entry("entered", 1, stage="rollback"),
        entry("left", 2, stage="rollback", seconds=1.0, data=restored),
        entry("noted", 7, name="rollback_drill", data=noted),
        entry("closed", 8, outcome="succeeded"),
    ]
    built = build_report(RELEASE, [host("app1", *entries), host("app2", *entries)])
    assert (built["to"], built["restore"], built["rollback"]) == ("1.1.0", None, None)
    first, second = built["rollback_drill"]["levels"]
    assert (first["level"], first["seconds"], first["budget_seconds"], first["missed"]) == (1, 6.5, 120.0, None)
    assert (second["to"], second["seconds"], second["steps"], second["missed"]) == ("1.0.0", None, {}, "it | fell over")
    assert violations(built) == []
    assert "NOT within the budgets; 1.1.0 serves as before" in headline(built)
    assert "| 2 | 1.0.0 | not carried through | 5 min |  | it \\| fell over |" in render_markdown(built)
    assert "it | fell over" in render_html(built)

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts of the callback's lines."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.plugin_utils._stage_texts import (
    failure_detail,
    failure_message,
    rollback_detail,
    stage_detail,
    way_text,
)

RED = {"check": "errors", "verdict": "red", "reason": "errors was 38.2 %, critical at or above 5 %, for 3 s"}


@pytest.mark.parametrize(
    ("came_from", "version", "text"),
    [
        ("1.0.0", "1.1.0", "1.0.0 -> 1.1.0"),
        ("1.1.0", "1.1.0", "1.1.0"),
        (None, "1.0.0", "1.0.0"),
        ("1.1.0", "", "from 1.1.0"),
        (None, "", ""),
    ],
)
def test_which_way_a_release_goes(came_from: str | None, version: str, text: str) -> None:
    assert way_text(came_from, version) == text


@pytest.mark.parametrize(
    ("stage", "evidence", "text"),
    [
        ("preflight", {"score": 100, "passed": True}, "score 100"),
        ("preflight", {"score": 100, "groups": [{"passed": True}, {"passed": True}]}, "score 100, 2 of 2 groups"),
        (
            "preflight",
            {"score": 50.0, "groups": [{"passed": True, "waived": []}, {"passed": True, "waived": ["types"]}]},
            "score 50, 2 of 2 groups, waived: types",
        ),
        ("backup", {"backup": {"tables": 1, "verified": False}}, "1 table, NOT verified"),
        ("backup", {"backup": {"tables": {"a": 1, "b": 2}, "verified": "archive"}}, "2 tables, verified by archive"),
        ("backup", {}, ""),
        ("artifact", {"artifact": {"id": "1.1.0-3f2a9c1b77d0"}, "changed": False}, "1.1.0-3f2a9c1b77d0, built before"),
        ("finish", {"line": "2 windows, the first tick soon"}, "2 windows, the first tick soon"),
        ("migrate", {"applied": ["a"]}, "1 migration"),
        ("migrate", {"applied": []}, "nothing to migrate"),
        (
            "switch",
            {"instances": [{"ready": True, "ready_seconds": 1.2}, {"ready": True, "ready_seconds": 0.9}]},
            "2 of 2 workers ready, slowest after 1.2 s",
        ),
        ("verify", {"verdict": "green", "gates": [{"verdict": "green"}] * 2}, "green, 2 checks"),
        (
            "gate",
            {"verdict": "yellow", "score": 90, "gates": [{"verdict": "yellow", "reason": "p95 was 300 ms"}]},
            "yellow: p95 was 300 ms, score 90, 1 check",
        ),
        ("finish", {}, ""),
        ("rollback", {"level": 2, "target": {"version": "1.0.0"}}, "level 2 to 1.0.0"),
        (
            "rollback",
            {"level": 1, "target": {"version": "1.0.0", "config": {"version": 3}}},
            "level 1 to 1.0.0 with config 3",
        ),
        ("rollback", {"level": 2, "target": None}, ""),
        ("return", {"to": "1.1.0"}, "to 1.1.0, which serves again"),
    ],
)
def test_stage_detail(stage: str, evidence: dict[str, Any], text: str) -> None:
    assert stage_detail(stage, evidence) == text


def test_failure_detail_counts_the_other_red_checks() -> None:
    assert failure_detail({"gates": [RED, {"verdict": "green"}, RED]}).endswith("for 3 s; and 1 more check")
    assert failure_detail({"msg": "no gates"}) == ""


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"level": 2, "to": "1.0.0", "verified": True}, "level 2 to 1.0.0"),
        ({"level": 2, "to": "1.0.0", "verified": False}, "level 2 to 1.0.0, NOT verified"),
        ({"level": 2, "to": None, "verified": False}, "level 2: NOT taken back"),
        # A first release that has failed leaves nothing, as there was nothing before it.
        ({"level": 2, "to": None, "verified": True}, "level 2 to nothing, as before"),
    ],
)
def test_rollback_detail(data: dict[str, Any], text: str) -> None:
    assert rollback_detail(data) == text


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ({"msg": " Cannot do it. "}, "Cannot do it."),
        ({"censored": "hidden by no_log"}, "hidden by no_log"),
        ({}, "the task failed without a message"),
        (
            {"msg": "non-zero return code", "rc": 2, "stderr": "1\n2\n3\n4\n5\nno such table "},
            "non-zero return code\n2\n3\n4\n5\nno such table",
        ),
        (
            {"msg": "One or more items failed", "results": [{"failed": True, "msg": "a"}, {"msg": "b"}]},
            "a",
        ),
    ],
)
def test_failure_message(result: dict[str, Any], message: str) -> None:
    assert failure_message(result) == message

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.report import _words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "unknown"),
        (0, "0 ms"),
        (0.04, "40 ms"),
        (1.24, "1.2 s"),
        (99.94, "99.9 s"),
        (100, "1 min 40 s"),
        (250, "4 min 10 s"),
        (300, "5 min"),
        (7500, "2 h 5 min"),
        (259200, "72 h"),
    ],
)
def test_seconds_text(seconds: float | None, text: str) -> None:
    assert _words.seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(2.5, "2.5 s"), (60, "60 s"), (300.0, "300 s"), (1800, "30 min"), (725, "725 s")]
)
def test_budget_text(seconds: float, text: str) -> None:
    assert _words.budget_text(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(38.2, "38.2"), (0.00412, "0.00412"), (12500, "12,500"), (5.0, "5"), (1.5, "1.5"), (-0.5, "-0.5"), (99.95, "100")],
)
def test_number_text(value: float, text: str) -> None:
    assert _words.number_text(value) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(812, "812 B"), (1204331, "1.2 MB"), (999_600, "1.0 MB"), (123_400_000, "123 MB"), (3e12, "3.0 TB")],
)
def test_bytes_text(count: float, text: str) -> None:
    assert _words.bytes_text(count) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(None, "ms", "no data"), (38.2, "%", "38.2 %"), ("ready", "", "ready"), (True, None, "True"), (3, None, "3")],
)
def test_value_text(value: Any, unit: str | None, text: str) -> None:
    assert _words.value_text(value, unit) == text


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        ([], None),
        ([None], None),
        (["green", "yellow"], "yellow"),
        (["pending", "yellow"], "pending"),
        (["green", "red", "pending"], "red"),
        (["purple", "green"], "red"),
    ],
)
def test_worst(verdicts: list[str | None], worst: str | None) -> None:
    assert _words.worst(verdicts) == worst


LIMITS = {"check": "errors", "unit": "%", "target": 0.1, "warn": 1, "crit": 5, "sustained": 3, "direction": "above"}


@pytest.mark.parametrize(
    ("gate", "text"),
    [
        ({**LIMITS, "verdict": "red"}, "critical at or above 5 % for 3 s"),
        ({**LIMITS, "verdict": "green", "sustained": 0}, "critical at or above 5 %"),
        ({**LIMITS, "verdict": "yellow"}, "warning above 1 %"),
        ({**LIMITS, "verdict": "red", "direction": "below"}, "critical at or below 5 % for 3 s"),
        ({"verdict": "red", "direction": "equals", "crit": 0}, "critical at 0"),
        ({"verdict": "yellow", "target": 100, "unit": "ms"}, "off target above 100 ms"),
        ({"verdict": "red", "direction": "state", "threshold": "200"}, "expected 200"),
        ({"verdict": "red", "threshold": 7}, "threshold 7"),
        ({"verdict": "green"}, ""),
    ],
)
def test_threshold_text(gate: dict[str, Any], text: str) -> None:
    assert _words.threshold_text(gate) == text


def test_gate_text_prefers_the_gates_own_reason() -> None:
    gate = {**LIMITS, "verdict": "red", "value": 38.2}
    assert _words.gate_text(gate) == "errors 38.2 %, critical at or above 5 % for 3 s"
    assert _words.gate_text({**gate, "reason": "errors was 38.2 %"}) == "errors was 38.2 %"


ONE, TWO = [{"host": "a", "moved": False}], [{"host": "a", "moved": True}, {"host": "b", "moved": True}]


@pytest.mark.parametrize(
    ("report", "text"),
    [
        ({"outcome": "succeeded", "hosts": TWO}, "1.1.0 serves on 2 hosts"),
        ({"outcome": "unchanged", "hosts": ONE}, "1.1.0 was already running; nothing was changed"),
        (
            {"outcome": "rolled_back", "hosts": ONE, "rollback": {"to": "1.0.0", "seconds": 4.1}},
            "1.1.0 was taken back, 1.0.0 serves again; the way back took 4.1 s",
        ),
        (
            {"outcome": "rolled_back", "hosts": ONE, "rollback": None},
            "1.1.0 was taken back, what served before serves again",
        ),
        (
            {"outcome": "failed", "hosts": ONE, "from": "1.0.0", "error": {"stage": "backup", "host": "a"}},
            "The release of 1.1.0 failed in stage backup; nothing was moved, 1.0.0 still serves",
        ),
        (
            {"outcome": "failed", "hosts": TWO, "from": "1.0.0", "error": {"stage": "gate", "host": "b"}},
            "The release of 1.1.0 failed in stage gate on b",
        ),
        (
            {"outcome": "failed", "hosts": [{"host": "a"}], "from": "1.0.0", "error": None},
            "The release of 1.1.0 failed",
        ),
        (
            {
                "to": None,
                "outcome": "failed",
                "kind": "rollback",
                "error": {"stage": "switch"},
                "hosts": [{"host": "a"}],
            },
            "The rollback failed in stage switch",
        ),
    ],
)
def test_headline(report: dict[str, Any], text: str) -> None:
    assert _words.headline({"to": "1.1.0", **report}) == text


@pytest.mark.parametrize(
    ("items", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_list_text(items: list[str], text: str) -> None:
    assert _words.list_text(items) == text

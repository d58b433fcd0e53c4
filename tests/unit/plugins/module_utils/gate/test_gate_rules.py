# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts: tables of samples and what must be said of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Limits, Measure, Sample, show
from ansible_collections.sluice.release.plugins.module_utils.gate._rules import MAX_POINTS, Judge, summary, worst_of
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._request import Request


def unmeasured(_check: Check, _begun: float) -> Measure:
    raise AssertionError("the samples of these tests are given")


ERRORS = Check(
    "error_rate_pct",
    "prometheus",
    Request("http://127.0.0.1/metrics"),
    Limits(target=1, warn=2, crit=5, sustained=5),
    unmeasured,
    unit="%",
)
STATE = Check("health", "http", Request("http://127.0.0.1/health"), Limits(sustained=2), unmeasured, state="200")


def limits(check: Check = ERRORS, **changes: Any) -> Check:
    return replace(check, limits=replace(check.limits, **changes))


def follow(check: Check, *values: float | None, step: float = 1.0) -> Judge:
    """A judge that has seen the values, one a second; None is no data."""
    judge = Judge(check)
    for number, value in enumerate(values):
        judge.add(Sample(number * step, value, "answered 503 instead of 200" if value is None else ""))
    return judge


@pytest.mark.parametrize(
    ("check", "values", "verdict"),
    [
        pytest.param(ERRORS, [0, 0.5, 0.9], "green", id="inside"),
        pytest.param(ERRORS, [0, 1, 0], "green", id="on-the-target-is-not-past-it"),
        pytest.param(ERRORS, [0, 1.5, 0], "yellow", id="past-target"),
        pytest.param(ERRORS, [0, 2.5, 0], "yellow", id="past-warn"),
        pytest.param(limits(sustained=0), [0, 5], "red", id="at-crit-is-critical"),
        pytest.param(limits(sustained=0), [0, 4.99], "yellow", id="short-of-crit"),
        pytest.param(ERRORS, [0, 9], "pending", id="breach-begins"),
        pytest.param(ERRORS, [0, 9, 9, 9, 9, 9], "pending", id="breach-one-second-short"),
        pytest.param(ERRORS, [0, 9, 9, 9, 9, 9, 9], "red", id="breach-lasts"),
        pytest.param(ERRORS, [0, 9, 9, 9, 9, 0, 9, 9], "pending", id="a-good-sample-starts-the-clock-anew"),
        pytest.param(ERRORS, [0, 9, 9, 0, 0], "yellow", id="breach-heals"),
        pytest.param(ERRORS, [9, 0] * 20, "yellow", id="blips-do-not-add-up"),
        pytest.param(limits(recover=3), [9, 0] * 5, "red", id="flapping-is-one-breach-with-recover"),
        pytest.param(limits(recover=3), [9, 0, 0, 0], "pending", id="recovery-not-long-enough"),
        pytest.param(limits(recover=3), [9, 0, 0, 0, 0], "yellow", id="recovery-long-enough"),
        pytest.param(ERRORS, [9] * 7 + [0] * 50, "red", id="red-stays-red"),
        pytest.param(limits(crit=None), [99] * 20, "yellow", id="without-crit-never-red"),
        pytest.param(limits(crit=None, warn=None), [0.5], "green", id="target-alone"),
        pytest.param(limits(grace=5), [99, 99, 99, 99, 99, 0, 0], "green", id="grace-is-not-judged"),
        pytest.param(limits(grace=5, sustained=0), [0, 0, 0, 0, 0, 99], "red", id="grace-ends"),
        pytest.param(
            limits(direction="below", target=70, warn=80, crit=60, sustained=0), [85, 81], "green", id="below-good"
        ),
        pytest.param(
            limits(direction="below", target=70, warn=80, crit=60, sustained=0), [85, 75], "yellow", id="below-warn"
        ),
        pytest.param(
            limits(direction="below", target=70, warn=80, crit=60, sustained=0), [85, 60], "red", id="below-crit"
        ),
        pytest.param(
            limits(direction="equals", target=None, warn=1, crit=2, sustained=0), [0, 3], "green", id="equals-neither"
        ),
        pytest.param(
            limits(direction="equals", target=None, warn=1, crit=2, sustained=0), [0, 1], "yellow", id="equals-warn"
        ),
        pytest.param(
            limits(direction="equals", target=None, warn=1, crit=2, sustained=0), [0, 2], "red", id="equals-crit"
        ),
        # No data: three policies, each with and without data around it.
        pytest.param(ERRORS, [0] + [None] * 5, "pending", id="fail-no-data-not-long-enough"),
        pytest.param(ERRORS, [0] + [None] * 6, "red", id="fail-no-data-lasts"),
        pytest.param(ERRORS, [0, None, None, 0], "yellow", id="fail-no-data-heals"),
        pytest.param(ERRORS, [0, 9, 9, None, None, 9, 9], "red", id="fail-no-data-continues-a-breach"),
        pytest.param(limits(sustained=0), [None], "red", id="fail-at-once"),
        pytest.param(limits(on_no_data="hold"), [0] + [None] * 50, "green", id="hold-keeps-good"),
        pytest.param(limits(on_no_data="hold"), [9, None, None], "pending", id="hold-keeps-open"),
        pytest.param(limits(on_no_data="hold"), [9] + [None] * 5 + [9], "red", id="hold-does-not-stop-the-clock"),
        pytest.param(limits(on_no_data="hold"), [None] * 50, "pending", id="hold-without-any-data"),
        pytest.param(limits(on_no_data="pass"), [None] * 50, "green", id="pass-without-any-data"),
        pytest.param(limits(on_no_data="pass"), [9, 9, None, 9, 9, 9, 9], "pending", id="pass-ends-a-breach"),
        pytest.param(limits(min_samples=3), [0, 0], "red", id="too-few-samples-fail"),
        pytest.param(limits(min_samples=3, on_no_data="hold"), [0, 0], "pending", id="too-few-samples-hold"),
        pytest.param(limits(min_samples=3, on_no_data="pass"), [0, 0], "green", id="too-few-samples-pass"),
        pytest.param(limits(min_samples=3, grace=2), [0, 0, 0, 0], "red", id="grace-samples-do-not-count"),
        pytest.param(ERRORS, [], "red", id="never-asked"),
        # Readiness.
        pytest.param(limits(successes=3), [9, 9, 9, 9, 9, 9, 9, 0, 0, 0], "green", id="ready-after-bad-ones"),
        pytest.param(limits(successes=3), [0, 0, 9, 0, 0], "red", id="never-three-in-a-row"),
        pytest.param(limits(successes=3), [0, 0, None, 0, 0], "red", id="no-data-breaks-the-row"),
        pytest.param(limits(successes=3, on_no_data="hold"), [0, 0, None, 0], "green", id="hold-keeps-the-row"),
        pytest.param(limits(successes=1, sustained=0), [9, 0, 9], "red", id="once-ready-it-is-judged"),
    ],
)  # fmt: skip
def test_verdict(check: Check, values: list[float | None], verdict: str) -> None:
    assert follow(check, *values).verdict(complete=True)[0] == verdict


@pytest.mark.parametrize(
    ("check", "values"),
    [
        pytest.param(limits(min_samples=3), [0, 0], id="samples-may-still-come"),
        pytest.param(limits(successes=3), [9, 0], id="successes-may-still-come"),
        pytest.param(ERRORS, [], id="nothing-yet"),
    ],
)
def test_what_is_still_missing_is_pending_before_the_end(check: Check, values: list[float | None]) -> None:
    assert follow(check, *values).verdict(complete=False)[0] == "pending"


@pytest.mark.parametrize(
    ("check", "values", "reason"),
    [
        (
            ERRORS,
            [0, 8, 9, 12.4, 9, 9, 9],
            "error_rate_pct was 12.4 %, critical at or above 5 %, for 5 s (sustained limit 5 s)",
        ),
        (
            ERRORS,
            [0, 12.4, 9],
            "error_rate_pct was 12.4 %, critical at or above 5 %, for 1 s so far (sustained limit 5 s)",
        ),
        (
            ERRORS,
            [0, 12.4, 9, 0],
            "error_rate_pct was 12.4 %, critical at or above 5 %, for 1 s (sustained limit 5 s) and recovered",
        ),
        (
            limits(sustained=0),
            [0, 12.4],
            "error_rate_pct was 12.4 %, critical at or above 5 %, 1 s after the gate began",
        ),
        (
            ERRORS,
            [0, 2.5, 3, 0.2],
            "error_rate_pct was 3 %, warning above 2 %, in 2 of 4 samples; the last was 0.2 %",
        ),
        (
            ERRORS,
            [0, 1.5, 0.2],
            "error_rate_pct was 1.5 %, off target above 1 %, in 1 of 3 samples; the last was 0.2 %",
        ),
        (ERRORS, [0, 0.5, 0.25], "error_rate_pct was 0.25 % (worst 0.5 %, critical at or above 5 %)"),
        (
            ERRORS,
            [0] + [None] * 6,
            "error_rate_pct had no data for 5 s (sustained limit 5 s): answered 503 instead of 200",
        ),
        (
            limits(min_samples=3, sustained=60),
            [0, None],
            "error_rate_pct had 1 of at least 3 samples with data: answered 503 instead of 200",
        ),
        (
            limits(on_no_data="pass"),
            [None],
            "error_rate_pct had no data, which on_no_data=pass allows: answered 503 instead of 200",
        ),
        (
            limits(successes=3),
            [0, 9, 0],
            "error_rate_pct was good 1 time in a row, 3 are needed; the last bad answer: 9 %, critical at or above 5 %",
        ),
    ],
)
def test_the_reason_can_be_read_at_night(check: Check, values: list[float | None], reason: str) -> None:
    assert follow(check, *values).verdict(complete=True)[1] == reason


def test_a_state_says_what_it_was() -> None:
    judge = Judge(STATE)
    judge.add(Sample(0, 200.0, good=True))
    assert judge.verdict(complete=False) == ("green", "health was 200 in all of 1 samples")
    for t in (1, 2, 3):
        judge.add(Sample(t, 503.0, "answered 503 instead of 200", good=False))
    assert judge.verdict(complete=True) == ("red", "health answered 503 instead of 200 for 2 s (sustained limit 2 s)")
    result = judge.result(complete=True)
    assert (result["value"], result["threshold"], result["direction"]) == (503.0, "200", "state")
    assert result["series"] == [[0, 1.0], [1, 0.0], [2, 0.0], [3, 0.0]]


def test_result_carries_its_evidence() -> None:
    result = follow(ERRORS, 0, 8, 12.4, 9, 9, 9, 9, 0.1).result(complete=True)
    expected = {
        "check": "error_rate_pct",
        "verdict": "red",
        "value": 12.4,
        "threshold": 5,
        "unit": "%",
        "samples": 8,
        "no_data": 0,
        "last": 0.1,
        "worst": 12.4,
        "target_met": False,
    }
    assert expected.items() <= result.items()
    assert result["series"][2] == [2.0, 12.4]


@pytest.mark.parametrize(
    ("values", "value", "threshold"),
    [([0.1, 0.2], 0.2, 5), ([0.1, 3, 0.2], 3, 2), ([1.5, 0.1], 1.5, 1), ([0.1, 7, 0.2], 7, 5), ([0.1, 7], 7, 5)],
)
def test_value_and_threshold_belong_together(values: list[float], value: float, threshold: float) -> None:
    result = follow(ERRORS, *values).result(complete=True)
    assert (result["value"], result["threshold"]) == (value, threshold)


def test_target_met_ignores_the_grace_and_knows_no_data() -> None:
    assert follow(limits(grace=2), 50, 50, 0).result(complete=True)["target_met"] is True
    assert follow(ERRORS, None).result(complete=True)["target_met"] is None
    assert follow(limits(target=None), 0).result(complete=True)["target_met"] is None


def test_a_long_series_is_thinned_and_keeps_its_peaks() -> None:
    values = [0.0] * 3600
    values[1234] = 77.0
    series = follow(ERRORS, *values).series()
    assert len(series) <= MAX_POINTS
    assert [1234.0, 77.0] in series


def test_breaches_are_all_told_healed_ones_too() -> None:
    result = summary([follow(ERRORS, 0, 9, 7, 0, None, 0)], elapsed=6, complete=True)
    assert result["verdict"] == "yellow"
    first, second = result["breaches"]
    assert {"kind": "value", "started": 1, "ended": 3, "seconds": 1, "value": 9, "red": False}.items() <= first.items()
    assert {"kind": "no_data", "started": 4, "ended": 5, "value": None, "red": False}.items() <= second.items()
    assert first["reason"].endswith("and recovered")


def test_score_is_weighted() -> None:
    green = follow(replace(ERRORS, weight=3), 0)
    yellow = follow(ERRORS, 3)
    red = follow(limits(sustained=0), 9)
    result = summary([green, yellow, red], elapsed=1, complete=True)
    assert (result["verdict"], result["score"], result["samples"]) == ("red", 70.0, 3)
    assert summary([green], elapsed=1, complete=True)["score"] == 100


def test_pending_outweighs_yellow_but_not_red() -> None:
    assert worst_of(["green", "yellow", "pending"]) == "pending"
    assert worst_of(["pending", "red", "green"]) == "red"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (12.4, "%", "12.4 %"), (0.123456, "s", "0.123 s"), (3.0, "", "3"), (123456.7, "ms", "123457 ms"),
        (0.0, "%", "0 %"), (None, "%", "no data"), ("degraded", "", "degraded"),
    ],
)  # fmt: skip
def test_numbers_as_people_read_them(value: float | str | None, unit: str, text: str) -> None:
    assert show(value, unit) == text

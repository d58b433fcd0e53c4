# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits that follow from what was usual before."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.gate._baseline import Band, Statistics, describe
from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Sample
from ansible_collections.sluice.release.plugins.module_utils.gate._rules import Judge
from ansible_collections.sluice.release.plugins.module_utils.gate._schema import GATE_SPEC, lacking, read

CHECK = {"name": "p95", "type": "http", "url": "http://h/", "measure": "p95", "baseline": {}}


def params(check: dict[str, Any], **gate: Any) -> dict[str, Any]:
    result = ArgumentSpecValidator(GATE_SPEC).validate({"checks": [check], "duration": 60, **gate})
    assert not result.error_messages
    return dict(result.validated_parameters)


def usual(samples: int = 60, mean: float = 100.0, deviation: float = 10.0) -> dict[str, Any]:
    return {"gates": [{"check": "p95", "statistics": Statistics(samples, mean, deviation).as_dict()}]}


def planned(check: dict[str, Any], **gate: Any) -> Check:
    return read(params(check, **gate))[0][0]


def band(**options: Any) -> dict[str, Any]:
    return {**CHECK, "baseline": options}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], Statistics(0, 0, 0)),
        ([4], Statistics(1, 4, 0)),
        # The textbook's sample of mean 5; its squared distances add up to 32, over 7.
        ([2, 4, 4, 4, 5, 5, 7, 9], Statistics(8, 5, (32 / 7) ** 0.5)),
    ],
)
def test_describe(values: list[float], expected: Statistics) -> None:
    found = describe(values)
    assert (found.samples, found.mean) == (expected.samples, expected.mean)
    assert found.deviation == pytest.approx(expected.deviation)


@pytest.mark.parametrize(
    ("options", "direction", "mean", "deviation", "limit"),
    [
        pytest.param({}, "above", 100, 10, 200, id="twice-is-further"),
        pytest.param({}, "above", 100, 40, 220, id="deviations-are-further"),
        pytest.param({"factor": 1.5}, "above", 100, 10, 150, id="factor"),
        pytest.param({"factor": 1, "deviations": 2}, "above", 100, 10, 120, id="deviations-alone"),
        pytest.param({"floor": 500}, "above", 100, 10, 500, id="floor-above"),
        pytest.param({"floor": 50}, "above", 100, 10, 200, id="floor-inside"),
        pytest.param({}, "below", 90, 5, 45, id="half-is-further"),
        pytest.param({}, "below", 90, 20, 30, id="deviations-below"),
        pytest.param({"floor": 20}, "below", 90, 5, 20, id="floor-below"),
    ],
)
def test_the_further_of_factor_and_deviations(
    options: dict[str, Any], direction: str, mean: float, deviation: float, limit: float
) -> None:
    assert Band(**options).at(Statistics(60, mean, deviation), direction) == limit


def test_a_limit_from_the_baseline_decides_and_says_where_it_comes_from() -> None:
    judge = Judge(planned(CHECK, baseline=usual()))
    for t, value in enumerate([100, 199, 200]):
        judge.add(Sample(t, value))
    result = judge.result(complete=True)
    assert (result["verdict"], result["crit"]) == ("red", 200)
    assert "critical at or above 200 ms (from a baseline of 100 ms, deviation 10 ms, 60 samples)" in result["reason"]
    assert result["statistics"]["samples"] == 3


def test_it_can_be_the_limit_that_warns() -> None:
    check = planned({**band(limit="warn"), "crit": 1000}, baseline=usual())
    assert (check.limits.warn, check.limits.crit) == (200, 1000)


@pytest.mark.parametrize(
    ("check", "gate", "problem"),
    [
        (CHECK, {}, "p95: its baseline has 0 of at least 10 samples"),
        (CHECK, {"baseline": usual(samples=9)}, "p95: its baseline has 9 of at least 10 samples"),
        (CHECK, {"baseline": usual(mean=0, deviation=0)}, "its baseline is 0 ms in all samples, so a band around it"),
        (CHECK, {"baseline": {"gates": [{"check": "p95", "statistics": {"mean": 1}}]}}, "is no result of health_gate"),
        (CHECK, {"baseline": {"gates": "x"}}, "is no result of health_gate"),
        ({**CHECK, "crit": 5}, {"baseline": usual()}, "crit cannot go with a baseline that gives it"),
        (band(factor=0.5), {"baseline": usual()}, "baseline.factor is 0.5, it must be 1 or more"),
        (band(deviations=float("nan")), {"baseline": usual()}, "baseline.deviations is nan"),
        (band(min_samples=0), {"baseline": usual()}, "baseline.min_samples is 0"),
        ({**CHECK, "direction": "equals"}, {"baseline": usual()}, "baseline cannot go with direction=equals"),
        ({**CHECK, "measure": "status"}, {"baseline": usual()}, "baseline cannot go with measure=status"),
        (CHECK, {"baseline": usual(), "take_baseline": True}, "baseline cannot go with take_baseline"),
        (
            {**CHECK, "baseline": None, "crit": 1},
            {"take_baseline": True},
            "take_baseline makes no sense where no check compares",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused_before_the_first_look(
    check: dict[str, Any], gate: dict[str, Any], problem: str
) -> None:
    with pytest.raises(SluiceError, match="Cannot use the checks of this gate: ") as error:
        read(params(check, **gate))
    assert problem in str(error.value)


@pytest.mark.parametrize(
    ("check", "gate", "reason"),
    [
        (band(on_missing="ignore"), {}, "no limit: its baseline has 0 of at least 10 samples"),
        (CHECK, {"first_release": True}, "no limit: nothing ran before"),
        (CHECK, {"take_baseline": True}, "no limit: a baseline is being taken"),
    ],
)
def test_without_a_baseline_there_is_no_limit_and_the_reason_says_so(
    check: dict[str, Any], gate: dict[str, Any], reason: str
) -> None:
    judge = Judge(planned(check, **gate))
    judge.add(Sample(0, 10_000))
    assert judge.verdict(complete=True) == ("green", f"p95 was 10000 ms (worst 10000 ms, {reason})")


@pytest.mark.parametrize(
    ("check", "gates", "found"),
    [
        (CHECK, usual()["gates"], []),
        (CHECK, usual(samples=3)["gates"], ["p95: its baseline has 3 of at least 10 samples"]),
        (CHECK, [], ["p95: its baseline has 0 of at least 10 samples"]),
        (band(on_missing="ignore"), [], []),
    ],
)
def test_a_baseline_that_is_none_is_told_when_it_is_taken(
    check: dict[str, Any], gates: list[dict[str, Any]], found: list[str]
) -> None:
    assert lacking(params(check, take_baseline=True), gates) == found

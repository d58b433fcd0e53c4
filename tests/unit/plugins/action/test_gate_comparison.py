# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""gate_comparison: the new version against the old one."""

from __future__ import annotations

import random
from collections.abc import Iterable
from math import comb
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.action.gate_comparison import ActionModule
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.plugin_utils._comparison import values_of

DEFAULTS = {"tolerance": 0.25, "alpha": 0.02, "min_samples": 30, "optional": False, "weight": 1.0}


def gate(name: str, values: Iterable[float | None], **more: Any) -> dict[str, Any]:
    series = [[float(t), value] for t, value in enumerate(values)]
    return {"check": name, "direction": "above", "unit": "ms", "grace": 0.0, "series": series, **more}


def compare(
    mine: Iterable[float | None],
    theirs: Iterable[float | None],
    gate_options: dict[str, Any] | None = None,
    **options: Any,
) -> dict[str, Any]:
    action = ActionModule.__new__(ActionModule)
    evidence = {"gates": [gate("new", mine, **(gate_options or {})), gate("old", theirs, **(gate_options or {}))]}
    comparison = {"name": "latency", "new": "new", "old": "old", **DEFAULTS, **options}
    return action.act({"evidence": evidence, "comparisons": [comparison], "fail_on_red": False}, {})


def around(mean: float, number: int = 60, seed: int = 1) -> list[float]:
    """Latencies as they are: few of them long."""
    generator = random.Random(seed)
    return [mean * generator.lognormvariate(0, 0.2) for _number in range(number)]


USUAL = around(100)


@pytest.mark.parametrize(
    ("new", "direction", "verdict"),
    [
        pytest.param(around(100, seed=2), "above", "green", id="the-same"),
        pytest.param(around(110, seed=2), "above", "green", id="worse-within-the-tolerance"),
        pytest.param(around(150, seed=2), "above", "red", id="worse"),
        pytest.param(around(50, seed=2), "above", "green", id="better"),
        pytest.param(around(50, seed=2), "below", "red", id="worse-where-below-is-bad"),
        pytest.param(around(150, seed=2), "below", "green", id="better-where-below-is-bad"),
        pytest.param([100.0] * 30 + [900.0] * 29, "above", "green", id="a-tail-that-moves-no-median"),
        # The median is worse by half, and it is still chance: half of the old values are as high.
        pytest.param([150.0] * 31 + [100.0] * 29, "above", "green", id="median-alone-is-not-enough"),
    ],
)
def test_worse_is_what_is_unlikely_and_more_than_the_tolerance(new: list[float], direction: str, verdict: str) -> None:
    old = [150.0] * 29 + [100.0] * 31 if new[0] == 150.0 else USUAL
    assert compare(new, old, {"direction": direction})["verdict"] == verdict


def test_the_p_value_is_that_of_the_exact_test() -> None:
    # All of 5 above all of 5: one of the 252 ways to choose them, by chance.
    result = compare([11, 12, 13, 14, 15], [1, 2, 3, 4, 5], min_samples=4)
    assert result["gates"][0]["p_value"] == pytest.approx(1 / comb(10, 5))
    assert result["verdict"] == "red"
    assert result["gates"][0]["reason"].startswith(
        "latency: the new version's median was 13 ms, the old one's 3 ms (Mann-Whitney p = 0.004, 5 and 5 samples)"
    )


def test_values_that_are_all_equal_say_nothing() -> None:
    assert compare([5.0] * 40, [5.0] * 40)["gates"][0]["p_value"] > 0.4


def test_too_few_samples_are_not_used_and_say_so() -> None:
    result = compare([900.0] * 29 + [None] * 20, USUAL)
    [found] = result["gates"]
    assert (found["verdict"], found["used"], found["p_value"]) == ("green", False, None)
    assert found["reason"] == "latency was not used: 29 of at least 30 samples on either side"
    assert found["weight"] == 0


def test_an_optional_comparison_is_yellow_and_costs_its_score() -> None:
    result = compare(around(200, seed=2), USUAL, optional=True)
    assert (result["verdict"], result["score"]) == ("yellow", 0)


def test_the_grace_is_left_out() -> None:
    assert values_of(gate("new", [1, 2, None, 4], grace=1.0)) == [2, 4]


@pytest.mark.parametrize(
    ("options", "gate_options", "problem"),
    [
        ({"new": "nwe"}, {}, "latency: its new is nwe, which is no check of the gate"),
        ({}, {"direction": "state"}, "latency: check old has no bad side"),
        ({"alpha": 0}, {}, "latency: alpha is 0"),
        ({"tolerance": float("nan")}, {}, "latency: tolerance is nan"),
        ({"min_samples": 3}, {}, "latency: min_samples is 3, it must be 4 or more"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], gate_options: dict[str, Any], problem: str) -> None:
    with pytest.raises(SluiceError, match="Cannot compare the versions: ") as error:
        compare(USUAL, USUAL, gate_options, **options)
    assert problem in str(error.value)


def test_red_fails_with_the_evidence() -> None:
    action = ActionModule.__new__(ActionModule)
    evidence = {"gates": [gate("new", around(200, seed=2)), gate("old", USUAL)]}
    comparison = {"name": "latency", "new": "new", "old": "old", **DEFAULTS}
    with pytest.raises(SluiceError, match="Cannot pass the gate: 1 of 1 comparison is red: latency: the new") as error:
        action.act({"evidence": evidence, "comparisons": [comparison], "fail_on_red": True}, {})
    assert error.value.fields["gates"][0]["used"]

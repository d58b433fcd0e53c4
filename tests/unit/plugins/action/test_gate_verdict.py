# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""gate_verdict joins what several gates have found."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.action.gate_verdict import ActionModule
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.flow._score import refusal

SKIPPED = {"skipped": True, "changed": False}


def gate(check: str, verdict: str = "green", weight: float = 1.0) -> dict[str, Any]:
    return {"check": check, "verdict": verdict, "weight": weight, "reason": f"{check} is {verdict}"}


def part(verdict: str, score: float, *gates: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"verdict": verdict, "score": score, "gates": list(gates), "samples": 2, "seconds": 0.25, **more}


def join(*evidence: dict[str, Any], fail_on_red: bool = True, fail_on_pending: bool = False) -> dict[str, Any]:
    action = ActionModule.__new__(ActionModule)
    arguments = {"evidence": list(evidence), "fail_on_red": fail_on_red, "fail_on_pending": fail_on_pending}
    return action.act(arguments, {})


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (("green", "green"), "green"),
        (("green", "yellow"), "yellow"),
        (("yellow", "pending"), "pending"),
        (("red", "green"), "red"),
    ],
)
def test_the_worst_verdict_is_that_of_all(verdicts: tuple[str, ...], expected: str) -> None:
    parts = [part(verdict, 100.0, gate(verdict)) for verdict in verdicts]
    assert join(*parts, fail_on_red=False)["verdict"] == expected


def test_everything_is_kept_and_scores_weigh_as_their_checks() -> None:
    smoke = part("green", 100.0, gate("a"), gate("b", weight=2.0), breaches=[{"check": "a"}])
    result = join(smoke, SKIPPED, part("yellow", 0.0, gate("c", "yellow")))
    assert [one["check"] for one in result["gates"]] == ["a", "b", "c"]
    assert (result["score"], result["samples"], result["seconds"]) == (75.0, 4, 0.5)
    assert result["breaches"] == [{"check": "a"}]


def test_red_fails_with_all_the_evidence() -> None:
    with pytest.raises(SluiceError) as refused:
        join(part("green", 100.0, gate("a")), part("red", 0.0, gate("b", "red"), gate("c", "red")))
    assert str(refused.value) == "Cannot pass the gate: 2 of 3 checks are red: b is red; c is red."
    assert len(refused.value.fields["gates"]) == 3


@pytest.mark.parametrize(
    ("verdicts", "on_red", "on_pending", "why"),
    [
        (("green", "pending"), True, False, ""),
        (("green", "pending"), True, True, "1 of 2 checks is pending: pending is pending"),
        (("pending", "pending"), False, True, "2 of 2 checks are pending: pending is pending; pending is pending"),
        # What is red outweighs it, and is what a person has to hear of.
        (("pending", "red"), True, True, "1 of 2 checks is red: red is red"),
        (("pending", "red"), False, False, ""),
        (("green", "yellow"), True, True, ""),
    ],
)
def test_why_a_gate_may_not_be_passed(verdicts: tuple[str, ...], on_red: bool, on_pending: bool, why: str) -> None:
    gates = [gate(verdict, verdict) for verdict in verdicts]
    assert refusal(gates, "check", on_red=on_red, on_pending=on_pending) == why


def test_pending_fails_where_it_is_asked_for() -> None:
    undecided = part("pending", 50.0, gate("a", "pending"))
    assert join(undecided)["verdict"] == "pending"
    with pytest.raises(SluiceError, match="Cannot pass the gate: 1 of 1 check is pending: a is pending"):
        join(undecided, fail_on_pending=True)


def test_nothing_measured_is_no_verdict() -> None:
    with pytest.raises(SluiceError, match="Cannot judge the evidence: there is none"):
        join(SKIPPED)

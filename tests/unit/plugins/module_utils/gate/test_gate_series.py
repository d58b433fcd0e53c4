# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labelled series: each must get its verdict, and turn red at its second. And a second evaluator must agree."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

import gate_counters
import gate_series
import pytest
from gate_counters import Paged
from gate_series import Case
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_judge import Opinion, Seen, opinion

from ansible_collections.sluice.release.plugins.module_utils._http import Response
from ansible_collections.sluice.release.plugins.module_utils.gate._kinds import KINDS
from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Limits, Measure, Sample
from ansible_collections.sluice.release.plugins.module_utils.gate._rules import Judge
from ansible_collections.sluice.release.plugins.module_utils.gate._schema import CHECK_SPEC
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._request import Request

TARGET = Request("http://127.0.0.1/")
BEGUN = 1000.0


def given_samples(_check: Check, _begun: float) -> Measure:
    raise AssertionError("the samples of these tests are given")


def follow(judge: Judge, samples: Iterable[Sample | None], duration: float) -> tuple[str, float | None]:
    """Judge samples as a gate does that does not stop on red, past the window too while a breach is pending."""
    red_at: float | None = None
    for sample in samples:
        if sample is None:
            continue
        over = sample.t > duration + 1e-9
        if over and judge.undecided_until(duration) is None:
            break
        judge.add(sample)
        if judge.red and red_at is None:
            red_at = sample.t
    return judge.verdict(complete=True)[0], red_at


def names(cases: Iterable[Case | Paged]) -> list[str]:
    return [case.name for case in cases]


CASES, PAGED = list(gate_series.cases()), list(gate_counters.cases())


def test_there_are_many_series_and_no_two_of_one_name() -> None:
    every = [*names(CASES), *names(PAGED)]
    assert len(every) >= 300
    assert len(set(every)) == len(every)
    assert {case.verdict for case in [*CASES, *PAGED]} == {"green", "yellow", "pending", "red"}


@pytest.mark.parametrize("case", CASES, ids=names(CASES))
def test_a_series_gets_its_verdict_at_its_second(case: Case) -> None:
    judge = Judge(Check("it", "http", TARGET, Limits(**case.all_limits), given_samples))
    found = follow(judge, (Sample(t, value) for t, value in case.samples()), case.duration)
    assert found == (case.verdict, None if case.red_at is None else pytest.approx(float(case.red_at))), case.why


def test_counters_are_measured_right_from_page_to_page() -> None:
    """All pages of all families; one test, for their names say enough."""
    wrong = []
    for case in PAGED:
        options = {name: option.get("default") for name, option in CHECK_SPEC.items()} | case.measure
        own = {name: case.limits[name] for name in ("window", "min_events") if name in case.limits}
        limits = {name: value for name, value in case.limits.items() if name not in own}
        begin = KINDS["prometheus"].begin(options)
        check = Check("it", "prometheus", TARGET, Limits(**limits), begin, **own)
        measure = begin(check, BEGUN)
        samples = (measure.sample(t, _answer(page)) for t, page in case.pages())
        found = follow(Judge(check), samples, gate_counters.DURATION)
        if found != (case.verdict, None if case.red_at is None else float(case.red_at)):
            wrong.append((case.name, case.why, case.verdict, case.red_at, found))
    assert wrong == []


def _answer(page: str | None) -> Response:
    if page is None:
        return Response(0, {}, b"", 0.01, "connection refused", "refused")
    return Response(200, {}, page.encode(), 0.01)


# --- The second evaluator


@pytest.mark.parametrize("case", CASES[:: len(CASES) // 50], ids=names(CASES[:: len(CASES) // 50]))
def test_the_second_evaluator_is_right_as_well(case: Case) -> None:
    """Of what ends with the window, for it knows no gate that goes on."""
    limits = _complete(case.all_limits)
    seen = [Seen(round(t * 1000), value) for t, value in case.samples() if t <= case.duration]
    found = opinion(seen, limits)
    if case.red_at is None or case.red_at <= case.duration:
        assert found.red_at == (None if case.red_at is None else case.red_at * 1000)
    if found.verdict != "pending":
        assert found.verdict == case.verdict


def _complete(limits: Mapping[str, Any]) -> dict[str, Any]:
    """All limits by name, times in ms."""
    every = {name: getattr(Limits(), name) for name in Limits.__dataclass_fields__} | dict(limits)
    return every | {name: round(every[name] * 1000) for name in ("sustained", "recover", "grace")}


VALUES = (None, None, float("nan"), float("inf"), 0.0, 1.0, 2.0, 2.5, 5.0, 5.0, 9.0, 9.0, "skipped", "skipped")
"""What a tick may hold; the last are those that a slow answer has cost."""

HALVES = (0, 0, 1, 2, 3, 5, 8)
"""Times in halves of an interval."""

CHOICES: dict[str, tuple[Any, ...]] = {
    "direction": ("above", "below", "equals"),
    "crit": (None, 5.0, 5.0, 2.0),
    "warn": (None, 2.0, 2.5),
    "target": (None, 1.0, 2.5),
    "inclusive": (None, None, True, False),
    "on_no_data": ("fail", "hold", "pass"),
    "min_samples": (1, 1, 2, 6),
    "successes": (0, 0, 0, 1, 2, 3),
    "sustained": HALVES,
    "recover": HALVES,
    "grace": HALVES,
    "interval": (50, 100, 300, 700, 1000),
}


# A single draw of bytes, of which each chooses one thing: drawing them one by one takes ten times as long.
@settings(max_examples=10_000, deadline=None, database=None, derandomize=bool(os.environ.get("CI")))
@given(st.binary(min_size=len(CHOICES), max_size=len(CHOICES) + 24))
def test_two_evaluators_agree(drawn: bytes) -> None:
    limits = {name: choices[byte % len(choices)] for (name, choices), byte in zip(CHOICES.items(), drawn, strict=False)}
    interval = limits.pop("interval")
    if limits["direction"] == "equals":
        limits |= {"target": None, "inclusive": None}
    for name in ("sustained", "recover", "grace"):
        limits[name] = limits[name] * interval // 2
    ticks = enumerate(VALUES[byte % len(VALUES)] for byte in drawn[len(CHOICES) :])
    seen = [Seen(number * interval, value) for number, value in ticks if value != "skipped"]
    assert _of_the_gate(seen, limits) == opinion(seen, limits)


def _of_the_gate(seen: Iterable[Seen], limits: Mapping[str, Any]) -> Opinion:
    own = {name: limits[name] / 1000 for name in ("sustained", "recover", "grace")}
    judge = Judge(Check("it", "http", TARGET, Limits(**{**limits, **own}), given_samples))
    red_at: int | None = None
    for one in seen:
        # As the sampler makes its times.
        judge.add(Sample(round(one.ms / 1000, 6), one.value))
        if judge.red and red_at is None:
            red_at = one.ms
    breaches = [
        (_ms(breach.started), _ms(breach.last), None if breach.ended is None else _ms(breach.ended))
        for breach in judge.breaches
    ]
    return Opinion(judge.verdict(complete=True)[0], red_at, breaches)


def _ms(t: float) -> int:
    return round(Fraction(t) * 1000)

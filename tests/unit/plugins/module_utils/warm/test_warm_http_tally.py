# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Percentiles, series and duplicates in bounded memory, and the rules by which warming stops."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.sluice.release.plugins.module_utils.warm._http_tally import (
    MAX_POINTS,
    Ring,
    Seen,
    Series,
    Tally,
    Times,
    bucket_of,
    verdict,
)
from ansible_collections.sluice.release.plugins.module_utils.warm._model import Limits, Outcome, Wanted

LIMITS = Limits(
    budget=60, timeout=5, concurrency=8, rate=0, max_body=1000, max_failed_pct=20, failed_window=10, gone_after=5,
    max_urls=1000,
)  # fmt: skip


NOTHING_MORE = Wanted()


def outcome(kind: str | None = None, ms: float = 10.0, hit: bool | None = None) -> Outcome:
    return Outcome(kind, "because", ms, 100, hit)


def tallied(
    kinds: Sequence[str | None], wanted: Wanted = NOTHING_MORE, **options: Any
) -> tuple[Tally, str | None, int]:
    """The tally, why it stopped, and after how many."""
    tally = Tally(Limits(**{**LIMITS.__dict__, **options}), wanted)
    for number, kind in enumerate(kinds, 1):
        hit = {"hit": True, "miss": False}.get(kind or "")
        why = tally.add("/x?token=geheim", outcome(None if hit is not None else kind, hit=hit), number / 10)
        if why:
            return tally, why, number
    return tally, None, len(kinds)


@given(st.lists(st.floats(0.01, 1e7), min_size=1, max_size=200), st.sampled_from([50, 95, 99, 100]))
def test_percentiles_are_the_nearest_rank_to_1_percent(times: list[float], percent: float) -> None:
    found = Times()
    for ms in times:
        found.add(ms, bucket_of(ms))
    exact = sorted(times)[math.ceil(percent / 100 * len(times)) - 1]
    assert found.percentile(percent) == pytest.approx(exact, rel=0.011)
    assert found.summary()["max_ms"] == pytest.approx(max(times), abs=0.001)
    assert found.summary()["mean_ms"] == pytest.approx(sum(times) / len(times), rel=1e-6, abs=0.001)


@pytest.mark.parametrize("ms", [0.0, 1e-9, 0.01, 1e12])
def test_every_time_has_a_bucket(ms: float) -> None:
    found = Times()
    found.add(ms, bucket_of(ms))
    assert found.summary()["requests"] == 1


def test_no_times() -> None:
    assert Times().summary() == {
        "requests": 0, "p50_ms": None, "p95_ms": None, "p99_ms": None, "mean_ms": None, "max_ms": None
    }  # fmt: skip


@given(st.lists(st.integers(0, 3000)))
def test_what_has_been_there_is_known(keys: list[int]) -> None:
    seen, known = Seen(), set()
    for key in keys:
        assert seen.holds(("/", key)) is (key in known)
        assert seen.add(("/", key)) is (key not in known)
        known.add(key)
    assert seen.count == len(known)


def test_what_has_been_there_takes_8_bytes_and_some_room() -> None:
    seen = Seen()
    assert all(seen.add(f"/page/{number}") for number in range(50_000))
    assert not any(seen.add(f"/page/{number}") for number in range(50_000))
    assert len(seen._table) * 8 <= 32 * 50_000


@given(st.lists(st.booleans()), st.integers(1, 9))
def test_the_share_of_the_last_ones(marks: list[bool], size: int) -> None:
    ring = Ring(size)
    for mark in marks:
        ring.add(mark)
    last = marks[-size:]
    assert ring.pct == (100.0 * sum(last) / len(last) if last else None)
    assert ring.is_full is (len(marks) >= size)


@given(st.lists(st.floats(0, 5000), max_size=300))
def test_a_series_is_thin_and_loses_nothing(seconds: list[float]) -> None:
    series = Series()
    for second in sorted(seconds):
        row = series.at(second)
        row.done += 1
        row.times[bucket_of(second)] += 1
    elapsed = max(seconds, default=0.0)
    points = series.points(elapsed)
    assert 1 <= len(points) <= MAX_POINTS
    assert points[-1]["done"] == len(seconds)
    assert [point["second"] for point in points] == sorted(point["second"] for point in points)
    assert points[-1]["second"] == pytest.approx(elapsed, abs=series.width + 0.01)


@pytest.mark.parametrize(
    ("kinds", "stopped", "after"),
    [
        ([None] * 30, None, 30),
        # 2 of the last 10 are as many as may fail.
        ([None, None, None, None, "timeout"] * 6, None, 30),
        ([None] * 10 + ["status_5xx"] * 10, "failing", 13),
        # With fewer than the window nobody knows yet.
        (["status_4xx"] * 9, None, 9),
        (["status_4xx"] * 20, "failing", 10),
        (["refused"] * 20, "gone", 5),
        ([None] * 20 + ["reset", "refused"] * 3, "gone", 25),
        # Whoever answers now and then is not gone.
        ([None] * 9 + ["refused"] * 4 + [None, "refused"], "failing", 14),
        (["refused", "refused", "refused", "refused", "timeout"] * 4, "failing", 10),
    ],
)
def test_when_it_is_hopeless(kinds: list[str | None], stopped: str | None, after: int) -> None:
    tally, why, number = tallied(kinds)
    assert (why, number) == (stopped, after)
    assert tally.failed == sum(kind is not None for kind in kinds[:after]) == sum(tally.errors.values())


def test_failures_are_named_without_secrets_and_not_all() -> None:
    tally, _why, _number = tallied(["timeout"] * 99, failed_window=1000)
    assert len(tally.failures) == 10
    assert tally.failures[0] == ("/x?token=********", "timeout", "because")


@pytest.mark.parametrize(
    ("kinds", "wanted", "stopped", "after"),
    [
        (["hit"] * 30, Wanted(hit_pct=90, second_pass=1), "target", 10),
        (["miss"] * 10 + ["hit"] * 20, Wanted(hit_pct=90, second_pass=1), "target", 19),
        (["hit"] * 30, Wanted(), None, 30),
        # The second target can only be seen in a second pass.
        (["hit"] * 30, Wanted(hit_pct=90, second_pass_p95_ms=5, second_pass=1), None, 30),
        ([None] * 30, Wanted(hit_pct=90, second_pass=1), None, 30),
    ],
)
def test_when_it_is_warm_already(kinds: list[str | None], wanted: Wanted, stopped: str | None, after: int) -> None:
    _tally, why, number = tallied(kinds, wanted)
    assert (why, number) == (stopped, after)


HITS = Wanted(hit_pct=90, second_pass=10)
FAST = Wanted(second_pass_p95_ms=20, second_pass=10)


@pytest.mark.parametrize(
    ("first", "stopped", "second", "wanted", "expected", "words"),
    [
        ([None] * 9, None, None, Wanted(), ("complete", True), "9 of 9 requests were answered well"),
        ([None] * 9, None, [None] * 9, Wanted(second_pass=9), ("complete", True), "9 of 9"),
        (
            [None] * 9 + ["timeout"],
            None,
            None,
            Wanted(),
            ("complete", True),
            "9 of 10 requests were answered well (1 t",
        ),
        ([None, "timeout"], None, None, Wanted(), ("failing", False), "at most 20 % may fail"),
        (["elsewhere"], None, None, Wanted(), ("failing", False), "0 of 1 requests were answered well (1 elsewhere)"),
        ([], None, None, Wanted(), ("nothing", False), "its sources name nothing that may be asked for"),
        ([None], "nothing", None, Wanted(), ("nothing", False), "1 of 1"),
        ([None], "budget", None, HITS, ("budget", False), "the time of 60 s is over; 1 of 1"),
        ([], "budget", None, Wanted(), ("budget", False), "the time of 60 s is over; 0 of 0"),
        ([None], "gone", None, HITS, ("gone", False), "5 requests in a row found no server; 1 of 1"),
        (["hit"] * 10, "target", None, HITS, ("target", True), "100.0 % of the last answers came from the cache"),
        (["miss"] * 9, None, ["hit"] * 9, HITS, ("target", True), "the second pass has met its target"),
        (
            ["miss"] * 9,
            None,
            ["miss", "hit"],
            HITS,
            ("complete", False),
            "in the second pass 50.0 % of the answers came",
        ),
        (["miss"] * 9, None, [None], HITS, ("complete", False), "no answer says whether it came from the cache"),
        ([None] * 9, None, [None] * 9, FAST, ("target", True), "met its target"),
        ([None] * 9, None, None, FAST, ("complete", False), "the second pass has no answer, at most 20 ms is wanted"),
        ([None] * 9, None, ["timeout"] * 9, FAST, ("failing", False), "in the second pass 0 of 9"),
        ([None] * 9, None, ["timeout"] * 9, Wanted(second_pass=9), ("failing", False), "9 timeout"),
        ([None] * 9, "gone", ["refused"] * 5, Wanted(second_pass=9), ("gone", False), "(5 refused)"),
    ],
)
def test_the_verdict(
    first: list[str | None],
    stopped: str | None,
    second: list[str | None] | None,
    wanted: Wanted,
    expected: tuple[str, bool],
    words: str,
) -> None:
    again = None if second is None else tallied(second)[0]
    found = verdict(tallied(first, wanted)[0], stopped, again, ["a note"])
    assert (found.stopped, found.warm) == expected
    assert words in found.reason
    assert found.reason.endswith("; a note")


def test_a_slow_second_pass_is_named_with_its_time() -> None:
    again = Tally(LIMITS, Wanted())
    again.add("/", outcome(ms=99.0), 1.0)
    found = verdict(tallied([None])[0], None, again)
    assert found.warm is True
    slow = verdict(tallied([None], FAST)[0], None, again)
    assert slow == (
        "complete",
        "the list is at its end, and the second pass has a p95 of 98.8 ms, at most 20 ms is wanted",
        False,
    )

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the counts of a prober say."""

from __future__ import annotations

import pytest

from ansible_collections.sluice.release.plugins.module_utils.probe._tally import (
    MAX_POINTS,
    Tally,
    longest_gap,
    series,
)


@pytest.mark.parametrize(
    ("answers", "elapsed", "gap"),
    [
        pytest.param([], 5.0, 0.0, id="nothing-sent"),
        pytest.param([1, 1, 1, 1], 1.0, 0.0, id="none-failed"),
        pytest.param([1, 0, 1, 1], 1.0, 0.2, id="one-failed"),
        pytest.param([1, 0, 0, 0, 1], 1.0, 0.6, id="three-in-a-row"),
        pytest.param([0, 1, 0, 0, 1, 0, 1], 2.0, 0.4, id="the-longest-counts"),
        pytest.param([1, 0, 0], 1.0, 0.8, id="still-open-at-the-end"),
        pytest.param([0], 3.0, 3.0, id="never-good"),
    ],
)
def test_longest_gap(answers: list[int], elapsed: float, gap: float) -> None:
    done = [(number * 0.2, bool(ok)) for number, ok in enumerate(answers)]
    assert longest_gap(done, elapsed) == pytest.approx(gap)


def test_series_has_a_row_for_each_second() -> None:
    assert series([(0.1, True), (0.9, False), (1.5, True), (3.0, False)], 3.1) == [[0, 1, 1], [1, 1, 0], [3, 0, 1]]


def test_a_long_series_is_kept_short_and_whole() -> None:
    done = [(float(t), t % 10 != 0) for t in range(3600)]
    rows = series(done, 3600)
    assert len(rows) <= MAX_POINTS
    assert sum(good for _t, good, _failed in rows) == 3240
    assert sum(failed for _t, _good, failed in rows) == 360


def test_summary_counts_only_what_has_ended() -> None:
    tally = Tally()
    for t in (0.0, 0.2, 0.4, 0.6):
        tally.sent(t)
    tally.answered(0.2, 0.05, "refused")
    tally.answered(0.0, 0.5, None)
    tally.answered(0.4, 0.01, "http_503")
    assert tally.summary(1.0) == {
        "sent": 3,
        "failed": 2,
        "failed_at_first": 0,
        "longest_gap_ms": 800,
        "slowest_ms": 500.0,
        "seconds": 1.0,
        "errors": {"http_503": 1, "refused": 1},
        "series": [[0, 1, 2]],
    }


@pytest.mark.parametrize(
    ("answers", "failed", "at_first"),
    [([1, 0, 1], 1, 0), ([0, 0, 1, 0], 3, 2), ([0, 0, 0], 3, 0), ([], 0, 0)],
)
def test_what_failed_before_the_first_good_answer(answers: list[int], failed: int, at_first: int) -> None:
    tally = Tally()
    for number, ok in enumerate(answers):
        tally.sent(float(number))
        tally.answered(float(number), 0.01, None if ok else "refused")
    found = tally.summary(5.0)
    assert (found["failed"], found["failed_at_first"]) == (failed, at_first)

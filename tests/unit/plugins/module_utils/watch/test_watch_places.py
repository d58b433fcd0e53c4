# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.sluice.release.plugins.module_utils.watch._places import crashes, is_late, place
from ansible_collections.sluice.release.plugins.module_utils.watch._windows import Window

# Due at 60, 120, 180, 240, 300; each from 15 s early; late after 30 s.
FIVE = Window("5 min", 0, 300, 60, 30)
EARLY, DEPLOY = -math.inf, (-math.inf, 20.0)


def times(*slots: float) -> dict[float, float]:
    """Ticks that took place when they were due."""
    return {slot: slot for slot in slots}


@pytest.mark.parametrize(
    ("now", "served", "held", "due", "upcoming", "late", "excused", "missed"),
    [
        # Before, on, and after the time of the first tick.
        (0, {}, [], None, 60, (), (), ()),
        (44.9, {}, [], None, 60, (), (), ()),
        (45, {}, [], 60, 120, (), (), ()),
        (60, {}, [], 60, 120, (), (), ()),
        (104.9, {}, [], 60, 120, (), (), ()),
        # The next one takes its turn, so the first was missed.
        (105, {}, [], 120, 180, (), (), (60,)),
        (250, {}, [], 240, 300, (), (), (60, 120, 180)),
        # A tick that took place is not due again.
        (60, times(60), [], None, 120, (), (), ()),
        (119, times(60), [], 120, 180, (), (), ()),
        # At 90 it is in time, a moment after it is late.
        (100, {60: 90}, [], None, 120, (), (), ()),
        (100, {60: 90.1}, [], None, 120, (60,), (), ()),
        # The last one has as much time as the others; then it was missed, and the window is over.
        (359.9, times(60, 120, 180, 240), [], 300, None, (), (), ()),
        (360, times(60, 120, 180, 240), [], None, None, (), (), (300,)),
        (9000, {}, [], None, None, (), (), (60, 120, 180, 240, 300)),
        (301, times(60, 120, 180, 240, 300), [], None, None, (), (), ()),
        # While a run was open nothing was measured, and that is no fault.
        (110, {}, [(-math.inf, 70.0)], 120, 180, (), (60,), ()),
        (250, {}, [(100.0, 190.0)], 240, 300, (), (120, 180), (60,)),
        (170, {}, [(100.0, math.inf)], 180, 240, (), (120,), (60,)),
        # It ended before the tick was due, or began when it was late already.
        (110, {}, [(-math.inf, 45.0)], 120, 180, (), (), (60,)),
        (110, {}, [(90.0, 100.0)], 120, 180, (), (), (60,)),
        # Held up by a run, a late tick is none.
        (104, {60: 100}, [(50.0, 95.0)], None, 120, (), (), ()),
        # The clock has gone back: what was done stays done.
        (10, times(60, 120), [], None, 180, (), (), ()),
        (-500, {}, [], None, 60, (), (), ()),
    ],
)  # fmt: skip
def test_where_a_window_stands(
    now: float,
    served: dict[float, float],
    held: list[tuple[float, float]],
    due: float | None,
    upcoming: float | None,
    late: tuple[float, ...],
    excused: tuple[float, ...],
    missed: tuple[float, ...],
) -> None:
    found = place(FIVE, served, held, now)
    assert (found.due, found.next) == (due, upcoming)
    assert (found.late, found.held, found.missed) == (late, excused, missed)
    assert found.done == tuple(served)
    assert found.over == (due is None and upcoming is None)


@given(
    now=st.floats(-100, 1000),
    done=st.sets(st.sampled_from([60.0, 120.0, 180.0, 240.0, 300.0])),
    held=st.lists(st.tuples(st.floats(-100, 500), st.floats(0, 300)).map(lambda s: (s[0], s[0] + s[1])), max_size=3),
)
def test_every_tick_is_in_one_place_at_any_time(now: float, done: set[float], held: list[tuple[float, float]]) -> None:
    found = place(FIVE, {slot: slot for slot in done}, held, now)
    places = [*found.done, *found.held, *found.missed, *([found.due] if found.due is not None else [])]
    assert len(places) == len(set(places))
    ahead = {slot for slot in found.slots if slot - FIVE.early > now and slot not in done}
    assert set(places) == set(found.slots) - ahead
    assert found.next == min(ahead, default=None)


@pytest.mark.parametrize(
    ("may_miss", "missed_at", "failed"), [(0, 105, True), (1, 105, False), (1, 165, True), (0, 60, False)]
)
def test_a_window_fails_when_more_was_missed_than_may_be(may_miss: int, missed_at: float, failed: bool) -> None:
    assert place(Window("w", 0, 300, 60, 30, may_miss), {}, [], missed_at).failed == failed


def test_which_tick_it_is() -> None:
    assert place(FIVE, {}, [], 0).number(180) == 3


@pytest.mark.parametrize(
    ("now", "held", "late"),
    [(90, [], False), (90.1, [], True), (100, [(0.0, 95.0)], False), (100, [(0.0, 40.0)], True)],
)
def test_late(now: float, held: list[tuple[float, float]], late: bool) -> None:
    assert is_late(FIVE, 60, held, now) == late


@pytest.mark.parametrize(
    ("observed", "count"),
    [
        ([], 0),
        ([{1: 0, 2: 0}], 0),
        # What the baseline had already does not count.
        ([{1: 7, 2: 0}, {1: 7, 2: 0}], 0),
        ([{1: 0, 2: 0}, {1: 1, 2: 0}], 1),
        ([{1: 0, 2: 0}, {1: 1, 2: 1}, {1: 1, 2: 2}], 3),
        # PM2 was restarted, or the workers were replaced: they count from 0 again.
        ([{1: 5}, {1: 0}, {1: 1}], 1),
        ([{1: 5}, {1: 2}], 2),
        ([{1: 1, 2: 1}, {3: 0, 4: 0}], 0),
        ([{1: 0}, {3: 1}], 1),
        # One that is gone is no crash; what it did before is not forgotten.
        ([{1: 0, 2: 0}, {1: 2, 2: 0}, {2: 0}], 2),
    ],
)
def test_crashes(observed: list[dict[int, int]], count: int) -> None:
    lists = [[{"id": number, "restarts": restarts} for number, restarts in one.items()] for one in observed]
    assert crashes(lists) == count

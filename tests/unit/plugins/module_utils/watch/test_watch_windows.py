# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.watch._windows import read_windows

FIVE = {"name": "5 min", "until": 300, "every": 60}
HOUR = {"name": "1 h", "until": 3600, "every": 600}


@pytest.mark.parametrize(
    ("window", "before", "slots"),
    [
        (FIVE, [], [60, 120, 180, 240, 300]),
        # Six looks in the hour, as at 10, 20, 30, 40, 50 and 60 minutes, after a window of five minutes.
        (HOUR, [FIVE], [600, 1200, 1800, 2400, 3000, 3600]),
        ({"name": "w", "until": 7200, "every": 1800, "from": 3600}, [], [5400, 7200]),
        ({"name": "its end is no multiple", "until": 100, "every": 40}, [], [40, 80, 100]),
        ({"name": "fractions", "until": 0.3, "every": 0.1}, [], [0.1, 0.2, 0.3]),
        ({"name": "one look", "until": 604800, "every": 604800}, [FIVE], [604800]),
        ({"name": "text from a template", "until": "2", "every": "1"}, [], [1, 2]),
    ],
)
def test_when_a_tick_is_due(window: dict[str, Any], before: list[dict[str, Any]], slots: list[float]) -> None:
    assert read_windows([*before, window])[-1].slots() == slots


def test_a_window_follows_the_one_before_it_and_tolerates_half() -> None:
    five, hour = read_windows([FIVE, HOUR])
    assert (five.start, five.tolerance, five.early) == (0, 30, 15)
    assert (hour.start, hour.tolerance) == (300, 300)
    assert read_windows([window.stored() for window in (five, hour)]) == (five, hour)


@pytest.mark.parametrize(
    ("window", "said"),
    [
        ({"until": 300, "every": 0}, "must be above 0"),
        ({"until": 300, "every": 400}, "repeats every 400 s, but ends at 300 s"),
        ({"until": 300, "every": 60, "from": 300}, "it ends at 300 s, but it begins at 300 s"),
        ({"until": 200, "every": 60, "tolerance": 60}, "tolerance of 60 s must be below every"),
        ({"until": "soon", "every": 60}, "until must be a number of seconds, and 'soon' is none"),
        ({"until": True, "every": 60}, "until must be a number of seconds"),
        ({"until": float("inf"), "every": 60}, "until must be a number of seconds"),
        ({"every": 60}, "until must be a number of seconds"),
        ({"until": 604800, "every": 1}, "more than 20,000 ticks"),
        ({"until": 60, "every": 60, "may_miss": -1}, "may_miss not below"),
        ({"until": 60, "every": 60, "rollback": "maybe"}, "rollback must be true, ask or false, not 'maybe'"),
    ],
)
def test_a_window_that_makes_no_sense(window: dict[str, Any], said: str) -> None:
    with pytest.raises(SluiceError, match="Cannot use the windows of the watch: odd: .*" + said):
        read_windows([{"name": "odd", **window}])


def test_every_wrong_window_is_named() -> None:
    with pytest.raises(SluiceError) as caught:
        read_windows([HOUR, FIVE, {"name": "1 h", "until": 9000, "every": 900}])
    assert "5 min: it ends at 300 s, but the window before it ends at 3600 s" in str(caught.value)
    assert "1 h: two windows have this name" in str(caught.value)

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which keys are taken: by their names, and by how hot they are."""

from __future__ import annotations

import pytest

from ansible_collections.sluice.release.plugins.module_utils.warm._redis_read import (
    Cut,
    Selection,
    cut_at,
    level_of_idle,
    matcher,
)


@pytest.mark.parametrize(
    ("pattern", "fits", "other"),
    [
        ("*", "anything\n", None),
        ("user:*", "user:", "users:"),
        ("user:?", "user:1", "user:12"),
        ("h[ae]llo", "hallo", "hillo"),
        ("h[^e]llo", "hallo", "hello"),
        ("h[a-c]llo", "hbllo", "hdllo"),
        ("h[c-a]llo", "hbllo", "hdllo"),
        (r"h\*llo", "h*llo", "hallo"),
        (r"h[\]]llo", "h]llo", "hallo"),
        ("h[a-", "ha", "hb"),
        ("h[abc", "hc", "hd"),
        ("a.c+", "a.c+", "abcc"),
        ("h[^]llo", "hxllo", "hllo"),
        ("h[]llo", "-", "hllo"),
        ("*a*b*", "xaxxbx", "xbxxax"),
    ],
)
def test_a_pattern_fits_as_on_the_server(pattern: str, fits: str, other: str | None) -> None:
    wanted = matcher(Selection(patterns=[pattern]))
    assert wanted(fits.encode()) is (fits != "-")
    assert other is None or not wanted(other.encode())


def test_one_pattern_is_enough_and_an_exclusion_wins() -> None:
    wanted = matcher(Selection(patterns=["a:*", "b:*"], exclude=["*:secret", "b:x*"]))
    names = [b"a:1", b"b:1", b"c:1", b"a:secret", b"b:xy", b"a:\xff"]
    assert [name for name in names if wanted(name)] == [b"a:1", b"b:1", b"a:\xff"]


def test_levels_grow_with_the_time_and_are_few() -> None:
    levels = [level_of_idle(seconds) for seconds in range(100_000)]
    assert levels == sorted(levels)
    assert levels[:128] == list(range(128))
    assert level_of_idle(-5) == 0
    assert level_of_idle(10 * 365 * 86400) < 1500
    # Within a level times differ by less than two in a hundred.
    for seconds in (1000, 50_000, 99_999):
        same = [other for other in range(100_000) if levels[other] == levels[seconds]]
        assert same[-1] - same[0] <= seconds / 60


@pytest.mark.parametrize(
    ("max_keys", "max_bytes", "expected"),
    [
        (None, None, None),
        (30, None, None),
        (29, None, Cut(5, 9, 2**62)),
        (10, None, Cut(2, 0, 2**62)),
        (3, None, Cut(0, 3, 2**62)),
        (None, 1000, Cut(2, 2**62, 900)),
        (None, 3100, None),
        (15, 3100, Cut(2, 5, 3000)),
    ],
)
def test_where_the_hottest_end(max_keys: int | None, max_bytes: int | None, expected: Cut | None) -> None:
    # Ten keys on each level, of 100, 1000 and 2000 bytes together.
    levels = {5: (10, 2000), 0: (10, 100), 2: (10, 1000)}
    assert cut_at(levels, max_keys, max_bytes) == expected

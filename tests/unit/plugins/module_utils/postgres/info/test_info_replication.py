# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a copy is behind."""

from __future__ import annotations

import pytest

from ansible_collections.sluice.release.plugins.module_utils.postgres.info._replication import own_lag_seconds, standby


@pytest.mark.parametrize(
    ("lag_bytes", "since_last", "is_receiving", "seconds"),
    [
        (0, 3600.0, True, 0.0),  # nobody writes
        (100, 5.0, True, 5.0),
        (0, 3600.0, False, 3600.0),  # nothing comes any more
        (None, 3600.0, False, 3600.0),  # from an archive
        (None, None, False, None),  # nothing was replayed yet
    ],
)
def test_a_standby_knows_how_far_it_is_behind(
    lag_bytes: int | None, since_last: float | None, is_receiving: bool, seconds: float | None
) -> None:
    assert own_lag_seconds(lag_bytes, since_last, is_receiving) == seconds


@pytest.mark.parametrize(
    ("row", "lag_bytes", "lag_seconds"),
    [
        (("a", "streaming", "async", 0, None), 0, 0.0),
        (("a", "streaming", "async", -8, None), 0, 0.0),
        (("a", "streaming", "sync", 500, 0.12345), 500, 0.123),
        (("a", "catchup", "async", 500, None), 500, None),
        (("a", None, None, None, None), None, None),
    ],
)
def test_a_primary_knows_how_far_its_standbys_are(
    row: tuple[object, ...], lag_bytes: int | None, lag_seconds: float | None
) -> None:
    found = standby(row)
    assert (found["lag_bytes"], found["lag_seconds"]) == (lag_bytes, lag_seconds)

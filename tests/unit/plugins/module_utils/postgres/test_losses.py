# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restore loses."""

from __future__ import annotations

import pytest

from ansible_collections.sluice.release.plugins.module_utils.postgres._digest import Content
from ansible_collections.sluice.release.plugins.module_utils.postgres._losses import (
    Present,
    losses,
    written_since_sql,
)

NEWEST = (("joined", "2026-11-22 01:30:00+00"),)


@pytest.mark.parametrize(
    ("now", "backup", "expected"),
    [
        (Content(3, "1"), Content(3, "1"), None),
        (Content(5, "2"), Content(3, "1"), ("rows", 5, 3, 2)),
        (Content(3, "2"), Content(3, "1"), ("content", 3, 3, 0)),
        (Content(2, "2"), Content(3, "1"), ("content", 2, 3, 0)),
        (Content(4, "2"), None, ("table", 4, 0, 4)),
        (None, Content(3, "1"), ("unreadable", None, 3, None)),
    ],
)
def test_losses(now: Content | None, backup: Content | None, expected: tuple[object, ...] | None) -> None:
    present = Present(now, 7, NEWEST) if now else None
    found = losses({"public.t": present}, {"public.t": backup} if backup else {})
    keys = ("table", "what", "rows_now", "rows_in_backup", "rows_lost", "rows_changed", "newest")
    more = (7, [{"column": "joined", "time": NEWEST[0][1]}]) if now else (None, [])
    due = [dict(zip(keys, ("public.t", *expected, *more), strict=True))] if expected else []
    assert [loss.as_dict() for loss in found] == due


def test_a_table_that_comes_back_is_no_loss() -> None:
    assert losses({}, {"public.t": Content(3, "1")}) == []


@pytest.mark.parametrize(
    ("snapshot", "expected"),
    [
        ("700:700:", "- 700 + "),
        ("700:710:700,705", "IN (700, 705)"),
        # Rows know the last 32 bits of a transaction's number alone.
        (f"{2**32 + 5}:{2**32 + 9}:{2**32 + 5}", "IN (5)"),
    ],
)
def test_rows_written_since_a_snapshot(snapshot: str, expected: str) -> None:
    assert expected in written_since_sql(snapshot)


@pytest.mark.parametrize("snapshot", ["", "700", "700:710:1;DROP", "a:b:"])
def test_a_snapshot_that_is_none_reaches_no_statement(snapshot: str) -> None:
    with pytest.raises(ValueError):
        written_since_sql(snapshot)

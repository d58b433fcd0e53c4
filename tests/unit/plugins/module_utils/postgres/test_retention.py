# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backups go: only verified ones push others out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Optional

import pytest

from ansible_collections.sluice.release.plugins.module_utils.postgres._retention import Candidate, plan

NOW = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)


def candidates(pattern: str) -> list[Candidate]:
    """One backup a day, newest first: `v` verified, `.` not. Ids are the age in days."""
    return [Candidate(str(age), NOW - timedelta(days=age), mark == "v") for age, mark in enumerate(pattern)]


@pytest.mark.parametrize(
    ("pattern", "keep", "keep_days", "removed"),
    [
        ("", 3, None, ""),
        ("vvvvvvv", None, None, ""),
        ("vvvvvvv", 5, None, "5 6"),
        ("vvvvvvv", 1, None, "3 4 5 6"),  # never fewer than three
        ("vvvvvvv", 0, None, "3 4 5 6"),
        (".......", 1, None, ""),  # nothing verified: nothing goes
        ("...vv..", 1, None, ""),
        ("..vvv..", 1, None, "5 6"),
        (".v.v.v.v.v", 3, None, "6 7 8 9"),  # failed nights push nothing out
        ("vvvvvvv", 3, 5, "5 6"),
        ("vvvvvvv", 5, 1, "5 6"),  # both must let it go
        ("vvvvvvv", None, 4, "4 5 6"),
        ("vv.....", None, 1, ""),
        ("vvvvvvv", None, -1, ""),  # no limit
        ("vvvvvvv", 5, -1, "5 6"),
    ],
)
def test_plan(pattern: str, keep: Optional[int], keep_days: Optional[int], removed: str) -> None:
    decisions = plan(candidates(pattern), now=NOW, keep=keep, keep_days=keep_days)
    assert [decision.id for decision in decisions if not decision.keep] == removed.split()
    assert [decision.id for decision in decisions] == [str(age) for age in range(len(pattern))]
    assert all(decision.why for decision in decisions)


def test_what_was_made_after_one_of_a_clock_that_was_wrong_is_newer() -> None:
    """The oldest bears the time of the day after tomorrow, and five were made since."""
    wrong = NOW + timedelta(days=2)
    found = [replace(one, order=(wrong + timedelta(seconds=9 - int(one.id)), one.id)) for one in candidates("vvvvvv")]
    found[-1] = replace(found[-1], created=wrong, order=(wrong, "5"))
    decisions = plan(found, now=NOW, keep=4)
    assert [(decision.id, decision.keep) for decision in decisions] == [
        *((str(age), True) for age in range(4)),
        ("4", False),
        ("5", False),
    ]


def test_backups_of_something_else_do_not_count() -> None:
    """Two tenants in one directory: the backups of one push none of the other out."""
    found = [replace(one, subject=one.id if one.id == "6" else "") for one in candidates("vvvvvvv")]
    decisions = plan(found, now=NOW, keep=1, keep_days=0)
    assert [decision.id for decision in decisions if not decision.keep] == ["3", "4", "5"]


@pytest.mark.parametrize("keep", [None, 0, 1, 2, 5])
@pytest.mark.parametrize("keep_days", [None, 0, 1, 30])
@pytest.mark.parametrize("pattern", ["vvvvvv", ".v.v.v.v", "......", "v.......", "...vvv...vvv"])
def test_the_newest_three_verified_always_stay(pattern: str, keep: Optional[int], keep_days: Optional[int]) -> None:
    kept = {
        decision.id for decision in plan(candidates(pattern), now=NOW, keep=keep, keep_days=keep_days) if decision.keep
    }
    verified = [candidate.id for candidate in candidates(pattern) if candidate.verified]
    assert set(verified[:3]) <= kept

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the databases that restores have replaced are dropped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.postgres import _replaced
from ansible_collections.sluice.release.plugins.module_utils.postgres._replaced import expired, of_database
from ansible_collections.sluice.release.plugins.module_utils.postgres._sql import derived_name

NOW = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)
LONG = "a" * 60
EARLIER, LATER = "__replaced_20261121T013000Z", "__replaced_20261122T013000Z"


@pytest.mark.parametrize(
    ("database", "taken", "suffix"),
    [
        ("shop", 0, LATER),
        ("shop", 1, f"{LATER}_2"),  # a second restore within the second
        ("shop", 2, f"{LATER}_3"),
        (LONG, 1, f"{LATER}_2"),
    ],
)
def test_a_replaced_database_never_gets_a_name_that_is_taken(
    monkeypatch: pytest.MonkeyPatch, database: str, taken: int, suffix: str
) -> None:
    names = {derived_name(database, end) for end in (LATER, f"{LATER}_2")[:taken]}
    monkeypatch.setattr(_replaced, "exists", lambda _admin, name: name in names)
    nobody: Any = None
    name = _replaced.new_name(nobody, database, NOW)
    assert name == derived_name(database, suffix)
    assert [found for found, _time in of_database([name], database)] == [name]


@pytest.mark.parametrize(
    ("keep", "keep_days", "gone"),
    [
        (None, None, ""),
        (3, None, "3 4 5"),
        (1, None, "1 2 3 4 5"),
        (0, None, "1 2 3 4 5"),  # the newest stays, whatever is asked for
        (-2, None, "1 2 3 4 5"),
        (None, 4, "4 5"),
        (None, 0, "1 2 3 4 5"),
        (5, 2, "5"),  # both must have let go of it
        (2, 4, "4 5"),
        (9, 0, ""),
    ],
)
def test_what_the_limits_keep_no_more(keep: int | None, keep_days: int | None, gone: str) -> None:
    replaced = [(str(age), NOW - timedelta(days=age)) for age in range(6)]
    assert expired(replaced, NOW, keep, keep_days) == gone.split()


@pytest.mark.parametrize(
    ("database", "names", "expected"),
    [
        ("shop", ["shop", "postgres", "shop__restore_0a1b2c3d", "shop__replaced_yesterday"], []),
        (
            "shop",
            [f"shop{EARLIER}", f"shop{LATER}_10", f"shop{LATER}_2"],
            [f"shop{LATER}_10", f"shop{LATER}_2", f"shop{EARLIER}"],
        ),
        # Those of another database whose name begins or ends the same are none of ours.
        ("shop", [f"shop2{LATER}", f"my_shop{LATER}"], []),
        ("shop", [f"shop{EARLIER}{LATER}"], []),
        (
            LONG,
            [derived_name(LONG, LATER), derived_name(LONG + "b", LATER)],
            [derived_name(LONG, LATER)],
        ),
    ],
)
def test_only_those_of_this_database_count(database: str, names: list[str], expected: list[str]) -> None:
    assert [name for name, _time in of_database(names, database)] == expected

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a verification decides by itself."""

from __future__ import annotations

import pytest

from ansible_collections.sluice.release.plugins.module_utils.postgres._inventory import Table
from ansible_collections.sluice.release.plugins.module_utils.postgres._verify import _BLAMELESS, _shares


@pytest.mark.parametrize(
    ("sizes", "number", "expected"),
    [
        ([], 1, [0]),
        ([5, 1, 2], 1, [8]),
        ([5, 1, 2], 2, [5, 3]),
        ([4, 4, 3, 3, 2], 2, [7, 9]),
        ([1], 3, [1, 0, 0]),
    ],
)
def test_every_table_is_in_one_share_of_about_the_same_size(sizes: list[int], number: int, expected: list[int]) -> None:
    tables = [Table(f"t{index}", size, index, ()) for index, size in enumerate(sizes)]
    shares = _shares(tables, number)
    assert sorted(table.name for share in shares for table in share) == [table.name for table in tables]
    assert sorted(sum(table.size for table in share) for share in shares) == sorted(expected)


@pytest.mark.parametrize(
    ("said", "blameless"),
    [
        ("pg_restore: error: could not execute query: ERROR:  permission denied to create extension", True),
        ('ERROR:  must be able to SET ROLE "app"', True),
        ('ERROR:  could not extend file "base/1/2": No space left on device', True),
        ("it was ended after 3600.0 s (limit 3600 s)", True),
        ("pg_restore: error: could not uncompress data: (null)", False),
        ('ERROR:  relation "users" does not exist', False),
        ("pg_restore was killed by signal 11 and said: nothing", False),
    ],
)
def test_a_backup_is_not_blamed_for_user_and_server(said: str, blameless: bool) -> None:
    assert bool(_BLAMELESS.search(said)) is blameless

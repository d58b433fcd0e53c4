# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations: what was applied against what there should be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._migrations import (
    PATTERN,
    compare,
    compiled,
    expected_names,
    name_of,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._model import Migrations

USUAL = re.compile(PATTERN)


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        ("1760000000000_create-deals.sql", "1760000000000_create-deals"),  # node-pg-migrate
        ("1760000000000_create-deals", "1760000000000_create-deals"),
        ("0001_init.up.sql", "0001_init"),  # golang-migrate
        ("0001_init.down.sql", None),
        ("20260101_init", "20260101_init"),  # Prisma, a directory
        ("migration_lock.toml", None),
        ("README.md", None),
        ("20260101_init.js", "20260101_init"),  # Knex
        ("V1.2__deals.sql", "V1.2__deals"),  # Flyway
        ("R__views.sql", "R__views"),
        ("0001_initial.py", "0001_initial"),  # Django
        ("__init__.py", None),
    ],
)
def test_the_name_of_a_migration(entry: str, name: str | None) -> None:
    assert name_of(entry, USUAL) == name


def test_a_pattern_without_a_group_is_the_name() -> None:
    assert name_of("12-x.sql", re.compile(r"\d+-.*")) == "12-x.sql"


@pytest.mark.parametrize(
    ("recorded", "expected", "result"),
    [
        ([], None, {"migrations_applied": [], "migrations_latest": None, "migrations_complete": None}),
        ([("1_a", True)], None, {"migrations_pending": None, "migrations_unknown_count": None}),
        ([], [], {"migrations_pending": [], "migrations_complete": True}),
        (
            [("1_a", True), ("2_b", True)],
            ["1_a.sql", "2_b.up.sql", "2_b.down.sql", "README.md"],
            {"migrations_complete": True, "migrations_latest": "2_b", "migrations_applied_count": 2},
        ),
        (
            [("1_a", True), ("9_z", True)],
            ["1_a.sql", "2_b.sql"],
            {
                "migrations_pending": ["2_b"],
                "migrations_unknown": ["9_z"],
                "migrations_unknown_count": 1,
                "migrations_complete": False,
            },
        ),
        (
            [("1_a", False), ("1_a", True), ("2_b", False)],
            ["1_a", "2_b"],
            {
                "migrations_applied": ["1_a"],
                "migrations_failed": ["2_b"],
                "migrations_pending": ["2_b"],
                "migrations_complete": False,
            },
        ),
        # Names of another kind are compared as they are.
        ([("init", True)], ["1_a"], {"migrations_unknown": ["init"], "migrations_pending": ["1_a"]}),
    ],
)
def test_compare(recorded: list[tuple[str, bool]], expected: list[str] | None, result: dict[str, object]) -> None:
    assert result.items() <= compare(recorded, expected, USUAL).items()


def chosen(directory: Path | None, expected: list[str] | None = None) -> Migrations:
    return Migrations("t", "name", None, expected, None if directory is None else str(directory), PATTERN)


def test_a_directory_holds_what_is_expected(tmp_path: Path) -> None:
    for name in ("1_a.sql", ".2_b.sql.swp", "README.md"):
        (tmp_path / name).touch()
    (tmp_path / "3_c").mkdir()
    assert sorted(expected_names(chosen(tmp_path)) or ()) == ["1_a.sql", "3_c"]
    assert sorted(expected_names(chosen(tmp_path, ["4_d"])) or ()) == ["1_a.sql", "3_c", "4_d"]
    assert expected_names(chosen(None, ["4_d"])) == ["4_d"]
    assert expected_names(chosen(None)) is None


def test_bad_input(tmp_path: Path) -> None:
    with pytest.raises(
        SluiceError, match=r"^Cannot read the migrations of .*/none: No such file or directory\. Correct"
    ):
        expected_names(chosen(tmp_path / "none"))
    with pytest.raises(SluiceError, match=r"^Cannot use migrations\.pattern: it is no regular expression"):
        compiled("(")

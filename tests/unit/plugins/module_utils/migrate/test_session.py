# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.migrate._rows import compare_rows
from ansible_collections.sluice.release.plugins.module_utils.migrate._session import (
    Judge,
    Meeting,
    Session,
    choose_url,
    is_postgres,
    meetings,
    pg_options,
)

OWN = "sluice_migrate_1"
WEB = Session(7, "web", "shop", "active")
CRON = Session(8, "cron", "", "idle in transaction")


@pytest.mark.parametrize(
    ("given", "environment", "expected"),
    [
        (None, {}, None),
        (None, {"DATABASE_URL": "a"}, "a"),
        (None, {"DATABASE_URL": "a", "DIRECT_DATABASE_URL": "b"}, "b"),
        (None, {"DATABASE_URL": "a", "DIRECT_DATABASE_URL": ""}, "a"),
        ("c", {"DATABASE_URL": "a", "DIRECT_DATABASE_URL": "b"}, "c"),
    ],
)
def test_the_most_direct_url_is_chosen(given: str | None, environment: dict[str, str], expected: str | None) -> None:
    assert choose_url(given, environment) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgres://h/d", True),
        ("postgresql://h/d", True),
        ("mysql://h/d", False),
        ("file:./dev.db", False),
        ("", False),
        (None, False),
    ],
)
def test_other_databases_are_not_watched(url: str | None, expected: bool) -> None:
    assert is_postgres(url) is expected


@pytest.mark.parametrize(
    ("inherited", "lock", "statement", "expected"),
    [
        ("", 0, 0, ""),
        ("", 5, 0, "-c lock_timeout=5000"),
        ("", 0.0001, 300, "-c lock_timeout=1 -c statement_timeout=300000"),
        # The last word counts.
        (
            " -c statement_timeout=1000 ",
            5,
            60,
            "-c statement_timeout=1000 -c lock_timeout=5000 -c statement_timeout=60000",
        ),
    ],
)
def test_limits_go_into_pgoptions(inherited: str, lock: float, statement: float, expected: str) -> None:
    assert pg_options(inherited, lock, statement) == expected


def row(waiter: tuple[Any, ...], blocker: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*waiter, *blocker)


MINE = (1, "owner", OWN, "active")
MINE_TOO = (2, "owner", OWN, "active")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], []),
        ([row((7, "web", "shop", "active"), MINE)], [Meeting(WEB, True)]),
        ([row(MINE, (8, "cron", None, "idle in transaction"))], [Meeting(CRON, False)]),
        # One who waits for two sessions of ours is one.
        ([row((7, "web", "shop", "active"), MINE), row((7, "web", "shop", "active"), MINE_TOO)], [Meeting(WEB, True)]),
        # Strangers among themselves, and we among ourselves.
        ([row((7, "web", "shop", "active"), (8, "cron", "", "idle")), row(MINE, MINE_TOO)], []),
    ],
)
def test_whom_a_migration_meets(rows: list[tuple[Any, ...]], expected: list[Meeting]) -> None:
    assert meetings(rows, OWN) == expected


@pytest.mark.parametrize(
    ("looks", "limit", "verdicts"),
    [
        pytest.param([(0, True), (9, True), (10, True)], 10, [False, False, True], id="as long as that"),
        pytest.param([(0, True), (9, False), (10, True), (19, True)], 10, [False] * 4, id="with a break"),
        pytest.param([(0, True), (900, True)], 0, [False, False], id="without a limit"),
        pytest.param([(0, False), (900, False)], 1, [False, False], id="nobody"),
    ],
)
def test_only_a_lasting_block_ends_a_migration(
    looks: list[tuple[float, bool]], limit: float, verdicts: list[bool]
) -> None:
    judge = Judge(limit)
    assert [bool(judge.look(now, [Meeting(WEB, True)] if there else [])) for now, there in looks] == verdicts


def test_it_is_not_the_same_who_wait_all_the_time() -> None:
    judge = Judge(5)
    assert judge.look(0, [Meeting(WEB, True)]) is None
    assert judge.look(3, [Meeting(CRON, False)]) is None
    reason = judge.look(5, [Meeting(CRON, False)])
    assert reason == "for 5 s, it waits for session 8 (cron, idle in transaction)"
    assert judge.longest == 5
    assert [(one["pid"], one["waits_for"], one["seconds"]) for one in judge.evidence()] == [
        (8, "session", 2),
        (7, "migration", 0),
    ]


def test_a_crowd_is_counted() -> None:
    judge = Judge(0)
    judge.look(0, [Meeting(Session(pid, "web", "shop", "active"), True) for pid in range(1, 6)])
    assert judge.sentence().endswith("session 3 (web, shop, active) waits for it; and 2 more")
    judge.look(1, [])
    assert judge.sentence() == ""


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, {"a": 1}, None),
        ({"a": 1}, None, None),
        (
            {"a": 1, "b": 2},
            {"a": 1, "c": 0},
            {
                "tables_before": 2,
                "tables_after": 2,
                "before": 3,
                "after": 1,
                "changed": [{"table": "b", "before": 2, "after": None}, {"table": "c", "before": None, "after": 0}],
            },
        ),
    ],
)
def test_rows_before_and_after(
    before: dict[str, int] | None, after: dict[str, int] | None, expected: dict[str, Any] | None
) -> None:
    assert compare_rows(before, after) == expected

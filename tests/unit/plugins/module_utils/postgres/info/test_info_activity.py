# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions held against limits."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.postgres.info._activity import (
    Group,
    Limits,
    connections,
    time_columns,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._model import (
    hidden,
    longest,
    median,
    ratio,
    rounded,
)

GROUPS = [
    Group(True, "app", False, "active", 3, 0.5),
    Group(True, "app", False, "idle", 5, 60.0),
    Group(True, "app", False, "idle in transaction", 1, 7.5),
    Group(True, "app", False, "idle in transaction (aborted)", 1, 9.5),
    Group(False, "app", False, "idle", 2, 1.0),
    Group(True, "admin", False, "idle", 1, 1.0),
]
FREE = Limits(server=100, reserved=3, database=None, role=None, pool=None)


def counted(groups: list[Group] = GROUPS, limits: Limits = FREE) -> dict[str, Any]:
    return connections(groups, limits, "app")


def test_sessions_are_counted_by_state_database_and_role() -> None:
    expected = {
        "connections_limit": 97,
        "connections_used": 13,
        "connections_free": 84,
        "connections_used_ratio": 0.134,
        "connections_active": 3,
        "connections_idle": 8,
        "connections_idle_in_transaction": 2,
        "connections_idle_in_transaction_max_seconds": 9.5,
        "connections_database_used": 11,
        "connections_database_limit": None,
        "connections_database_used_ratio": None,
        "connections_role_used": 12,
        "pool_used": 10,
        "pool_used_ratio": None,
        "connections_by_state": {
            "active": 3,
            "idle": 8,
            "idle in transaction": 1,
            "idle in transaction (aborted)": 1,
        },
    }
    assert expected.items() <= counted().items()


@pytest.mark.parametrize(
    ("limits", "tightest", "share"),
    [
        (FREE, "server", 0.134),
        (Limits(100, 3, 11, None, None), "database", 1.0),
        (Limits(100, 3, 50, 20, None), "role", 0.6),
        (Limits(100, 3, 50, 20, 12), "pool", 0.8333),
    ],
)
def test_the_nearest_limit(limits: Limits, tightest: str, share: float) -> None:
    found = counted(limits=limits)
    assert (found["connections_tightest"], found["connections_tightest_ratio"]) == (tightest, share)


def test_hidden_sessions_are_counted_and_nothing_is_said_about_their_states() -> None:
    found = counted([*GROUPS, Group(True, "admin", True, None, 4, None)])
    assert found["connections_used"] == 17
    assert found["connections_by_state"]["hidden"] == 4
    for key in ("active", "idle", "idle_in_transaction", "idle_in_transaction_max_seconds"):
        assert found[f"connections_{key}"] is None


def test_an_empty_server() -> None:
    expected = {"connections_used": 0, "connections_used_ratio": 0.0, "connections_by_state": {}, "pool_used": 0}
    assert expected.items() <= counted([]).items()


@pytest.mark.parametrize(
    ("version", "column"), [("1.7", "mean_time"), ("1.8", "mean_exec_time"), ("1.12", "mean_exec_time")]
)
def test_the_columns_of_pg_stat_statements(version: str, column: str) -> None:
    assert time_columns(version)["mean"] == column


def test_numbers() -> None:
    assert (median([3.0, 1.0, 2.0]), median([4.0, 1.0, 3.0, 2.0]), median([1.0])) == (2.0, 2.0, 1.0)
    assert (ratio(1, 3), ratio(1, 0), ratio(1, None), ratio(None, 1), ratio(0, 3)) == (0.3333, None, None, None, 0.0)
    # The clock of a transaction and that of the server may differ by a moment.
    assert (rounded(None), rounded(-0.0001), rounded(1.23456)) == (None, 0.0, 1.235)
    assert longest([]) == 0.0
    assert longest([{"seconds": None}]) is None
    assert longest([{"seconds": None}, {"seconds": 2.0}, {"seconds": 1.0}]) == 2.0


def test_the_reason_for_what_is_hidden() -> None:
    assert hidden(0, "a") == {}
    assert hidden(1, "a") == {"a": "1 session of another role cannot be looked into; grant pg_monitor to the user"}
    assert set(hidden(2, "a", "b")) == {"a", "b"}

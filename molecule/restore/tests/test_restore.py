# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows are back, what they replaced is kept, and nothing happens without a person's word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from testinfra.host import Host

# The hosts share a database, as far as the role knows: the first one restores it.
testinfra_hosts = ["ansible://app1"]


def query(host: Host, database: str, sql: str) -> str:
    found: str = host.check_output("su postgres -c %s", f'psql --dbname="{database}" -Atc "{sql}"')
    return found


@pytest.fixture
def replaced(host: Host) -> str:
    names = query(host, "postgres", "SELECT datname FROM pg_database").split()
    (name,) = (name for name in names if name.startswith("app__replaced_"))
    return name


def test_the_rows_are_back(host: Host) -> None:
    assert query(host, "app", "SELECT count(*), max(id) FROM orders") == "1000|1000"


def test_the_replaced_database_is_kept_with_what_was_written_since(host: Host, replaced: str) -> None:
    assert query(host, replaced, "SELECT count(*) FROM orders") == "11"
    assert query(host, replaced, "SELECT count(*) FROM orders WHERE name = 'written since'") == "1"


def test_no_half_restored_database_is_left(host: Host) -> None:
    assert query(host, "postgres", "SELECT count(*) FROM pg_database WHERE datname LIKE '%restore\\_%'") == "0"


def test_it_is_refused_without_a_confirmation(evidence: Callable[[str], Any]) -> None:
    refusal = evidence("refusal")["msg"]
    assert refusal.startswith("Cannot restore the database of molecule-app")
    assert "confirm_restore=true" in refusal

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


def test_it_is_refused_without_a_confirmation_and_says_what_would_be_lost(evidence: Callable[[str], Any]) -> None:
    refusal = evidence("unconfirmed")
    backup = refusal["restore"]["restored"]["backup_id"]
    assert refusal["msg"].startswith("Cannot restore the database of molecule-app: nobody has confirmed it. ")
    assert f"-e backup_id={backup} -e confirm_restore={backup}" in refusal["msg"]
    assert "it loses public.orders other content, with 11 rows now and 1,000 in the backup" in refusal["msg"]
    (loss,) = refusal["restore"]["losses"]
    assert (loss["table"], loss["rows_now"], loss["rows_in_backup"]) == ("public.orders", 11, 1000)


def test_nobody_confirms_another_backup(evidence: Callable[[str], Any]) -> None:
    assert "it is backup 20200101T000000Z that was confirmed" in evidence("another")["msg"]


def test_a_refusal_changes_nothing(evidence: Callable[[str], Any]) -> None:
    assert sorted(evidence("databases")["names"]) == ["app", "postgres", "template0", "template1"]


def test_what_was_lost_is_in_the_evidence(evidence: Callable[[str], Any], replaced: str) -> None:
    restored = evidence("restored")
    assert [loss["table"] for loss in restored["losses"]] == ["public.orders"]
    assert restored["replaced"] == replaced

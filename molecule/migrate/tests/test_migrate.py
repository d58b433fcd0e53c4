# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first host migrates the database, once. Locks end a migration before it does harm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from testinfra.host import Host

testinfra_hosts = ["ansible://app1"]


def test_every_migration_is_applied_by_the_first_host(host: Host) -> None:
    names = host.check_output("su postgres -c \"psql app -Atc 'SELECT name FROM migrations ORDER BY name'\"")
    assert names.split() == ["001_items", "002_price", "003_note"]


def test_a_migration_that_waits_for_a_lock_gives_up_and_names_who_has_it(evidence: Callable[[str], Any]) -> None:
    failed = evidence("waits")
    assert "canceling statement due to lock timeout" in failed["msg"]
    assert failed["pending_after"] == ["003_note"]
    (met,) = failed["blocking"]["sessions"]
    assert (met["application"], met["waits_for"]) == ("somebody", "session")
    assert failed["seconds"] < 30


def test_a_migration_that_blocks_others_is_ended(evidence: Callable[[str], Any]) -> None:
    failed = evidence("blocks")
    assert failed["msg"].startswith("Cannot apply 003_note: it was ended because of a lock: for ")
    assert failed["blocking"]["aborted"]
    assert [(met["application"], met["waits_for"]) for met in failed["blocking"]["sessions"]] == [
        ("somebody", "migration")
    ]
    assert failed["pending_after"] == ["003_note"]
    assert failed["seconds"] < 60


def test_the_status_before_and_after_is_kept(evidence: Callable[[str], Any]) -> None:
    done = evidence("applied")
    assert (done["pending_before"], done["pending_after"], done["applied"]) == (["003_note"], [], ["003_note"])
    assert done["rows"]["changed"] == [{"table": "public.migrations", "before": 2, "after": 3}]

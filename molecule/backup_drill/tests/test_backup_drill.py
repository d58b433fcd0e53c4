# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The newest backup was restored and compared, and the run is recorded."""

from __future__ import annotations

import json
from typing import Any

from testinfra.host import Host

# The hosts share a database, as far as the role knows: the first one drills.
testinfra_hosts = ["ansible://app1"]

STATE = "/var/lib/sluice/molecule"


def test_it_is_a_run_of_its_own_kind(journal: list[list[dict[str, Any]]]) -> None:
    closed = [(segment[0]["data"]["kind"], segment[-1]["outcome"]) for segment in journal]
    assert closed == [("backup", "succeeded"), ("drill", "succeeded")]


def test_the_report_says_how_long_a_restore_takes(host: Host, journal: list[list[dict[str, Any]]]) -> None:
    report = json.loads(host.file(f"{STATE}/reports/{journal[-1][0]['release']}.json").content_string)
    drill = report["drill"]
    assert (report["kind"], drill["verified"], drill["level"], drill["rows"]) == ("drill", True, "restore", 1000)
    assert drill["seconds"] > 0
    assert drill["differences"] == []
    assert drill["backup_id"] in host.file(f"{STATE}/backups").listdir()


def test_no_scratch_database_is_left(host: Host) -> None:
    names = host.check_output("su postgres -c \"psql -Atc 'SELECT datname FROM pg_database ORDER BY 1'\"")
    assert names.split() == ["app", "postgres", "template0", "template1"]

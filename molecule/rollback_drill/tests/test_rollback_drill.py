# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every level was carried out beside the application, which has seen nothing of it. Nothing is left of the shadow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from testinfra.host import Host


def test_the_journal_keeps_what_each_level_took(journal: list[list[dict[str, Any]]]) -> None:
    opened, *others, closed = journal[-1]
    (noted,) = [entry["data"] for entry in others if entry.get("name") == "rollback_drill"]
    assert (opened["data"]["kind"], closed["outcome"]) == ("rollback_drill", "succeeded")
    assert (noted["place"], noted["met"], noted["missed"], noted["version"]) == ("shadow", True, {}, "1.1.0")
    assert [set(noted["steps"][level]) for level in ("1", "3")] == [{"rollback", "switch", "verify"}] * 2
    assert all(noted["levels"][level] > 0 for level in ("1", "3"))
    # Only the result: the shadow had a journal of its own.
    assert [entry["stage"] for entry in others if entry["event"] == "entered"] == ["shadow"]
    assert len(journal) == 3


def test_the_same_processes_serve_the_same_version(
    workers: list[dict[str, Any]], answer: Callable[[str], Any], evidence: Callable[[str], Any]
) -> None:
    assert sorted(worker["pid"] for worker in workers) == evidence("served")["pids"]
    assert [worker["pm2_env"]["restart_time"] for worker in workers] == [0, 0]
    assert answer("/version")["version"] == "1.1.0"


def test_nothing_is_left_of_the_shadow(host: Host) -> None:
    names = host.check_output("export PM2_HOME=/srv/molecule/pm2; pm2 jlist | tr ',' '\\n' | grep '\"name\"' | sort -u")
    assert "shadow" not in names
    assert "shadow" not in host.check_output("cat /srv/molecule/pm2/dump.pm2")
    databases = host.check_output("su postgres -c \"psql -Atc 'SELECT datname FROM pg_database'\"").split()
    assert [name for name in databases if name.startswith("app")] == ["app"]
    assert not host.file("/srv/molecule-shadow").exists
    assert not host.file("/var/lib/sluice/molecule-shadow").exists
    assert host.run("curl --silent http://127.0.0.1:3100/").rc != 0


def test_the_database_is_left_alone(host: Host) -> None:
    names = host.check_output("su postgres -c \"psql app -Atc 'SELECT name FROM migrations ORDER BY name'\"")
    assert names.split() == ["001_items", "002_price"]

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways back: each level of a rollback, backup and restore, recovery, and where the report lies.

Each test goes on where the one before has ended.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from world import World, kill_controller, wait_for


@pytest.fixture(scope="module")
def upgraded(world: World) -> World:
    """1.1.0 serves, and 1.0.0 served before."""
    if not any(target["version"] == "1.0.0" for target in world.state()["good"]) or world.serving() != "1.1.0":
        world.ensure("1.0.0")
    world.ensure("1.1.0")
    return world


def noted(world: World, stage: str) -> dict[str, Any]:
    """The evidence with which a stage of the newest release was left."""
    entries = [entry for entry in world.entries() if entry["event"] == "left" and entry["stage"] == stage]
    return dict(entries[-1]["data"])


def write_deal(world: World, title: str) -> int:
    status, deal = world.get("/api/deals", method="POST", body={"title": title, "merchant": "Test", "price_cents": 100})
    assert status == 201, deal
    return int(deal["id"])


def deals(world: World, title: str, database: str = "dealradar") -> int:
    rows = world.sql("SELECT count(*) FROM deals WHERE title = %s", title, database=database)
    return int(rows[0][0])


@pytest.fixture
def kept(world: World) -> Iterator[set[str]]:
    """The names of the databases that a test has put aside; they are dropped after it."""
    before, names = world.databases(), set[str]()
    yield names
    names |= world.databases() - before
    for name in names:
        world.sql(f'DROP DATABASE IF EXISTS "{name}"', database="postgres")


def test_level_1_puts_the_configuration_back(upgraded: World) -> None:
    profile = yaml.safe_load((upgraded.project / "inventories/lab/group_vars/lab/profile.yml").read_text())
    environment = {**profile["sluice_env"], "RATE_LIMIT_MAX_REQUESTS": "77"}
    run = upgraded.deploy("1.1.0", sluice_env=environment)
    assert run.status == 0, run.output
    assert upgraded.worker_setting("RATE_LIMIT_MAX_REQUESTS") == {"77"}
    assert upgraded.report()["outcome"] == "succeeded"

    run = upgraded.play("rollback", variables={"rollback_level": 1})
    assert run.status == 0, run.output
    assert upgraded.worker_setting("RATE_LIMIT_MAX_REQUESTS") == {"100"}
    upgraded.assert_serves("1.1.0")
    assert upgraded.report()["rollback"]["level"] == 1
    assert upgraded.lock() is None


def test_level_2_puts_the_code_back(upgraded: World) -> None:
    run = upgraded.play("rollback", variables={"rollback_level": 2})
    assert run.status == 0, run.output
    upgraded.assert_serves("1.0.0")
    report = upgraded.report()
    assert (report["outcome"], report["rollback"]["level"], report["rollback"]["to"]) == ("succeeded", 2, "1.0.0")
    assert upgraded.lock() is None


def test_level_3_puts_the_database_back_too(upgraded: World, kept: set[str]) -> None:
    run = upgraded.deploy("1.1.0")
    assert run.status == 0, run.output
    before = upgraded.databases()
    write_deal(upgraded, "written since the backup")

    # Whether the release has applied migrations that could be taken back depends on the tests before.
    run = upgraded.play("rollback", variables={"rollback_level": 3, "rollback_revert": False})
    assert run.status == 0, run.output
    upgraded.assert_serves("1.0.0")
    assert deals(upgraded, "written since the backup") == 0
    (aside,) = upgraded.databases() - before
    assert aside.startswith("dealradar__replaced_")
    assert deals(upgraded, "written since the backup", aside) == 1
    losses = json.dumps([entry["data"] for entry in upgraded.entries() if entry["event"] in ("left", "noted")][-8:])
    assert '"rows_lost": 1' in losses, losses
    assert "public.deals" in losses
    assert upgraded.lock() is None


def test_a_backup_by_itself(upgraded: World) -> None:
    workers, state = upgraded.workers(), upgraded.state()
    directory = upgraded.state_dir / "backups"
    before = {path.name for path in directory.iterdir()}
    run = upgraded.play("backup")
    assert run.status == 0, run.output
    (made,) = {path.name for path in directory.iterdir()} - before
    assert (directory / made / "manifest.json").is_file()
    # The profile proves it in a scratch database, which is gone.
    assert json.loads((directory / made / "verified.json").read_text())["level"] == "restore"
    assert not [name for name in upgraded.databases() if "verify" in name]
    assert upgraded.workers() == workers
    assert upgraded.state()["current"] == state["current"]
    upgraded.assert_serves("1.0.0")


def test_a_restore_wants_to_be_confirmed(upgraded: World) -> None:
    write_deal(upgraded, "written since the second backup")
    before, state = upgraded.databases(), upgraded.state()
    run = upgraded.play("restore", variables={"backup_id": "latest"})
    assert run.status != 0, run.output
    assert "Cannot restore the database of dealradar: nobody has confirmed it." in run.said
    assert "public.deals 1 row of " in run.said
    assert re.search(r"restore\.yml -l lab -e backup_id=(\S+) -e confirm_restore=\1 to restore it", run.said), run.said
    restore = upgraded.report()["restore"]
    assert (restore["confirmed"], restore["replaced"], restore["rows_lost"]) == (False, None, 1)
    assert upgraded.databases() == before
    assert deals(upgraded, "written since the second backup") == 1
    assert upgraded.state()["current"] == state["current"]
    assert upgraded.lock() is None
    upgraded.assert_serves("1.0.0")


def test_a_confirmed_restore(upgraded: World, kept: set[str]) -> None:
    before = upgraded.databases()
    seen = upgraded.report()["restore"]["backup_id"]
    run = upgraded.play("restore", variables={"confirm_restore": seen})
    assert run.status == 0, run.output
    restore = upgraded.report()["restore"]
    assert (restore["backup_id"], restore["confirmed"], restore["rows_lost"]) == (seen, True, 1)
    assert restore["seconds"] > 0
    assert deals(upgraded, "written since the second backup") == 0
    (aside,) = upgraded.databases() - before
    assert deals(upgraded, "written since the second backup", aside) == 1
    upgraded.assert_serves("1.0.0")
    assert upgraded.lock() is None


def test_recovery_of_a_run_that_was_killed(upgraded: World) -> None:
    releases = upgraded.state()["releases"]
    process = upgraded.start("deploy", "-e", "release_version=1.1.0")
    began = wait_for(lambda: (upgraded.state()["open"] or {}).get("stage") is not None)
    kill_controller(process)
    assert began
    assert upgraded.state()["releases"] == releases + 1
    assert upgraded.lock() is not None

    run = upgraded.play("recover")
    assert run.status == 0, run.output
    state = upgraded.state()
    assert state["open"] is None
    assert state["last"]["outcome"] == "failed"
    assert upgraded.lock() is None
    upgraded.assert_serves("1.0.0")


def test_recovery_where_there_is_nothing_to_recover(upgraded: World) -> None:
    entries = len(upgraded.entries())
    run = upgraded.play("recover")
    assert run.status == 0, run.output
    assert len(upgraded.entries()) == entries
    assert upgraded.lock() is None


def test_where_the_report_lies(upgraded: World) -> None:
    run = upgraded.play("report")
    assert run.status == 0, run.output
    (path,) = {word for word in run.said.split() if word.endswith(".html")}
    assert Path(path).parent == upgraded.state_dir / "reports"
    assert Path(path).is_file(), run.output

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
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
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


def test_a_look_changes_nothing_and_is_quick(upgraded: World) -> None:
    entries = upgraded.entries()
    run = upgraded.play("rollback", "--check", variables={"rollback_level": "auto"})
    assert run.status == 0, run.output
    assert re.search(r"Level [23]: 1\.0\.0, the last known good\.", run.said), run.said
    said = re.search(r"Why this level: 1\.0\.0 .* Expected: .* Budget: (300|600) s\.", run.said)
    assert said, run.said
    assert run.seconds < 10
    run = upgraded.play("rollback", "--check", variables={"rollback_level": 3, "rollback_revert": False})
    assert run.status == 0, run.output
    assert re.search(r"Database: backup \S+ is restored, proven beside the live one, and swapped in\.", run.said), (
        run.said
    )
    assert "would take the place of database dealradar, and " in run.said
    assert (upgraded.entries(), upgraded.lock()) == (entries, None)


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


def test_level_1_sets_the_toggles_that_were_named_and_calls_nothing_bad(upgraded: World) -> None:
    before, name = upgraded.state(), "RATE_LIMIT_MAX_REQUESTS"
    wished = {"rollback_toggles": "limit_up"}
    look = upgraded.play("rollback_level1", "--check", variables=wished)
    assert "limit_up (more requests): RATE_LIMIT_MAX_REQUESTS=1000" in look.said, look.output
    assert (upgraded.state(), upgraded.lock()) == (before, None)

    refused = upgraded.play("rollback_level2", variables=wished)
    assert "Cannot roll back by level 2: toggles were named (limit_up)" in refused.said, refused.output
    assert upgraded.state() == before

    run = upgraded.play("rollback_level1", variables=wished)
    assert run.status == 0, run.output
    assert upgraded.worker_setting(name) == {"1000"}
    upgraded.assert_serves("1.1.0")
    state = upgraded.state()
    assert (state["bad"], state["marked"]) == (before["bad"], before["marked"])
    # It verifies like a release, with all flows.
    assert "session" in {gate["check"] for gate in noted(upgraded, "verify")["gates"]}

    run = upgraded.play("emergency", variables={"emergency_action": "limit_up", "emergency_undo": True})
    assert run.status == 0, run.output
    assert upgraded.worker_setting(name) == {"100"}


def test_level_2_puts_the_code_back_from_another_controller_and_without_what_builds(upgraded: World) -> None:
    away = upgraded.lab.releases.with_name("releases.away")
    upgraded.lab.releases.rename(away)
    # Where nothing answers: neither packages nor anything else comes from there.
    nowhere = {"npm_config_registry": "http://127.0.0.1:9", "npm_config_cache": str(upgraded.directory / "tmp" / "npm")}
    try:
        run = upgraded.second().play("rollback", variables={"rollback_level": 2}, **nowhere)
    finally:
        away.rename(upgraded.lab.releases)
    assert run.status == 0, run.output
    upgraded.assert_serves("1.0.0")
    report = upgraded.report()
    assert (report["outcome"], report["rollback"]["level"], report["rollback"]["to"]) == ("succeeded", 2, "1.0.0")
    assert report["rollback"]["budget_seconds"] == 300
    assert upgraded.lock() is None


def test_a_second_one_does_not_go_back_to_what_was_left(upgraded: World) -> None:
    run = upgraded.play("rollback", variables={"rollback_level": 2, "rollback_version": "1.1.0"})
    assert run.status != 0
    assert "Cannot roll back by level 2: version 1.1.0 was left as bad by " in run.said
    upgraded.assert_serves("1.0.0")
    assert (upgraded.serving(), upgraded.lock()) == ("1.0.0", None)


def test_what_was_hot_before_the_release_is_hot_again_after_it(upgraded: World) -> None:
    upgraded.ensure("1.0.0")
    with upgraded.redis() as cache:
        cache.set("hot:answer", "42", ex=3600)
        run = upgraded.deploy("1.1.0", warm_snapshot={"patterns": ["hot:*"]})
        assert run.status == 0, run.output
        ends = cache.expiretime("hot:answer")
        # As a release does that spoils the cache.
        cache.delete("hot:answer")
        warmed = {
            "warm_rollback": True,
            "warm_rollback_keys": {"snapshot": str(upgraded.state_dir / "warm" / "keys.snapshot")},
            # A page that is not there makes no warm cache, and that is no reason to stop here.
            "warm_sources": [{"urls": ["/api/deals", "/nowhere"]}],
            "warm_max_failed_pct": 10,
            "warm_policy": "required",
        }
        run = upgraded.play("rollback", variables={"rollback_level": 2, **warmed})
        assert run.status == 0, run.output
        assert (cache.get("hot:answer"), cache.expiretime("hot:answer")) == (b"42", ends), run.output
        cache.delete("hot:answer")
    upgraded.assert_serves("1.0.0")
    report = upgraded.report()
    assert [stage["name"] for stage in report["stages"]] == ["rollback", "switch", "warm", "verify", "finish"]
    assert [(found["kind"], found["warm"]) for found in report["warming"]] == [("keys", True), ("http", False)]


def test_a_level_3_that_fails_after_the_swap_leaves_what_served(upgraded: World) -> None:
    run = upgraded.deploy("1.1.0")
    assert run.status == 0, run.output
    before = upgraded.databases()
    write_deal(upgraded, "written before a rollback that fails")
    (script,) = upgraded.root.glob("releases/1.0.0-*/dist/main.js")
    whole = script.read_text()
    script.write_text("process.exit(3)\n")
    try:
        run = upgraded.play("rollback", variables={"rollback_level": 3, "rollback_revert": False})
    finally:
        script.write_text(whole)
    assert run.status != 0
    assert "1.1.0 serves as before, and the database is as it was" in run.said, run.output
    upgraded.assert_serves("1.1.0")
    assert deals(upgraded, "written before a rollback that fails") == 1
    assert (upgraded.serving(), upgraded.state()["last"]["outcome"], upgraded.lock()) == ("1.1.0", "failed", None)
    # The restored copy waits under its first name; the next restore drops it.
    assert [name.startswith("dealradar__prepared_") for name in upgraded.databases() - before] == [True]


def test_level_3_puts_the_database_back_too(upgraded: World, kept: set[str]) -> None:
    before = {name for name in upgraded.databases() if "__prepared_" not in name}
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
    assert '"rows_lost": 2' in losses, losses
    assert "public.deals" in losses
    assert upgraded.lock() is None


def test_a_level_3_that_was_killed_on_its_way_is_carried_through(upgraded: World, kept: set[str]) -> None:
    run = upgraded.deploy("1.1.0")
    assert run.status == 0, run.output
    write_deal(upgraded, "written before a rollback that is killed")
    process = upgraded.start("rollback", "-e", "rollback_level=3", "-e", "rollback_revert=false")
    moving = wait_for(lambda: any(entry["name"] == "moves" for entry in upgraded.entries()[-6:]))
    kill_controller(process)
    assert moving
    opened = upgraded.state()["open"]
    assert (opened["kind"], opened["moved"], opened["target"]["version"]) == ("rollback", True, "1.0.0")

    # Whether the swap had taken place or not: whoever comes next sees it by the names that are there.
    run = upgraded.play("recover")
    assert run.status == 0, run.output
    upgraded.assert_serves("1.0.0")
    assert (upgraded.serving(), upgraded.state()["last"]["outcome"], upgraded.lock()) == ("1.0.0", "succeeded", None)
    assert deals(upgraded, "written before a rollback that is killed") == 0
    assert deals(upgraded, "written before a rollback that is killed", opened["database"]["replaced"]) == 1
    assert not [name for name in upgraded.databases() if "__prepared_" in name]


def test_a_rollback_takes_the_lock_from_a_running_deploy(upgraded: World) -> None:
    process = upgraded.start("deploy", "-e", "release_version=1.1.0", "-e", "gate_duration=25")
    try:
        assert wait_for(lambda: (upgraded.state()["open"] or {}).get("stage") == "gate")
        run = upgraded.play("rollback", variables={"rollback_level": 2, "release_reason": "errors"})
        output, _nothing = process.communicate(timeout=120)
    finally:
        if process.poll() is None:
            kill_controller(process)
    assert run.status == 0, run.output
    # The deploy was taken back, and that was the rollback: the version before it is not left as well.
    upgraded.assert_serves("1.0.0")
    closed = [(entry["release"][17:], entry["outcome"]) for entry in upgraded.entries() if entry["event"] == "closed"]
    assert closed[-2:] == [("1.1.0", "rolled_back"), ("rollback", "unchanged")]
    assert process.returncode != 0
    said = " ".join(output.split())
    assert re.search(r"the lock was taken over by \S+ at \S+ \(rollback: errors\)", said), output
    assert upgraded.lock() is None


def test_a_rollback_does_not_wait_for_a_backup(upgraded: World) -> None:
    run = upgraded.deploy("1.1.0")
    assert run.status == 0, run.output
    # A table that somebody holds keeps the dump on its way, and the application knows nothing of it.
    upgraded.sql("CREATE TABLE held (id integer)")
    upgraded.sql("ALTER TABLE held OWNER TO dealradar")
    try:
        with closing(psycopg2.connect(upgraded.admin_url("dealradar"))) as connection, connection.cursor() as cursor:
            cursor.execute("LOCK TABLE held IN ACCESS EXCLUSIVE MODE")
            backup = upgraded.start("backup")
            waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'held'::regclass AND NOT granted"
            assert wait_for(lambda: upgraded.sql(waiting) == [(1,)]), "the dump does not wait"
            run = upgraded.play("rollback", variables={"rollback_level": 2, "release_reason": "errors"})
        output, _nothing = backup.communicate(timeout=120)
    finally:
        upgraded.sql("DROP TABLE held")
    assert run.status == 0, run.output
    upgraded.assert_serves("1.0.0")
    # The backup ends without a record of its own: the rollback has closed it.
    assert backup.returncode != 0
    assert re.search(r"the lock was taken over by \S+ at \S+ \(rollback: errors\)", " ".join(output.split())), output
    assert (upgraded.state()["open"], upgraded.lock()) == (None, None)


@pytest.mark.parametrize("damage", ["edited", "cut"])
def test_a_journal_that_somebody_has_had_his_hands_in(upgraded: World, damage: str) -> None:
    path = max((upgraded.state_dir / "journal").glob("*.jsonl"))
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    middle = len(lines) // 2
    if damage == "edited":
        lines[middle] = lines[middle].replace(b'"time":', b'"when":', 1)
    else:
        del lines[middle]
    path.write_bytes(b"".join(lines))
    try:
        run = upgraded.play("rollback", variables={"rollback_level": "auto"})
    finally:
        path.write_bytes(whole)
    assert run.status != 0, run.output
    assert re.search(rf"Cannot trust the journal \S*{re.escape(path.name)}: ", run.said), run.output
    upgraded.assert_serves("1.0.0")
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

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pg_backup against a real server: a backup is whole and of one moment, or there is none."""

from __future__ import annotations

import os
import re
import resource
import signal
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
import pytest

from ansible_collections.sluice.release.plugins.module_utils.postgres import _dump, _inventory, _store
from ansible_collections.sluice.release.plugins.module_utils.postgres._client import connect
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import parse_url

if TYPE_CHECKING:
    from tests.integration.postgres.conftest import Shop


@contextmanager
def writing(shop: Shop) -> Iterator[None]:
    """Write, change and delete rows as fast as it goes while the block lasts."""
    done = threading.Event()
    written = threading.Event()

    def write() -> None:
        connection = psycopg2.connect(shop.url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            while not done.is_set():
                cursor.execute("INSERT INTO orders (user_id, status, total) VALUES (1, 'paid', 1), (2, 'open', 2)")
                cursor.execute("UPDATE users SET name = name || '.' WHERE id = 1")
                cursor.execute("DELETE FROM cache WHERE ctid IN (SELECT ctid FROM cache LIMIT 1)")
                cursor.execute("INSERT INTO cache SELECT 'k', g::text FROM generate_series(1, 5) g")
                written.set()
        connection.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert written.wait(10)
        yield
    finally:
        done.set()
        thread.join()


def test_a_backup_is_made_once_under_its_name(shop: Shop) -> None:
    expected = shop.backup(check=True, backup_id="before-1.1.0")
    assert shop.what_looks_like_a_backup() == []
    assert not shop.path.exists()
    made = shop.backup(backup_id="before-1.1.0", release="20261122T013000Z-1.1.0")
    again = shop.backup(backup_id="before-1.1.0")
    assert (expected["changed"], made["changed"], again["changed"]) == (True, True, False)
    assert expected.keys() == made.keys() == again.keys()
    assert expected["backup"].keys() == made["backup"].keys()
    assert again["backup"] == made["backup"]
    assert made["backup"]["tables"] == expected["backup"]["tables"] == 6
    assert made["backup"]["rows"] == 300 + 3000 + 200 + 50 + 2
    assert made["backup"]["verified"] is False
    manifest = shop.manifest("before-1.1.0")
    assert manifest["tables"]['"Odd One"."Order Lines"']["rows"] == 200
    assert manifest["large_objects"]["rows"] == 1
    assert manifest["release"] == "20261122T013000Z-1.1.0"
    assert manifest["sequences"]["public.users_id_seq"]["next"] == 301


def test_nothing_of_it_is_open_to_others(shop: Shop) -> None:
    path = Path(shop.backup()["backup"]["path"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.iterdir()} == {0o600}


def test_writes_meanwhile_are_no_difference(shop: Shop) -> None:
    for number in range(3):
        with writing(shop):
            made = shop.backup(backup_id=f"b{number}")
        assert made["changed"] is True
        assert shop.verify(backup_id=f"b{number}")["verified"] is True


def test_tables_that_come_and_go_meanwhile_are_no_difference(shop: Shop) -> None:
    done = threading.Event()

    def churn() -> None:
        while not done.is_set():
            shop.query("CREATE TABLE IF NOT EXISTS fleeting AS SELECT 1 AS a")
            shop.query("TRUNCATE cache")
            shop.query("INSERT INTO cache VALUES ('a', 'b')")
            shop.query("DROP TABLE fleeting")
            time.sleep(0.4)

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for number in range(3):
            assert shop.backup(backup_id=f"b{number}")["changed"] is True
    finally:
        done.set()
        thread.join()
    for number in range(3):
        assert shop.verify(backup_id=f"b{number}")["verified"] is True


def test_a_table_that_somebody_holds_is_named_as_the_cause(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_dump, "LOCK_WAIT", 1)
    holder = psycopg2.connect(shop.url)
    try:
        holder.cursor().execute("ALTER TABLE orders ADD COLUMN x int")
        failed = shop.backup()
    finally:
        holder.close()
    assert "pg_dump ended with status 1" in failed["msg"]
    assert "Wait until the ALTER TABLE or LOCK that holds a table has ended" in failed["msg"]
    assert shop.what_looks_like_a_backup() == []


@pytest.mark.parametrize(
    ("password", "database", "message"),
    [
        ("wrong-s3cret", "{name}", "password authentication failed"),
        (None, "no_such_database", 'database "no_such_database" does not exist'),
    ],
)
def test_a_wrong_url_leaves_nothing(shop: Shop, password: str | None, database: str, message: str) -> None:
    url = shop.server.url_of(database.format(name=shop.name), password=password)
    failed = shop.backup(database_url=url)
    assert failed["msg"].startswith("Cannot connect to postgresql://postgres@127.0.0.1")
    assert message in failed["msg"]
    assert "wrong-s3cret" not in failed["msg"]
    assert list(shop.path.glob("[!h]*")) == []


def test_the_password_is_in_no_argument_list(shop: Shop) -> None:
    """Watches all processes of this machine while a backup, a verification and a restore run."""
    seen: list[bytes] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    seen.append((process / "cmdline").read_bytes())
                except OSError:
                    continue

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        made = shop.backup()["backup"]
        shop.verify()
        shop.restore()
    finally:
        done.set()
        thread.join()
    tools = [line for line in seen if b"pg_dump" in line or b"pg_restore" in line]
    assert tools
    assert not any(shop.server.password.encode() in line for line in tools)
    for file in Path(made["path"]).iterdir():
        assert shop.server.password.encode() not in file.read_bytes()


def test_no_room_is_said_before_anything_is_done(shop: Shop) -> None:
    failed = shop.backup(free_mb_min=10**9)
    assert "the backup needs about" in failed["msg"]
    assert "1000000000.0 MiB must stay free" in failed["msg"]
    assert failed["needed_bytes"] > failed["free_bytes"] > 0
    assert shop.what_looks_like_a_backup() == []


def test_a_dump_that_cannot_be_written_leaves_nothing(shop: Shop) -> None:
    """A limit on the size of files stands for the full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        failed = shop.backup()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert failed["msg"].startswith("Cannot back up postgresql://")
    assert "pg_dump" in failed["msg"]
    assert [path.name for path in shop.path.iterdir()] == ["host.lock"]


def test_a_server_that_goes_half_way_leaves_nothing_and_loses_nothing(
    doomed_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = _inventory.read_contents

    def kill_then_read(*arguments: object) -> object:
        os.kill(doomed_shop.server.pid, signal.SIGKILL)
        return read(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(
        "ansible_collections.sluice.release.plugins.module_utils.postgres._dumping.read_contents", kill_then_read
    )
    failed = doomed_shop.backup()
    # The module's own session or pg_dump, whichever notices first.
    assert re.search("the connection to the server was lost|server closed the connection", failed["msg"]), failed
    assert doomed_shop.what_looks_like_a_backup() == []


def test_retention_counts_verified_backups(shop: Shop) -> None:
    now = datetime.now(UTC)
    for age in (9, 8, 7, 6, 5):
        shop.backup(backup_id=f"day-{age}")
        backdate(shop, f"day-{age}", now - timedelta(days=age))
    assert shop.backup(backup_id="unverified", keep=1, keep_days=0)["removed"] == []
    for age in (9, 8, 7, 6, 5):
        shop.verify(backup_id=f"day-{age}", level="archive")
    expected = shop.backup(check=True, backup_id="newest", keep=1, keep_days=0)
    assert shop.backup(check=True, backup_id="newest", keep=1)["removed"] == []  # they are younger than 30 days
    made = shop.backup(backup_id="newest", keep=1, keep_days=0)
    assert expected["removed"] == made["removed"] == ["day-8", "day-9"]
    assert shop.what_looks_like_a_backup() == ["day-5", "day-6", "day-7", "newest", "unverified"]
    assert shop.backup(backup_id="newest", keep=1, keep_days=0)["changed"] is False


def backdate(shop: Shop, backup_id: str, when: datetime) -> None:
    """Make a backup older, as if it had been made then."""
    found = _store.find_backup(str(shop.path), backup_id)
    assert found
    older = replace(found.manifest, created=when.isoformat(timespec="seconds"))
    (Path(found.path) / "manifest.json").write_bytes(older.render())


def test_the_wrong_tools_are_refused_by_name(shop: Shop, tmp_path: Path) -> None:
    for name in ("pg_dump", "pg_restore"):
        tool = tmp_path / name
        tool.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 15.18'\n")
        tool.chmod(0o755)
    failed = shop.backup(bin_path=str(tmp_path))
    assert "has version 15.18" in failed["msg"]
    assert "set bin_path" in failed["msg"]


def test_the_snapshot_ends_with_the_backup(shop: Shop) -> None:
    shop.backup()
    with connect(parse_url(shop.url)) as database:
        busy = database.rows(
            "SELECT application_name FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()", (shop.name,)
        )
    assert busy == []

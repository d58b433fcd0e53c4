# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pg_restore against a real server: the backup takes the database's place, or everything is as it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres import _restore
from ansible_collections.sluice.release.plugins.module_utils.postgres._client import connect
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import parse_url

if TYPE_CHECKING:
    from tests.integration.postgres.conftest import Shop

SPOIL = """
INSERT INTO orders (user_id, status) VALUES (1, 'paid'), (2, 'paid');
UPDATE users SET name = 'nobody' WHERE id = 1;
DELETE FROM cache;
CREATE TABLE later AS SELECT 1 AS a;
"""
LOSSES = [
    {"table": "public.cache", "what": "content", "rows_now": 0, "rows_in_backup": 2, "rows_lost": 0},
    {"table": "public.later", "what": "table", "rows_now": 1, "rows_in_backup": 0, "rows_lost": 1},
    {"table": "public.orders", "what": "rows", "rows_now": 3002, "rows_in_backup": 3000, "rows_lost": 2},
    {"table": "public.users", "what": "content", "rows_now": 300, "rows_in_backup": 300, "rows_lost": 0},
]


def test_the_backup_takes_the_place_and_the_replaced_is_kept(shop: Shop) -> None:
    shop.backup(backup_id="b")
    shop.query(SPOIL)
    checked = shop.restore(check=True)
    assert shop.databases() == {shop.name}
    assert shop.query("SELECT count(*) FROM orders") == [(3002,)]
    result = shop.restore()
    assert checked.keys() == result.keys()
    assert checked["losses"] == result["losses"] == LOSSES
    assert result["restored"]["backup_id"] == "b"
    assert shop.databases() == {shop.name, result["replaced"]}
    assert shop.query("SELECT count(*) FROM orders") == [(3000,)]
    assert shop.query("SELECT to_regclass('later')") == [(None,)]
    assert shop.query("SELECT count(*) FROM orders", result["replaced"]) == [(3002,)]
    # What was used before can be used again: sequences go on, identity columns too.
    assert shop.query("INSERT INTO users (name) VALUES ('new') RETURNING id") == [(301,)]
    assert shop.query("INSERT INTO orders (user_id) VALUES (1) RETURNING id") == [(3001,)]


def test_settings_owner_grants_limit_and_comment_stay(shop: Shop) -> None:
    shop.query(
        "DROP ROLE IF EXISTS keeper; DROP ROLE IF EXISTS reader; CREATE ROLE keeper; CREATE ROLE reader;",
        "postgres",
    )
    for statement in (
        "OWNER TO keeper",
        "SET work_mem = '7MB'",
        "SET search_path = '$user', public, \"Odd One\"",
        "CONNECTION LIMIT 17",
    ):
        shop.query(f"ALTER DATABASE {shop.name} {statement}", "postgres")
    shop.query(f"ALTER ROLE reader IN DATABASE {shop.name} SET statement_timeout = '5s'", "postgres")
    shop.query(f"REVOKE ALL ON DATABASE {shop.name} FROM PUBLIC", "postgres")
    shop.query(f"GRANT CONNECT ON DATABASE {shop.name} TO reader WITH GRANT OPTION", "postgres")
    shop.query(f"COMMENT ON DATABASE {shop.name} IS 'it''s the shop'", "postgres")

    def properties() -> Any:
        return shop.query(
            "SELECT pg_get_userbyid(datdba), datconnlimit, datacl::text, shobj_description(d.oid, 'pg_database'),"
            " (SELECT array_agg(setrole::regrole::text || setconfig::text ORDER BY 1) FROM pg_db_role_setting"
            f"  WHERE setdatabase = d.oid) FROM pg_database d WHERE datname = '{shop.name}'",
            "postgres",
        )

    before = properties()
    assert before[0][1] == 17
    shop.backup()
    shop.restore()
    try:
        assert properties() == before
        assert shop.query("SHOW search_path") == [('"$user", public, "Odd One"',)]
    finally:
        shop.drop()
        shop.query("DROP ROLE keeper; DROP ROLE reader", "postgres")


def test_sessions_are_ended_and_new_ones_find_the_new_database(shop: Shop) -> None:
    """A client that connects anew for every query sees the old rows, then the new ones, and hardly an error."""
    shop.backup()
    shop.query("INSERT INTO users (name) VALUES ('late')")
    idle = psycopg2.connect(shop.url)
    idle.cursor().execute("SELECT 1")
    counts: list[int | None] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            try:
                counts.append(shop.query("SELECT count(*) FROM users")[0][0])
            except psycopg2.Error:
                counts.append(None)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        result = shop.restore()
    finally:
        done.set()
        thread.join()
    assert result.get("changed") is True, result
    with pytest.raises(psycopg2.Error):
        idle.cursor().execute("SELECT 1")
    answers = [count for count in counts if count is not None]
    assert answers == sorted(answers, reverse=True)
    assert set(answers) <= {301, 300}
    assert answers[0] == 301
    # At the swap itself: the query that was cut off, and the connection that waited.
    assert len(counts) - len(answers) <= 3
    assert shop.query("SELECT count(*) FROM users") == [(300,)]


def test_a_database_that_is_gone_is_made_from_the_backup(shop: Shop) -> None:
    shop.query(f"ALTER DATABASE {shop.name} SET work_mem = '7MB'", "postgres")
    shop.backup()
    shop.drop()
    result = shop.restore()
    assert (result["replaced"], result["losses"]) == (None, [])
    assert shop.query("SELECT count(*) FROM orders") == [(3000,)]
    assert shop.query("SHOW work_mem") == [("7MB",)]


@pytest.mark.parametrize("spoiled", ["database.dump", "manifest.json"])
def test_a_damaged_backup_touches_nothing(shop: Shop, spoiled: str) -> None:
    shop.backup(backup_id="b")
    shop.query(SPOIL)
    file = shop.path / "b" / spoiled
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    failed = shop.restore(backup_id="b")
    assert failed["msg"].startswith("Cannot trust backup b: ")
    assert shop.databases() == {shop.name}
    assert shop.query("SELECT count(*) FROM orders") == [(3002,)]


def test_the_backup_of_another_database_is_refused_unless_it_is_meant(shop: Shop) -> None:
    shop.backup()
    other = f"{shop.name}_other"
    shop.query(f"CREATE DATABASE {other}", "postgres")
    url = shop.server.url_of(other)
    assert f"it is a backup of database {shop.name}" in shop.restore(database_url=url)["msg"]
    assert shop.restore(database_url=url, of_database=shop.name)["restored"]["database"] == other
    assert shop.query("SELECT count(*) FROM orders", other) == [(3000,)]


def test_a_table_that_cannot_be_read_does_not_stand_in_the_way(shop: Shop) -> None:
    shop.backup()
    # What a broken disk does to a table
    [(file,)] = shop.query("CHECKPOINT; SELECT pg_relation_filepath('empty')")
    Path(shop.server.data, file).unlink()
    shop.query("INSERT INTO orders (user_id) VALUES (1)")
    unreadable = shop.restore(check=True)["losses"]
    assert {loss["table"]: loss["what"] for loss in unreadable} == {
        "public.empty": "unreadable",
        "public.orders": "rows",
    }
    assert shop.restore()["changed"] is True
    assert shop.query("SELECT count(*) FROM empty") == [(0,)]


@pytest.mark.parametrize("broken", ["read_inventory", "_give_properties", "swap"])
def test_a_failure_before_the_swap_leaves_everything_as_it_was(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    shop.backup()
    shop.query(SPOIL)

    def fail(*_arguments: object) -> None:
        raise SluiceError("do this", "it is broken")

    monkeypatch.setattr(_restore, broken, fail)
    failed = shop.restore()
    assert failed["msg"] == "Cannot do this: it is broken."
    assert shop.databases() == {shop.name}
    assert shop.query("SELECT count(*) FROM orders") == [(3002,)]


def test_a_second_rename_that_fails_takes_the_first_back(shop: Shop) -> None:
    with connect(parse_url(shop.server.url)) as admin, pytest.raises(SluiceError, match="It is as it was"):
        _restore.swap(admin, connect, shop.name, f"{shop.name}_missing", f"{shop.name}__replaced_x")
    assert shop.databases() == {shop.name}
    assert shop.query("SELECT count(*) FROM orders") == [(3000,)]


def test_what_cannot_be_ended_is_named_and_nothing_is_swapped(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prepared transaction, or a session that the user may not end: here, nobody ends any."""
    monkeypatch.setattr(_restore, "_ATTEMPTS", 1)
    shop.query(f"CREATE DATABASE {shop.name}__restore_x", "postgres")
    stays = psycopg2.connect(shop.url, application_name="stays")
    ending: Any = _restore._ending_sessions
    monkeypatch.setattr(_restore, "_ending_sessions", lambda connect, url, names: ending(connect, url, []))
    with connect(parse_url(shop.server.url)) as admin, pytest.raises(SluiceError) as failed:
        _restore.swap(admin, connect, shop.name, f"{shop.name}__restore_x", f"{shop.name}__replaced_x")
    stays.close()
    assert "is being accessed by other users" in str(failed.value)
    assert "(postgres, stays)" in str(failed.value)
    assert shop.databases() == {shop.name, f"{shop.name}__restore_x"}
    assert shop.query("SELECT count(*) FROM orders") == [(3000,)]


RUNNER = """
import sys
from ansible.module_utils.testing import patch_module_args
from ansible_collections.sluice.release.plugins.modules import pg_restore
url, path, bin_path = sys.argv[1:]
with patch_module_args({"database_url": url, "path": path, "bin_path": bin_path, "backup_id": "latest"}):
    pg_restore.main()
"""


@pytest.mark.parametrize("delay", [0.3, 0.6, 0.9, 1.2])
def test_a_killed_restore_leaves_one_database_that_serves(shop: Shop, delay: float) -> None:
    shop.backup()
    shop.query(SPOIL)
    collections = Path(__file__).parents[3] / "collections"
    process = subprocess.Popen(
        [sys.executable, "-c", RUNNER, shop.url, str(shop.path), shop.server.bin_path],
        env={**os.environ, "PYTHONPATH": str(collections)},
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + delay
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    count = shop.query("SELECT count(*) FROM orders")[0][0]
    replaced = {name for name in shop.databases() if "__replaced_" in name}
    assert (count, len(replaced)) in ((3002, 0), (3000, 1))
    # Whatever is left aside goes with the next run, as soon as the server has noticed that the session is dead.
    result = again(shop)
    assert result.get("changed") is True, result
    assert shop.databases() == {shop.name, result["replaced"], *replaced}


def again(shop: Shop) -> dict[str, Any]:
    deadline = time.monotonic() + 20
    while True:
        result = shop.restore()
        if "another session works with" not in result.get("msg", "") or time.monotonic() > deadline:
            return result


def test_a_server_that_goes_half_way_loses_nothing(doomed_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    doomed_shop.backup()
    swap = _restore.swap

    def kill_then_swap(*arguments: Any) -> None:
        os.kill(doomed_shop.server.pid, signal.SIGKILL)
        # A dead server that nobody has waited for looks alive to the next one.
        os.waitpid(doomed_shop.server.pid, 0)
        swap(*arguments)

    monkeypatch.setattr(_restore, "swap", kill_then_swap)
    failed = doomed_shop.restore()
    assert "the server does not answer any more" in failed["msg"]
    assert "nothing was swapped" in failed["msg"]
    assert failed["left_behind"].startswith(f"{doomed_shop.name}__restore_")
    monkeypatch.undo()
    server = start_again(doomed_shop)
    try:
        assert doomed_shop.query("SELECT count(*) FROM orders") == [(3000,)]
        result = doomed_shop.restore()
        assert doomed_shop.databases() == {doomed_shop.name, result["replaced"]}
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


def start_again(shop: Shop) -> subprocess.Popen[bytes]:
    """Start the killed server anew."""
    server = shop.server
    argv = [f"{server.bin_path}/postgres", "-D", server.data, "-c", f"port={server.port}"]
    argv += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
    if os.geteuid() == 0:
        argv = ["setpriv", "--pdeathsig", "INT", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *argv]
    deadline = time.monotonic() + 30
    process = None
    while time.monotonic() < deadline:
        if process is None or process.poll() is not None:
            # Refused as long as processes of the killed one still end.
            process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
        try:
            shop.query("SELECT 1", "postgres")
        except psycopg2.Error:
            time.sleep(0.1)
        else:
            return process
    pytest.fail("the server did not start again")

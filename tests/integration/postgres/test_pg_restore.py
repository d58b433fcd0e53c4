# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pg_restore against a real server: the backup takes the database's place, or everything is as it was."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres import _restore, _store
from ansible_collections.sluice.release.plugins.module_utils.postgres._client import connect
from ansible_collections.sluice.release.plugins.module_utils.postgres._manifest import FILE
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import parse_url

if TYPE_CHECKING:
    from tests.integration.postgres.conftest import Shop

SPOIL = """
INSERT INTO orders (user_id, status) VALUES (1, 'paid'), (2, 'paid');
UPDATE users SET name = 'nobody' WHERE id = 1;
DELETE FROM cache;
CREATE TABLE later AS SELECT 1 AS a;
"""
KEYS = ("table", "what", "rows_now", "rows_in_backup", "rows_lost", "rows_changed")
LOSSES = [
    ("public.cache", "content", 0, 2, 0, 0),
    ("public.later", "table", 1, 0, 1, 1),
    ("public.orders", "rows", 3002, 3000, 2, 2),
    ("public.users", "content", 300, 300, 0, 1),
]


def counted(losses: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [tuple(loss[key] for key in KEYS) for loss in losses]


def test_the_backup_takes_the_place_and_the_replaced_is_kept(shop: Shop) -> None:
    shop.backup(backup_id="b")
    shop.query(SPOIL)
    checked = shop.restore(check=True)
    assert shop.databases() == {shop.name}
    assert shop.query("SELECT count(*) FROM orders") == [(3002,)]
    result = shop.restore()
    assert checked.keys() == result.keys()
    assert counted(checked["losses"]) == counted(result["losses"]) == LOSSES
    [(joined,)] = shop.query("SELECT max(joined) AT TIME ZONE 'UTC' FROM users", result["replaced"])
    assert [loss["newest"] for loss in result["losses"]] == [
        [],
        [],
        [],
        [{"column": "joined", "time": f"{joined:%Y-%m-%d %H:%M:%S.%f}".rstrip("0").rstrip(".") + "+00"}],
    ]
    # All rows of the restored database are new to the server, so it cannot tell which of them were written since.
    shop.query("DELETE FROM orders WHERE id = 1")
    assert counted(shop.restore(check=True)["losses"]) == [("public.orders", "content", 2999, 3000, 0, None)]
    shop.query("INSERT INTO orders (user_id) VALUES (1)")
    assert result["restored"]["backup_id"] == "b"
    assert shop.databases() == {shop.name, result["replaced"]}
    assert shop.query("SELECT count(*) FROM orders") == [(3000,)]
    assert shop.query("SELECT to_regclass('later')") == [(None,)]
    assert shop.query("SELECT count(*) FROM orders", result["replaced"]) == [(3002,)]
    # What was used before can be used again: sequences go on, identity columns too.
    assert shop.query("INSERT INTO users (name) VALUES ('new') RETURNING id") == [(301,)]
    assert shop.query("INSERT INTO orders (user_id) VALUES (1) RETURNING id") == [(3002,)]


def test_in_two_steps_that_can_be_taken_back_and_run_again(shop: Shop) -> None:
    shop.backup(backup_id="b")
    shop.query(SPOIL)
    first = shop.restore(state="prepared")
    # It is proven, and waits; the live one serves on.
    assert shop.databases() == {shop.name, first["prepared"]}
    assert shop.query("SELECT count(*) FROM orders", first["prepared"]) == [(3000,)]
    # What is lost is not known before the swap; how much the backup is, is.
    assert first["losses"] == []
    assert (first["rows"] > 3000, first["tables"] > 1, first["bytes"] > 1000) == (True, True, True)
    shop.query("INSERT INTO orders (user_id) VALUES (1)")
    names = {key: first[key] for key in ("prepared", "replaced")}
    for changed in (True, False):
        swapped = shop.restore(state="swapped", backup_id="b", **names)
        assert (swapped["changed"], swapped["replaced"]) == (changed, first["replaced"])
        assert swapped.keys() == first.keys()
        assert [swapped[key] for key in ("bytes", "tables", "rows")] == [
            first[key] for key in ("bytes", "tables", "rows")
        ]
        assert shop.databases() == {shop.name, first["replaced"]}
        # What was written while it waited is counted, too.
        assert [loss for loss in counted(swapped["losses"]) if loss[0] == "public.orders"] == [
            ("public.orders", "rows", 3003, 3000, 3, 3)
        ]
    for changed in (True, False):
        assert shop.restore(state="returned", **names)["changed"] is changed
        assert shop.databases() == {shop.name, first["prepared"]}
        assert shop.query("SELECT count(*) FROM orders") == [(3003,)]
    # What is left of it the next one drops.
    second = shop.restore(state="prepared")
    assert shop.databases() == {shop.name, second["prepared"]}


def test_the_latest_is_the_one_that_was_made_last_although_a_clock_was_wrong(shop: Shop) -> None:
    shop.backup(backup_id="a")
    made = _store.find_backup(str(shop.path), "a")
    assert made is not None
    # As if the clock had been an hour ahead.
    later = (made.created + timedelta(hours=1)).isoformat(timespec="seconds")
    (shop.path / "a" / FILE).write_bytes(replace(made.manifest, created=later).render())
    for name in ("b", "c"):
        shop.query("INSERT INTO orders (user_id) VALUES (1)")
        shop.backup(backup_id=name)
    shop.query("INSERT INTO orders (user_id) VALUES (1)")
    result = shop.restore()
    assert result["restored"]["backup_id"] == "c"
    assert shop.query("SELECT count(*) FROM orders") == [(3002,)]


def test_what_was_prepared_is_dropped_and_nothing_else(shop: Shop) -> None:
    shop.backup(backup_id="b")
    prepared = shop.restore(state="prepared")["prepared"]
    refused = shop.restore(state="discarded", prepared=shop.name)["msg"]
    assert refused.startswith(f"Cannot drop database {shop.name}: it is none that was prepared")
    assert shop.restore(check=True, state="discarded", prepared=prepared)["removed"] == [prepared]
    assert shop.databases() == {shop.name, prepared}
    for removed in ([prepared], []):
        result = shop.restore(state="discarded", prepared=prepared)
        assert (result["removed"], result["changed"]) == (removed, bool(removed))
        assert shop.databases() == {shop.name}


def test_the_database_of_a_shadow_is_dropped_with_what_restores_have_left(shop: Shop) -> None:
    shop.backup(backup_id="b")
    refused = shop.restore(state="absent")["msg"]
    assert refused.startswith(f"Cannot drop database {shop.name}: its name does not end with __shadow")
    shadow = f"{shop.name}__shadow"
    url = shop.server.url_of(shadow)
    for _round in range(2):
        shop.restore(database_url=url, of_database=shop.name)
    shop.restore(database_url=url, of_database=shop.name, state="prepared")
    left = shop.databases()
    assert len(left) == 4
    assert shop.restore(check=True, database_url=url, state="absent")["changed"] is True
    assert shop.databases() == left
    for changed in (True, False):
        assert shop.restore(database_url=url, state="absent")["changed"] is changed
        assert shop.databases() == {shop.name}


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
    shop.backup(backup_id="b")
    other = f"{shop.name}_other"
    shop.query(f"CREATE DATABASE {other}", "postgres")
    url = shop.server.url_of(other)
    assert f"it is a backup of database {shop.name}" in shop.restore(database_url=url, backup_id="b")["msg"]
    assert shop.restore(database_url=url)["msg"].startswith("Cannot find the latest backup: there is none")
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
    monkeypatch.setattr(_restore, "_ending_sessions", lambda connect, url, _names, time: ending(connect, url, [], time))
    with connect(parse_url(shop.server.url)) as admin, pytest.raises(SluiceError) as failed:
        _restore.swap(admin, connect, shop.name, f"{shop.name}__restore_x", f"{shop.name}__replaced_x")
    stays.close()
    assert "is being accessed by other users" in str(failed.value)
    assert "(postgres, stays)" in str(failed.value)
    assert shop.databases() == {shop.name, f"{shop.name}__restore_x"}
    assert shop.query("SELECT count(*) FROM orders") == [(3000,)]


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
    server = doomed_shop.start_again()
    try:
        assert doomed_shop.query("SELECT count(*) FROM orders") == [(3000,)]
        result = doomed_shop.restore()
        assert doomed_shop.databases() == {doomed_shop.name, result["replaced"]}
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()

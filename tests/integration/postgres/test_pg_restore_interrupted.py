# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores that are interrupted at random moments, drained, and tidied up after."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

if TYPE_CHECKING:
    from tests.integration.postgres.conftest import Shop

SEED = 20261122
KINDS = ["module"] * 5 + ["pg_restore"] * 3 + ["sessions"] * 2 + ["server"] * 2
LIMIT = 30.0

CONTENT = """
SELECT (SELECT md5(string_agg(o::text, '|' ORDER BY id)) FROM orders o),
       (SELECT md5(string_agg(u::text, '|' ORDER BY id)) FROM users u),
       (SELECT md5(string_agg(md5(lo_get(oid)), '|' ORDER BY oid)) FROM pg_largeobject_metadata)
"""


def interrupt(shop: Shop, process: Any, kind: str) -> subprocess.Popen[bytes] | None:
    """Kill the restore, a part of it, or its server; return the server that was started instead."""
    if kind == "module":
        process.kill()
    elif kind == "pg_restore":
        for thread in Path(f"/proc/{process.pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                for child in thread.read_text().split():
                    os.kill(int(child), signal.SIGKILL)
    elif kind == "sessions":
        shop.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'sluice%'", "postgres"
        )
    else:
        with open(f"{shop.server.data}/postmaster.pid", encoding="ascii") as stream:
            server = int(stream.readline())
        os.kill(server, signal.SIGKILL)
        os.waitpid(server, 0)
        return shop.start_again()
    return None


def settled(shop: Shop) -> None:
    """Wait until the server has ended the sessions of the dead."""
    deadline = time.monotonic() + LIMIT
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'sluice%'"
    while shop.query(query, "postgres") != [(0,)] and time.monotonic() < deadline:
        time.sleep(0.02)


def test_whenever_a_restore_is_interrupted_one_whole_database_serves(doomed_shop: Shop) -> None:
    shop = doomed_shop
    shop.backup()
    saved = shop.query(CONTENT)
    began = time.monotonic()
    assert shop.restore()["changed"] is True
    usual = time.monotonic() - began
    moments = random.Random(SEED)
    kinds = moments.sample(KINDS, len(KINDS))
    servers: list[subprocess.Popen[bytes]] = []
    interrupted = 0
    try:
        for number, kind in enumerate(kinds):
            shop.query(f"INSERT INTO orders (user_id, total) VALUES (1, {number})")
            written = shop.query(CONTENT)
            process = multiprocessing.get_context("fork").Process(target=shop.restore)
            process.start()
            process.join(moments.uniform(0.02, usual))
            interrupted += process.is_alive()
            started = interrupt(shop, process, kind)
            if started:
                servers.append(started)
            process.join(LIMIT)
            assert process.exitcode is not None, f"{number}: {kind} hangs"
            settled(shop)
            # No connection is refused, and what answers is one of the two, to the last bit.
            assert shop.query(CONTENT) in (written, saved), f"{number}: {kind}"
            assert shop.query("SELECT datname FROM pg_database WHERE NOT datallowconn AND datname <> 'template0'") == []
        result = shop.restore()
        assert result.get("changed") is True, result
        assert shop.query(CONTENT) == saved
        assert [name for name in shop.databases() if "__restore_" in name] == []
        assert interrupted >= len(KINDS) // 2
    finally:
        for server in servers:
            server.send_signal(signal.SIGINT)
            server.wait()


@pytest.mark.parametrize(("drain", "survives"), [(10.0, True), (0.1, False)])
def test_a_transaction_may_end_before_its_session_is_ended(shop: Shop, drain: float, survives: bool) -> None:
    shop.backup()
    writer = psycopg2.connect(shop.url)
    writer.cursor().execute("INSERT INTO orders (user_id, status) VALUES (1, 'paid')")
    committed: list[bool] = []

    def commit() -> None:
        deadline = time.monotonic() + LIMIT
        swapping = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'ALTER DATABASE%RENAME%' AND state = 'active'"
        while not shop.query(swapping, "postgres") and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.5)
        try:
            writer.commit()
            committed.append(True)
        except psycopg2.Error:
            committed.append(False)

    thread = threading.Thread(target=commit)
    thread.start()
    try:
        result = shop.restore(drain_timeout=drain)
    finally:
        thread.join()
        writer.close()
    assert committed == [survives]
    # What was written while others were kept out already counts, too.
    assert [(loss["table"], loss["rows_lost"]) for loss in result["losses"]] == [("public.orders", 1)] * survives
    assert shop.query("SELECT count(*) FROM orders") == [(3000,)]


def test_replaced_databases_go_when_the_limits_keep_them_no_more(shop: Shop) -> None:
    shop.backup()
    old = [f"{shop.name}__replaced_2020010{day}T000000Z" for day in range(1, 6)]
    other = f"{shop.name}__replaced_x__replaced_20200101T000000Z"
    for name in (*old, other):
        shop.query(f'CREATE DATABASE "{name}" STRATEGY FILE_COPY', "postgres")
    checked = shop.restore(check=True, keep_replaced=3, keep_replaced_days=30)
    assert checked["removed"] == [old[2], old[1], old[0]]
    assert {*old, other} <= shop.databases()
    looking = psycopg2.connect(shop.server.url_of(old[1]))
    try:
        result = shop.restore(keep_replaced=3, keep_replaced_days=30)
    finally:
        looking.close()
    assert result["removed"] == [old[2], old[0]]
    assert old[1] in str(result["warnings"])
    assert shop.databases() == {shop.name, result["replaced"], old[1], old[3], old[4], other}


def test_a_backup_of_some_schemas_does_not_replace_all_others(shop: Shop) -> None:
    shop.backup(backup_id="b", schemas=["Odd One"])
    failed = shop.restore(backup_id="b")
    assert "it holds only the schemas Odd One, and would replace all others, too" in failed["msg"]
    assert shop.databases() == {shop.name}

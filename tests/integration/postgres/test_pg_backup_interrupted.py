# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pg_backup ended at twenty random moments: nothing looks like a backup, nothing is left, nothing is blocked."""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from ansible_collections.sluice.release.plugins.module_utils.postgres import _backup

if TYPE_CHECKING:
    from tests.integration.postgres.conftest import Shop

CHANCE = random.Random(20261122)
FORMS: list[dict[str, Any]] = [{"format": "custom"}, {"format": "directory", "jobs": 2}]

MODULE = """
import json, sys
from ansible.module_utils.testing import patch_module_args
from ansible_collections.sluice.release.plugins.modules import pg_backup
with patch_module_args(json.load(sys.stdin)):
    pg_backup.main()
"""


def moments(longest: float) -> list[Any]:
    """Five moments, in seconds from when the tools run; the same ones in every run."""
    return [
        pytest.param(CHANCE.uniform(0, longest), FORMS[number % 2], id=f"{number}-{FORMS[number % 2]['format']}")
        for number in range(5)
    ]


def grow(shop: Shop) -> None:
    """Make the dump last for some tenths of a second. Unlogged rows do not outlive a crash, backup or not."""
    shop.query("DROP TABLE cache; INSERT INTO users (name) SELECT md5(i::text) || i FROM generate_series(1, 40000) i")


def content(shop: Shop) -> list[tuple[Any, ...]]:
    return shop.query(
        "SELECT 'users', count(*), sum(hashtextextended(u::text, 0)) FROM users u UNION ALL"
        " SELECT 'orders', count(*), sum(hashtextextended(o::text, 0)) FROM orders o UNION ALL"
        " SELECT 'lo', count(*), sum(hashtextextended(md5(lo_get(oid)), 0)) FROM pg_largeobject_metadata"
    )


def until(true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


def tools_of(shop: Shop) -> list[int]:
    """Processes of pg_dump and pg_dumpall that write below the shop's directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if words[0].startswith(shop.server.bin_path.encode()) and any(str(shop.path).encode() in w for w in words):
                found.append(int(process.name))
    return found


def nobody_is_there(shop: Shop) -> bool:
    return shop.query(f"SELECT 1 FROM pg_stat_activity WHERE datname = '{shop.name}'", "postgres") == []


def assert_untouched(shop: Shop, before: list[tuple[Any, ...]], made: bool) -> None:
    """Nothing that looks like a backup, no process, no session, no lock; then a backup of that name can be made."""
    assert shop.what_looks_like_a_backup() == (["b"] if made else [])
    until(lambda: not tools_of(shop), "a tool lives on")
    until(lambda: nobody_is_there(shop), "a session lives on")
    shop.query("SET lock_timeout = '1s'; LOCK TABLE users, orders IN ACCESS EXCLUSIVE MODE")
    assert content(shop) == before
    assert shop.databases() == {shop.name}
    assert shop.backup(backup_id="b")["changed"] is not made
    assert shop.verify(backup_id="b", level="restore" if made else "manifest")["verified"] is True
    assert sorted(path.name for path in shop.path.iterdir()) == ["b", "host.lock"]


@pytest.mark.parametrize(("moment", "form"), moments(0.5))
def test_the_module_is_killed(shop: Shop, moment: float, form: dict[str, Any]) -> None:
    grow(shop)
    before = content(shop)
    options = {"database_url": shop.url, "path": str(shop.path), "bin_path": shop.server.bin_path, "free_mb_min": 1}
    process = subprocess.Popen(
        [sys.executable, "-c", MODULE],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "collections")},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin
    with process.stdin as stream:
        json.dump({**options, "backup_id": "b", **form}, stream)
    until(lambda: list(shop.path.glob(".b.*")) or process.poll() is not None, "the module does not begin")
    time.sleep(moment)
    process.send_signal(signal.SIGKILL)
    process.wait()
    # It may be killed when the backup is published already; then it is whole.
    assert_untouched(shop, before, made=shop.what_looks_like_a_backup() == ["b"])


@pytest.mark.parametrize(("moment", "form"), moments(0.25))
def test_pg_dump_is_killed(shop: Shop, moment: float, form: dict[str, Any]) -> None:
    grow(shop)
    before = content(shop)

    def kill() -> None:
        until(lambda: tools_of(shop), "no pg_dump runs")
        time.sleep(moment)
        for process in tools_of(shop):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    result = shop.backup(backup_id="b", **form)
    killer.join()
    assert "failed" not in result or "pg_dump" in result["msg"]
    assert_untouched(shop, before, made="failed" not in result)


@pytest.mark.parametrize(("moment", "form"), moments(0.25))
def test_the_disk_is_full(shop: Shop, moment: float, form: dict[str, Any]) -> None:
    """A limit on the size of files stands for the full disk; here the moment is a number of bytes."""
    grow(shop)
    before = content(shop)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(moment * 4_000_000), hard))
    try:
        result = shop.backup(backup_id="b", **form)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert result["msg"].startswith("Cannot back up postgresql://")
    assert list(shop.path.glob(".b.*")) == []
    assert_untouched(shop, before, made=False)


def test_the_server_goes(doomed_shop: Shop) -> None:
    """The kernel kills one of its processes; it ends all sessions, recovers, and serves again."""
    shop = doomed_shop
    grow(shop)
    before = content(shop)

    def kill(moment: float) -> None:
        until(lambda: tools_of(shop), "no pg_dump runs")
        time.sleep(moment)
        with contextlib.suppress(psycopg2.Error), psycopg2.connect(shop.server.url) as connection:
            os.kill(connection.info.backend_pid, signal.SIGKILL)
            connection.cursor().execute("SELECT pg_sleep(10)")

    for number in range(5):
        shop.path = shop.path.with_name(f"backups{number}")
        killer = threading.Thread(target=kill, args=[CHANCE.uniform(0, 0.25)])
        killer.start()
        result = shop.backup(backup_id="b", **FORMS[number % 2])
        killer.join()
        until(lambda: answers(shop), "the server does not come back")
        assert_untouched(shop, before, made="failed" not in result)


def answers(shop: Shop) -> bool:
    try:
        return shop.query("SELECT 1") == [(1,)]
    except psycopg2.Error:
        return False


@pytest.mark.parametrize("form", FORMS)
def test_a_small_disk_is_full(shop: Shop, form: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The real thing, where it can be had: a file system of half a megabyte, of which nothing must stay free."""
    shop.path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(shop.path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root can mount a file system")
    try:
        grow(shop)
        # The estimate would not even let it begin.
        assert "the backup needs about" in shop.backup(backup_id="b", free_mb_min=0, **form)["msg"]
        monkeypatch.setattr(_backup, "needed_bytes", lambda *arguments: 0)
        failed = shop.backup(backup_id="b", free_mb_min=0, **form)
        assert "No space left on device" in failed["msg"]
        assert [path.name for path in shop.path.iterdir()] == ["host.lock"]
        until(lambda: nobody_is_there(shop), "a session lives on")
    finally:
        subprocess.run(["umount", str(shop.path)], check=True)

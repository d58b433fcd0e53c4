# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verification in a server of its own, and damage that only a comparison of the restored data can find."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.postgres import _verify

if TYPE_CHECKING:
    from tests.integration.postgres.conftest import Shop

USER = {"scratch_user": "nobody"} if os.geteuid() == 0 else {}

# What goes wrong in the restored copy, and how the result names it.
DAMAGE = {
    "UPDATE public.users SET name = 'x' WHERE id = 7": ("table", "public.users", "content"),
    "DELETE FROM public.orders WHERE id = 5": ("table", "public.orders", "rows"),
    "TRUNCATE public.cache": ("table", "public.cache", "rows"),
    "SELECT setval('public.users_id_seq', 5)": ("sequence", "public.users_id_seq", "behind"),
    "SELECT lo_unlink(min(oid)) FROM pg_largeobject_metadata": ("large_object", "{first}", "missing"),
    "SELECT lo_put(max(oid), 0, 'b') FROM pg_largeobject_metadata": ("large_object", "{last}", "content"),
    "DROP INDEX public.orders_lower_idx": ("object", "INDEX public.orders_lower_idx", "missing"),
    "REVOKE SELECT ON public.orders FROM PUBLIC": ("object", "ACL public.TABLE orders", "missing"),
    "ALTER TABLE public.empty ALTER a TYPE int8": ("object", "TABLE public.empty", "definition"),
}


def test_damage_in_the_restored_copy_is_found_and_named(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.query("SELECT lo_from_bytea(0, 'another one')")
    [(first, last)] = shop.query("SELECT min(oid), max(oid) FROM pg_largeobject_metadata")
    shop.backup(backup_id="b")
    restore_into = _verify.restore_into

    def restore_and_damage(*arguments: Any) -> None:
        restore_into(*arguments)
        for sql in DAMAGE:
            shop.query(sql, arguments[2].database)

    monkeypatch.setattr(_verify, "restore_into", restore_and_damage)
    failed = shop.verify()
    named = {(one["kind"], one["name"], one["what"]) for one in failed["differences"]}
    expected = {(kind, name.format(first=first, last=last), what) for kind, name, what in DAMAGE.values()}
    assert named == expected
    assert "table public.orders has 2999 rows instead of 3000" in failed["msg"]
    assert shop.databases() == {shop.name}


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a short name that other users may pass through."""
    made = Path(tempfile.mkdtemp(prefix="sluice-test-"))
    made.chmod(0o711 if os.geteuid() else 0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def test_a_server_of_its_own_is_enough_and_leaves_nothing(shop: Shop, place: Path) -> None:
    shop.query("DROP ROLE IF EXISTS keeper; CREATE ROLE keeper", "postgres")
    shop.query("ALTER TABLE users OWNER TO keeper; GRANT SELECT ON orders TO keeper")
    shop.backup(backup_id="b", format="directory")
    embedded = {"scratch": "embedded", "scratch_path": str(place), **USER}
    result = shop.verify(database_url=None, **embedded)
    assert result.get("verified") is True, result
    assert result["level"] == "restore"
    assert list(place.iterdir()) == []
    shop.drop()
    shop.query("DROP ROLE keeper", "postgres")


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"scratch_user": "no-such-user"}, "there is no user no-such-user"),
        ({"scratch_user": "root"}, "PostgreSQL refuses to run as root"),
        ({"scratch_path": "/no/such/place"}, "/no/such/place is no directory"),
        ({"bin_path": "/no/such/bin"}, "it needs initdb and postgres of version 18 or newer"),
    ],
)
def test_a_server_that_cannot_start_says_why(shop: Shop, options: dict[str, str], cause: str) -> None:
    shop.backup()
    failed = shop.verify(scratch="embedded", **{**USER, **options})
    assert cause in failed["msg"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused")
def test_root_must_name_a_user(shop: Shop) -> None:
    shop.backup()
    failed = shop.verify(scratch="embedded")
    assert "Set scratch_user to a user without privileges" in failed["msg"]


def test_what_a_killed_verification_left_is_gone_with_the_next(shop: Shop, place: Path) -> None:
    shop.backup()
    embedded = {"scratch": "embedded", "scratch_path": str(place), **USER}
    process = multiprocessing.get_context("fork").Process(target=shop.verify, kwargs=embedded)
    process.start()
    server = _wait(lambda: next((found for path in place.glob("*/data/postmaster.pid") if (found := _pid(path))), None))
    assert server is not None, "the server started"
    process.kill()
    process.join()
    assert _wait(lambda: not Path(f"/proc/{server}").exists()), "a server whose verification is gone ends by itself"
    assert len(list(place.iterdir())) == 1
    # Processes of the server that outlive it for a moment still hold what it has left.
    assert _wait(lambda: shop.verify(**embedded).get("verified") is True and not list(place.iterdir()))


def _pid(path: Path) -> int | None:
    """The server's process, or None while the file is being written."""
    with contextlib.suppress(FileNotFoundError):
        first = re.match(r"(\d+)\s", path.read_text())
        return int(first[1]) if first else None
    return None


def _wait(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What ``condition`` says, as soon as it is true, or when the time is up."""
    deadline = time.monotonic() + seconds
    while not (said := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return said

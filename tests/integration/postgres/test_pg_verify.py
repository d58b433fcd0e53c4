# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pg_verify against a real server: every damage is found, nothing else is, and nothing is left behind."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._progress import Progress
from ansible_collections.sluice.release.plugins.module_utils._runner import SubprocessRunner
from ansible_collections.sluice.release.plugins.module_utils.postgres import _store
from ansible_collections.sluice.release.plugins.module_utils.postgres._backup import (
    BackupOptions,
    Means,
    make_backup,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._client import connect
from ansible_collections.sluice.release.plugins.module_utils.postgres._digest import Content, SequenceState
from ansible_collections.sluice.release.plugins.module_utils.postgres._manifest import SetFile
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import parse_url
from ansible_collections.sluice.release.plugins.module_utils.postgres._verify import VerifyOptions, verify_backup

if TYPE_CHECKING:
    from tests.integration.conftest import Postgres
    from tests.integration.postgres.conftest import Shop

VERIFY = "ansible_collections.sluice.release.plugins.module_utils.postgres._verify"


@pytest.mark.parametrize("level", ["manifest", "archive", "restore"])
def test_a_good_backup_is_good_at_every_level(shop: Shop, level: str) -> None:
    shop.backup(backup_id="b")
    result = shop.verify(level=level)
    assert {key: result[key] for key in ("backup_id", "level", "verified", "differences", "changed")} == {
        "backup_id": "b",
        "level": level,
        "verified": True,
        "differences": [],
        "changed": False,
    }
    assert shop.backup(backup_id="b")["backup"]["verified"] is (level != "manifest")
    assert shop.databases() == {shop.name}


def test_check_mode_makes_no_database_and_no_record(shop: Shop) -> None:
    shop.backup(backup_id="b")
    before = sorted(path.name for path in (shop.path / "b").iterdir())
    checked = shop.verify(check=True)
    assert (checked["level"], checked["verified"]) == ("archive", True)
    assert sorted(path.name for path in (shop.path / "b").iterdir()) == before
    assert checked.keys() == shop.verify().keys()


def test_the_source_is_not_even_read(shop: Shop) -> None:
    shop.backup()
    shop.query(f"ALTER DATABASE {shop.name} ALLOW_CONNECTIONS false", "postgres")
    assert shop.verify(database_url=shop.server.url)["verified"] is True
    shop.query(f"ALTER DATABASE {shop.name} ALLOW_CONNECTIONS true", "postgres")


def test_what_was_written_since_is_no_difference(shop: Shop) -> None:
    shop.backup()
    shop.query("DELETE FROM orders; DROP TABLE cache; CREATE TABLE later (a int)")
    assert shop.verify()["verified"] is True
    assert shop.query("SELECT count(*) FROM orders") == [(0,)]


Spoil = Callable[[Path], None]


def flip(file: str, where: float, bit: int) -> Spoil:
    def spoil(path: Path) -> None:
        data = bytearray((path / file).read_bytes())
        data[int(where * len(data))] ^= 1 << bit
        (path / file).write_bytes(data)

    return spoil


def cut(file: str, where: float) -> Spoil:
    def spoil(path: Path) -> None:
        os.truncate(path / file, int(where * (path / file).stat().st_size))

    return spoil


def zero(where: float) -> Spoil:
    def spoil(path: Path) -> None:
        data = bytearray((path / "database.dump").read_bytes())
        begin = int(where * len(data))
        data[begin : begin + 512] = bytes(len(data[begin : begin + 512]))
        (path / "database.dump").write_bytes(data)

    return spoil


def grow(path: Path) -> None:
    with (path / "database.dump").open("ab") as stream:
        stream.write(b"\0")


def lose(file: str) -> Spoil:
    return lambda path: (path / file).unlink()


def damages() -> list[Any]:
    """Some forty ways to spoil a backup; the same ones in every run."""
    chance = random.Random(20261122)
    spoils: dict[str, Spoil] = {"grow": grow}
    for number in range(16):
        spoils[f"flip-{number}"] = flip("database.dump", chance.random(), chance.randrange(8))
    # The table of contents lies at the beginning, and half of the flips there make pg_restore see another schema.
    for number in range(6):
        spoils[f"flip-contents-{number}"] = flip("database.dump", chance.random() * 0.2, chance.randrange(8))
    for number in range(4):
        spoils[f"zero-{number}"] = zero(chance.random() * 0.95)
        spoils[f"flip-manifest-{number}"] = flip("manifest.json", chance.random(), chance.randrange(8))
    for where in (0, 0.001, 0.1, 0.5, 0.9, 0.9999):
        spoils[f"cut-at-{where}"] = cut("database.dump", where)
    for where in (0, 0.5, 0.9999):
        spoils[f"cut-manifest-at-{where}"] = cut("manifest.json", where)
    for file in ("database.dump", "manifest.json"):
        spoils[f"no-{file}"] = lose(file)
    return [pytest.param(spoil, id=name) for name, spoil in spoils.items()]


MEANS = Means(connect, SubprocessRunner(), SubprocessRunner(), Progress(None), print)


@pytest.fixture(scope="module")
def sound(postgres: Postgres, template: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of a sound backup."""
    path = tmp_path_factory.mktemp("sound")
    url = parse_url(postgres.url_of(template))
    make_backup(BackupOptions(url, str(path), "b", bin_path=postgres.bin_path, free_mb_min=1), MEANS)
    return path / "b"


@pytest.mark.parametrize("spoil", damages())
def test_every_damage_is_found(sound: Path, tmp_path: Path, spoil: Spoil) -> None:
    """The quickest level finds them all, so the others, which begin with it, do."""
    shutil.copytree(sound, tmp_path / "b")
    options = VerifyOptions(str(tmp_path), "b", "manifest")
    assert verify_backup(options, MEANS)["verified"] is True
    spoil(tmp_path / "b")
    with pytest.raises(SluiceError, match=r"^Cannot trust backup b: ") as found:
        verify_backup(options, MEANS)
    assert found.value.fields["verified"] is False
    assert [backup.id for backup in _store.list_backups(str(tmp_path)) if backup.verified] == []


def reseal(path: Path, **changes: Any) -> None:
    """Write a manifest that is sound in itself and says something else."""
    found = _store.find_backup(str(path.parent), path.name)
    assert found
    (path / "manifest.json").write_bytes(replace(found.manifest, **changes).render())


def seal_dump(path: Path) -> None:
    """Make size and checksum those of the archive as it is now."""
    data = (path / "database.dump").read_bytes()
    found = _store.find_backup(str(path.parent), path.name)
    assert found
    reseal(path, files={**found.manifest.files, "database.dump": SetFile(len(data), hashlib.sha256(data).hexdigest())})


@pytest.mark.parametrize("where", [0.3, 0.5, 0.7, 0.9])
def test_damage_from_before_the_checksum_is_found_by_reading(shop: Shop, where: float) -> None:
    shop.backup(backup_id="b")
    dump = shop.path / "b" / "database.dump"
    os.truncate(dump, int(dump.stat().st_size * where))
    seal_dump(shop.path / "b")
    assert shop.verify(level="manifest")["verified"] is True
    for level in ("archive", "restore"):
        failed = shop.verify(level=level)
        assert failed["verified"] is False
        assert failed["differences"][0]["kind"] == "archive"
    assert shop.databases() == {shop.name}


def test_other_rows_are_found_and_their_table_named(shop: Shop) -> None:
    """The archive of another moment, sealed as if it were this one's: only the digests can tell."""
    shop.backup(backup_id="b")
    shop.query('UPDATE orders SET total = total + 1 WHERE id = 7; DELETE FROM "Odd One"."Order Lines" WHERE price < 1')
    shop.backup(backup_id="later")
    shutil.copy(shop.path / "later" / "database.dump", shop.path / "b" / "database.dump")
    seal_dump(shop.path / "b")
    assert shop.verify(backup_id="b", level="archive")["verified"] is True
    failed = shop.verify(backup_id="b")
    named = {(found["name"], found["what"]) for found in failed["differences"]}
    assert named == {("public.orders", "content"), ('"Odd One"."Order Lines"', "rows")}
    assert "table public.orders has 3000 rows as expected, with other content" in failed["msg"]
    assert shop.databases() == {shop.name}
    found = _store.find_backup(str(shop.path), "b")
    assert found
    assert found.verified is False


@pytest.mark.parametrize(
    ("part", "name", "value", "what"),
    [
        ("tables", "public.users", Content(300, "12345"), "content"),
        ("tables", "public.users", Content(301, "12345"), "rows"),
        ("tables", "public.vanished", Content(0, "0"), None),  # found in the table of contents already
        ("sequences", "public.users_id_seq", SequenceState(302), "behind"),
        ("sequences", "public.users_id_seq", SequenceState(300), ""),  # ahead is no harm
        ("objects", "TABLE public.users", "0" * 16, "definition"),
        ("objects", "INDEX public.vanished", "0" * 16, "missing"),
    ],
)
def test_what_the_manifest_says_is_compared(shop: Shop, part: str, name: str, value: object, what: str | None) -> None:
    shop.backup(backup_id="b")
    found = _store.find_backup(str(shop.path), "b")
    assert found
    inventory = found.manifest.inventory
    changed: dict[str, Any] = {part: {**getattr(inventory, part), name: value}}
    reseal(shop.path / "b", inventory=replace(inventory, **changed))
    result = shop.verify()
    if what is None:
        assert f"its archive lacks {name}" in result["msg"]
    else:
        assert [(one["name"], one["what"]) for one in result["differences"]] == ([(name, what)] if what else [])
        assert result["verified"] is not bool(what)


def test_a_dump_that_does_not_restore_is_found(shop: Shop) -> None:
    """pg_dump ends well; the unqualified name in the constraint's function is unknown to the restore."""
    shop.query(
        "CREATE FUNCTION known(a int) RETURNS bool LANGUAGE plpgsql AS"
        " $$ BEGIN RETURN EXISTS (SELECT 1 FROM users WHERE id = a); END $$;"
        " CREATE TABLE picky (a int CHECK (known(a))); INSERT INTO picky VALUES (1)"
    )
    shop.backup()
    assert shop.verify(level="archive")["verified"] is True
    failed = shop.verify()
    assert failed["verified"] is False
    assert 'relation "users" does not exist' in failed["msg"]
    assert shop.databases() == {shop.name}


def test_what_a_killed_run_left_is_dropped_and_what_is_in_use_is_not(shop: Shop) -> None:
    shop.backup()
    shop.query("CREATE DATABASE sluice_verify_dead", "postgres")
    shop.query("CREATE DATABASE sluice_verify_alive", "postgres")
    with _connected(shop) as admin:
        admin.rows("SELECT pg_advisory_lock(hashtextextended('sluice sluice_verify_alive', 0))")
        assert shop.verify()["verified"] is True
    assert shop.databases() == {shop.name, "sluice_verify_alive"}


def _connected(shop: Shop) -> Any:
    return connect(parse_url(shop.server.url))


def test_the_scratch_database_goes_when_the_comparison_fails(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.backup()
    seen: list[set[str]] = []

    def fail(*_arguments: object) -> None:
        seen.append(shop.databases())
        raise KeyboardInterrupt

    monkeypatch.setattr(f"{VERIFY}.read_inventory", fail)
    with pytest.raises(KeyboardInterrupt):
        shop.verify()
    assert len(seen[0]) == 2
    assert shop.databases() == {shop.name}


def test_a_server_that_goes_half_way_says_nothing_about_the_backup(
    doomed_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    doomed_shop.backup(backup_id="b")

    def kill(*_arguments: object) -> None:
        os.kill(doomed_shop.server.pid, signal.SIGKILL)

    monkeypatch.setattr(f"{VERIFY}.restore_into", kill)
    failed = doomed_shop.verify()
    assert failed["failed"] is True
    assert failed["left_behind"].startswith("sluice_verify_")
    assert not (doomed_shop.path / "b" / "verified.json").exists()


def test_a_user_who_may_not_create_databases_is_told_so(shop: Shop) -> None:
    shop.backup()
    shop.query("DROP ROLE IF EXISTS modest; CREATE ROLE modest LOGIN PASSWORD 'modest-s3cret'", "postgres")
    url = shop.server.url_of(shop.name, user="modest", password="modest-s3cret")
    failed = shop.verify(database_url=url)
    assert "permission denied to create database" in failed["msg"]
    assert "set admin_url" in failed["msg"]
    assert shop.verify(database_url=url, admin_url=shop.server.url)["verified"] is True

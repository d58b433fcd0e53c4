# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a set of pg_backup holds: formats, compressions, schemas, roles, several databases."""

from __future__ import annotations

import gzip
import os
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.postgres import _dumping

if TYPE_CHECKING:
    from tests.integration.postgres.conftest import Shop


def knows_zstd(bin_path: str) -> bool:
    """Whether this build of the tools has it; the one from PyPI has not."""
    said = subprocess.run(
        [f"{bin_path}/pg_dump", "--compress=zstd:3", "--file=/dev/null", "--dbname=host=/dev/null"],
        check=False,
        capture_output=True,
        text=True,
    ).stderr
    return "compression" not in said


@pytest.mark.parametrize("compression", ["gzip", "none", "zstd"])
@pytest.mark.parametrize("format_", ["custom", "directory"])
def test_every_form_is_backed_up_verified_and_restored(shop: Shop, format_: str, compression: str) -> None:
    options: dict[str, Any] = {"backup_id": "b", "format": format_, "compression": compression}
    expected = shop.backup(check=True, **options)
    made = shop.backup(**options)
    if compression == "zstd" and not knows_zstd(shop.server.bin_path):
        assert "this build does not support compression with ZSTD" in made["msg"]
        assert made["msg"] == expected["msg"]
        assert shop.what_looks_like_a_backup() == []
        return
    assert expected["backup"].keys() == made["backup"].keys()
    path = Path(made["backup"]["path"])
    manifest = shop.manifest("b")
    assert manifest["compression"] == {"gzip": "gzip:6", "zstd": "zstd:3"}.get(compression, compression)
    files = {str(file.relative_to(path)): file for file in path.rglob("*") if file.is_file()}
    assert files.keys() == {"manifest.json", *manifest["files"]}
    assert {"globals.sql", "database.dump" if format_ == "custom" else "database/toc.dat"} <= files.keys()
    assert {stat.S_IMODE(file.stat().st_mode) for file in files.values()} == {0o600}
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.rglob("*") if file.is_dir()} <= {0o700}
    assert made["backup"]["bytes"] == sum(manifest["files"][name]["bytes"] for name in manifest["files"])

    listed = "".join(
        subprocess.run(["sha256sum", name], cwd=path, check=True, capture_output=True, text=True).stdout
        for name in sorted(manifest["files"])
    )
    summed = subprocess.run(["sha256sum"], input=listed, check=True, capture_output=True, text=True).stdout
    assert made["backup"]["sha256"] == summed.split()[0]

    shop.query("DELETE FROM orders")
    if format_ == "custom":
        assert shop.verify(backup_id="b")["verified"] is True
    else:
        # It compares, too, before it swaps.
        assert shop.restore(backup_id="b")["restored"]["backup_id"] == "b"
        assert shop.query("SELECT count(*) FROM orders") == [(3000,)]


def test_the_smaller_the_level_the_larger_the_set(shop: Shop) -> None:
    sizes = [shop.backup(backup_id=f"b{level}", compression_level=level)["backup"]["bytes"] for level in (9, 1)]
    assert sizes == sorted(sizes)


def test_a_file_that_pg_restore_would_read_instead_is_found(shop: Shop) -> None:
    """An uncompressed file beside the compressed one of the same table: pg_restore takes it without a word."""
    shop.backup(backup_id="b", format="directory")
    largest = max((shop.path / "b/database").glob("*.dat.gz"), key=lambda file: file.stat().st_size)
    rows = gzip.decompress(largest.read_bytes()).splitlines(keepends=True)
    largest.with_suffix("").write_bytes(b"".join(rows[1:]))
    for level in ("manifest", "restore"):
        failed = shop.verify(level=level)
        assert f"{largest.with_suffix('')} does not belong to it" in failed["msg"]


def test_several_jobs_need_the_directory(shop: Shop) -> None:
    failed = shop.backup(jobs=2)
    assert "several jobs cannot write into the one file of format custom. Set format: directory" in failed["msg"]


TENANTS = """
CREATE SCHEMA tenant_a; CREATE SCHEMA tenant_b; CREATE SCHEMA "Tenant.C";
CREATE TABLE tenant_a.notes (id serial PRIMARY KEY, text text);
CREATE TABLE tenant_b.notes (id serial PRIMARY KEY, text text);
CREATE TABLE "Tenant.C".notes (id serial PRIMARY KEY, text text);
CREATE VIEW tenant_a.short AS SELECT text FROM tenant_a.notes;
INSERT INTO tenant_a.notes (text) VALUES ('a'), ('b');
INSERT INTO tenant_b.notes (text) VALUES ('c');
INSERT INTO "Tenant.C".notes (text) VALUES ('d');
"""


@pytest.mark.parametrize(
    ("options", "held", "tables"),
    [
        ({"schemas": ["tenant_*"]}, ["tenant_a", "tenant_b"], {"tenant_a.notes", "tenant_b.notes"}),
        ({"schemas": ["[Tt]enant*"], "exclude_schemas": ["*b"]}, None, {'"Tenant.C".notes', "tenant_a.notes"}),
        ({"schemas": ["public"], "format": "directory"}, ["public"], None),
        ({"exclude_schemas": ["public", "Odd One", "Tenant.C"]}, ["tenant_a", "tenant_b"], None),
    ],
)
def test_schemas_hold_for_all_parts_alike(
    shop: Shop, options: dict[str, Any], held: list[str] | None, tables: set[str] | None
) -> None:
    shop.query(TENANTS)
    expected = shop.backup(check=True, **options)["backup"]
    made = shop.backup(**options)["backup"]
    assert expected["schemas"] == made["schemas"]
    assert expected["tables"] == made["tables"]
    manifest = shop.manifest(made["id"])
    assert held in (None, made["schemas"])
    assert tables in (None, manifest["tables"].keys())
    prefixes = tuple(f'"{name}".' if "." in name else f"{name}." for name in made["schemas"])
    assert all(name.startswith(prefixes) for name in [*manifest["tables"], *manifest["sequences"]])
    # What was left out is neither in the archive nor missed.
    assert shop.verify()["verified"] is True
    failed = shop.restore()
    assert "would replace all others" in failed["msg"]


def test_schemas_that_make_no_sense_are_refused(shop: Shop) -> None:
    shop.query(TENANTS)
    shop.query("CREATE SCHEMA extra; CREATE EXTENSION pg_trgm SCHEMA extra; CREATE INDEX ON tenant_a.notes (text)")
    assert "no schema is named like tenant_x" in shop.backup(schemas=["tenant_x"])["msg"]
    failed = shop.backup(schemas=["tenant_a"])
    assert "schema extra is left out, and without it its extension pg_trgm could not be restored" in failed["msg"]
    assert shop.what_looks_like_a_backup() == []
    assert shop.backup(schemas=["tenant_a", "extra"])["backup"]["schemas"] == ["extra", "tenant_a"]
    assert shop.verify()["verified"] is True


def test_databases_may_share_a_directory_but_not_a_name(shop: Shop) -> None:
    """Neither takes the other's backup for its own."""
    shop.backup(backup_id="b")
    for options in ({"database_url": shop.server.url}, {"schemas": ["public"]}):
        failed = shop.backup(backup_id="b", **options)
        assert f"b is a backup of database {shop.name}. Choose another backup_id" in failed["msg"]
    assert shop.backup(backup_id="two", database_url=shop.server.url)["changed"] is True


def test_roles_lie_beside_the_archive(shop: Shop) -> None:
    shop.query(
        "DROP ROLE IF EXISTS modest; CREATE ROLE modest LOGIN PASSWORD 'modest-s3cret'",
        "postgres",
    )
    for schema in ("public", '"Odd One"'):
        shop.query(f"GRANT USAGE ON SCHEMA {schema} TO modest")
        shop.query(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO modest")
        shop.query(f"GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO modest")
    # Only its owner and a superuser may read a large object.
    shop.query("SELECT lo_unlink(oid) FROM pg_largeobject_metadata")
    url = shop.server.url_of(shop.name, user="modest", password="modest-s3cret")
    for backup_id, options, passwords in (
        ("superuser", {}, True),
        ("modest", {"database_url": url}, False),
        ("none", {"globals": False}, None),
    ):
        expected = shop.backup(check=True, backup_id=backup_id, **options)["backup"]
        made = shop.backup(backup_id=backup_id, **options)["backup"]
        assert expected["role_passwords"] is made["role_passwords"] is passwords
        assert shop.manifest(backup_id)["role_passwords"] is passwords
        file = shop.path / backup_id / "globals.sql"
        assert file.exists() is (passwords is not None)
        if file.exists():
            assert "CREATE ROLE modest;" in file.read_text()
            assert ("SCRAM-SHA-256$" in file.read_text()) is passwords
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert shop.verify(backup_id="modest")["verified"] is True
    (shop.path / "superuser/globals.sql").write_text("")
    assert "globals.sql has 0 bytes instead of" in shop.verify(backup_id="superuser", level="manifest")["msg"]


def test_roles_need_pg_dumpall(shop: Shop, tmp_path: Path) -> None:
    for name in ("pg_dump", "pg_restore"):
        (tmp_path / name).symlink_to(os.path.join(shop.server.bin_path, name))
    failed = shop.backup(bin_path=str(tmp_path))
    assert f"there is no {tmp_path}/pg_dumpall. Install it, or set globals to false" in failed["msg"]
    assert shop.backup(bin_path=str(tmp_path), globals=False)["changed"] is True


def test_a_dump_stops_before_it_fills_the_disk(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The estimate may be wrong, and others write to the same disk."""
    monkeypatch.setattr(_dumping, "free_bytes", lambda path: 0)
    failed = shop.backup()
    assert "has no more than 0.0 MiB free while the dump is written, and 1.0 MiB must stay free" in failed["msg"]
    assert [path.name for path in shop.path.iterdir()] == ["host.lock"]


def test_the_estimate_is_that_of_backups_alike(shop: Shop) -> None:
    whole = shop.backup(backup_id="b")["backup"]["bytes"]
    size = shop.manifest("b")["database_bytes"]
    alike: dict[str, dict[str, Any]] = {"alike": {}, "other": {"compression": "none"}, "part": {"schemas": ["public"]}}
    estimates = {name: shop.backup(check=True, **options)["backup"]["bytes"] for name, options in alike.items()}
    assert estimates["alike"] == pytest.approx(whole * 1.25, rel=0.1)
    assert estimates["other"] == pytest.approx(2 * size, rel=0.1)
    assert estimates["part"] < size

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups that go from one server to another: what works, and what is refused before anything is made."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ansible_collections.sluice.release.plugins.module_utils.postgres import _store

if TYPE_CHECKING:
    from tests.integration.conftest import Postgres
    from tests.integration.postgres.conftest import Shop


def test_a_backup_of_an_older_server_goes_to_a_newer_one(older_shop: Shop, postgres: Postgres) -> None:
    older_shop.backup(backup_id="b")
    assert older_shop.verify()["verified"] is True
    newer = {"database_url": postgres.url_of(older_shop.name), "bin_path": postgres.bin_path}
    result = older_shop.verify(**newer)
    assert (result.get("verified"), result["differences"]) == (True, []), result
    assert "compared by their names alone" in str(result["warnings"])
    older_shop.query("UPDATE users SET name = 'other' WHERE id = 7")
    try:
        restored = older_shop.restore(**newer)
        assert restored.get("changed") is True, restored
        older_shop.server, older = postgres, older_shop.server
        assert older_shop.query("SELECT count(*), min(name) FROM users WHERE id = 7") == [(1, "user 7")]
    finally:
        older_shop.server = postgres
        older_shop.drop()
        older_shop.server = older


def test_a_backup_of_a_newer_server_is_refused(shop: Shop, older_postgres: Postgres) -> None:
    shop.backup(backup_id="b")
    older = {"database_url": older_postgres.url_of(shop.name), "bin_path": older_postgres.bin_path}
    newer = shop.server
    for failed in (shop.verify(**older), shop.restore(**older), shop.restore(check=True, **older)):
        assert "backup b is of a server of version 18, and this server has version 15" in failed["msg"]
    assert not (shop.path / "b" / "verified.json").exists()
    shop.server = older_postgres
    assert shop.databases() == set()
    shop.server = newer
    # Nor does a server of one's own help when its programs are older.
    failed = shop.verify(scratch="embedded", bin_path=older_postgres.bin_path)
    assert "it needs initdb and postgres of version 18 or newer" in failed["msg"]


def test_all_that_a_server_lacks_is_named_at_once(older_shop: Shop, postgres: Postgres) -> None:
    for role in ("seller", "reader"):
        older_shop.query(f"DROP ROLE IF EXISTS {role}; CREATE ROLE {role}")
    older_shop.query("ALTER TABLE users OWNER TO seller; GRANT SELECT ON orders TO reader")
    older_shop.backup(backup_id="b")
    found = _store.find_backup(str(older_shop.path), "b")
    assert found
    manifest = found.manifest
    changed = replace(
        manifest,
        inventory=replace(manifest.inventory, extensions={"plpgsql": "1.0", "postgis": "3.4"}),
        properties={**manifest.properties, "collate": "xx_YY.utf8"},
    )
    (older_shop.path / "b" / "manifest.json").write_bytes(changed.render())
    newer = {"database_url": postgres.url_of(older_shop.name), "bin_path": postgres.bin_path}
    for failed in (older_shop.verify(**newer), older_shop.restore(**newer)):
        assert "the server lacks extension postgis; locale xx_YY.utf8; roles reader, seller. " in failed["msg"]
    older_shop.drop()
    older_shop.query("DROP ROLE seller; DROP ROLE reader", "postgres")


def test_missing_roles_come_back_with_the_backup(older_shop: Shop, postgres: Postgres) -> None:
    """Owner and holder of a grant, a user who is but a member of the owner, and nobody else."""
    name, owner, reader, member = older_shop.name, "owner of shop", "shop_reader", "shop_member"
    older_shop.query(
        f"CREATE ROLE \"{owner}\"; CREATE ROLE {reader} LOGIN PASSWORD 'reader-s3cret' CONNECTION LIMIT 7;"
        f'CREATE ROLE {member} LOGIN; CREATE ROLE stranger; GRANT "{owner}" TO {member};'
        f'ALTER DATABASE {name} OWNER TO "{owner}"; ALTER TABLE orders OWNER TO "{owner}";'
        f"GRANT SELECT ON orders TO {reader}"
    )
    older_shop.backup(backup_id="b")
    newer = {"database_url": postgres.url_of(name), "bin_path": postgres.bin_path}
    older = older_shop.server
    older_shop.server = postgres
    try:
        failed = older_shop.restore(**newer)
        assert f"the server lacks roles {owner}, {reader}" in failed["msg"]
        assert "set globals: true" in failed["msg"]
        made = [owner, member, reader]
        assert older_shop.restore(check=True, globals=True, **newer)["roles"] == made
        roles = "SELECT rolname FROM pg_roles WHERE rolname ~ 'shop|stranger' ORDER BY 1"
        assert older_shop.query(roles, "postgres") == []
        result = older_shop.restore(globals=True, **newer)
        assert result.get("roles") == made, result
        assert [role for (role,) in older_shop.query(roles, "postgres")] == made
        as_reader = postgres.url_of(name, user=reader, password="reader-s3cret")
        assert older_shop.verify(**{**newer, "database_url": as_reader}, admin_url=postgres.url)["verified"] is True
        assert older_shop.query(
            "SELECT tableowner, has_table_privilege('shop_reader', 'orders', 'SELECT'),"
            " pg_get_userbyid(datdba), rolconnlimit"
            " FROM pg_tables, pg_database, pg_roles WHERE tablename = 'orders' AND datname = current_database()"
            " AND rolname = 'shop_reader'"
        ) == [(owner, True, owner, 7)]
    finally:
        older_shop.drop()
        for role in (owner, reader, member):
            older_shop.query(f'DROP ROLE IF EXISTS "{role}"', "postgres")
        older_shop.server = older
        older_shop.drop()
        for role in (owner, reader, member, "stranger"):
            older_shop.query(f'DROP ROLE IF EXISTS "{role}"', "postgres")

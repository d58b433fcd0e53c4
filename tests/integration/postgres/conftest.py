# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small shop in a real PostgreSQL, and the three modules to back it up with."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from ansible_collections.sluice.release.plugins.modules import pg_backup, pg_restore, pg_verify

if TYPE_CHECKING:
    from tests.integration.conftest import Postgres, RunModule

NUMBERS = itertools.count(1)

# One of everything that a digest or a comparison of definitions could trip over.
SCHEMA = """
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL, mood mood, joined timestamptz DEFAULT now());
CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id int REFERENCES users,
    status varchar(10) CHECK (status IN ('open', 'paid')),
    total numeric(10, 2), body json, place point, raw bytea,
    double numeric GENERATED ALWAYS AS (total * 2) STORED
);
CREATE SCHEMA "Odd One";
CREATE TABLE "Odd One"."Order Lines" ("sluice row" int, price float8, tags text[]);
CREATE TABLE parent (id int, day date) PARTITION BY RANGE (day);
CREATE TABLE parent_2026 PARTITION OF parent FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE UNLOGGED TABLE cache (key text, value text);
CREATE TABLE empty (a int);
CREATE VIEW paid AS SELECT o.*, u.name FROM orders o JOIN users u ON u.id = o.user_id WHERE status IN ('paid', 'open');
CREATE MATERIALIZED VIEW totals AS SELECT user_id, sum(total) FROM orders GROUP BY 1;
CREATE FUNCTION discount(a numeric, b numeric(10, 2) DEFAULT 3) RETURNS numeric LANGUAGE sql AS $$ SELECT a - b $$;
CREATE INDEX ON orders (lower(status)) WHERE status::text <> 'open';
INSERT INTO users (name, mood) SELECT 'user ' || i, 'good' FROM generate_series(1, 300) i;
INSERT INTO orders (user_id, status, total, body, place, raw)
    SELECT 1 + i % 300, 'open', i / 7.0, '{"b": 1, "a": 2}', '(1,2)', sha256(i::text::bytea)
    FROM generate_series(1, 3000) i;
INSERT INTO "Odd One"."Order Lines" SELECT i, i / 3.0, ARRAY['x', NULL, 'a,"b'] FROM generate_series(1, 200) i;
INSERT INTO parent SELECT i, '2026-05-05' FROM generate_series(1, 50) i;
INSERT INTO cache VALUES ('k', 'v'), ('k', 'v');
SELECT lo_from_bytea(0, 'a large object');
GRANT SELECT ON orders TO PUBLIC;
COMMENT ON TABLE orders IS 'what they bought';
"""


class Shop:
    """A database of its own, its backups, and the modules with their usual options."""

    def __init__(self, server: Postgres, path: Path, run_module: RunModule) -> None:
        self.server, self.path, self._run = server, path, run_module
        self.name = f"shop{next(NUMBERS)}"
        self.url = server.url_of(self.name)

    def query(self, sql: str, database: str | None = None) -> list[tuple[Any, ...]]:
        return self.server.query(sql, database or self.name)

    def databases(self) -> set[str]:
        """Every database of this shop, and every scratch database."""
        rows = self.query("SELECT datname FROM pg_database", "postgres")
        return {name for (name,) in rows if name.startswith((f"{self.name}_", "sluice_")) or name == self.name}

    def backup(self, check: bool = False, **options: Any) -> dict[str, Any]:
        return self._call(pg_backup.main, check, {"free_mb_min": 1, **options})

    def verify(self, check: bool = False, **options: Any) -> dict[str, Any]:
        return self._call(pg_verify.main, check, options)

    def restore(self, check: bool = False, **options: Any) -> dict[str, Any]:
        return self._call(pg_restore.main, check, {"backup_id": "latest", **options})

    def _call(self, main: Callable[[], None], check: bool, options: dict[str, Any]) -> dict[str, Any]:
        usual = {"database_url": self.url, "path": str(self.path), "bin_path": self.server.bin_path}
        result = self._run(main, check=check, **{**usual, **options})
        # Whatever is tested: no result says the password.
        assert self.server.password not in json.dumps({key: result[key] for key in result if key != "invocation"})
        return result

    def manifest(self, backup_id: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.path / backup_id / "manifest.json").read_text())
        return content

    def what_looks_like_a_backup(self) -> list[str]:
        return sorted(path.name for path in self.path.glob("*") if path.is_dir() and not path.name.startswith("."))

    def start_again(self) -> subprocess.Popen[bytes]:
        """Start the killed server anew."""
        server = self.server
        argv = [f"{server.bin_path}/postgres", "-D", server.data, "-c", f"port={server.port}"]
        argv += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"]
        if os.geteuid() == 0:
            argv = ["setpriv", "--pdeathsig", "INT", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *argv]
        deadline = time.monotonic() + 30
        process = None
        while time.monotonic() < deadline:
            if process is None or process.poll() is not None:
                # Refused as long as processes of the killed one still end.
                process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
            try:
                self.query("SELECT 1", "postgres")
            except psycopg2.Error:
                time.sleep(0.1)
            else:
                return process
        pytest.fail("the server did not start again")

    def drop(self) -> None:
        for name in self.databases():
            self.query(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', "postgres")


@pytest.fixture(scope="session")
def template(postgres: Postgres) -> Iterator[str]:
    """Name of a database with some rows in it; a copy of it is made quicker than another one."""
    name = "template_shop"
    postgres.query(f"CREATE DATABASE {name}")
    postgres.query(SCHEMA, name)
    yield name
    postgres.query(f"DROP DATABASE {name}")


@pytest.fixture
def shop(postgres: Postgres, template: str, tmp_path: Path, run_module: RunModule) -> Iterator[Shop]:
    """A shop with some rows in it, and no backup yet."""
    made = Shop(postgres, tmp_path / "backups", run_module)
    made.query(f"CREATE DATABASE {made.name} TEMPLATE {template} STRATEGY FILE_COPY", "postgres")
    try:
        yield made
    finally:
        made.drop()


@pytest.fixture
def older_shop(older_postgres: Postgres, tmp_path: Path, run_module: RunModule) -> Iterator[Shop]:
    """A shop in a server of an older major version."""
    made = Shop(older_postgres, tmp_path / "backups", run_module)
    made.query(f"CREATE DATABASE {made.name}", "postgres")
    made.query(SCHEMA)
    try:
        yield made
    finally:
        made.drop()


@pytest.fixture
def doomed_shop(own_postgres: Postgres, tmp_path: Path, run_module: RunModule) -> Shop:
    """A shop whose server may be killed."""
    made = Shop(own_postgres, tmp_path / "backups", run_module)
    made.query(f"CREATE DATABASE {made.name}", "postgres")
    made.query(SCHEMA)
    return made

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pg_info against real servers: what it is for is done to them, and seen."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from ansible_collections.sluice.release.plugins.module_utils.postgres.info._gather import KEYS, SUBJECTS
from ansible_collections.sluice.release.plugins.modules import pg_info

if TYPE_CHECKING:
    from tests.integration.conftest import Postgres, RunModule

NUMBERS = itertools.count(1)
PATIENCE = 15.0
"""Seconds until something that was begun must be seen."""

SCHEMA = """
CREATE TABLE deals (id int PRIMARY KEY, name text, price numeric);
CREATE INDEX deals_name ON deals (name);
CREATE SCHEMA "Odd One";
CREATE TABLE "Odd One"."a.b" (id int PRIMARY KEY REFERENCES public.deals, gone int);
ALTER TABLE "Odd One"."a.b" DROP COLUMN gone;
CREATE TABLE parts (id int) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE VIEW cheap AS SELECT * FROM deals WHERE price < 10;
INSERT INTO deals VALUES (1, 'one', 1), (2, 'two', 2);
CREATE TABLE migrations (name text, finished_at timestamptz);
INSERT INTO migrations VALUES ('1_a', now()), ('2_b.up.sql', now()), ('3_c', NULL);
"""


# For what versions differ in.
both = pytest.mark.parametrize("looked", ["postgres", "older_postgres"], indirect=True)


class Looked:
    """A database of its own, and what pg_info says about it."""

    def __init__(self, server: Postgres, run_module: RunModule) -> None:
        self.server, self._run = server, run_module
        self.name = f"info{next(NUMBERS)}"

    def connect(self, **words: Any) -> Any:
        connection = psycopg2.connect(self.server.url_of(self.name), **words)
        connection.autocommit = True
        return connection

    def query(self, sql: str, database: str | None = None) -> list[tuple[Any, ...]]:
        return self.server.query(sql, database or self.name)

    def look(self, *gather: str, url: str | None = None, **options: Any) -> dict[str, Any]:
        arguments = {"database_url": url or self.server.url_of(self.name), "samples": 2, "gather": gather or ["all"]}
        result = self._run(pg_info.main, **{**arguments, **options})
        text = json.dumps({key: value for key, value in result.items() if key != "invocation"})
        assert not [secret for secret in (self.server.password, "geheim") if secret in text]
        return result

    def see(self, what: Callable[[], bool]) -> None:
        self.seen(what, bool)

    def seen(self, look: Callable[[], Any], is_it: Callable[[Any], bool]) -> Any:
        deadline = time.monotonic() + PATIENCE
        while not is_it(found := look()):
            assert time.monotonic() < deadline, "it was not seen in time"
            time.sleep(0.02)
        return found

    def caught_up(self, url: str | None = None) -> Any:
        return self.seen(lambda: self.look(url=url), lambda found: found["replication_lag_bytes"] == 0)

    @contextlib.contextmanager
    def running(self, sql: str) -> Iterator[int]:
        """A session that runs a statement in the background, until the block ends. Its pid."""
        connection = self.connect(application_name="api")
        pid: int = connection.info.backend_pid

        def run() -> None:
            with contextlib.suppress(psycopg2.Error), connection.cursor() as cursor:
                cursor.execute(sql)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield pid
        finally:
            self.query(f"SELECT pg_terminate_backend({pid})")
            thread.join(PATIENCE)
            connection.close()


@pytest.fixture
def looked(request: pytest.FixtureRequest, run_module: RunModule) -> Iterator[Looked]:
    made = Looked(request.getfixturevalue(getattr(request, "param", "postgres")), run_module)
    made.query(f"CREATE DATABASE {made.name}", "postgres")
    made.query(SCHEMA)
    try:
        yield made
    finally:
        made.query(f"DROP DATABASE {made.name} WITH (FORCE)", "postgres")


@pytest.fixture
def low(looked: Looked) -> Iterator[str]:
    """A role that may do nothing but log in."""
    name = f"low_{looked.name}"
    looked.query(f"CREATE ROLE {name} LOGIN PASSWORD 'geheim-1' CONNECTION LIMIT 4")
    yield name
    looked.query(f"DROP OWNED BY {name}; DROP ROLE {name}")


@both
def test_everything(looked: Looked, tmp_path: Path) -> None:
    for name in ("1_a.sql", "2_b.up.sql", "2_b.down.sql", "3_c.sql", "README.md"):
        (tmp_path / name).touch()
    found = looked.look(
        expected={"tables": 5, "indexes": 3, "secondary_indexes": 2},
        required={
            "tables": ["public.deals", '"Odd One"."a.b"', "public.Deals", "public.cheap"],
            "columns": ["public.deals.price", '"Odd One"."a.b".gone', "public.cheap.name", "public.deals.nothing"],
            "indexes": ["public.deals_name", "public.deals"],
        },
        baseline_size_bytes=1,
        migrations={"table": "migrations", "success_column": "finished_at", "directory": str(tmp_path)},
        tenants={"schemas": "Odd.*"},
    )
    assert "failed" not in found, found["msg"]
    assert set(KEYS) <= set(found)
    assert (found["changed"], found["gathered"]) == (False, list(SUBJECTS))
    assert set(found["unreadable"]) == {"statements", "statements_slowest_mean_ms"}
    assert found["unreadable"]["statements"] == "this database has no extension pg_stat_statements"
    expected = {
        "in_recovery": False,
        "locale_collate": "C",
        "sees_all_sessions": True,
        "tables_count": 5,
        "indexes_count": 3,
        "indexes_secondary_count": 1,
        "tables_by_schema": {"Odd One": 1, "public": 4},
        "indexes_by_schema": {"Odd One": 1, "public": 2},
        "counts_as_expected": False,
        "counts_different": {"secondary_indexes": {"expected": 2, "found": 1}},
        "tables_missing": ["public.Deals"],
        "columns_missing": ['"Odd One"."a.b".gone', "public.deals.nothing"],
        "indexes_missing": ["public.deals"],
        "required_missing_count": 4,
        "indexes_invalid_count": 0,
        "connections_limit": 37,
        "blocked_sessions_count": 0,
        "prepared_transactions_count": 0,
        "replication_lag_seconds": None,
        "migrations_applied": ["1_a", "2_b"],
        "migrations_failed": ["3_c"],
        "migrations_pending": ["3_c"],
        "migrations_complete": False,
        "tenants_isolated": True,
    }
    assert {key: found[key] for key in expected} == expected
    assert found["server_version_num"] // 10000 == int(found["server_version"].split(".")[0])
    assert 0 < found["latency_p50_ms"] <= found["latency_max_ms"]
    assert len(found["latency_samples_ms"]) == 2
    assert found["database_growth_bytes"] == found["database_size_bytes"] - 1 > 1_000_000
    assert found["extensions"]["plpgsql"]


def test_a_cheap_call_says_no_more_than_it_was_asked(looked: Looked) -> None:
    found = looked.look("latency")
    assert {KEYS[key] for key in found if key in KEYS} == {"server", "latency"}
    assert found["unreadable"] == {}


def test_only_some_schemas(looked: Looked) -> None:
    found = looked.look("objects", schemas=["public", "empty"], expected={"tables": 4})
    assert found["tables_by_schema"] == {"public": 4, "empty": 0}
    assert (found["indexes_count"], found["counts_as_expected"]) == (2, True)


@both
def test_a_blocked_session(looked: Looked) -> None:
    with contextlib.closing(looked.connect(application_name="holder")) as holder, holder.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("LOCK TABLE deals IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute("SELECT 'geheim'")
        holding = holder.info.backend_pid
        with looked.running("UPDATE deals SET name = 'geheim' WHERE id = 4711") as waiting:
            looked.see(lambda: looked.query(f"SELECT 1 FROM pg_locks WHERE pid = {waiting} AND NOT granted") != [])
            found = looked.look("locks")
    assert found["blocked_sessions_count"] == 1
    [blocked] = found["blocked_sessions"]
    assert {
        "pid": waiting,
        "user": "postgres",
        "application": "api",
        "locktype": "relation",
        "mode": "RowExclusiveLock",
        "relation": "public.deals",
        "query": "UPDATE deals SET name = ? WHERE id = ?",
    }.items() <= blocked.items()
    [blocker] = blocked["blocked_by"]
    assert {
        "pid": holding,
        "application": "holder",
        "state": "idle in transaction",
        "query": "SELECT ?",
    }.items() <= blocker.items()
    assert 0 <= found["blocked_longest_seconds"] == blocked["seconds"] <= blocker["transaction_seconds"] + 1
    [lock] = found["table_locks"]
    assert (lock["table"], lock["mode"], found["table_locks_count"]) == ("public.deals", "ShareRowExclusiveLock", 1)


@both
def test_a_slow_query_and_an_idle_transaction(looked: Looked) -> None:
    with (
        looked.running("SELECT 'geheim', pg_sleep(4711)") as pid,
        contextlib.closing(looked.connect()) as idle,
        idle.cursor() as cursor,
    ):
        cursor.execute("BEGIN; SELECT 1")
        looked.see(lambda: looked.look("slow", slow_seconds=0.1)["slow_queries_count"] > 0)
        found = looked.look("slow", "connections", slow_seconds=0.1, pool_size=4)
        assert looked.look("slow", slow_seconds=60)["slow_queries"] == []
    [slow] = found["slow_queries"]
    assert (slow["pid"], slow["query"], slow["wait"]) == (pid, "SELECT ?, pg_sleep(?)", "Timeout:PgSleep")
    assert 0.1 <= slow["seconds"] <= found["longest_query_seconds"] <= found["longest_transaction_seconds"]
    assert found["sessions_hidden"] == 0
    assert (found["connections_active"], found["connections_idle_in_transaction"]) == (1, 1)
    assert found["connections_by_state"] == {"active": 1, "idle in transaction": 1}
    assert (found["pool_used"], found["pool_used_ratio"], found["connections_used"]) == (2, 0.5, 2)
    assert (found["connections_tightest"], found["connections_tightest_ratio"]) == ("pool", 0.5)


def test_an_invalid_index(looked: Looked) -> None:
    looked.query("INSERT INTO deals VALUES (3, 'one', 3)")
    with pytest.raises(psycopg2.errors.UniqueViolation):
        looked.query("CREATE UNIQUE INDEX CONCURRENTLY deals_once ON deals (name)")
    found = looked.look("indexes")
    assert found["indexes_invalid"] == [{"index": "public.deals_once", "table": "public.deals", "building": False}]
    assert found["indexes_invalid_count"] == 1


@both
def test_a_leak_between_tenants(looked: Looked) -> None:
    tenants = [f"{looked.name}_{name}" for name in ("a", "b")]
    one, other = tenants
    for name in tenants:
        looked.query(
            f"CREATE ROLE {name}; CREATE SCHEMA {name} AUTHORIZATION {name}; CREATE TABLE {name}.deals (id int)"
        )
        looked.query(f"ALTER TABLE {name}.deals OWNER TO {name}; ALTER TABLE {name}.deals ADD PRIMARY KEY (id)")

    def details(**options: Any) -> set[str]:
        chosen = {"schemas": f"{looked.name}_(.)", "role": f"{looked.name}_{{tenant}}", **options}
        found = looked.look("tenants", tenants=chosen)
        told = {breach["detail"] for breach in found["tenants_breaches"]}
        assert (found["tenants_isolated"], found["tenants_breaches_count"]) == (not told, len(told))
        assert (found["tenants_count"], found["tenants_roles_checked"]) == (2, 2)
        return told

    leaks = {
        f"GRANT USAGE ON SCHEMA {other} TO {one}": {f"{one} has USAGE on schema {other}"},
        f"GRANT USAGE ON SCHEMA {other} TO PUBLIC": {f"{one} has USAGE on schema {other}"},
        f"GRANT SELECT (id) ON {other}.deals TO {one}": {f"{one} has rights on {other}.deals"},
        f"ALTER ROLE {one} IN DATABASE {looked.name} SET search_path = {other}, public": {
            f"search_path of {one} names {other}"
        },
        f"ALTER TABLE {one}.deals ADD FOREIGN KEY (id) REFERENCES {other}.deals": {
            f"foreign key deals_id_fkey of {one}.deals points to {other}.deals"
        },
        f"CREATE VIEW {one}.v AS SELECT * FROM {other}.deals": {f"view {one}.v reads {other}.deals"},
        f"CREATE VIEW public.w AS SELECT * FROM {other}.deals; CREATE VIEW public.v AS SELECT * FROM public.w;"
        f" GRANT SELECT ON public.v TO PUBLIC": {f"view public.v shows {other}.deals to {one}"},
    }
    try:
        assert details() == set()
        with contextlib.closing(looked.connect()) as connection, connection.cursor() as cursor:
            for statement, told in leaks.items():
                cursor.execute(statement)
                assert details() == told, statement
                cursor.execute(
                    f"REVOKE ALL ON SCHEMA {other} FROM {one}, PUBLIC; REVOKE ALL ON {other}.deals FROM {one};"
                    f" REVOKE SELECT (id) ON {other}.deals FROM {one};"
                    f" ALTER ROLE {one} IN DATABASE {looked.name} RESET search_path;"
                    f" ALTER TABLE {one}.deals DROP CONSTRAINT IF EXISTS deals_id_fkey;"
                    f" DROP VIEW IF EXISTS {one}.v, public.v, public.w"
                )
            cursor.execute(f"GRANT {other} TO {one}")
        assert f"{one} is a member of {other}, who owns {other}" in details()
        missing = looked.look("tenants", tenants={"schemas": f"{looked.name}_.", "role": "no_{schema}"})
        assert (missing["tenants_isolated"], missing["tenants_roles_missing"]) == (
            None,
            [f"no_{name}" for name in tenants],
        )
        nothing = looked.look("tenants", tenants={"schemas": "nothing_.*"})
        assert nothing["unreadable"]["tenants_isolated"] == "no schema matches tenants.schemas"
    finally:
        looked.query("".join(f"DROP OWNED BY {name} CASCADE; DROP ROLE {name};" for name in tenants))


@both
def test_a_user_without_rights(looked: Looked, low: str) -> None:
    url = looked.server.url_of(looked.name, user=low, password="geheim-1")
    with contextlib.closing(looked.connect()), looked.running("SELECT pg_sleep(4711)"):
        found = looked.look(url=url, migrations={"table": "migrations"}, slow_seconds=0)
        looked.query(f"GRANT pg_monitor TO {low}; GRANT SELECT ON migrations TO {low}")
        after = looked.look(url=url, migrations={"table": "migrations"}, slow_seconds=0)
    assert "failed" not in found, found["msg"]
    reason = "2 sessions of other roles cannot be looked into; grant pg_monitor to the user"
    assert found["unreadable"]["slow_queries_count"] == reason
    assert found["unreadable"]["connections_active"] == reason
    assert found["unreadable"]["migrations_applied"] == "permission denied for table migrations"
    assert {key for key in found["unreadable"] if found[key] is not None} == set()
    assert (found["slow_queries"], found["sessions_hidden"], found["sees_all_sessions"]) == ([], 2, False)
    # What everybody may know is there.
    assert (found["connections_used"], found["connections_by_state"]) == (2, {"hidden": 2})
    assert (found["connections_role"], found["connections_role_limit"], found["connections_role_used"]) == (low, 4, 0)
    assert (found["tables_count"], found["indexes_invalid_count"], found["blocked_sessions_count"]) == (5, 0, 0)
    assert {key for key in after["unreadable"] if not key.startswith("statements")} == set()
    assert (after["slow_queries_count"], after["sees_all_sessions"]) == (1, True)
    assert after["migrations_applied"] == ["1_a", "2_b", "3_c"]


def test_nothing_is_waited_for_and_nothing_is_written(looked: Looked) -> None:
    looked.query(
        "CREATE VIEW slow AS SELECT pg_sleep(60)::text AS name; CREATE SEQUENCE s;"
        " CREATE VIEW writes AS SELECT nextval('s')::text AS name"
    )
    reasons = {}
    with contextlib.closing(looked.connect()) as holder, holder.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE migrations IN ACCESS EXCLUSIVE MODE")
        for table in ("slow", "writes", "migrations", "public.none"):
            started = time.monotonic()
            found = looked.look("migrations", "objects", migrations={"table": table}, statement_timeout=1.5)
            assert time.monotonic() - started < 5
            assert (found["migrations_applied"], found["tables_count"]) == (None, 5)
            reasons[table] = found["unreadable"]["migrations_applied"]
    assert reasons == {
        "slow": "the query took longer than 1.5 s",
        "writes": "cannot execute nextval() in a read-only transaction",
        "migrations": "another session has locked it for longer than 1 s",
        "public.none": 'relation "public.none" does not exist',
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda url: url.replace("postgres:", "postgres:x"), "password authentication failed"),
        (lambda url: url + "nowhere", 'database "postgresnowhere" does not exist. Correct the URL'),
        (lambda _url: "postgresql://u:geheim@127.0.0.1:1/x", "Connection refused"),
    ],
)
def test_a_server_that_is_not_reached(
    postgres: Postgres, run_module: RunModule, change: Callable[[str], str], message: str
) -> None:
    found = Looked(postgres, run_module).look(url=change(postgres.url))
    assert found["failed"]
    assert found["msg"].startswith("Cannot connect to postgresql://")
    assert message in found["msg"]


def test_a_server_that_says_nothing(postgres: Postgres, run_module: RunModule) -> None:
    started = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"postgresql://u:geheim@127.0.0.1:{mute.getsockname()[1]}/x"
        assert Looked(postgres, run_module).look(url=url, connect_timeout=1)["failed"]
    assert time.monotonic() - started < 8


@contextlib.contextmanager
def standby_of(primary: Postgres, port: int, home: Path) -> Iterator[None]:
    """A standby that streams from a server, and has what the shared ones are started without."""
    user = ["setpriv", "--pdeathsig", "INT"]
    if os.geteuid() == 0:
        user += ["--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    where = ["-h", "127.0.0.1", "-p", str(primary.port), "-U", primary.user]
    copy = [f"{primary.bin_path}/pg_basebackup", *where, "-D", f"{home}/data", "-R", "-c", "fast", "--no-sync"]
    environment = {**os.environ, "PGPASSWORD": primary.password}
    subprocess.run([*user, *copy], check=True, capture_output=True, cwd="/", env=environment)
    settings = f"port={port} listen_addresses=127.0.0.1 unix_socket_directories= fsync=off max_connections=40"
    settings += " max_prepared_transactions=2 shared_preload_libraries=pg_stat_statements"
    options = [word for setting in settings.split() for word in ("-c", setting)]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [*user, f"{primary.bin_path}/postgres", "-D", f"{home}/data", *options], stdout=log, stderr=log, cwd="/"
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)


@both
def test_a_standby_and_what_it_becomes(looked: Looked, run_module: RunModule, free_home: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = looked.server.url_of(looked.name).replace(f":{looked.server.port}/", f":{port}/")
    with standby_of(looked.server, port, free_home):
        looked.see(lambda: looked.look("server", url=url).get("in_recovery") is True)
        looked.query("INSERT INTO deals VALUES (5, 'five', 5)")
        # Servers write by themselves, too: what is looked at is a look at which nothing was behind.
        primary, standby = looked.caught_up(), looked.caught_up(url)
        [copy] = primary["replication_standbys"]
        assert (copy["state"], copy["sync_state"], copy["lag_bytes"]) == ("streaming", "async", 0)
        assert (primary["replication_role"], primary["replication_standbys_count"]) == ("primary", 1)
        assert (standby["replication_role"], standby["replication_receiving"]) == ("standby", True)
        assert (standby["replication_lag_bytes"], standby["replication_lag_seconds"]) == (0, 0.0)

        with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute("SELECT pg_promote()")
            cursor.execute("CREATE EXTENSION pg_stat_statements; SELECT pg_stat_statements_reset()")
            cursor.execute("SELECT name AS asked FROM deals WHERE name = 'geheim'")
            cursor.execute("BEGIN; UPDATE deals SET name = 'x' WHERE id = 1; PREPARE TRANSACTION 'transfer 1'")
            cursor.execute("SELECT pg_create_physical_replication_slot('left', true)")
            with contextlib.closing(psycopg2.connect(url)) as other, other.cursor() as blocked:
                thread = threading.Thread(target=lambda: blocked.execute("UPDATE deals SET name = 'y'"), daemon=True)
                thread.start()
                try:
                    looked.see(lambda: looked.look("locks", url=url)["blocked_sessions_count"] == 1)
                    found = looked.look(url=url, top=100)
                finally:
                    cursor.execute("ROLLBACK PREPARED 'transfer 1'")
                    thread.join(PATIENCE)
    assert found["unreadable"] == {}
    assert found["replication_role"] == "primary"
    queries = [statement["query"] for statement in found["statements"]]
    assert any("WHERE name = $1" in query for query in queries)
    [prepared] = found["prepared_transactions"]
    assert (prepared["gid"], prepared["database"], found["prepared_transactions_count"]) == (
        "transfer 1",
        looked.name,
        1,
    )
    [[blocker]] = [session["blocked_by"] for session in found["blocked_sessions"]]
    assert (blocker["pid"], blocker["state"]) == (None, "prepared transaction")
    [slot] = found["replication_slots"]
    assert (slot["name"], slot["active"], found["replication_slots_inactive_count"]) == ("left", False, 1)


@pytest.fixture
def free_home() -> Iterator[Path]:
    """A directory that the server's user owns; pytest's own ones are closed to other users."""
    home = Path(tempfile.mkdtemp(prefix="sluice-standby-"))
    if os.geteuid() == 0:
        shutil.chown(home, "nobody", "nogroup")
    yield home
    shutil.rmtree(home, ignore_errors=True)

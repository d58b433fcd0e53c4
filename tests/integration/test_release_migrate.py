# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release_migrate with a migration tool of its own kind, against a real PostgreSQL."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from ansible_collections.sluice.release.plugins.module_utils._files import host_lock
from ansible_collections.sluice.release.plugins.module_utils.report._database import Found, migration_of
from ansible_collections.sluice.release.plugins.modules import release_migrate

if TYPE_CHECKING:
    from tests.integration.conftest import Postgres, RunModule

ROOT = Path(__file__).parents[2]
SECRET = "jwt-s3cret-of-the-test"

# Applies the SQL files of a directory, as node-pg-migrate, knex and the like do; `down` takes one back.
TOOL = (
    f"#!{sys.executable}"
    """
import os, pathlib, sys, psycopg2
database = psycopg2.connect(os.environ["DATABASE_URL"])
database.autocommit = True
cursor = database.cursor()
cursor.execute("CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY)")
cursor.execute("SELECT name FROM migrations")
done = {name for (name,) in cursor.fetchall()}
pending = [path for path in sorted(pathlib.Path("migrations").glob("*.sql")) if path.stem not in done]
print("connected with", os.environ["DATABASE_URL"], os.environ["JWT_SECRET"])
if sys.argv[1] == "status":
    for path in pending:
        print(f"### MIGRATION {path.stem} (UP) ###")
    if not pending:
        print("No migrations to run!")
elif sys.argv[1] == "up":
    for path in pending:
        cursor.execute(path.read_text())
        cursor.execute("INSERT INTO migrations VALUES (%s)", [path.stem])
        print("applied", path.stem)
elif sys.argv[1] == "down":
    last = max(done)
    cursor.execute(pathlib.Path("migrations", last + ".down").read_text())
    cursor.execute("DELETE FROM migrations WHERE name = %s", [last])
"""
)

Migrate = Callable[..., dict[str, Any]]


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """URL of a database of this test's own."""
    postgres.query("CREATE DATABASE migrated")
    yield postgres.url_of("migrated")
    postgres.query("DROP DATABASE migrated WITH (FORCE)")


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A release directory with two migrations and the tool."""
    path = tmp_path / "release"
    (path / "migrations").mkdir(parents=True)
    add(path, "1-orders", "CREATE TABLE orders (a int)", "DROP TABLE orders")
    add(path, "2-users", "CREATE TABLE users (a int)", "DROP TABLE users")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "migrate").write_text(TOOL)
    (tools / "migrate").chmod(0o755)
    return path


def add(release: Path, name: str, up: str, down: str = "") -> None:
    (release / "migrations" / f"{name}.sql").write_text(up)
    (release / "migrations" / f"{name}.down").write_text(down)


@pytest.fixture
def migrate(run_module: RunModule, database: str, release: Path, tmp_path: Path, postgres: Postgres) -> Migrate:
    config = tmp_path / "env.json"
    config.write_text(json.dumps({"DATABASE_URL": database, "JWT_SECRET": SECRET, "NODE_ENV": "production"}))

    def call(check: bool = False, **options: Any) -> dict[str, Any]:
        usual = {
            "status": ["migrate", "status"],
            "command": ["migrate", "up"],
            "revert": ["migrate", "down"],
            "pending_pattern": r"^### MIGRATION (?P<name>\S+) \(UP\) ###",
            "none_pattern": "^No migrations to run",
            "chdir": str(release),
            "config": str(config),
            "path_prepend": [str(tmp_path / "tools")],
            "budget": 60,
            "state_dir": str(tmp_path / "state"),
        }
        result = run_module(release_migrate.main, check=check, **{**usual, **options})
        shown = json.dumps({key: value for key, value in result.items() if key != "invocation"})
        assert SECRET not in shown
        assert postgres.password not in shown
        return result

    return call


def query(database: str, sql: str) -> list[tuple[Any, ...]]:
    """Run a statement in a database, by its URL, and commit it; its rows."""
    connection = psycopg2.connect(database)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        connection.close()


def tables(database: str) -> set[str]:
    return {name for (name,) in query(database, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}


def test_what_is_pending_is_applied_once(migrate: Migrate, database: str) -> None:
    checked = migrate(check=True)
    assert (checked["changed"], checked["pending_before"], checked["pending_after"]) == (
        True,
        ["1-orders", "2-users"],
        [],
    )
    assert "orders" not in tables(database)
    first, again = migrate(), migrate()
    assert checked.keys() == first.keys() == again.keys()
    assert first["applied"] == checked["applied"] == ["1-orders", "2-users"]
    assert first["output"][-1] == "applied 2-users"
    assert {"orders", "users"} <= tables(database)
    assert (again["changed"], again["applied"], again["output"]) == (False, [], [])
    assert migrate(check=True)["changed"] is False


def test_a_release_that_is_not_built_yet_is_no_failure_in_check_mode(migrate: Migrate, tmp_path: Path) -> None:
    real = migrate(check=True)
    checked = migrate(check=True, chdir=str(tmp_path / "later"), config=str(tmp_path / "later.json"))
    assert checked["changed"] is False
    assert (checked["pending_before"], checked["pending_after"]) == (None, None)
    assert checked.keys() == real.keys()


def test_the_named_ones_are_taken_back_however_many_runs_it_takes(
    migrate: Migrate, release: Path, database: str
) -> None:
    migrate()
    add(release, "3-deals", "CREATE TABLE deals (a int)", "DROP TABLE deals")
    add(release, "4-alerts", "CREATE TABLE alerts (a int)", "DROP TABLE alerts")
    applied = migrate()["applied"]
    assert applied == ["3-deals", "4-alerts"]
    back = {"state": "reverted", "migrations": applied}
    checked = migrate(check=True, **back)
    assert (checked["changed"], checked["reverted"]) == (True, applied)
    assert {"deals", "alerts"} <= tables(database)
    first, again = migrate(**back), migrate(**back)
    assert (first["changed"], first["reverted"], again["changed"]) == (True, applied, False)
    assert tables(database) == {"migrations", "orders", "users"}


def test_without_names_the_last_one_is_taken_back(migrate: Migrate, database: str) -> None:
    migrate()
    assert migrate(state="reverted")["reverted"] == ["2-users"]
    assert tables(database) == {"migrations", "orders"}


def test_a_migration_that_cannot_be_taken_back_is_said(migrate: Migrate, release: Path) -> None:
    migrate()
    failed = migrate(state="reverted", migrations=["2-users"], revert=["true"])
    assert "still applied are 2-users" in failed["msg"]


def test_a_failed_migration_says_how_far_it_came(migrate: Migrate, release: Path, database: str) -> None:
    add(release, "2-users", "CREATE TABLE nonsense (a no_such_type)")
    failed = migrate()
    assert failed["msg"].startswith("Cannot apply 1-orders, 2-users: the command ended with status 1 and said: ")
    assert 'type "no_such_type" does not exist' in failed["msg"]
    assert (failed["applied"], failed["pending_after"]) == (["1-orders"], ["2-users"])
    assert failed["rc"] == 1


def test_a_command_that_does_nothing_is_a_failure(migrate: Migrate) -> None:
    failed = migrate(command=["true"])
    assert "still pending are 1-orders, 2-users" in failed["msg"]
    assert failed["pending_after"] == ["1-orders", "2-users"]


def test_at_the_budget_everything_is_ended(migrate: Migrate, release: Path) -> None:
    command = ["sh", "-c", "sleep 300 & echo $! > child; echo begun; wait"]
    started = time.monotonic()
    failed = migrate(command=command, budget=4)
    assert time.monotonic() - started < 30
    assert "it did not end within the budget of 4 s" in failed["msg"]
    assert failed["pending_after"] == ["1-orders", "2-users"]
    child = int((release / "child").read_text())
    deadline = time.monotonic() + 10
    while is_running(child):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert failed["output"] == ["begun"]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"status": ["sh", "-c", "echo strange"]}, "matches neither pending_pattern nor none_pattern: strange"),
        ({"status": ["sh", "-c", "echo no server >&2; exit 1"]}, "ended with status 1 and said: no server"),
        ({"status": ["no-such-program"]}, "Cannot run no-such-program: there is no such program"),
        ({"pending_pattern": "("}, "Cannot use pending_pattern: "),
        ({"command": []}, "the option command is empty"),
        ({"state": "reverted", "revert": []}, "the option revert is empty"),
        ({"chdir": "/nonexistent"}, "the directory /nonexistent does not exist"),
        ({"config": "/nonexistent/env.json"}, "Cannot read /nonexistent/env.json: No such file or directory"),
    ],
)
def test_bad_input_is_said_and_nothing_is_run(
    migrate: Migrate, database: str, options: dict[str, Any], message: str
) -> None:
    failed = migrate(**options)
    assert message in failed["msg"]
    assert tables(database) <= {"migrations"}


def test_a_wrong_password_is_not_nothing_pending(migrate: Migrate, postgres: Postgres, tmp_path: Path) -> None:
    config = tmp_path / "wrong.json"
    url = postgres.url_of("migrated", password="wrong-s3cret")
    config.write_text(json.dumps({"DATABASE_URL": url, "JWT_SECRET": SECRET}))
    failed = migrate(config=str(config))
    assert "password authentication failed" in failed["msg"]
    assert "wrong-s3cret" not in json.dumps(failed)


def test_two_never_migrate_at_once(migrate: Migrate, tmp_path: Path, database: str) -> None:
    with host_lock(str(tmp_path / "state"), "do something else"):
        failed = migrate(budget=0.5)
    assert f"process {os.getpid()} (do something else, since " in failed["msg"]
    assert tables(database) == set()


# --- locks


@contextlib.contextmanager
def holding(database: str, sql: str) -> Iterator[int]:
    """A session that has done something in a transaction, and does not end it. Yields its process id."""
    connection = psycopg2.connect(database, application_name="lazy")
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            yield connection.get_backend_pid()
    finally:
        connection.close()


def sessions(database: str, application: str) -> int:
    """How many sessions there are of names like this."""
    sql = f"SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '{application}'"
    return int(query(database, sql)[0][0])


@pytest.fixture
def orders(migrate: Migrate, database: str) -> None:
    """Both migrations are applied, and there are orders."""
    migrate()
    query(database, "INSERT INTO orders SELECT generate_series(1, 20)")


@pytest.mark.usefixtures("orders")
def test_a_migration_gives_up_waiting_and_says_for_whom(migrate: Migrate, release: Path, database: str) -> None:
    add(release, "3-column", "ALTER TABLE orders ADD COLUMN b int")
    with holding(database, "SELECT count(*) FROM orders") as pid:
        started = time.monotonic()
        failed = migrate(lock_timeout=2.5)
        assert time.monotonic() - started < 15
    assert "canceling statement due to lock timeout" in failed["msg"]
    assert f"it waits for session {pid} (postgres, lazy, idle in transaction)" in failed["msg"]
    assert failed["pending_after"] == ["3-column"]
    (met,) = failed["blocking"]["sessions"]
    assert (met["pid"], met["waits_for"], failed["blocking"]["aborted"]) == (pid, "session", False)
    again = migrate(lock_timeout=2.5)
    assert again["applied"] == ["3-column"]


@pytest.mark.usefixtures("orders")
def test_a_migration_that_blocks_others_is_ended(migrate: Migrate, release: Path, database: str) -> None:
    add(release, "3-slow", "LOCK TABLE orders; CREATE TABLE half_done (a int); SELECT pg_sleep(120)")
    answers: list[list[tuple[Any, ...]]] = []

    def customer() -> None:
        deadline = time.monotonic() + 30
        # Only once the migration has the lock.
        while not query(database, "SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        answers.append(query(database, "SELECT count(*) FROM orders"))

    thread = threading.Thread(target=customer)
    thread.start()
    failed = migrate(blocked_max=2)
    thread.join(30)
    assert failed["msg"].startswith("Cannot apply 3-slow: it was ended because of a lock: for ")
    assert "waits for it. Migrate when the application is quiet" in failed["msg"]
    assert answers == [[(20,)]]
    assert failed["pending_after"] == ["3-slow"]
    assert failed["blocking"]["aborted"] is True
    assert [one["waits_for"] for one in failed["blocking"]["sessions"]] == ["migration"]
    assert failed["seconds"] < 60
    assert "half_done" not in tables(database)
    assert sessions(database, "sluice%") == 0


@pytest.mark.usefixtures("orders")
def test_at_the_budget_the_server_stops_too(migrate: Migrate, release: Path, database: str) -> None:
    add(release, "3-endless", "LOCK TABLE orders; SELECT pg_sleep(120)")
    failed = migrate(budget=4, statement_timeout=0)
    assert "it did not end within the budget of 4 s" in failed["msg"]
    assert sessions(database, "sluice_migrate%") == 0
    assert query(database, "SELECT count(*) FROM orders") == [(20,)]


def test_the_sessions_have_limits_and_a_name(migrate: Migrate, release: Path, database: str) -> None:
    shown = "name, current_setting(name) AS value FROM unnest(ARRAY['lock_timeout', 'statement_timeout'])"
    add(release, "3-seen", f"CREATE TABLE seen AS SELECT {shown} AS name")
    migrate(lock_timeout=3, budget=45)
    assert dict(query(database, "SELECT name, value FROM seen")) == {"lock_timeout": "3s", "statement_timeout": "45s"}


def test_the_direct_url_is_the_one_that_is_used(
    migrate: Migrate, database: str, postgres: Postgres, tmp_path: Path
) -> None:
    config = tmp_path / "pooled.json"
    pooled = postgres.url_of("no_such_database", password="p00l-s3cret")
    common = {"DATABASE_URL": pooled, "JWT_SECRET": SECRET}
    config.write_text(json.dumps(common))
    assert "p00l-s3cret" not in json.dumps(migrate(config=str(config)))
    config.write_text(json.dumps({**common, "DIRECT_DATABASE_URL": database}))
    assert migrate(config=str(config), check=True)["pending_before"] == ["1-orders", "2-users"]
    config.write_text(json.dumps(common))
    assert migrate(config=str(config), database_url=database)["applied"] == ["1-orders", "2-users"]


@pytest.mark.usefixtures("orders")
def test_rows_are_counted_before_and_after(migrate: Migrate, release: Path) -> None:
    add(release, "3-clean", "DELETE FROM orders WHERE a > 5; CREATE TABLE fresh AS SELECT 1")
    rows = migrate()["rows"]
    changed = {one["table"]: (one["before"], one["after"]) for one in rows["changed"]}
    assert changed == {"public.orders": (20, 5), "public.fresh": (None, 1), "public.migrations": (2, 3)}
    assert (rows["tables_before"], rows["tables_after"]) == (3, 4)
    add(release, "4-nothing", "SELECT 1")
    assert migrate(count_rows_mb=0)["rows"] is None


def test_a_database_of_another_kind_is_not_watched(migrate: Migrate, release: Path, tmp_path: Path) -> None:
    config = tmp_path / "other.json"
    config.write_text(json.dumps({"DATABASE_URL": "file:./dev.db"}))
    tool = ["sh", "-c", 'test -e done || echo "### MIGRATION one (UP) ###"; env | grep -q ^PGAPPNAME= && exit 9; true']
    done = migrate(config=str(config), status=tool, command=["touch", "done"], none_pattern=None)
    assert (done["applied"], done["blocking"], done["rows"]) == (["one"], None, None)


def test_a_rollback_by_level_3_takes_them_back_and_the_report_shows_it(
    migrate: Migrate, release: Path, database: str, tmp_path: Path
) -> None:
    migrate()
    (tmp_path / "hosts.yml").write_text(json.dumps({"all": {"hosts": {"app1": {"ansible_connection": "local"}}}}))
    (tmp_path / "ansible.cfg").touch()
    leaves = {"artifact": {"path": str(release)}, "config": {"path": str(tmp_path / "env.json")}}
    variables = {
        "ansible_python_interpreter": sys.executable,
        "sluice_database_url": database,
        "sluice_path": [str(tmp_path / "tools")],
        "sluice_state_dir": str(tmp_path / "state"),
        "migrate_status": ["migrate", "status"],
        "migrate_revert": ["migrate", "down"],
        "migrate_pending_pattern": r"^### MIGRATION (?P<name>\S+) \(UP\) ###",
        "migrate_none_pattern": "^No migrations to run",
        "rollback_evidence": {"level": 3, "migrations": ["2-users"], "leaves": leaves, "backup_id": "never-made"},
        "rollback_target": {"version": "1.0.0", **leaves},
    }
    run = "20261122T013000Z-rollback"
    record = {"path": str(tmp_path / "state"), "release": run, "token": run}
    kept = {"content": "{{ rollback_evidence }}", "dest": str(tmp_path / "evidence.json"), "mode": "0600"}
    tasks: list[dict[str, Any]] = [
        {"ansible.builtin.set_fact": {"sluice_plan": {"release_id": run}, "cacheable": True}},
        {"sluice.release.release_lock": {"path": record["path"], "token": run, "owner": "alice@ci"}},
        {"sluice.release.release_journal": {**record, "state": "opened", "data": {"kind": "rollback"}}},
        {"ansible.builtin.include_role": {"name": "sluice.release.rollback", "tasks_from": "database.yml"}},
        {"ansible.builtin.copy": kept},
    ]
    (tmp_path / "play.yml").write_text(
        json.dumps([{"hosts": "all", "gather_facts": False, "vars": variables, "tasks": tasks}])
    )
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "hosts.yml", "play.yml"],
        cwd=tmp_path,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"), "ANSIBLE_CONFIG": "ansible.cfg"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert tables(database) == {"migrations", "orders"}
    shown = migration_of([Found("app1", "rollback", json.loads((tmp_path / "evidence.json").read_text()))])
    assert shown is not None
    assert (shown["reverted"], shown["pending_before"], shown["pending_after"]) == (["2-users"], [], ["2-users"])
    assert shown["rows"]["before"] == 2

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which damages of a backup are found, by PostgreSQL's own tools and by pg_verify."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import random
import shutil
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg2

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._progress import Progress
from ansible_collections.sluice.release.plugins.module_utils._runner import SubprocessRunner
from ansible_collections.sluice.release.plugins.module_utils.postgres._backup import Means
from ansible_collections.sluice.release.plugins.module_utils.postgres._client import connect
from ansible_collections.sluice.release.plugins.module_utils.postgres._digest import compare
from ansible_collections.sluice.release.plugins.module_utils.postgres._dump import find_tools
from ansible_collections.sluice.release.plugins.module_utils.postgres._manifest import SetFile
from ansible_collections.sluice.release.plugins.module_utils.postgres._store import Backup, find_backup
from ansible_collections.sluice.release.plugins.module_utils.postgres._verify import (
    VerifyOptions,
    check_archive,
    read_inventory,
    verify_backup,
)
from benchmarks.database import damage
from benchmarks.database.server import BIN, VOLATILE, Server, run_module, running

SEED = 20261122
MEANS = Means(connect, SubprocessRunner(), SubprocessRunner(), Progress(None), lambda _text: None)

SETS: dict[str, dict[str, str]] = {
    f"{form}, {compression}": {"format": form, "compression": compression}
    for form in ("custom", "directory")
    for compression in ("gzip", "none")
}

# Seconds for one run of a tool: a damaged length can keep it busy for ever.
_TIMEOUT = 60.0

# How many damages are tried at the same time.
_WORKERS = 2

# A little of everything: wide rows, numbers, text that compresses and bytes that do not, an index, large objects.
SCHEMA = """
CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL, joined timestamptz DEFAULT now());
CREATE TABLE orders (id bigserial PRIMARY KEY, user_id int REFERENCES users, total numeric(10, 2), body jsonb);
CREATE TABLE files (id serial PRIMARY KEY, content bytea);
CREATE TABLE notes (id serial PRIMARY KEY, text text);
CREATE INDEX ON orders (user_id);
CREATE VIEW spent AS SELECT user_id, sum(total) FROM orders GROUP BY 1;
INSERT INTO users (name) SELECT 'user ' || i FROM generate_series(1, 2000) i;
INSERT INTO orders (user_id, total, body)
    SELECT 1 + i % 2000, i / 7.0, jsonb_build_object('item', md5(i::text), 'count', i % 9)
    FROM generate_series(1, 6000) i;
INSERT INTO files (content) SELECT sha256(i::text::bytea) || sha256((-i)::text::bytea) FROM generate_series(1, 4000) i;
INSERT INTO notes (text) SELECT repeat('note ' || i || ' ', 20) FROM generate_series(1, 2000) i;
SELECT lo_from_bytea(0, sha256(i::text::bytea)) FROM generate_series(1, 20) i;
"""
CHANGE = """
UPDATE orders SET total = total + 1 WHERE id % 50 = 7;
DELETE FROM users WHERE id > 2000 - 10 AND id NOT IN (SELECT user_id FROM orders);
INSERT INTO notes (text) SELECT 'later ' || i FROM generate_series(1, 50) i;
UPDATE files SET content = sha256(content) WHERE id % 100 = 3;
UPDATE users SET name = name || '!' WHERE id % 100 = 5;
"""


@dataclass(frozen=True)
class Outcome:
    """What found one damage. ``archive`` and ``restore`` of a set whose checksums were taken after the damage."""

    manifest: bool
    listing: bool
    reading: bool
    exit_status: bool
    silent: bool
    """The restore ended well, and the data is wrong."""
    archive: bool
    restore: bool

    @property
    def harmless(self) -> bool:
        """Everything was restored as it was: there was nothing to find but the changed file."""
        return not (self.exit_status or self.silent)


def measure(scale: float) -> dict[str, Any]:
    """Damage sets of every form; return what was found how often."""
    found: dict[str, Any] = {"seed": SEED, "sets": {}}
    with running(VOLATILE) as server:
        server.query("CREATE DATABASE source")
        server.query(SCHEMA, "source")
        sound, later = server.home / "sound", server.home / "later"
        for path in (sound, later):
            for number, options in enumerate(SETS.values()):
                _back_up(server, path, f"set{number}", options)
            server.query(CHANGE, "source")
        for number, name in enumerate(SETS):
            print(f"{datetime.now(UTC):%H:%M:%S} {name}", flush=True)
            found["sets"][name] = {
                kind: _try_all(
                    server, sound / f"set{number}", later / f"set{number}", kind, _share(count, number, scale)
                )
                for kind, count in damage.COUNTS.items()
            }
        found["false_alarms"] = _watch_sound_ones(server, max(round(20 * scale), len(SETS)))
    return found


def _share(count: int, number: int, scale: float) -> int:
    """How many of the damages of one kind fall to one of the sets."""
    whole = max(round(count * scale), len(SETS))
    return whole // len(SETS) + (number < whole % len(SETS))


def _back_up(server: Server, path: Path, name: str, options: Mapping[str, str]) -> None:
    usual = {"database_url": server.text_url("source"), "path": str(path), "bin_path": str(BIN), "free_mb_min": 1}
    run_module("pg_backup", {**usual, "backup_id": name, **options})


def _try_all(server: Server, sound: Path, later: Path, kind: str, count: int) -> dict[str, int]:
    with ThreadPoolExecutor(_WORKERS) as pool:
        outcomes = list(pool.map(lambda number: _try(server, sound, later, kind, number), range(count)))
    return {
        "count": count,
        **{key: sum(getattr(outcome, key) for outcome in outcomes) for key in (*Outcome.__annotations__, "harmless")},
        "missed": sum(not (outcome.manifest and (outcome.restore or outcome.harmless)) for outcome in outcomes),
    }


def _archive_files(backup: Path) -> list[Path]:
    return sorted(file for file in backup.rglob("*") if file.is_file() and "database" in str(file.relative_to(backup)))


def _try(server: Server, sound: Path, later: Path, kind: str, number: int) -> Outcome:
    """Damage a copy of a set in one way, and see who finds it."""
    chance = random.Random(f"{SEED} {sound.name} {kind} {number}")  # noqa: S311 - to be repeated
    root = server.home / f"{sound.name}-{kind.replace(' ', '-')}-{number}"
    path = root / sound.name
    shutil.copytree(sound, path, ignore=shutil.ignore_patterns("*.lock"))
    files = [file for file in _archive_files(path) if file.stat().st_size]
    if kind == "swapped files":
        damage.swap(files, chance, _archive_files(later))
    else:
        how: dict[str, damage.Damage] = {
            "bit flips": damage.flip,
            "truncations": damage.truncate,
            "zeroed blocks": damage.zero,
        }
        how[kind](files, chance)
    try:
        return _judge(server, root, path.name)
    finally:
        shutil.rmtree(root)


def _judge(server: Server, root: Path, name: str) -> Outcome:
    by_manifest = _refused(lambda: verify_backup(VerifyOptions(str(root), name, "manifest"), MEANS))
    _seal(root, name)
    backup = _found(root, name)
    tools = find_tools(180000, str(BIN), MEANS.runner)
    by_list = _fails(server, "--list", backup.dump)
    by_reading = _fails(server, "--file=/dev/null", backup.dump)
    # It runs these two, and looks at more than their exit status.
    by_archive = by_list or by_reading or _refused(lambda: check_archive(backup, tools, MEANS, _TIMEOUT))
    with _scratch(server, f"scratch_{root.name}".replace(" ", "_")) as database:
        target = server.in_database(database)
        conninfo = target.conninfo("benchmark")
        by_exit = _fails(server, "--exit-on-error", "--no-password", f"--dbname={conninfo}", backup.dump)
        differs = False
        if not by_exit:
            try:
                found = read_inventory(target, tools, _TIMEOUT, MEANS, "compare")
                differs = bool(compare(backup.manifest.inventory, found))
            except SluiceError:
                differs = True
    return Outcome(by_manifest, by_list, by_reading, by_exit, differs, by_archive, by_archive or by_exit or differs)


def _found(root: Path, name: str) -> Backup:
    backup = find_backup(str(root), name)
    if backup is None:
        raise SystemExit(f"Cannot measure: {name} is not in {root}.")
    return backup


def _seal(root: Path, name: str) -> None:
    """Make the checksums those of the files as they are: as if the damage had been there from the beginning."""
    manifest = _found(root, name).manifest
    files = {}
    for file in manifest.files:
        data = (root / name / file).read_bytes()
        files[file] = SetFile(len(data), hashlib.sha256(data).hexdigest())
    (root / name / "manifest.json").write_bytes(replace(manifest, files=files).render())


def _refused(check: Any) -> bool:
    try:
        check()
    except SluiceError:
        return True
    return False


def _fails(server: Server, *arguments: str) -> bool:
    """Whether pg_restore ends with an error, as its exit status tells."""
    return server.attempt("timeout", str(int(_TIMEOUT)), str(BIN / "pg_restore"), *arguments).returncode != 0


@contextlib.contextmanager
def _scratch(server: Server, name: str) -> Iterator[str]:
    name = name[:60].replace("-", "_")
    server.query(f'CREATE DATABASE "{name}" TEMPLATE template0')
    try:
        yield name
    finally:
        server.query(f'DROP DATABASE "{name}" WITH (FORCE)')


def _watch_sound_ones(server: Server, count: int) -> dict[str, int]:
    """Back up and verify while others write; return how many sound backups were taken for damaged ones."""
    done = threading.Event()
    written = itertools.count()
    total = 0
    alarms = 0
    writers = [threading.Thread(target=_write, args=(server, done, written)) for _ in range(3)]
    for writer in writers:
        writer.start()
    try:
        for number, (name, options) in enumerate(itertools.islice(itertools.cycle(SETS.items()), count)):
            _back_up(server, server.home / "loaded", f"b{number}", options)
            usual = {"database_url": server.text_url("postgres"), "bin_path": str(BIN)}
            try:
                run_module("pg_verify", {**usual, "path": str(server.home / "loaded"), "backup_id": f"b{number}"})
            except SystemExit as error:
                print(f"A false alarm for {name}: {error}")
                alarms += 1
    finally:
        done.set()
        for writer in writers:
            writer.join()
        total = next(written)
    return {"backups": count, "alarms": alarms, "transactions": total}


def _write(server: Server, done: threading.Event, written: Iterator[int]) -> None:
    chance = random.Random(SEED)  # noqa: S311 - to be repeated
    connection = psycopg2.connect(server.text_url("source"))
    connection.autocommit = True
    with connection.cursor() as cursor:
        while not done.is_set():
            user = chance.randrange(1, 1900)
            cursor.execute(
                "INSERT INTO orders (user_id, total, body) VALUES (%s, 1, '{}');"
                "UPDATE users SET name = name || '.' WHERE id = %s;"
                "DELETE FROM orders WHERE id = (SELECT min(id) FROM orders WHERE user_id = %s);"
                "SELECT lo_from_bytea(0, 'written under load') WHERE %s",
                (user, user, user, chance.random() < 0.02),
            )
            next(written)
            done.wait(0.01)
    connection.close()


def render(found: Mapping[str, Any]) -> list[str]:
    """Return the results as lines of a page for people."""
    alarms = found["false_alarms"]
    total = sum(row["count"] for rows in found["sets"].values() for row in rows.values())
    missed = sum(row["missed"] for rows in found["sets"].values() for row in rows.values())
    columns = ("count", "listing", "reading", "exit_status", "silent", "manifest", "archive", "restore", "harmless")
    heads = (
        "set",
        "damage",
        "done",
        "`pg_restore --list`",
        "`-f /dev/null`",
        "restore's exit status",
        "restored wrong, exit 0",
        "`manifest`",
        "`archive` alone",
        "`restore` alone",
        "harmless",
    )
    lines = [
        "",
        "### Damage that is found",
        "",
        f"{total} damages of archives (seed {found['seed']}), **{missed} missed** by `pg_verify`. Its level `manifest`",
        "looks at the damaged set. Its levels `archive` and `restore` are shown without the help of the checksums, on",
        "a set whose manifest was written after the damage; with them they find what `manifest` finds. Harmless is a",
        "damage after which everything was restored as it was: there only the checksum can tell.",
        "",
        f"| {' | '.join(heads)} |",
        "|---" * len(heads) + "|",
    ]
    for name, rows in found["sets"].items():
        lines += [
            f"| {name} | {kind} | {' | '.join(str(row[column]) for column in columns)} |" for kind, row in rows.items()
        ]
    lines += [
        "",
        f"False alarms: **{alarms['alarms']}** in {alarms['backups']} backups that were made and verified by restore",
        f"while three clients wrote ({alarms['transactions']} transactions).",
    ]
    return lines

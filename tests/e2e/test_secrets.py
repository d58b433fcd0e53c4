# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets are planted, a release is made as loudly as Ansible can, and nothing that anyone else may read has them."""

from __future__ import annotations

import json
import os
import secrets
import stat
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

import psycopg2
import pytest
from psycopg2 import sql as sql_text
from world import Run, World, pids

SAMPLE_EVERY = 0.02
# A process may call exec more than once: it is looked at for a while, then left alone.
LOOKS = 10


class Watch(threading.Thread):
    """Reads the command line of every process that appears, every 20 ms."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.stopped = threading.Event()
        self.lines: set[bytes] = set()
        self.samples = 0

    def run(self) -> None:
        looks: Counter[int] = Counter()
        while not self.stopped.wait(SAMPLE_EVERY):
            self.samples += 1
            present = set(pids())
            for pid in present:
                if looks[pid] < LOOKS:
                    looks[pid] += 1
                    try:
                        self.lines.add(Path(f"/proc/{pid}/cmdline").read_bytes())
                    except OSError:
                        continue
            for pid in [pid for pid in looks if pid not in present]:
                del looks[pid]


@contextmanager
def watched() -> Iterator[Watch]:
    watch = Watch()
    watch.start()
    yield watch
    watch.stopped.set()
    watch.join()


def spellings(secret: str) -> set[bytes]:
    """The secret as it stands, and as URLs and JSON spell it."""
    forms = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), json.dumps(secret)[1:-1]}
    return {form.encode() for form in forms}


def found_in(data: bytes, planted: dict[str, str]) -> list[str]:
    return [name for name, secret in planted.items() if any(form in data for form in spellings(secret))]


@pytest.fixture(scope="module")
def planted(world: World) -> Iterator[dict[str, str]]:
    """Secrets that occur nowhere else, with characters that URLs, shells, YAML and JSON each spell in their own way."""
    salt = secrets.token_hex(6)
    values = {
        "database password": f"d{salt}/p@ss:w%rd+&'\"x",
        "JWT secret": f"j{salt} sp ace$HOME`x`{{{{ 1 }}}}",
        "Redis password": world.facts.redis_password,
        "administrator's password": world.facts.postgres_password,
    }
    password = sql_text.Literal(values["database password"])
    alter = sql_text.SQL("ALTER ROLE dealradar PASSWORD {}")
    administer(world, alter.format(password))
    yield values
    administer(world, alter.format(sql_text.Literal(world.facts.database_password)))


def administer(world: World, statement: sql_text.Composable) -> None:
    with closing(psycopg2.connect(world.admin_url())) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)


@dataclass(frozen=True)
class Loud:
    """A run, what was seen of its processes, and the files that it has left in Ansible's own directory."""

    run: Run
    watch: Watch
    left_at_home: set[Path]


def at_home(world: World) -> set[Path]:
    return {path for path in (world.home / ".ansible").rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def loud(world: World, planted: dict[str, str]) -> Loud:
    """A release to a version that has to be built, at -vvvv, with the raw stream of tasks."""
    password = quote(planted["database password"], safe="")
    variables = {
        "sluice_database_url": f"postgresql://dealradar:{password}@127.0.0.1:{world.facts.postgres_port}/dealradar",
        "planted_jwt": planted["JWT secret"],
    }
    # As a file, as a vault or a credential of AWX would give them: a command line is for everybody to read.
    file = world.directory / "planted.yml"
    file.touch(mode=0o600)
    lines = [f"{name}: !unsafe {json.dumps(value)}" for name, value in variables.items()]
    names = {"DATABASE_URL": "sluice_database_url", "REDIS_URL": "sluice_redis_url", "JWT_SECRET": "planted_jwt"}
    lines += ["sluice_secrets:", *(f'  {name}: "{{{{ {source} }}}}"' for name, source in names.items())]
    file.write_text("\n".join([*lines, ""]))
    version = "1.5.0" if world.serving() != "1.5.0" else "1.0.0"
    # A controller that was killed cannot tidy up after itself; this one can.
    before = at_home(world)
    with watched() as watch:
        run = world.deploy(version, "-vvvv", "-e", f"@{file}", env={"SLUICE_OUTPUT": "raw"}, backup_verify="restore")
    file.unlink()
    assert run.status == 0, "\n".join(run.output.splitlines()[-60:])
    world.assert_serves(version)
    return Loud(run, watch, at_home(world) - before)


def test_the_application_has_them(world: World, loud: Loud, planted: dict[str, str]) -> None:
    assert world.worker_setting("JWT_SECRET") == {planted["JWT secret"]}


def test_the_output_has_none(loud: Loud, planted: dict[str, str]) -> None:
    assert "EXEC" in loud.run.output or "ESTABLISH LOCAL CONNECTION" in loud.run.output, "the output is not loud"
    output = loud.run.output.encode()
    guilty = [line[:300] for line in output.splitlines() if found_in(line, planted)]
    assert guilty == []


def test_no_command_line_has_one(loud: Loud, planted: dict[str, str]) -> None:
    assert loud.watch.samples > 100
    assert any(b"pg_dump" in line for line in loud.watch.lines), "the sampling is too coarse"
    assert [line[:300] for line in loud.watch.lines if found_in(line, planted)] == []


def allowed(world: World, path: Path) -> bool:
    """Where a secret has to be: the rendered environments, PM2's home, and the servers' own files."""
    if path.name == "env.json" and path.parent.parent == world.root / "config":
        status, directory = path.stat(), path.parent.stat()
        return (stat.S_IMODE(status.st_mode), stat.S_IMODE(directory.st_mode)) == (0o600, 0o700)
    lab = world.lab
    # The logs are inside PM2's home, but they are made to be read and sent around.
    if lab.pm2_home in path.parents and path.parent.name != "logs" and path.suffix != ".log":
        return stat.S_IMODE(lab.pm2_home.stat().st_mode) == 0o700
    return path in (lab.facts_file, lab.valkey / "valkey.conf")


def test_no_file_has_one(world: World, loud: Loud, planted: dict[str, str]) -> None:
    """Journal, reports, lock, probe, backups, logs, releases, what Ansible leaves at home and in TMPDIR."""
    seen, guilty = set(), []
    for directory, names, files in os.walk(world.directory):
        # Packages and the database's own storage.
        names[:] = [name for name in names if name not in ("node_modules", "npm-cache", "base", ".git")]
        for path in (Path(directory) / name for name in files):
            if path.is_symlink() or not path.is_file():
                continue
            seen.add(path.relative_to(world.directory).parts[:3])
            if found := found_in(path.read_bytes(), planted):
                guilty += [] if allowed(world, path) else [f"{path}: {', '.join(found)}"]
    assert ("lab", "state", "journal") in seen
    assert ("lab", "pm2", "logs") in seen
    assert guilty == []


def test_ansible_leaves_nothing_at_home(world: World, loud: Loud) -> None:
    assert loud.left_at_home == set()

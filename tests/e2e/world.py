# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab of the tests' own, a copy of the project that deploys to it, and what can be seen of both from outside."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import needs
import psycopg2
import redis
import yaml
from sluice_lab import services
from sluice_lab.lab import Facts, Lab
from sluice_lab.pm2 import Pm2
from sluice_lab.processes import command_line

from ansible_collections.sluice.release.plugins.module_utils.journal import _lock, _state, _store

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent
WORKERS = 2

# The profile's gate and proof of the backup take most of a deploy. Where neither is the subject, these do; what comes
# after the deploy is not looked at.
QUICK: Mapping[str, Any] = {
    "gate_duration": 2,
    "backup_verify": "manifest",
    "warm_sources": [],
    "warm_checks": [],
    "watch_windows": [],
}
# A machine under load is slow; nothing here may hang it.
LIMIT = 900.0


@dataclass(frozen=True)
class Run:
    """How ansible-playbook ended. ``said`` is its output on one line, whatever the terminal's width was."""

    status: int
    output: str
    seconds: float = 0.0

    @property
    def said(self) -> str:
        return " ".join(self.output.split())


@dataclass(frozen=True)
class Seen:
    """What a visitor got from a number of requests."""

    versions: frozenset[str]
    troubles: tuple[str, ...]


@dataclass(frozen=True)
class World:
    """``directory`` holds the project's copy, the lab and everything that a run may leave behind."""

    directory: Path
    facts: Facts
    seat: str = ""
    """Which controller this is; all of them act on the same lab."""

    @property
    def project(self) -> Path:
        return self.directory / f"project{self.seat}"

    @property
    def lab(self) -> Lab:
        return Lab(project=self.project, state=self.directory / "lab")

    @property
    def root(self) -> Path:
        return self.lab.state / "srv"

    @property
    def state_dir(self) -> Path:
        return self.lab.state / "state"

    @property
    def home(self) -> Path:
        return self.directory / f"home{self.seat}"

    def second(self) -> World:
        """Another controller: a checkout and a home of its own, which have seen nothing of what was released."""
        other = replace(self, seat="-2")
        if not other.project.exists():
            needs.copy_checkout(other.project)
            (other.project / ".lab").symlink_to(self.directory / "lab")
            other.home.mkdir(mode=0o700)
        return other

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.facts.app_port}"

    # --- running the playbooks --------------------------------------------------------------------------------------

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a run: nothing of the caller's Ansible, a home and a temporary directory of its own."""
        env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "SLUICE_"))}
        places = {"HOME": str(self.home), "TMPDIR": str(self.directory / "tmp")}
        return env | places | {"PATH": f"{TOOLS}{os.pathsep}{env['PATH']}", "LC_ALL": "C.UTF-8", "NO_COLOR": "1"} | more

    def start(
        self, playbook: str, *arguments: str, output: Any = subprocess.PIPE, limit: str = "lab", **env: str
    ) -> subprocess.Popen[str]:
        """Start a playbook as a user would type it, in a session of its own."""
        limits = ["-l", limit] if limit else []
        return subprocess.Popen(
            ["ansible-playbook", f"{playbook}.yml", *limits, *arguments],
            cwd=self.project, env=self.environment(**env), text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def play(
        self, playbook: str, *arguments: str, variables: Mapping[str, Any] | None = None, limit: str = "lab", **env: str
    ) -> Run:
        """Run a playbook to its end; ``variables`` become ``-e``."""
        began = time.monotonic()
        process = self.start(playbook, "-e", json.dumps(dict(variables or {})), *arguments, limit=limit, **env)
        try:
            output, _nothing = process.communicate(timeout=LIMIT)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return Run(process.returncode, output, time.monotonic() - began)

    def deploy(self, version: str, *arguments: str, env: Mapping[str, str] | None = None, **variables: Any) -> Run:
        """Deploy quickly, unless the variables say otherwise."""
        asked = {"release_version": version, **QUICK, **variables}
        return self.play("deploy", *arguments, variables=asked, **(env or {}))

    def ensure(self, version: str) -> None:
        """Have `version` serve, whatever the tests before have left."""
        settled = self.serving() == version and len(self.workers()) == WORKERS
        if not settled or self.state()["open"] or self.lock():
            run = self.deploy(version)
            assert run.status == 0, run.output

    def hostvars(self) -> dict[str, Any]:
        """The profile's variables, as an inventory that is not a file beside it has to give them."""
        profile = yaml.safe_load((self.project / "inventories/lab/group_vars/lab/profile.yml").read_text())
        return {**profile, "lab_directory": str(self.lab.state), "ansible_connection": "local"}

    # --- what the journal says --------------------------------------------------------------------------------------

    def entries(self) -> list[dict[str, Any]]:
        """The journal's entries, its chain checked; SluiceError when it is not whole."""
        return list(_store.read(str(self.state_dir)))

    def state(self) -> dict[str, Any]:
        return dict(_state.derive(self.entries()))

    def serving(self) -> str | None:
        """The version that the journal calls current."""
        current = self.state()["current"]
        return str(current["version"]) if current else None

    def lock(self) -> dict[str, Any] | None:
        return _lock.read_lock(str(self.state_dir))

    def report(self) -> dict[str, Any]:
        """The newest report."""
        files = sorted((self.state_dir / "reports").glob("*.json"))
        return dict(json.loads(files[-1].read_text()))

    # --- what a visitor sees ----------------------------------------------------------------------------------------

    def get(self, path: str, *, method: str = "GET", body: Any = None, timeout: float = 10) -> tuple[int, Any]:
        """Status and JSON of one request on a connection of its own. OSError or HTTPException without an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.facts.app_port, timeout=timeout)
        with contextlib.closing(connection):
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": "application/json"} if text else {})
            response = connection.getresponse()
            return response.status, json.loads(response.read())

    def ask(self, count: int = 12) -> Seen:
        """Ask for version and readiness ``count`` times."""
        versions, troubles = set(), []
        for _ in range(count):
            for path in ("/ready", "/api/deals?limit=1", "/version"):
                try:
                    status, answer = self.get(path)
                except (OSError, http.client.HTTPException) as error:
                    troubles.append(f"{path}: {error!r}")
                    continue
                if status != 200:
                    troubles.append(f"{path}: {status} {answer}")
                elif path == "/version":
                    versions.add(str(answer["version"]))
        return Seen(frozenset(versions), tuple(troubles))

    def assert_serves(self, version: str) -> None:
        """Every worker that there is serves exactly `version`, and there are as many as the profile asks for."""
        assert self.ask() == Seen(frozenset({version}), ())
        workers = self.workers()
        assert len(workers) == WORKERS, workers
        assert {Path(place).name.split("-")[0] for place in workers.values()} == {version}, workers
        assert self.serving() == version

    # --- what the machine shows -------------------------------------------------------------------------------------

    def workers(self) -> dict[int, str]:
        """The workers that PM2's daemon has started: pid -> working directory, which is the release's.

        The daemon has other children for a moment: `ps` when it ends a worker, `getconf` when it measures one.
        """
        daemon, found = Pm2(self.lab).pid, {}
        for pid in pids():
            with contextlib.suppress(OSError, ValueError, IndexError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                worker = b"pm2_env=" in Path(f"/proc/{pid}/environ").read_bytes()
                if int(fields[1]) == daemon and fields[0] != "Z" and worker:
                    found[pid] = str(Path(f"/proc/{pid}/cwd").readlink())
        return found

    def worker_setting(self, name: str) -> set[str | None]:
        """The value of an environment variable in each worker; PM2 hands a cluster worker its environment as JSON."""
        values: set[str | None] = set()
        for pid in self.workers():
            pairs = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
            environment = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
            values.add(json.loads(environment["pm2_env"]).get(name))
        return values

    def admin_url(self, database: str = "postgres") -> str:
        password = quote(self.facts.postgres_password, safe="")
        return f"postgresql://postgres:{password}@127.0.0.1:{self.facts.postgres_port}/{database}"

    def sql(self, statement: str, *values: Any, database: str = "dealradar") -> list[tuple[Any, ...]]:
        """Run one statement as the administrator; its rows, if it has any."""
        connection = psycopg2.connect(self.admin_url(database), connect_timeout=10)
        connection.autocommit = True
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def redis(self) -> redis.Redis:
        """The cache, as the application sees it."""
        return redis.Redis(port=self.facts.valkey_port, password=self.facts.redis_password, socket_timeout=10)

    def databases(self) -> set[str]:
        return {name for (name,) in self.sql("SELECT datname FROM pg_database", database="postgres")}

    def schema(self) -> str:
        """The database's definition; pg_dump of today writes a random word into it, which is left out."""
        command = [str(self.lab.bin / "pg_dump"), "--schema-only", "--dbname", self.admin_url("dealradar")]
        dump = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return "\n".join(line for line in dump.splitlines() if "restrict " not in line)

    def snapshot(self) -> dict[str, Any]:
        """Everything that a run must leave alone that only says what it would do."""
        return {
            "releases": tree(self.root),
            "journal": tree(self.state_dir / "journal"),
            "backups": tree(self.state_dir / "backups"),
            "reports": tree(self.state_dir / "reports"),
            "schema": self.schema(),
            "databases": self.databases(),
            "workers": self.workers(),
            "lock": self.lock(),
        }


def pids() -> Iterator[int]:
    """The processes that there are."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            yield int(name)


def tree(root: Path) -> dict[str, str]:
    """Every path under ``root`` with its mode and its content or target."""
    found = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        if path.is_symlink():
            content = str(path.readlink())
        else:
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path.relative_to(root))] = f"{status.st_mode:o} {content}"
    return found


def controller(pid: int) -> list[int]:
    """A running ansible-playbook and its workers, which are forks of it; not the modules that they have started."""
    title = command_line(pid)
    family = [pid]
    for other in pids():
        with contextlib.suppress(OSError, ValueError, IndexError):
            parent = int(Path(f"/proc/{other}/stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and command_line(other) == title:
                family.append(other)
    return family


def kill_controller(process: subprocess.Popen[str]) -> None:
    """kill -9 of the controller: what it has started on the host lives on."""
    for pid in controller(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def wait_for(condition: Callable[[], bool], seconds: float = 120.0, pause: float = 0.1) -> bool:
    """Wait until a condition holds; whether it did in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def npm_cache() -> Path:
    """One cache for all labs of this checkout, so that each package is fetched once."""
    shared = ROOT / ".lab" / "npm-cache"
    cache = shared if shared.is_dir() else ROOT / "build" / "npm-cache"
    cache.mkdir(parents=True, exist_ok=True)
    return cache


@contextlib.contextmanager
def running(directory: Path) -> Iterator[World]:
    """Run a lab in a directory, beside a fresh copy of the project whose `.lab` it is."""
    project, state = directory / "project", directory / "lab"
    needs.copy_checkout(project)
    (project / ".lab").symlink_to(state)
    for private in ("home", "tmp"):
        (directory / private).mkdir(mode=0o700, exist_ok=True)
    lab = Lab(project=project, state=state)
    lab.state.mkdir(mode=0o711, exist_ok=True)
    if not os.path.lexists(state / "npm-cache"):
        (state / "npm-cache").symlink_to(npm_cache())
    try:
        yield World(directory, services.up(lab))
    finally:
        services.down(lab)

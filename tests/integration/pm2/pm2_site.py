# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application of Node.js, a PM2 of its own to run it, and clients."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
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
                "timeout": 20,
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
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "collections")},
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

    def state(self, name: str | None = None) -> list[tuple[int, int, str, str]]:
        """Everything about the processes that must not change when nothing is to change."""
        return [
            (
                entry["pm_id"],
                entry["pid"],
                entry["pm2_env"]["status"],
                entry["pm2_env"]["env"].get("SLUICE_RELEASE", ""),
            )
            for entry in self.listed(name)
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


def marks(site: Site) -> dict[str, str]:
    return {
        entry["pm2_env"]["env"]["NODE_APP_INSTANCE"]: entry["pm2_env"]["env"]["SLUICE_MARK"] for entry in site.listed()
    }

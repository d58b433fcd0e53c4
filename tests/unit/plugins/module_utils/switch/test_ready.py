# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When workers count as proven, and how they are asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.switch import _ready
from ansible_collections.sluice.release.plugins.module_utils.switch._ready import Answer, Proof, Ready

READY = Ready("http://127.0.0.1:1/ready", "1.1.0", "http://127.0.0.1:1/version", successes=2, interval=0.1)


def good(pid: int, version: str = "1.1.0", status: int = 200) -> Answer:
    return Answer(status, pid, version)


@pytest.mark.parametrize(
    ("answers", "complete", "shortfall"),
    [
        ([good(1), good(2), good(1), good(2)], True, ""),
        ([good(1), good(1), good(1)], False, "process 2 never answered (0 of 2 in a row)"),
        ([good(1), good(2), good(1), good(9, "1.0.0"), good(2)], True, ""),
        ([good(1), good(2), good(1, status=503), good(1), good(2)], False, "process 1 ready (1 of 2 in a row)"),
        ([good(1), good(2), good(1), good(2, "1.0.0")], False, "process 2 reports version 1.0.0 instead of 1.1.0"),
        ([good(1, status=503)], False, "process 1 not ready, HTTP 503 (0 of 2 in a row)"),
        ([Answer(error="connection refused")], False, "after 1 requests; the last failed request: connection refused"),
        ([Answer(200, None, "1.1.0")], False, "the answer does not say which process gives it"),
        ([Answer(200, whole=False)], False, "the connection was closed before the version could be asked"),
        # Once proven a worker stays so only while it does not show the opposite.
        ([good(1), good(2), good(1), good(2), good(1, status=500)], False, "process 1 not ready, HTTP 500"),
    ],
)
def test_proof(answers: list[Answer], complete: bool, shortfall: str) -> None:
    proof = Proof(READY, [1, 2])
    for number, answer in enumerate(answers):
        proof.see(answer, at=number * 0.2)
    assert proof.complete is complete
    if not complete:
        assert shortfall in proof.shortfall()


def test_successes_closer_than_the_interval_count_once() -> None:
    proof = Proof(READY, [1])
    for at in (0.0, 0.01, 0.05, 0.09):
        assert proof.see(good(1), at)
    assert proof.records[1].ready_at is None
    proof.see(good(1), 0.1)
    assert proof.complete
    assert proof.records[1].ready_at == 0.1


def test_a_worker_with_an_address_of_its_own_need_not_say_who_it_is() -> None:
    proof = Proof(READY, [1], anonymous=True)
    for at, answer in enumerate([Answer(200, None, "1.1.0"), Answer(error="reset"), Answer(200, None, "1.1.0")]):
        proof.see(answer, at)
    proof.see(good(9), 4)  # says that it is another
    assert proof.records[1].ready_at is None
    proof.see(Answer(200, None, "1.1.0"), 5)
    assert proof.complete


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"pid": 7, "version": "1.1.0"}', (7, "1.1.0")),
        (b'{"pid": 7, "version": 11}', (7, "11")),
        (b'{"pid": "7"}', (None, None)),
        (b"[]", (None, None)),
        (b"<html>", (None, None)),
        (b"\xff", (None, None)),
    ],
)
def test_read(body: bytes, expected: tuple[int | None, str | None]) -> None:
    assert _ready.read(READY, body) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [("a.b", 1), ("a.c", None), ("list[0].x", 2), ("length(list)", 1), ("a.b.c", None)],
)
def test_query(expression: str, expected: Any) -> None:
    assert _ready.query(expression, {"a": {"b": 1}, "list": [{"x": 2}]}) == expected


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"url": "ftp://x/"}, "it is no http or https URL"),
        ({"version_url": "http://127.0.0.1:2/version"}, "they lie on different servers"),
        ({"version_query": "a["}, "Cannot evaluate 'a['"),
    ],
)
def test_check(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(SluiceError) as raised:
        _ready.check(Ready(**{**READY.__dict__, **changed}))
    assert message in str(raised.value)


def test_at_port() -> None:
    ready = Ready("http://h:{port}/ready", "1", "http://h:{port}/version").at_port(81)
    assert (ready.url, ready.version_url) == ("http://h:81/ready", "http://h:81/version")


@contextmanager
def server(protocol: str = "HTTP/1.1") -> Iterator[tuple[int, list[tuple[str, int]]]]:
    """A server that notes path and client port of every request."""
    seen: list[tuple[str, int]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = protocol

        def do_GET(self) -> None:
            seen.append((self.path, self.client_address[1]))
            body = json.dumps({"pid": 7, "version": "1.1.0"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
        yield listening.server_port, seen
        listening.shutdown()


def ready_at(port: int) -> Ready:
    return Ready(f"http://127.0.0.1:{port}/ready?x=1", "1.1.0", f"http://127.0.0.1:{port}/version", request_timeout=2)


def test_readiness_and_version_are_asked_over_one_connection() -> None:
    with server() as (port, seen):
        answer = _ready.look(ready_at(port))
    assert (answer.status, answer.pid, answer.version, answer.whole) == (200, 7, "1.1.0", True)
    assert [path for path, _ in seen] == ["/ready?x=1", "/version"]
    assert len({client for _, client in seen}) == 1


def test_a_closed_connection_says_nothing_about_the_version() -> None:
    with server("HTTP/1.0") as (port, _):
        answer = _ready.look(ready_at(port))
    assert (answer.status, answer.pid, answer.whole) == (200, None, False)


def test_nobody_answers() -> None:
    with server() as (port, _):
        pass
    assert _ready.look(ready_at(port)).error == "connection refused"

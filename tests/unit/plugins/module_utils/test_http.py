# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""fetch() against servers that behave, misbehave, or do nothing at all."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._http import MAX_BODY, fetch

Serve = Callable[[Callable[[socket.socket], None]], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a raw TCP server whose handler gets every accepted connection; returns its URL."""
    listeners: list[socket.socket] = []

    def start(handler: Callable[[socket.socket], None]) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def talk(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                handler(connection)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _peer = listener.accept()
                    threading.Thread(target=talk, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"

    yield start
    for listener in listeners:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def answering(text: bytes) -> Callable[[socket.socket], None]:
    def handler(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(text)

    return handler


def never(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.recv(1)  # until the client goes away


def drip(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        connection.sendall(b"a")
        time.sleep(0.02)


def drip_body(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
    while True:
        connection.sendall(b"a")
        time.sleep(0.02)


def go_on(connection: socket.socket) -> None:
    connection.recv(4096)
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


def huge(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 41943040\r\n\r\n")
    for _megabyte in range(40):
        connection.sendall(b"x" * 1024**2)


@pytest.mark.parametrize(
    ("handler", "status", "body", "kind", "error"),
    [
        pytest.param(
            answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), 200, b"hi", None, None, id="complete"
        ),
        pytest.param(answering(b"HTTP/1.0 200 OK\r\n\r\nhi"), 200, b"hi", None, None, id="without-length"),
        pytest.param(
            answering(b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno"), 503, b"no", None, None, id="error-status"
        ),
        pytest.param(
            answering(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"), 302, b"", None, None,
            id="redirect-not-followed",
        ),
        pytest.param(never, 0, b"", "timeout", "no answer within 0.3 s", id="never-answers"),
        pytest.param(drip, 0, b"", "timeout", "no answer within 0.3 s", id="drips-headers"),
        pytest.param(drip_body, 0, b"", "timeout", "no answer within 0.3 s", id="drips-body"),
        pytest.param(go_on, 0, b"", "timeout", "no answer within 0.3 s", id="continues-without-end"),
        pytest.param(huge, 200, b"", "too_large", "its answer is larger than 8 MB", id="forty-megabytes"),
        pytest.param(answering(b""), 0, b"", "reset", None, id="closes-silently"),
        pytest.param(
            answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi"), 0, b"", "reset", None, id="truncated"
        ),
        pytest.param(answering(b"SSH-2.0-x\r\n"), 0, b"", "invalid", None, id="another-protocol"),
    ],
)  # fmt: skip
def test_every_end_of_an_exchange(
    serve: Serve,
    handler: Callable[[socket.socket], None],
    status: int,
    body: bytes,
    kind: str | None,
    error: str | None,
) -> None:
    timeout = 0.3 if kind == "timeout" else 5.0
    response = fetch(serve(handler), timeout=timeout)
    assert (response.status, response.body, response.kind) == (status, body, kind)
    if error:
        assert response.error == error
    assert response.seconds < timeout + 0.5
    assert len(response.body) <= MAX_BODY


def test_follows_redirects_when_asked_and_leaves_credentials_behind(serve: Serve) -> None:
    seen: list[bytes] = []

    def final(connection: socket.socket) -> None:
        seen.append(connection.recv(4096))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    target = serve(final)
    first = serve(answering(f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()))
    response = fetch(first, follow=True, headers={"Authorization": "Bearer abc"})
    assert (response.status, response.body) == (200, b"ok")
    assert b"Bearer" not in seen[0]


def test_sends_method_headers_and_body(serve: Serve) -> None:
    seen: list[bytes] = []

    def handler(connection: socket.socket) -> None:
        text = connection.recv(4096)
        while b"payload" not in text:
            text += connection.recv(4096)
        seen.append(text)
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    assert fetch(serve(handler) + "a?b=c", method="POST", headers={"X-One": "1"}, body="payload").status == 204
    assert seen[0].startswith(b"POST /a?b=c HTTP/1.1\r\n")
    assert b"X-One: 1\r\n" in seen[0]


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("file:///etc/passwd", "invalid"),
        ("http:///path", "invalid"),
        ("http://127.0.0.1:port/", "invalid"),
        ("http://no-such-host.invalid/", "dns"),
        ("http://127.0.0.1:1/", "refused"),
    ],
)
def test_what_cannot_be_asked(url: str, kind: str) -> None:
    response = fetch(url)
    assert (response.status, response.kind) == (0, kind)
    assert response.error


def test_a_server_without_tls_is_named_as_such(serve: Serve) -> None:
    url = serve(answering(b"HTTP/1.1 200 OK\r\n\r\n")).replace("http://", "https://")
    assert fetch(url).kind == "tls"


def test_a_handshake_that_never_ends_is_bounded(serve: Serve) -> None:
    response = fetch(serve(never).replace("http://", "https://"), timeout=0.3)
    assert (response.kind, response.seconds < 0.8) == ("timeout", True)


def test_a_resolver_that_hangs_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    release, resolve = threading.Event(), socket.getaddrinfo

    def hang(host: str, *arguments: Any, **options: Any) -> Any:
        if host == "app.example":
            if not options.get("flags"):
                release.wait(30)
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        return resolve(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    response = fetch("http://app.example/", timeout=0.2)
    release.set()
    assert (response.kind, response.seconds < 0.7) == ("timeout", True)

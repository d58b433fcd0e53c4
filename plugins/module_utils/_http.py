# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import contextlib
import functools
import http.client
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Mapping
from typing import NamedTuple, Protocol
from urllib.parse import unquote, urljoin, urlsplit

MAX_BODY = 8 * 1024 * 1024
"""Bytes of an answer that are read at most: no check needs more, and a module must not fill the host's memory."""

MAX_REDIRECTS = 5

AGENT = "sluice-release"


class Response(NamedTuple):
    """One answer, or the reason why there is none.

    ``status`` is 0 when there was no answer. ``error`` is a short text for a person and ``kind`` a fixed word for
    counting (refused, reset, timeout, dns, tls, too_large, invalid, other); both are None for a complete answer,
    whatever its status. ``seconds`` is the wall time of the whole exchange. Header names are lower case.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float
    error: str | None = None
    kind: str | None = None
    pairs: tuple[tuple[str, str], ...] = ()
    """Every header in order: a name may come more than once, as Set-Cookie does."""


class Fetch(Protocol):
    """Sends one request and never raises for what the server does."""

    def __call__(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: str | bytes | None = None,
        timeout: float = 5.0,
        follow: bool = False,
        validate_certs: bool = True,
    ) -> Response: ...


def fetch(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: str | bytes | None = None,
    timeout: float = 5.0,
    follow: bool = False,
    validate_certs: bool = True,
) -> Response:
    """Send one request on a connection of its own and return what came back within ``timeout`` seconds.

    The timeout holds for the whole exchange, however slowly the server drips. Proxies and netrc files of the
    environment are not used: what is asked is the host named in the URL and nobody else. Only http and https.

    It stands on http.client and not on Ansible's open_url, which spends some 60 ms of CPU on every call: more than
    many a latency that is to be measured.
    """
    started = time.monotonic()
    exchange = _Exchange(method, dict(headers or {}), body, timeout, validate_certs, started + timeout)
    answer: list[Response] = []

    def work() -> None:
        try:
            status, fields, content = exchange.run(url, MAX_REDIRECTS if follow else 0)
            seconds = time.monotonic() - started
            answer.append(Response(status, fields, content, seconds, pairs=exchange.pairs))
        except _TooLargeError as problem:
            text = f"its answer is larger than {MAX_BODY // 1024**2} MB"
            answer.append(Response(problem.status, {}, b"", time.monotonic() - started, text, "too_large"))
        except Exception as problem:  # noqa: BLE001 - whatever a server, a resolver or a certificate comes up with
            answer.append(Response(0, {}, b"", time.monotonic() - started, *describe(problem, timeout)))

    # A socket's own timeout starts anew with every byte, and a resolver has none. Only a second thread bounds all.
    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(timeout)
    if answer:
        return answer[0]
    exchange.abort()
    return Response(0, {}, b"", time.monotonic() - started, f"no answer within {timeout:g} s", "timeout")


class _TooLargeError(Exception):
    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status


class _Exchange:
    """One request and, where asked for, its redirects."""

    def __init__(
        self,
        method: str,
        headers: dict[str, str],
        body: str | bytes | None,
        timeout: float,
        validate_certs: bool,
        deadline: float,
    ) -> None:
        self.method = method
        self.headers = {"User-Agent": AGENT, "Connection": "close", **headers}
        self.body = body.encode() if isinstance(body, str) else body
        self.timeout = timeout
        self.validate_certs = validate_certs
        self.deadline = deadline
        self.connection: http.client.HTTPConnection | None = None
        self.pairs: tuple[tuple[str, str], ...] = ()

    def abort(self) -> None:
        """Close the socket under the thread that waits for it."""
        sock = self.connection.sock if self.connection else None
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def run(self, url: str, redirects: int) -> tuple[int, dict[str, str], bytes]:
        status, fields, content = self._once(url)
        while redirects and status in (301, 302, 303, 307, 308) and "location" in fields:
            target = urljoin(url, fields["location"])
            if urlsplit(target).netloc != urlsplit(url).netloc:
                # Credentials are for the host that they were given for.
                self.headers = {k: v for k, v in self.headers.items() if k in ("User-Agent", "Connection", "Accept")}
            if status == 303 or (status in (301, 302) and self.method == "POST"):
                self.method, self.body = "GET", None
            url, redirects = target, redirects - 1
            status, fields, content = self._once(url)
        return status, fields, content

    def _once(self, url: str) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise ValueError("it begins with neither http:// nor https://")
        if not parts.hostname:
            raise ValueError("it names no host")
        headers = dict(self.headers)
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers.setdefault("Authorization", f"Basic {b64encode(pair.encode()).decode()}")
        if parts.scheme == "https":
            context = _tls(self.validate_certs)
            self.connection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=self.timeout, context=context
            )
        else:
            self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=self.timeout)
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            self.connection.request(self.method, target, body=self.body, headers=headers)
            response = self.connection.getresponse()
            self.pairs = tuple((name.lower(), value) for name, value in response.getheaders())
            return response.status, dict(self.pairs), self._read(response)
        finally:
            self.connection.close()

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        blocks: list[bytes] = []
        size = 0
        while True:
            block = response.read1(65536)
            if not block:
                break
            if time.monotonic() > self.deadline:
                raise socket.timeout
            blocks.append(block)
            size += len(block)
            if size > MAX_BODY:
                raise _TooLargeError(response.status)
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)
        return b"".join(blocks)


@functools.lru_cache(maxsize=2)
def _tls(validate: bool) -> ssl.SSLContext:
    # Reading the certificate authorities takes tens of milliseconds; one context serves every request.
    context = ssl.create_default_context()
    if not validate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def describe(problem: BaseException, timeout: float) -> tuple[str, str]:
    """Put a failed exchange into words: (text, kind)."""
    if isinstance(problem, (socket.timeout, TimeoutError)):
        return f"no answer within {timeout:g} s", "timeout"
    if isinstance(problem, ConnectionRefusedError):
        return "connection refused", "refused"
    # A server that closes without a word is the same event as a reset, seen from here.
    if isinstance(problem, (ConnectionError, http.client.IncompleteRead)):
        return "the connection was closed before the answer was whole", "reset"
    if isinstance(problem, socket.gaierror):
        return f"its host name is not known ({problem.strerror})", "dns"
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({problem.verify_message})", "tls"
    if isinstance(problem, ssl.SSLError):
        return f"TLS failed ({problem.reason or problem})", "tls"
    if isinstance(problem, (ValueError, http.client.InvalidURL)):
        return f"its URL cannot be used ({problem})", "invalid"
    if isinstance(problem, http.client.HTTPException):
        return f"its answer is not HTTP ({type(problem).__name__})", "invalid"
    return (getattr(problem, "strerror", None) or str(problem) or type(problem).__name__), "other"

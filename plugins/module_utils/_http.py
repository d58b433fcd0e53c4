# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import functools
import http.client
import math
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, cast
from urllib.parse import unquote, urljoin, urlsplit

from ansible_collections.sluice.release.plugins.module_utils._within import within

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
    many a latency that is to be measured. And it is bounded by the sockets and not by a second thread, which would cost
    half as much again as the exchange.

    No connection is kept for the next request: it would go on being answered by the process that took it, behind a
    proxy and in a cluster too, when new ones are answered by the next release.
    """
    started = time.monotonic()
    exchange = _Exchange(method, dict(headers or {}), body, validate_certs, started + timeout)
    try:
        status, fields, content = exchange.run(url, MAX_REDIRECTS if follow else 0)
        return Response(status, fields, content, time.monotonic() - started, pairs=exchange.pairs)
    except _TooLargeError as problem:
        text = f"its answer is larger than {MAX_BODY // 1024**2} MB"
        return Response(problem.status, {}, b"", time.monotonic() - started, text, "too_large")
    except Exception as problem:  # noqa: BLE001 - whatever a server, a resolver or a certificate comes up with
        return Response(0, {}, b"", time.monotonic() - started, *describe(problem, timeout))


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
        validate_certs: bool,
        deadline: float,
    ) -> None:
        self.method = method
        self.headers = {"User-Agent": AGENT, "Connection": "close", **headers}
        self.body = body.encode() if isinstance(body, str) else body
        self.validate_certs = validate_certs
        self.deadline = deadline
        self.pairs: tuple[tuple[str, str], ...] = ()

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
        connection: _Connection
        if parts.scheme == "https":
            connection = _TlsConnection(parts.hostname, parts.port, self.deadline, _tls(self.validate_certs))
        else:
            connection = _Connection(parts.hostname, parts.port, self.deadline)
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request(self.method, target, body=self.body, headers=headers)
            response = connection.getresponse()
            self.pairs = tuple((name.lower(), value) for name, value in response.getheaders())
            return response.status, dict(self.pairs), self._read(response)
        finally:
            connection.close()

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        blocks: list[bytes] = []
        size = 0
        while True:
            block = response.read1(65536)
            if not block:
                break
            _left(self.deadline)
            blocks.append(block)
            size += len(block)
            if size > MAX_BODY:
                raise _TooLargeError(response.status)
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)
        return b"".join(blocks)


class _Connection(http.client.HTTPConnection):
    """A connection that ends at its deadline, whatever it waits for."""

    def __init__(self, host: str, port: int | None, deadline: float) -> None:
        super().__init__(host, port)
        self.deadline = deadline

    def connect(self) -> None:
        self.sock = dial(self.host, self.port, self.deadline)


class _TlsConnection(_Connection):
    default_port = http.client.HTTPS_PORT

    def __init__(self, host: str, port: int | None, deadline: float, context: ssl.SSLContext) -> None:
        super().__init__(host, port, deadline)
        self.context = context

    def connect(self) -> None:
        line = dial(self.host, self.port, self.deadline)
        try:
            # The timeout of the line bounds the handshake as a whole.
            sock = cast("_TlsSocket", self.context.wrap_socket(line, server_hostname=self.host))
        except BaseException:
            line.close()
            raise
        sock.deadline = self.deadline
        self.sock = sock
        sock.settimeout(_left(self.deadline))


class _Socket(socket.socket):
    """A socket whose reads end at a deadline, however many it takes. A timeout alone starts anew with every byte."""

    deadline = math.inf

    def recv_into(self, *arguments: Any) -> int:
        self.settimeout(_left(self.deadline))
        return super().recv_into(*arguments)


class _TlsSocket(ssl.SSLSocket):
    """The same with TLS."""

    deadline = math.inf

    def recv_into(self, *arguments: Any) -> int:
        self.settimeout(_left(self.deadline))
        return super().recv_into(*arguments)


def _left(deadline: float) -> float:
    """Seconds until the deadline. Raises socket.timeout when it has passed."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise socket.timeout
    return seconds


def dial(host: str, port: int, deadline: float) -> _Socket:
    """Connect to the first address of a host that answers."""
    problem = OSError("its host name has no address")
    for family, kind, protocol, _name, address in _addresses(host, port, deadline):
        sock = _Socket(family, kind, protocol)
        try:
            sock.settimeout(_left(deadline))
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(_left(deadline))
        except OSError as error:
            problem = error
            sock.close()
            continue
        sock.deadline = deadline
        return sock
    raise problem


def _addresses(host: str, port: int, deadline: float) -> list[Any]:
    """What a host's name stands for. A resolver has no timeout of its own, so only a thread bounds it."""
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        return within(_left(deadline), lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))


@functools.lru_cache(maxsize=2)
def _tls(validate: bool) -> ssl.SSLContext:
    # Reading the certificate authorities takes tens of milliseconds; one context serves every request.
    context = ssl.create_default_context()
    context.sslsocket_class = _TlsSocket
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

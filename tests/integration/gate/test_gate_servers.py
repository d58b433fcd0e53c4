# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What checks see of servers: certificates, headers, and whatever else a server may do."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from gating import Gate, reason


class Authority:
    """Issues certificates for 127.0.0.1 under the name app.example.com."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Sluice tests")])
        self.file = home / "ca.pem"
        authority = self._certificate(self.name, self.key, 100, x509.BasicConstraints(True, None))
        self.file.write_bytes(authority.public_bytes(serialization.Encoding.PEM))

    def issue(self, days: float) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app.example.com")])
        names = x509.SubjectAlternativeName(
            [x509.DNSName("app.example.com"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        )
        certificate = self._certificate(name, key, days, names)
        path = self.home / f"{secrets.token_hex(4)}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        return path

    def _certificate(self, name: x509.Name, key: Any, days: float, extension: Any) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(self.name).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(days=90))
        builder = builder.not_valid_after(now + dt.timedelta(days=days))
        return builder.add_extension(extension, critical=False).sign(self.key, hashes.SHA256())


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_arguments: object) -> None:
        """A client that hangs up is part of the tests and worth no traceback."""


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Strict-Transport-Security", "max-age=31536000")
        self.send_header("Set-Cookie", "sid=geheim; Secure; HttpOnly")
        self.send_header("Set-Cookie", "theme=dark")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_arguments: object) -> None:
        pass


@contextlib.contextmanager
def serving(pem: Path | None = None) -> Iterator[int]:
    """A web server, with TLS when it has a certificate; yields its port."""
    with Server(("127.0.0.1", 0), Page) as server:
        if pem:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pem)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


def of_certificate(port: int, authority: Authority, **options: Any) -> dict[str, Any]:
    return {
        "name": "it", "type": "certificate", "host": "127.0.0.1", "port": port, "ca_file": str(authority.file),
        **options,
    }  # fmt: skip


def test_a_certificate_that_is_well(gate: Gate, authority: Authority) -> None:
    with serving(authority.issue(40)) as port:
        trusted = of_certificate(port, authority, server_name="app.example.com", names=["127.0.0.1"])
        days = {**trusted, "name": "days", "value": "days_left", "warn": 45, "crit": 7}
        result = gate(trusted, days)
        assert result["gates"][0]["verdict"] == "green"
        assert result["gates"][1]["verdict"] == "yellow"
        assert result["gates"][1]["value"] == pytest.approx(40, abs=0.1)
        wrong = gate(of_certificate(port, authority, names=["other.example.com"]))
        foreign = gate(of_certificate(port, authority, ca_file=None))
        nobody = gate(of_certificate(port, authority, ca_file="/nowhere/ca.pem"))
    assert "does not cover other.example.com, but app.example.com, 127.0.0.1" in reason(wrong)
    assert "it shows a certificate that is not trusted (" in reason(foreign)
    assert "ca_file /nowhere/ca.pem cannot be read" in reason(nobody)
    assert {wrong["verdict"], foreign["verdict"], nobody["verdict"]} == {"red"}


def test_a_certificate_that_has_expired(gate: Gate, authority: Authority) -> None:
    with serving(authority.issue(-3)) as port:
        state = of_certificate(port, authority)
        days = {**state, "name": "days", "value": "days_left", "crit": 7}
        page = {"name": "page", "type": "http", "url": f"https://127.0.0.1:{port}/"}
        metric = {**page, "name": "metric", "type": "prometheus", "metric": "x", "crit": 1}
        result = gate(state, days, page, metric, stop_on_red=False)
    assert [judged["verdict"] for judged in result["gates"]] == ["red"] * 4
    assert "it shows a certificate that has expired since 20" in reason(result)
    assert result["gates"][1]["value"] == pytest.approx(-3, abs=0.1)
    assert "certificate is not trusted (" in reason(result, "page")
    assert "certificate is not trusted (" in reason(result, "metric")


def test_headers_of_an_answer(gate: Gate) -> None:
    with serving() as port:
        page = {"type": "http", "url": f"http://127.0.0.1:{port}/"}
        wanted: dict[str, dict[str, str]] = {
            "hsts": {"strict-transport-security": r"~max-age=\d{8,}.*"},
            "flags": {"Set-Cookie": "~.*; Secure.*"},
            "absent": {"X-Powered-By": "", "Server": "!nginx"},
            "csp": {"Content-Security-Policy": "~.+"},
            "any": {"Set-Cookie": "!theme=dark"},
        }
        result = gate(
            *({**page, "name": name, "expect_headers": headers} for name, headers in wanted.items()), stop_on_red=False
        )
    assert [judged["verdict"] for judged in result["gates"]] == ["green", "green", "green", "red", "red"]
    assert "its header Content-Security-Policy was missing instead of ~.+" in reason(result, "csp")
    assert "its header Set-Cookie was another instead of !theme=dark" in reason(result, "any")


# Whatever a server may do


def silent(connection: socket.socket) -> None:
    while connection.recv(1000):
        pass


def slow(connection: socket.socket) -> None:
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    for _second in range(100):
        connection.sendall(b"x")
        time.sleep(0.1)


def answering(status: str, body: bytes, header: str = "") -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(f"HTTP/1.1 {status}\r\n{header}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    return answer


@contextlib.contextmanager
def behaving(behaviour: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that does with every connection what a test wants; yields its port."""

    def handle(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            behaviour(connection)

    def accept(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=handle, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("behaviour", "cause"),
    [
        (silent, "no answer within 0.4 s"),
        (slow, "no answer within 0.4 s"),
        (answering("200 OK", b"x" * 10 * 1024**2), "its answer is larger than 8 MB"),
        (answering("200 OK", b'm_total 1\nm_total{status="200 5\n'), "metrics cannot be read"),
        (answering("200 OK", b"<html>"), "answered without Prometheus metrics"),
        (answering("302 Found", b"", "Location: /again\r\n"), "answered 302 instead of 200"),
        (answering("200 OK", b"m_total NaN\n"), "its answer has no number for m_total"),
    ],
    ids=["hangs", "slow", "10-mb", "malformed", "page", "redirect-loop", "nan"],
)
def test_a_server_that_misbehaves(gate: Gate, behaviour: Callable[[socket.socket], None], cause: str) -> None:
    with behaving(behaviour) as port:
        check = {"name": "it", "type": "prometheus", "url": f"http://127.0.0.1:{port}/", "metric": "m_total", "crit": 5}
        result = gate({**check, "timeout": 0.4, "sustained": 0.3}, duration=0.5)
    assert result["verdict"] == "red"
    assert cause in reason(result)
    assert "it had no data for" in reason(result)


@pytest.mark.parametrize(
    "check",
    [
        {"type": "certificate", "host": "127.0.0.1"},
        {"type": "redis", "redis_url": "redis://:geheim@127.0.0.1:{port}/0", "value": "connected"},
        {
            "type": "postgres", "database_url": "postgresql://u:geheim@127.0.0.1:{port}/x", "value": "in_recovery",
            "expect": "x",
        },
        {"type": "http", "url": "http://127.0.0.1:{port}/"},
        {"type": "json", "url": "http://127.0.0.1:{port}/", "query": "a", "expect": "x"},
    ],
    ids=lambda check: check["type"],
)  # fmt: skip
def test_a_server_that_says_nothing_at_all(gate: Gate, check: dict[str, Any]) -> None:
    with behaving(silent) as port:
        check = {key: text.format(port=port) for key, text in check.items()}
        if check["type"] == "certificate":
            check["port"] = port
        # libpq counts in whole seconds and takes no fewer than two.
        result = gate({"name": "it", **check, "timeout": 2 if check["type"] == "postgres" else 0.4})
    assert result["verdict"] == "red"
    assert "no answer within" in reason(result) or "timeout" in reason(result)


@pytest.mark.parametrize(
    "check",
    [
        {"type": "http", "url": "http://sluice.invalid/"},
        {"type": "port", "host": "sluice.invalid", "port": 80},
        {"type": "certificate", "host": "sluice.invalid"},
        {"type": "redis", "redis_url": "redis://:geheim@sluice.invalid/0", "value": "connected"},
    ],
    ids=lambda check: check["type"],
)
def test_a_name_that_nobody_knows(gate: Gate, check: dict[str, Any]) -> None:
    result = gate({"name": "it", **check, "timeout": 3})
    assert result["verdict"] == "red"
    assert any(cause in reason(result) for cause in ("not known", "Temporary failure", "no answer within")), result

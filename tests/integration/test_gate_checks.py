# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every type of check against the real thing, well, broken and gone. A broken one ends in a verdict with its cause."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.sluice.release.plugins.modules import health_gate

Gate = Callable[..., dict[str, Any]]


@pytest.fixture
def gate(run_module: Any) -> Gate:
    """Runs a gate whose result must say why it is red, soon after its end, and hold no secret."""

    def run(*checks: dict[str, Any], **options: Any) -> dict[str, Any]:
        started = time.monotonic()
        result: dict[str, Any] = run_module(
            health_gate.main, checks=list(checks), **{"interval": 0.1, "fail_on_red": False, **options}
        )
        slowest = max(check.get("timeout", 5) for check in checks)
        assert time.monotonic() - started < options.get("duration", 0) + slowest + 5
        assert "failed" not in result, result["msg"]
        shown = json.dumps({key: value for key, value in result.items() if key != "invocation"})
        assert "geheim" not in shown
        return result

    return run


def reason(result: dict[str, Any], check: str = "it") -> str:
    (found,) = [judged for judged in result["gates"] if judged["check"] == check]
    return str(found["reason"])


@contextlib.contextmanager
def later(seconds: float, work: Callable[[], object]) -> Iterator[None]:
    """Does something in the middle of what runs meanwhile."""
    timer = threading.Timer(seconds, work)
    timer.start()
    yield
    timer.join()


# Redis


def of_redis(url: str, value: str, **options: Any) -> dict[str, Any]:
    return {"name": value, "type": "redis", "redis_url": url, "value": value, **options}


def test_redis_that_is_well(gate: Gate, redis_url: str) -> None:
    lock = f"lock-{secrets.token_hex(4)}"
    with redis.Redis.from_url(redis_url) as client:
        client.set(f"{lock}:a", "me", ex=100)
        client.set(f"{lock}:b", "me", ex=50)
        client.set(f"{lock}:beat:1", str(time.time() - 30))
        client.set(f"{lock}:beat:2", str(int(time.time() * 1000)))
        client.set(f"{lock}:json", json.dumps({"at": "2026-01-01T00:00:00Z"}))
        reading = threading.Event()

        def read() -> None:
            with redis.Redis.from_url(redis_url) as reader:
                while not reading.wait(0.005):
                    reader.get(f"{lock}:a")
                    reader.get(f"{lock}:none")

        threading.Thread(target=read, daemon=True).start()
        beat = ("heartbeat_age_seconds",)
        result = gate(
            of_redis(redis_url, "connected"),
            of_redis(redis_url, "authentication"),
            of_redis(redis_url, "latency_ms", crit=2000),
            of_redis(redis_url, "used_memory_bytes", crit=1e9),
            of_redis(redis_url, "evicted_keys", crit=1),
            of_redis(redis_url, "rejected_connections", crit=1),
            of_redis(redis_url, "connected_clients", crit=1000),
            of_redis(redis_url, "blocked_clients", crit=10),
            of_redis(redis_url, "role", expect="master"),
            of_redis(redis_url, "keys_count", keys=f"{lock}:[ab]", expect=2),
            of_redis(redis_url, "keys_without_ttl", keys=f"{lock}:[ab]", crit=1),
            of_redis(redis_url, "keys_min_ttl_seconds", keys=f"{lock}:[ab]", crit=5),
            of_redis(redis_url, "heartbeat_age_seconds", keys=f"{lock}:beat:*", crit=60),
            {**of_redis(redis_url, "keys_without_ttl", keys=f"{lock}:beat:*", crit=3), "name": "eternal"},
            {**of_redis(redis_url, *beat, keys=f"{lock}:beat:*", age_by="idle", crit=60), "name": "idle"},
            {**of_redis(redis_url, *beat, keys=f"{lock}:json", query="at", crit=1e9), "name": "json"},
            duration=0.6,
        )  # fmt: skip
        # The looks at keys are reads as well, so the ratio is measured without them.
        ratio = gate(of_redis(redis_url, "hit_ratio_pct", crit=10), duration=0.5)["gates"][0]
        reading.set()
    assert result["verdict"] == "green", [judged["reason"] for judged in result["gates"]]
    values = {judged["check"]: judged["value"] for judged in result["gates"]}
    assert ratio["value"] == pytest.approx(50, abs=5)
    assert 1e5 < values["used_memory_bytes"] < 1e8
    assert values["heartbeat_age_seconds"] == pytest.approx(30, abs=5)
    assert 45 < values["keys_min_ttl_seconds"] <= 50
    assert (values["eternal"], values["role"]) == (2, "master")
    assert values["idle"] < 10
    assert values["json"] > 2e7
    assert urlsplit(redis_url).password not in json.dumps({**result, "invocation": None})


def test_redis_that_does_not_say_everything(gate: Gate, redis_url: str) -> None:
    host = redis_url.rpartition("@")[2]
    with redis.Redis.from_url(redis_url) as client:
        client.execute_command("ACL", "SETUSER", "sluice", "on", ">geheim", "~*", "+ping", "+scan")
        client.set("beat-of:1", "no time")
        url = f"redis://sluice:geheim@{host}"
        result = gate(
            of_redis(url, "connected"),
            of_redis(url, "used_memory_bytes", crit=1),
            of_redis(url, "keys_count", keys="beat-of:*", crit=1),
            {**of_redis(redis_url, "heartbeat_age_seconds", keys="beat-of:*", crit=1), "name": "beat"},
            {**of_redis(redis_url, "heartbeat_age_seconds", keys="none-of:*", crit=1), "name": "none"},
            {**of_redis(redis_url, "replication_lag_seconds", crit=1), "name": "lag"},
            {**of_redis(redis_url.replace("redis://:", "redis://:geheim"), "connected"), "name": "password"},
            stop_on_red=False,
        )
        client.execute_command("ACL", "DELUSER", "sluice")
    assert [judged["verdict"] for judged in result["gates"]] == ["green", *["red"] * 6]
    assert "used_memory_bytes had no data" in reason(result, "used_memory_bytes")
    assert "permissions" in reason(result, "used_memory_bytes")
    assert "its keys cannot be looked at" in reason(result, "keys_count")
    assert "(beat-of:1 holds no time)" in reason(result, "beat")
    assert "(no key matches none-of:*)" in reason(result, "none")
    assert "(it has no replica)" in reason(result, "lag")
    assert "password could not be reached" in reason(result, "password")


@pytest.mark.parametrize(("how", "cause"), [(signal.SIGKILL, "onnection"), (signal.SIGSTOP, "no answer within 0.5 s")])
def test_redis_that_goes_in_the_middle(gate: Gate, own_valkey: Any, how: signal.Signals, cause: str) -> None:
    checks = [of_redis(own_valkey.url, "connected"), of_redis(own_valkey.url, "connected_clients", crit=1000)]
    checks = [{**check, "timeout": 0.5, "sustained": 0.3} for check in checks]
    with later(0.5, lambda: os.kill(own_valkey.pid, how)):
        result = gate(*checks, duration=2, stop_on_red=False)
    if how == signal.SIGSTOP:
        os.kill(own_valkey.pid, signal.SIGCONT)
    state, number = result["gates"]
    assert [state["verdict"], number["verdict"]] == ["red", "red"]
    assert state["samples"] > number["samples"] >= 3
    assert state["reason"].startswith("connected could not be reached (")
    assert number["reason"].startswith("connected_clients had no data for ")
    assert cause in state["reason"]
    assert cause in number["reason"]
    assert result["breaches"][0]["started"] >= 0.3


# TLS


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


# This host


def test_ports_and_disks(gate: Gate, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        latency = {"name": "latency", "type": "port", "port": port, "value": "latency_ms", "crit": 1000}
        disk = {"name": "disk", "type": "disk", "path": str(tmp_path), "value": "free_mb", "crit": 1}
        result = gate({"name": "it", "type": "port", "port": port}, latency, disk, duration=0.2)
        assert result["verdict"] == "green", result
        assert 0 < result["gates"][1]["value"] < 1000
    closed = gate({"name": "it", "type": "port", "port": port})
    assert reason(closed) == "it could not be reached (connection refused) at the first look"
    assert gate({"name": "it", "type": "port", "port": port, "expect": "closed"})["verdict"] == "green"
    gone = gate({**disk, "name": "it", "path": "/nowhere"})
    assert reason(gone).endswith("/nowhere cannot be looked at (No such file or directory)")


def test_a_process_that_is_started_anew(gate: Gate, tmp_path: Path) -> None:
    pid_file = tmp_path / "app.pid"
    running: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        running.append(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
        pid_file.write_text(str(running[-1].pid))

    def restart() -> None:
        running[-1].kill()
        running[-1].wait()
        start()

    start()
    place = {"type": "process", "pid_file": str(pid_file)}
    try:
        with later(0.6, restart):
            result = gate(
                # In the moment in which nothing runs there is nothing to measure.
                {**place, "name": "cpu", "value": "cpu_pct", "warn": 5, "window": 1, "on_no_data": "hold"},
                {**place, "name": "restarts", "value": "restarts", "crit": 1},
                {**place, "name": "memory", "value": "memory_largest_mb", "crit": 1000, "on_no_data": "hold"},
                duration=10,
            )
    finally:
        running[-1].kill()
        running[-1].wait()
    cpu, restarts, memory = result["gates"]
    assert restarts["verdict"] == "red"
    assert restarts["reason"].startswith("restarts was 1, critical at or above 1, 0.")
    assert 10 < cpu["worst"] < 250
    assert 1 < memory["value"] < 200
    stopped = gate({**place, "name": "it", "value": "running"})
    assert reason(stopped) == "it is not running; 0 of 1 instances run at the first look"


def test_a_log_that_is_rotated_while_it_is_watched(gate: Gate, tmp_path: Path) -> None:
    log, position = tmp_path / "app.log", tmp_path / "position.json"
    log.write_text("2026-11-22 ERROR long ago\n")
    stop = threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        while not stop.wait(0.002):
            with log.open("a") as stream:
                stream.write(f"{time.time_ns()} ERROR {written} password=geheim\n{time.time_ns()} fine\n")
            written += 1
            if written % 100 == 50:
                log.rename(tmp_path / f"app.log.{written}")
            elif written % 100 == 0:
                # A copytruncate loses what is written between the two; here nobody writes then.
                shutil.copy(log, tmp_path / f"app.log.{written}")
                os.truncate(log, 0)

    writer = threading.Thread(target=write)
    errors = {"type": "log", "paths": [str(log)], "pattern": "ERROR", "position_file": str(position), "show": True}
    result = gate({**errors, "name": "errors", "warn": 0})
    assert result["gates"][0]["value"] == 0
    writer.start()
    result = gate(
        {**errors, "name": "errors", "warn": 0},
        {**errors, "name": "fine", "pattern": "fine", "value": "rate_per_minute", "window": 1, "crit": 1e9},
        duration=1.5,
    )
    stop.set()
    writer.join()
    kept = position.read_bytes()
    gate({**errors, "name": "errors", "warn": 1e9}, check=True)
    assert position.read_bytes() == kept, "check mode writes nothing"
    rest = gate({**errors, "name": "errors", "warn": 1e9})["gates"][0]["value"]
    count, rate = result["gates"]
    assert written > 150, "it was rotated several times"
    assert count["value"] + rest == written
    assert rate["value"] > 1000
    assert "the first was: " in count["reason"]
    assert "ERROR 0 password=********" in count["reason"]


def test_logs_that_are_not_there(gate: Gate, tmp_path: Path) -> None:
    missing = {"name": "it", "type": "log", "paths": [str(tmp_path / "*.log")], "pattern": "x", "crit": 1}
    assert "there is no" in reason(gate(missing, duration=0.2))
    assert gate({**missing, "on_no_data": "pass"}, duration=0.2)["verdict"] == "green"
    if not os.path.isdir("/run/systemd/system"):
        unit = {"name": "it", "type": "log", "systemd_unit": "app.service", "pattern": "x", "crit": 1}
        assert "journalctl" in reason(gate(unit, duration=0.2))


def test_commands(gate: Gate, tmp_path: Path) -> None:
    report = json.dumps({"metadata": {"vulnerabilities": {"critical": 2}}})
    program = f"import os, sys; assert os.environ['TOKEN'] == 'geheim'; print({report!r}); sys.exit(1)"
    audit = {
        "type": "command", "argv": [sys.executable, "-c", program], "secret_environment": {"TOKEN": "geheim"},
        "query": "metadata.vulnerabilities.critical", "rc": [0, 1],
    }  # fmt: skip
    hangs = {"type": "command", "argv": ["sleep", "60"], "timeout": 0.5}
    result = gate(
        {**audit, "name": "audit", "crit": 1},
        {**hangs, "name": "hangs"},
        {"name": "missing", "type": "command", "argv": ["no-such-program"]},
        {"name": "well", "type": "command", "argv": ["true"]},
        stop_on_red=False,
    )
    assert [judged["verdict"] for judged in result["gates"]] == ["red", "red", "red", "green"]
    assert reason(result, "audit") == "audit was 2, critical at or above 1, at the first look"
    assert "hangs could not be run to its end (it was ended after 0.5 s" in reason(result, "hangs")
    assert "missing ended with status 127 instead of 0" in reason(result, "missing")

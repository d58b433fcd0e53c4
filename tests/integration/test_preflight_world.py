# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""preflight_check against a real Prometheus, real git, real TLS and SMTP conversations, and the real npm."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.sluice.release.plugins.module_utils._http import fetch
from ansible_collections.sluice.release.plugins.modules import preflight_check

Look = Callable[..., dict[str, Any]]


@pytest.fixture
def look(run_module: Any) -> Look:
    """Runs one check and returns what was found."""

    def run(**check: Any) -> dict[str, Any]:
        result = run_module(preflight_check.main, checks=[check])
        assert "checks" in result, result["msg"]
        return dict(result["checks"][0])

    return run


# --- git -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A clone at tag v2.0.0 of branch release/v2.0.0, clean."""
    path = tmp_path / "clone"
    git(tmp_path, "init", "--quiet", "--initial-branch=release/v2.0.0", "origin")
    (tmp_path / "origin" / "package.json").write_text('{"version": "2.0.0"}')
    git(tmp_path / "origin", "add", ".")
    git(tmp_path / "origin", "commit", "--quiet", "--message=Begin")
    git(tmp_path / "origin", "tag", "v2.0.0")
    git(tmp_path, "clone", "--quiet", "origin", "clone")
    return path


def git(where: Path, *words: str) -> None:
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    subprocess.run(["git", *who, *words], cwd=where, check=True, capture_output=True)


def test_git(look: Look, repository: Path) -> None:
    asked = {"type": "git", "path": str(repository), "branch": "release/v2.0.0", "tag": "v2.0.0"}
    clean = look(**asked)
    assert clean["passed"], clean["message"]
    assert (clean["value"]["branch"], clean["value"]["tags"], clean["value"]["changes"]) == (
        "release/v2.0.0",
        ["v2.0.0"],
        0,
    )
    index = (repository / ".git" / "index").stat()
    os.utime(repository / "package.json")
    assert look(**asked)["passed"], "a file that was only touched is as committed"
    assert (repository / ".git" / "index").stat().st_mtime_ns == index.st_mtime_ns, "git was kept from writing"

    (repository / "package.json").write_text('{"version": "2.0.1"}')
    (repository / "new").write_text("x")
    assert look(**asked)["message"].endswith("2 paths are not as committed (package.json, new)")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message=More")
    assert "does not bear the tag v2.0.0" in look(**asked)["message"]
    git(repository, "checkout", "--quiet", "--detach", "origin/release/v2.0.0")
    assert look(**asked)["passed"], "a detached checkout of the branch"


def test_git_where_there_is_none(look: Look, tmp_path: Path) -> None:
    assert "not a git repository" in look(type="git", path=str(tmp_path))["message"]


# --- TLS and SMTP ----------------------------------------------------------------------------------------------------


class Authority:
    """A certificate authority of its own, which hands out what servers need."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test CA")])
        self.certificate = self._build("ca", self.name, self.key.public_key(), 365, [], ca=True)
        self.file = str(directory / "ca.pem")
        Path(self.file).write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def context(self, days: float, *names: str) -> ssl.SSLContext:
        """What a server uses that has a certificate for the names."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        certificate = self._build(names[0], subject, key.public_key(), days, list(names), ca=False)
        path = self.directory / f"{names[0].replace('*', 'any')}-{days:g}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _build(
        self, serial: str, subject: x509.Name, public: Any, days: float, names: list[str], *, ca: bool
    ) -> x509.Certificate:
        ends = datetime.now(UTC) + timedelta(days=days)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(public)
            .serial_number(int.from_bytes(serial.encode()[:16], "big"))
            .not_valid_before(min(ends, datetime.now(UTC)) - timedelta(days=1))
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(map(x509.DNSName, names)), critical=False)
        return builder.sign(self.key, hashes.SHA256())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@contextlib.contextmanager
def serving(handler: type[socketserver.BaseRequestHandler], **attributes: Any) -> Iterator[int]:
    """Serve on a free port of 127.0.0.1; the handler gets the attributes."""
    socketserver.ThreadingTCPServer.daemon_threads = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), type("Handler", (handler,), attributes)) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


class Handshake(socketserver.BaseRequestHandler):
    """Shakes hands, with the certificate that belongs to the name that the client asks for."""

    contexts: dict[str, ssl.SSLContext]

    def handle(self) -> None:
        first = next(iter(self.contexts.values()))

        def choose(tls: ssl.SSLObject | ssl.SSLSocket, name: str | None, _context: ssl.SSLContext) -> None:
            tls.context = self.contexts.get(name or "", first)

        first.sni_callback = choose
        with contextlib.suppress(OSError), first.wrap_socket(self.request, server_side=True) as tls:
            tls.recv(1)


def test_certificates_of_several_domains(look: Look, authority: Authority) -> None:
    contexts = {
        "good.example.test": authority.context(90, "good.example.test"),
        "www.any.example.test": authority.context(45, "*.any.example.test"),
        "late.example.test": authority.context(29.9, "late.example.test"),
        "over.example.test": authority.context(-1, "over.example.test"),
        "other.example.test": authority.context(80, "else.example.test"),
    }
    with serving(Handshake, contexts=contexts) as port:
        asked = {"type": "certificate", "address": "127.0.0.1", "port": port, "ca_file": authority.file}
        good = look(**asked, domains=["good.example.test", "www.any.example.test"])
        assert good["passed"], good["message"]
        assert good["message"] == "2 domains have a certificate for another 45 days"
        assert good["value"]["domains"]["www.any.example.test"]["names"] == ["*.any.example.test"]
        assert good["value"]["domains"]["good.example.test"]["issuer"] == "Test CA"
        bad = look(**asked, domains=list(contexts))
        for text in (
            "late.example.test: its certificate is good for another 29.9 days, more than 30 are needed",
            "over.example.test: its certificate is not trusted (certificate has expired)",
            "other.example.test: its certificate is not trusted (Hostname mismatch",
        ):
            assert text in bad["message"]
        assert look(**asked, domains=["late.example.test"], min_days=29)["passed"]
        # The authorities of the system do not know this one.
        strange = look(**{**asked, "ca_file": None}, domains=["good.example.test"])
        assert "is not trusted (unable to get local issuer certificate)" in strange["message"]
    closed = look(**asked, domains=["good.example.test"])
    assert closed["message"] == "good.example.test: connection refused"


class Mailer(socketserver.StreamRequestHandler):
    """The part of an SMTP server that is spoken with before anybody logs in."""

    context: ssl.SSLContext | None
    greeting = "220 mail.example.test ESMTP"

    def handle(self) -> None:
        self.say(self.greeting)
        secure = False
        while words := self.rfile.readline().decode().split():
            if words[0].upper() == "EHLO":
                offers = ["AUTH PLAIN LOGIN"] if secure else ["STARTTLS"] if self.context else []
                lines = ["mail.example.test", *offers]
                for place, line in enumerate(lines, 1):
                    self.say(f"250{' ' if place == len(lines) else '-'}{line}")
            elif words[0].upper() == "STARTTLS" and self.context:
                self.say("220 go ahead")
                try:
                    self.request = self.context.wrap_socket(self.request, server_side=True)
                except OSError:
                    return
                self.setup()
                secure = True
            else:
                self.say("221 bye")
                return

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


def test_a_mail_server_that_greets(look: Look, authority: Authority) -> None:
    values = {"SMTP_HOST": "localhost", "SMTP_USER": "app", "SMTP_PASS": "geheim-123"}
    with serving(Mailer, context=authority.context(90, "localhost")) as port:
        asked = {"type": "mail", "connect": True, "values": json.dumps({**values, "SMTP_PORT": str(port)})}
        found = look(**asked, ca_file=authority.file)
        assert found["passed"], found["message"]
        assert found["message"] == f"mail goes through localhost as app, which greets on port {port}, encrypted"
        assert found["value"]["auth"] == ["PLAIN", "LOGIN"]
        assert "geheim-123" not in json.dumps(found)
        assert "its certificate is not trusted" in look(**asked)["message"]
        assert look(**asked, tls="none")["message"].endswith("without encryption")


@pytest.mark.parametrize(
    ("greeting", "asked", "message"),
    [
        ("554 no service for you", {}, "it answered 554 no service for you"),
        ("220 hello", {"tls": "starttls"}, "STARTTLS extension not supported by server"),
    ],
)
def test_a_mail_server_that_does_not_serve(look: Look, greeting: str, asked: dict[str, str], message: str) -> None:
    with serving(Mailer, context=None, greeting=greeting) as port:
        values = json.dumps({"SMTP_HOST": "127.0.0.1", "SMTP_USER": "app"})
        found = look(type="mail", connect=True, values=values, port=port, **asked)
    assert not found["passed"]
    assert message in found["message"]


def test_a_mail_server_that_is_not_there(look: Look) -> None:
    values = json.dumps({"SMTP_HOST": "127.0.0.1", "SMTP_USER": "app"})
    found = look(type="mail", connect=True, values=values, port=1)
    assert found["message"] == "the mail server 127.0.0.1:1 does not serve us: Connection refused"


# --- Prometheus ------------------------------------------------------------------------------------------------------

RULES = """\
groups:
  - name: app
    rules:
      - record: job:errors:rate5m
        expr: sum by (job) (rate(errors_total[5m]))
      - alert: HighErrorRate
        expr: job:errors:rate5m{job="app"} > 0.01
        for: 5m
        labels: {severity: critical}
      - alert: SlowAnswers
        expr: histogram_quantile(0.95, sum by (le) (rate(latency_seconds_bucket[5m]))) > 5
        for: 1h30m
"""


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Prometheus with three rules and an Alertmanager that it would tell."""
    program = shutil.which("prometheus")
    assert program, "install Debian's package prometheus"
    home = tmp_path_factory.mktemp("prometheus")
    (home / "rules.yml").write_text(RULES)
    (home / "prometheus.yml").write_text(
        "rule_files: [rules.yml]\n"
        "alerting: {alertmanagers: [{static_configs: [{targets: ['127.0.0.1:1']}]}]}\n"
        "global: {evaluation_interval: 1s}\n"
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", program, f"--config.file={home}/prometheus.yml",
             f"--storage.tsdb.path={home}/data", f"--web.listen-address={url.removeprefix('http://')}"],
            stdout=log, stderr=log,
        )  # fmt: skip
    deadline = time.monotonic() + 30
    while not _evaluated(url):
        assert process.poll() is None, (home / "log").read_text()
        assert time.monotonic() < deadline, (home / "log").read_text()
        time.sleep(0.05)
    yield url
    process.kill()
    process.wait()


def _evaluated(url: str) -> bool:
    """Whether the server is up, has evaluated its rules, and has found its Alertmanager."""
    answers = [fetch(f"{url}/api/v1/{what}") for what in ("rules", "alertmanagers")]
    if any(answer.status != 200 for answer in answers):
        return False
    rules, managers = (json.loads(answer.body)["data"] for answer in answers)
    known = [rule["health"] for group in rules["groups"] for rule in group["rules"]]
    return known == ["ok"] * 3 and bool(managers["activeAlertmanagers"])


def test_alert_rules_that_are_there(look: Look, prometheus: str) -> None:
    rules = [
        {"name": "HighErrorRate", "expr": "> 0.01", "for": "5m", "severity": "critical"},
        {"name": "SlowAnswers", "expr": "histogram_quantile(0.95, sum by(le) (rate(latency_seconds_bucket[5m]))) > 5"},
    ]
    found = look(type="alert_rules", url=prometheus, rules=rules, min_alertmanagers=1)
    assert found["passed"], found["message"]
    assert found["value"] == {"wanted": 2, "good": 2, "present": 2, "alertmanagers": 1}


def test_alert_rules_that_are_not_there(look: Look, prometheus: str) -> None:
    rules = [
        {"name": "HighErrorRate", "expr": "> 0.05", "for": "10m"},
        {"name": "SlowAnswers", "for": "1h30m", "severity": "page"},
        {"name": "job:errors:rate5m"},
    ]
    found = look(type="alert_rules", url=prometheus, rules=rules, min_alertmanagers=2)
    assert not found["passed"]
    for text in (
        'HighErrorRate: its expression is job:errors:rate5m{job="app"} > 0.01, without > 0.05, it fires after 300 s',
        "it fires after 300 s, not after 10m",
        "SlowAnswers: its severity is not set, not page",
        "job:errors:rate5m is missing",
        "1 Alertmanager would be told, at least 2 must be",
    ):
        assert text in found["message"]


@pytest.mark.parametrize(
    ("path", "reason"), [("/nowhere", "it answered 404, and not as Prometheus does"), (None, "connection refused")]
)
def test_monitoring_that_does_not_answer(look: Look, prometheus: str, path: str | None, reason: str) -> None:
    url = "http://127.0.0.1:1" if path is None else prometheus + path
    found = look(type="alert_rules", url=url, rules=[{"name": "A"}])
    assert found["message"].startswith(f"the monitoring does not tell its rules: {reason}")


# --- npm -------------------------------------------------------------------------------------------------------------


class Registry(BaseHTTPRequestHandler):
    """A registry that knows one package, and what is known against it."""

    score: float

    def do_GET(self) -> None:
        names = {number: {"name": "js-yaml", "version": number, "dist": {}} for number in ("3.13.0", "3.14.0")}
        self.answer({"name": "js-yaml", "dist-tags": {"latest": "3.14.0"}, "versions": names})

    def do_POST(self) -> None:
        if not self.score:
            self.send_error(405)
            return
        self.answer(
            {
                "js-yaml": [
                    {
                        "id": 788,
                        "url": "https://github.com/advisories/GHSA-8j8c-7jfh-h6hx",
                        "title": "Code Injection in js-yaml",
                        "severity": "high",
                        "vulnerable_versions": "<3.13.1",
                        "cvss": {"score": self.score, "vectorString": None},
                    }
                ]
            }
        )

    def answer(self, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (7.5, "1 advisory is too grave: js-yaml (GHSA-8j8c-7jfh-h6hx, CVSS 7.5)"),
        (6.5, "1 advisory is known, none above CVSS 7"),
        (0.0, "cannot be judged: the audit failed: 405 Method Not Allowed"),
    ],
)
def test_what_npm_itself_reports(look: Look, tmp_path: Path, score: float, message: str) -> None:
    package = {"name": "app", "version": "1.0.0", "dependencies": {"js-yaml": "3.13.0"}}
    (tmp_path / "package.json").write_text(json.dumps(package))
    lock = {
        "name": "app",
        "lockfileVersion": 3,
        "packages": {"": package, "node_modules/js-yaml": {"version": "3.13.0"}},
    }
    (tmp_path / "package-lock.json").write_text(json.dumps(lock))
    with serving(Registry, score=score) as port:
        found = look(
            type="audit",
            argv=["npm", "audit", "--json", f"--registry=http://127.0.0.1:{port}", f"--cache={tmp_path}/cache"],
            chdir=str(tmp_path),
            path_prepend=[str(Path(sys.executable).parent)],
            timeout=60,
        )
    assert found["passed"] is (score == 6.5)
    assert message in found["message"]

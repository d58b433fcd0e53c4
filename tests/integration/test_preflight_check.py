# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""preflight_check against a real PostgreSQL, a real Valkey and this machine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest

from ansible_collections.sluice.release.plugins.modules import preflight_check

Preflight = Callable[..., dict[str, Any]]


@pytest.fixture
def preflight(run_module: Any) -> Preflight:
    def run(*checks: dict[str, Any], **options: Any) -> dict[str, Any]:
        result: dict[str, Any] = run_module(preflight_check.main, checks=list(checks), **options)
        assert result.get("changed", False) is False
        return result

    return run


def only(result: dict[str, Any]) -> dict[str, Any]:
    (check,) = result["checks"]
    return dict(check)


def test_a_host_that_is_ready(preflight: Preflight, postgres: Any, redis_url: str, tmp_path: Path) -> None:
    environment = {"NODE_ENV": "production", "LIMIT": "100", "JWT_SECRET": "geheim-123"}
    result = preflight(
        {"type": "variables", "values": json.dumps(environment), "required": list(environment)},
        {"name": "python", "type": "command", "argv": [sys.executable, "--version"], "min_version": "3.9"},
        {"type": "port", "port": 1},
        {"type": "postgres", "url": postgres.url, "max_latency_ms": 5000},
        {"type": "redis", "url": redis_url, "max_latency_ms": 5000},
        {"type": "disk", "path": str(tmp_path / "backups"), "free_mb": 1},
        {"type": "file", "path": __file__},
        {"type": "writable", "path": str(tmp_path)},
    )
    assert "failed" not in result, result["msg"]
    assert (result["passed"], result["score"]) == (True, 100.0)
    assert all(check["passed"] for check in result["checks"])
    by_name = {check["name"]: check for check in result["checks"]}
    assert by_name["postgres"]["value"]["server_version"].split(".")[0].isdigit()
    assert by_name["postgres"]["value"]["tables"] == by_name["postgres"]["value"]["indexes"] == 0
    assert 0 < by_name["postgres"]["value"]["latency_ms"] < by_name["postgres"]["value"]["connect_ms"]
    assert by_name["postgres"]["value"]["connections_free"] > 0
    assert by_name["redis"]["value"]["server_version"]
    assert by_name["redis"]["value"]["used_memory"]


def test_every_problem_is_told_at_once_and_no_secret_with_it(
    preflight: Preflight, postgres: Any, redis_url: str, tmp_path: Path
) -> None:
    bad_redis = redis_url.replace(str(urlsplit(redis_url).password), "falsch-456")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = preflight(
            {"type": "variables", "values": json.dumps({"JWT_SECRET": "geheim-123"}), "required": ["DATABASE_URL"]},
            {"name": "node", "type": "command", "argv": [sys.executable, "--version"], "min_version": "99"},
            {"type": "port", "port": port},
            {"type": "postgres", "url": postgres.url_of(password="falsch-123")},
            {"type": "redis", "url": bad_redis},
            {"type": "disk", "path": str(tmp_path), "free_mb": 1e9},
            {"type": "file", "path": "/no/such/file"},
            {"type": "writable", "path": "/proc/1"},
        )
    assert result["failed"]
    assert result["score"] == 0
    message = result["msg"]
    assert message.startswith("Cannot begin the release: 8 of 8 preflight checks failed: ")
    assert message.endswith("Nothing was moved.")
    for text in (
        "variables: DATABASE_URL is missing or empty",
        "at least 99 is needed",
        f"port {port} is taken by pid {os.getpid()}",
        'password authentication failed for user "postgres"',
        "redis: Redis does not answer: ",
        "MB are needed",
        "/no/such/file does not exist",
        "/proc/1 cannot be written",
    ):
        assert text in message
    whole = json.dumps(result)
    assert not [secret for secret in ("geheim-123", "falsch-123", "falsch-456", postgres.password) if secret in whole]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda url: url.rpartition("/")[0] + "/nowhere", 'database "nowhere" does not exist'),
        (lambda url: "postgresql://u:geheim-123@127.0.0.1:1/x", "Connection refused"),
        (lambda url: "postgresql://u:geheim-123@no-such-host.invalid/x", "no-such-host.invalid"),
        (lambda url: "mysql://u:geheim-123@127.0.0.1/x", "PostgreSQL does not let us in: "),
    ],
)
def test_postgres_that_does_not_answer(
    preflight: Preflight, postgres: Any, change: Callable[[str], str], message: str
) -> None:
    result = preflight({"type": "postgres", "url": change(postgres.url)})
    assert result["failed"]
    assert message in only(result)["message"]
    assert "geheim-123" not in json.dumps(result)
    assert "\n" not in result["msg"]


def test_postgres_that_is_slow_or_counts_tables(preflight: Preflight, postgres: Any) -> None:
    connection = psycopg2.connect(postgres.url)
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("CREATE DATABASE preflight_tables")
    url = postgres.url_of("preflight_tables")
    try:
        with psycopg2.connect(url) as other:
            other.cursor().execute("CREATE TABLE one (id int); CREATE TABLE two (id int)")
        other.close()
        assert only(preflight({"type": "postgres", "url": url}))["value"]["tables"] == 2
        slow = preflight({"type": "postgres", "url": url, "max_latency_ms": 0.0})
        assert slow["failed"]
        assert only(slow)["message"].endswith("at most 0 ms are allowed")
    finally:
        cursor.execute("DROP DATABASE preflight_tables")
        connection.close()


@pytest.mark.parametrize("kind", ["postgres", "redis"])
def test_a_server_that_accepts_and_says_nothing_is_bounded(preflight: Preflight, kind: str) -> None:
    scheme = {"postgres": "postgresql", "redis": "redis"}[kind]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"{scheme}://u:geheim-123@127.0.0.1:{silent.getsockname()[1]}/0"
        started = time.monotonic()
        result = preflight({"type": kind, "url": url, "timeout": 0.5})
    assert result["failed"]
    assert time.monotonic() - started < 4
    assert "geheim-123" not in json.dumps(result)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "nonsense", "http://127.0.0.1/"])
def test_redis_that_does_not_answer(preflight: Preflight, url: str) -> None:
    result = preflight({"type": "redis", "url": url})
    assert result["failed"]
    assert only(result)["message"]


def test_ordinary_words_of_the_environment_are_not_masked_in_the_result(preflight: Preflight) -> None:
    values = json.dumps({"LIMIT": "100", "CACHE": "true", "NAME": "variables"})
    result = preflight({"type": "variables", "values": values, "required": ["LIMIT"]})
    assert (result["score"], only(result)["name"]) == (100.0, "variables")


def test_an_optional_check_only_lowers_the_score(preflight: Preflight) -> None:
    checks = [{"type": "file", "path": __file__}, {"type": "file", "path": "/no/such", "optional": True}]
    result = preflight(*checks)
    assert "failed" not in result
    assert (result["passed"], result["score"]) == (True, 50.0)
    low = preflight(*checks, min_score=100)
    assert "the score is 50 and must be 100, 1 of 2 preflight checks failed" in low["msg"]


def test_check_mode_looks_just_the_same(run_module: Any) -> None:
    result = run_module(preflight_check.main, check=True, checks=[{"type": "file", "path": "/no/such"}])
    assert result["failed"]


def test_a_port_of_another_process_is_named(preflight: Preflight) -> None:
    code = (
        "import socket, sys; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        port = int(other.stdout.readline())
        result = preflight({"type": "port", "port": port})
        other.communicate("\n")
    assert f"port {port} is taken by pid {other.pid} ({os.path.basename(sys.executable)}) of user " in result["msg"]
    assert "create_server" not in json.dumps(result), "arguments of foreign processes are not shown"


def test_misspelt_options_are_refused(preflight: Preflight) -> None:
    assert "prot" in preflight({"type": "port", "prot": 1})["msg"]
    assert "port: it has no port" in preflight({"type": "port"})["msg"]

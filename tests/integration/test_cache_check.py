# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cache_check against a real Valkey, and against nginx that caches what an application says."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from proxies import free_ports, until

from ansible_collections.sluice.release.plugins.modules import cache_check

SECRET = "s3cr3t-header"

CACHING = """
worker_processes 1; daemon off; pid {root}/nginx.pid; error_log {root}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/f;
  uwsgi_temp_path {root}/u; scgi_temp_path {root}/s;
  proxy_cache_path {root}/cache keys_zone=shop:1m;
  server {{
    listen 127.0.0.1:{front};
    location / {{
      proxy_pass http://127.0.0.1:{back};
      proxy_cache shop; proxy_cache_valid 200 10m; proxy_cache_bypass $http_x_fresh; proxy_no_cache $http_x_fresh;
    }}
  }}
}}
"""


class Application(BaseHTTPRequestHandler):
    """Says something slowly, and the same as long as nobody has changed the price."""

    price = 1

    def do_GET(self) -> None:
        time.sleep(0.05)
        body = json.dumps({"price": type(self).price, "at": time.time_ns()}).encode()
        self.send_response(404 if self.path == "/gone" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory, need: Callable[[str], None]) -> Iterator[str]:
    """The address of the cache."""
    need("nginx")
    root = Path("/tmp") / tmp_path_factory.mktemp("shop").name
    root.mkdir()
    root.chmod(0o755)
    front, back = free_ports(2)
    (root / "nginx.conf").write_text(CACHING.format(root=root, front=front, back=back))
    Application.price = 1
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, root, ignore_errors=True)
        server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", back), Application))
        stack.callback(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        process = stack.enter_context(subprocess.Popen(["nginx", "-c", str(root / "nginx.conf")]))
        stack.callback(process.send_signal, signal.SIGTERM)
        url = f"http://127.0.0.1:{front}"

        def answers() -> bool:
            with contextlib.suppress(requests.ConnectionError):
                return requests.get(f"{url}/up", timeout=5).ok
            return False

        until(answers, "nginx does not answer")
        yield url


Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(redis_url: str, run_module: Any) -> Run:
    def check(*checks: dict[str, Any], **options: Any) -> dict[str, Any]:
        own_url = redis_url.rpartition("/")[0] + "/8"
        given = {
            "redis_url": own_url,
            "secret_headers": {"Authorization": SECRET},
            "checks": [{"name": "it", **one} for one in checks],
            **options,
        }
        result: dict[str, Any] = run_module(cache_check.main, **given)
        assert SECRET not in json.dumps(result)
        return result

    return check


@pytest.fixture
def store(redis_url: str) -> Iterator[Any]:
    with redis.Redis.from_url(redis_url.rpartition("/")[0] + "/8") as client:
        yield client
        client.flushdb()


# A short value, which Ansible would find in every number if it were a secret.
BYPASS = {"bypass_headers": {"X-Fresh": "1"}}


def test_a_cache_that_says_the_same_and_is_faster(run: Run, shop: str) -> None:
    result = run(
        {"type": "consistency", "paths": ["/a", "/b"], "ignore": ["at"], **BYPASS},
        {"name": "gain", "type": "speedup", "paths": ["/a", "/b"], "rounds": 3, "min_score": 80, **BYPASS},
        base_url=shop,
    )
    assert (result["verdict"], result["score"]) == ("green", 100.0)
    same, gain = result["gates"]
    assert same["reason"] == "it: 2 paths: the cached answer equals the fresh one"
    assert all(one["cold_ms"] >= 50 for one in gain["found"]["endpoints"])
    assert gain["samples"] == 12


def test_a_cache_that_has_missed_a_change(run: Run, shop: str) -> None:
    same = {"type": "consistency", "paths": ["/a"], "ignore": ["at"], **BYPASS}
    assert run(same, base_url=shop)["verdict"] == "green"
    Application.price = 2
    result = run(same, base_url=shop)
    assert result["msg"] == (
        "Cannot pass the checks of the cache: 1 of 1 check is red: "
        "it: /a differs at price between cache and application."
    )


def test_what_is_not_there_proves_nothing(run: Run, shop: str) -> None:
    result = run({"type": "consistency", "paths": ["/gone"], "optional": True, **BYPASS}, base_url=shop)
    assert (result["verdict"], result["gates"][0]["reason"]) == (
        "yellow",
        "it: /gone answers 404, which proves nothing",
    )


def test_the_keys_of_a_cache_and_their_end(run: Run, store: Any) -> None:
    store.set("cache:a", "1", ex=60)
    store.hset("cache:b", "x", "1")
    store.expire("cache:b", 60)
    ends = {"type": "keys", "pattern": "cache:*", "max_ttl": 120, "max_without_ttl": 0, "min_count": 2}
    assert run(ends)["gates"][0]["reason"] == "it: 2 keys under cache:*"
    store.persist("cache:b")
    assert "cache:b will never end, 1 in all, at most 0 may" in run(ends)["msg"]
    assert "cache:a is no hash" in run({"type": "keys", "pattern": "cache:*", "kind": "hash"})["msg"]
    left_out = {"type": "keys", "pattern": "vessel:*", "needs_module": "ReJSON", "min_count": 1}
    assert run(left_out)["gates"][0]["reason"] == "it: left out, for the server has no ReJSON"


def test_the_hit_ratio_of_what_was_asked_since(run: Run, store: Any) -> None:
    store.set("a", "1")
    first = run({"type": "keys", "pattern": "a*"})["counters"]
    for name in ["a"] * 80 + ["none"] * 20:
        store.get(name)
    ratio = {"type": "hit_ratio", "warn_pct": 85, "crit_pct": 60, "since": first}
    result = run(ratio)
    assert (result["verdict"], result["gates"][0]["found"]["hit_pct"]) == ("yellow", 80.0)
    assert "it: 80.0 % of 100 lookups were hits, below 90 %" in run({**ratio, "warn_pct": None, "crit_pct": 90})["msg"]
    assert run({"type": "hit_ratio", "crit_pct": 60}, observe=0.1)["verdict"] == "pending"


def test_memory(run: Run) -> None:
    assert run({"type": "memory", "max_used_mb": 512, "max_evicted": 0}, observe=0.1)["verdict"] == "green"
    assert "at most 0.001 may be" in run({"type": "memory", "max_used_mb": 0.001})["msg"]


def test_a_redis_that_is_not_there(run: Run, shop: str) -> None:
    (port,) = free_ports(1)
    result = run(
        {"type": "memory", "max_used_mb": 1},
        {"name": "same", "type": "consistency", "paths": ["/a"], "ignore": ["at"], **BYPASS},
        redis_url=f"redis://:{SECRET}@127.0.0.1:{port}/0",
        base_url=shop,
    )
    assert [gate["verdict"] for gate in result["gates"]] == ["red", "green"]
    assert "it: Redis does not answer: " in result["msg"]
    assert result["counters"] is None

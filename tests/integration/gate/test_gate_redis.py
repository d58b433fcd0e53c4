# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What checks of Redis see of a real one: well, secretive, and gone in the middle."""

from __future__ import annotations

import json
import os
import secrets
import signal
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from gating import Gate, later, reason


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

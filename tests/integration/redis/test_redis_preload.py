# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""redis_preload against real servers."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.crc import key_slot

LIMIT = 300.0
"""Seconds that a condition may take until it holds, on a machine that is much slower than this one."""


def protocol(*words: bytes | str) -> bytes:
    encoded = [word.encode() if isinstance(word, str) else word for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded)


@contextlib.contextmanager
def when(condition: Callable[[], bool], act: Callable[[], object]) -> Iterator[None]:
    """Act as soon as a condition holds, beside the body; it must have held."""
    ended, seen = threading.Event(), threading.Event()

    def watch() -> None:
        deadline = time.monotonic() + LIMIT
        while not ended.wait(0.002) and time.monotonic() < deadline:
            if condition():
                act()
                seen.set()
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert seen.is_set()


# --- Sources


def test_a_snapshot_comes_back_as_it_was(
    pair: Any, snapshot: Any, preload: Any, mixed: Any, contents: Any, tmp_path: Path
) -> None:
    old, new = pair
    path = str(tmp_path / "cache.snapshot")
    with old.client() as source, new.client() as target:
        mixed(source, 900)
        snapshot(old, path=path)
        result = preload(new, snapshot=path)
        assert (result["stopped"], result["warm"], result["written"], result["keys"]) == ("complete", True, 900, 900)
        assert contents(target) == contents(source)
    again = preload(new, snapshot=path)
    assert (again["changed"], again["written"], again["kept"]) == (False, 0, 900)
    assert preload(new, snapshot=path, existing="replace")["written"] == 900


def test_what_has_ended_is_left_out(pair: Any, snapshot: Any, preload: Any, tmp_path: Path) -> None:
    old, new = pair
    path = str(tmp_path / "cache.snapshot")
    with old.client() as source, new.client() as target:
        source.set("short", "1", px=300)
        source.set("long", "1", ex=900)
        snapshot(old, path=path)
        deadline = time.monotonic() + LIMIT
        while source.exists("short"):
            assert time.monotonic() < deadline
        result = preload(new, snapshot=path)
        assert target.keys() == [b"long"]
    assert (result["written"], result["expired"]) == (1, 1)


def test_another_server_is_copied_with_its_times(pair: Any, preload: Any, mixed: Any, contents: Any) -> None:
    old, new = pair
    with old.client() as source, new.client() as target:
        mixed(source, 900)
        planned = preload(new, from_url=old.url, check=True)
        assert (planned["changed"], planned["keys"], target.dbsize()) == (True, 900, 0)
        target.set("mixed:0", "new")
        result = preload(new, from_url=old.url, exclude=["mixed:1*"])
        assert (result["written"], result["kept"], result["stopped"]) == (900 - 111 - 1, 1, "complete")
        expected = {key: value for key, value in contents(source).items() if not key.startswith(b"mixed:1")}
        found = contents(target)
        assert target.get("mixed:0") == b"new"
        assert {**expected, b"mixed:0": b""} == {**found, b"mixed:0": b""}


@pytest.mark.parametrize("form", ["protocol", "lines"])
@pytest.mark.parametrize("existing", ["keep", "replace"])
def test_commands_are_sent(pair: Any, preload: Any, tmp_path: Path, form: str, existing: str) -> None:
    _old, new = pair
    commands = [
        ("SET", "plain", "new"),
        ("SETEX", "short", "500", "new"),
        ("SET", "two words", 'it \\ "is"', "PX", "500000"),
        ("HSET", "hash", "a", "1"),
        ("HSET", "hash", "b", "2"),
        ("PEXPIREAT", "hash", "4102444800000"),
        ("SADD", "set", "x", "y"),
        ("zadd", "zset", "1.5", "m"),
        ("SET", "hot", "new"),
        ("HSET", "warm", "c", "3"),
        ("EXPIRE", "warm", "10"),
    ]
    path = tmp_path / "commands"
    if form == "protocol":
        path.write_bytes(b"".join(protocol(*command) for command in commands))
    else:
        path.write_text("\n".join(" ".join(json.dumps(word) for word in command) for command in commands) + "\r\n\n")
    with new.client(decode_responses=True) as client:
        client.set("hot", "old")
        client.hset("warm", "a", "old")
        result = preload(new, commands=str(path), existing=existing)
        keep = existing == "keep"
        assert (result["stopped"], result["written"], result["kept"]) == (
            "complete",
            6 if keep else 8,
            2 if keep else 0,
        )
        assert client.mget("plain", "short", "two words") == ["new", "new", 'it \\ "is"']
        assert 490 < client.ttl("short") <= 500
        assert 490 < client.ttl("two words") <= 500
        assert (client.hgetall("hash"), client.pexpiretime("hash")) == ({"a": "1", "b": "2"}, 4102444800000)
        assert (client.smembers("set"), client.zscore("zset", "m")) == ({"x", "y"}, 1.5)
        assert client.get("hot") == ("old" if keep else "new")
        assert client.hgetall("warm") == ({"a": "old"} if keep else {"a": "old", "c": "3"})
        assert (client.ttl("warm") == -1) is keep


def test_a_key_that_comes_again_is_written_once(server: Any, preload: Any, tmp_path: Path) -> None:
    path = tmp_path / "commands"
    path.write_bytes(b"".join(protocol("SET", f"key:{number % 40}", str(number)) for number in range(1000)))
    with server.client() as client:
        client.set("key:7", "hot")
        result = preload(server, commands=str(path), batch=100)
        assert (result["written"], result["stopped"], client.dbsize()) == (39, "complete", 40)
        assert client.get("key:7") == b"hot"
        preload(server, commands=str(path), batch=100, existing="replace")
        assert client.mget("key:7", "key:8", "key:39") == [b"967", b"968", b"999"]


def test_where_much_is_there_the_rest_is_still_written(server: Any, preload: Any, tmp_path: Path) -> None:
    path = tmp_path / "commands"
    path.write_bytes(b"".join(protocol("SET", f"key:{number}", "new") for number in range(5000)))
    with server.client() as client:
        client.mset({f"key:{number}": "hot" for number in range(0, 5000, 3)})
        result = preload(server, commands=str(path), batch=500)
        assert (result["written"], result["kept"], result["errors"]) == (3333, 1667, 0)
        assert client.mget("key:0", "key:1", "key:4998", "key:4999") == [b"hot", b"new", b"hot", b"new"]


def test_keys_of_json_lines_are_written_whole(pair: Any, preload: Any, tmp_path: Path) -> None:
    _old, new = pair
    now = int(time.time())
    keys = [
        {"key": "string", "value": "é", "ttl": 500},
        {"key": "number", "value": 5},
        {"key": "list", "type": "list", "value": ["a", 1], "expires_at": now + 500},
        {"key": "set", "type": "set", "value": ["a", "b"]},
        {"key": "hash", "type": "hash", "value": {"a": 1, "b": "c"}, "ttl": 500},
        {"key": "zset", "type": "zset", "value": {"m": 1.5}},
        {"key": "until", "value": "x", "expires_at": now + 500},
        {"key": "ended", "value": "x", "expires_at": now - 5},
        {"key": "hot", "type": "list", "value": ["new"]},
    ]
    path = tmp_path / "keys.jsonl"
    path.write_text("\n".join(json.dumps(key) for key in keys))
    with new.client(decode_responses=True) as client:
        client.rpush("hot", "old")
        result = preload(new, keys=str(path))
        assert (result["written"], result["kept"], result["expired"], result["keys"]) == (7, 1, 1, 9)
        assert client.mget("string", "number", "until") == ["é", "5", "x"]
        assert client.lrange("list", 0, -1) == ["a", "1"]
        assert (client.smembers("set"), client.hgetall("hash")) == ({"a", "b"}, {"a": "1", "b": "c"})
        assert client.zscore("zset", "m") == 1.5
        assert all(490 < client.ttl(key) <= 500 for key in ("string", "list", "hash", "until"))
        assert client.lrange("hot", 0, -1) == ["old"]
        assert preload(new, keys=str(path), existing="replace")["written"] == 8
        assert client.lrange("hot", 0, -1) == ["new"]


# --- Sources that are of no use


def test_a_hundred_thousand_bad_lines(server: Any, preload: Any, tmp_path: Path) -> None:
    path = tmp_path / "commands"
    path.write_text("SET good 1\n" + "INCR c0unter\n" * 50_000 + 'geheim "\n' * 50_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = preload(server, commands=str(path))
    assert result["msg"].startswith(f"Cannot preload 127.0.0.1:{server.port}: {path} is refused, ")
    assert ", 100000 of 100001 commands are bad: line 2: INCR is not among" in result["msg"]
    assert result["msg"].endswith("; and 99995 more. Correct the file; nothing of it was sent.")
    assert (result["stopped"], result["warm"], result["written"]) == ("errors", False, 0)
    assert len(result["msg"]) < 1000
    assert "c0unter" not in result["msg"]
    assert "geheim" not in result["msg"]
    # KiB; the file has two megabytes.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024
    lines = tmp_path / "keys"
    lines.write_text("geheim\n" * 100_000)
    result = preload(server, keys=str(lines), policy="best_effort")
    assert "100000 of 100000 lines are bad: line 1: it is not JSON; line 2" in result["reason"]
    assert (result["stopped"], result["changed"]) == ("errors", False)
    with server.client() as client:
        assert client.dbsize() == 0


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (protocol("SET", "a", "1") + protocol("FLUSHALL"), "command 2: FLUSHALL is not among the commands"),
        (protocol("SET", "a", "1") + protocol("GEHEIM"), "command 2: this is not among the commands"),
        (protocol("SET", "a", "1") + b"*3\r\n$3\r\nSET\r\n$1\r\nb\r\n", "command 2 is cut"),
        (protocol("SET", "a", "1") + b"SET b 1\r\n", "after command 1 it is not in the protocol of Redis"),
        (protocol("SET", "a", "1", "GET"), "command 1: SET with GET"),
        (b"SET a 1\nZADD z INCR 1 m\n", "line 2: ZADD with INCR"),
        (b"SET a 1\nSET b\n", "line 2: SET has the wrong number of words"),
    ],
)
def test_what_may_not_be_sent_is_refused_whole(
    server: Any, preload: Any, tmp_path: Path, content: bytes, why: str
) -> None:
    path = tmp_path / "commands"
    path.write_bytes(content)
    assert why in preload(server, commands=str(path))["msg"]
    with server.client() as client:
        assert client.dbsize() == 0


def test_a_snapshot_that_is_cut_or_changed_is_refused_whole(
    server: Any, snapshot: Any, preload: Any, mixed: Any, tmp_path: Path
) -> None:
    path = tmp_path / "cache.snapshot"
    with server.client() as client:
        mixed(client, 60)
        snapshot(server, path=str(path))
        client.flushall()
        whole = path.read_bytes()
        middle = len(whole) // 2
        for damaged in (whole[:-1], whole[:middle], whole[:middle] + b"!" + whole[middle + 1 :], whole + b"!"):
            path.write_bytes(damaged)
            assert f"{path} is cut or damaged. Take another snapshot." in preload(server, snapshot=str(path))["msg"]
        path.write_bytes(b"nothing of that kind\n")
        assert "is no snapshot of redis_snapshot" in preload(server, snapshot=str(path))["msg"]
        path.write_bytes(whole.replace(b"snapshot 1\n", b"snapshot 9\n"))
        assert "has format 9, this release reads 1" in preload(server, snapshot=str(path))["msg"]
        assert "No such file" in preload(server, snapshot=str(tmp_path / "none"))["msg"]
        assert client.dbsize() == 0


def test_payloads_of_a_newer_server_are_counted(
    of_each: dict[str, Any], snapshot: Any, preload: Any, mixed: Any, contents: Any, tmp_path: Path
) -> None:
    path = str(tmp_path / "cache.snapshot")
    with of_each["valkey"].client() as newer, of_each["redis"].client() as older:
        mixed(newer, 500)
        snapshot(of_each["valkey"], path=path)
        result = preload(of_each["redis"], snapshot=path)
        assert result["stopped"] == "errors"
        (failure,) = result["failures"]
        assert (failure["cause"], failure["count"]) == ("version", result["errors"])
        assert "because the payload is of a newer or another server, or damaged" in result["msg"]
        assert older.dbsize() == 0
        # The other way round they fit.
        newer.flushall()
        mixed(older, 500)
        snapshot(of_each["redis"], path=path)
        assert preload(of_each["valkey"], snapshot=path)["written"] == 500
        assert {key: end for key, (_payload, end) in contents(newer).items()} == {
            key: end for key, (_payload, end) in contents(older).items()
        }


# --- What is hot stays


@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lru"])
def test_it_stops_before_memory_is_full(pair: Any, preload: Any, tmp_path: Path, policy: str) -> None:
    _old, new = pair
    path = tmp_path / "commands"
    with path.open("wb") as stream:
        for number in range(30_000):
            stream.write(protocol("SET", f"cold:{number}", "c" * 900))
    with new.client() as client:
        client.mset({f"hot:{number}": "h" * 900 for number in range(3000)})
        client.config_set("maxmemory-policy", policy)
        client.config_set("maxmemory", 20 * 2**20)
        result = preload(new, commands=str(path), policy="best_effort", max_memory_pct=80)
        memory = client.info("memory")
        assert client.info("stats")["evicted_keys"] == result["evicted_before"] == result["evicted_after"]
        assert client.exists(*(f"hot:{number}" for number in range(3000))) == 3000
    assert (result["stopped"], result["warm"], result["errors"]) == ("memory", False, 0)
    assert "and more would cross 80 % of maxmemory" in result["reason"]
    assert 1000 < result["written"] < 30_000
    assert result["used_memory_after"] <= 0.8 * 20 * 2**20
    assert memory["used_memory"] <= 0.8 * 20 * 2**20


def test_a_server_that_is_full_is_left_alone(server: Any, preload: Any, tmp_path: Path) -> None:
    path = tmp_path / "commands"
    path.write_text("SET cold 1\n")
    with server.client() as client:
        client.set("hot", "h" * 10_000)
        client.config_set("maxmemory", client.info("memory")["used_memory"] + 1000)
        result = preload(server, commands=str(path))
        client.config_set("maxmemory", 0)
        assert client.keys() == [b"hot"]
    assert result["stopped"] == "memory"
    assert result["msg"].startswith(f"Cannot preload 127.0.0.1:{server.port}: it stopped (memory), ")


def test_it_stops_at_the_first_eviction(server: Any, preload: Any, tmp_path: Path) -> None:
    path = tmp_path / "commands"
    path.write_text("".join(f"SET cold:{number} 1\n" for number in range(100_000)))

    def press() -> None:
        """Fill the memory to its end, as the application might."""
        with server.client() as presser:
            presser.config_set("maxmemory-policy", "allkeys-lru")
            presser.config_set("maxmemory", presser.info("memory")["used_memory"] + 2**20)
            for number in range(400):
                presser.set(f"application:{number}", "x" * 10_000)

    with server.client() as client, when(lambda: client.dbsize() > 100, press):
        result = preload(server, commands=str(path), rate=1000, policy="best_effort")
    assert result["stopped"] in ("evictions", "memory")
    if result["stopped"] == "evictions":
        assert result["evicted_after"] > result["evicted_before"]
    assert 100 < result["written"] < 100_000


# --- What goes wrong on the way


def test_a_server_that_goes_half_way(open_redis: Any, preload: Any, tmp_path: Path) -> None:
    path = tmp_path / "commands"
    path.write_text("".join(f"SET cold:{number} 1\n" for number in range(100_000)))
    with (
        open_redis("redis") as server,
        server.client() as client,
        when(lambda: client.dbsize() > 100, lambda: os.kill(server.pid, signal.SIGKILL)),
    ):
        result = preload(server, commands=str(path), rate=1000)
    assert (result["stopped"], result["warm"]) == ("gone", False)
    assert 100 < result["written"] + result["unanswered"] < 100_000
    assert result["msg"].startswith(f"Cannot preload 127.0.0.1:{server.port}: it stopped (gone), ")


def test_a_server_that_hangs(open_redis: Any, preload: Any, tmp_path: Path) -> None:
    path = tmp_path / "commands"
    path.write_text("".join(f"SET cold:{number} 1\n" for number in range(100_000)))
    with (
        open_redis("redis") as server,
        server.client() as client,
        when(lambda: client.dbsize() > 100, lambda: os.kill(server.pid, signal.SIGSTOP)),
    ):
        result = preload(server, commands=str(path), rate=1000, timeout=1, policy="best_effort")
        os.kill(server.pid, signal.SIGCONT)
    assert result["stopped"] == "gone"
    assert "does not answer in time" in result["reason"]


def test_time_and_rate_are_kept(server: Any, preload: Any, tmp_path: Path) -> None:
    path = tmp_path / "commands"
    path.write_text("".join(f"SET cold:{number} 1\n" for number in range(10_000)))
    result = preload(server, commands=str(path), rate=200, budget=2, policy="best_effort")
    assert (result["stopped"], result["reason"]) == ("budget", "the time is over")
    assert 0 < result["written"] <= 500
    assert result["written"] + result["unanswered"] <= 500


def test_who_is_not_let_in_is_told_why(server: Any, preload: Any, tmp_path: Path) -> None:
    path = tmp_path / "commands"
    path.write_text("SET a 1\n")
    cases = {
        "Correct user and password of the URL": {"url": f"redis://:wr0ng@127.0.0.1:{server.port}/0"},
        "Connection refused. See that the server runs": {"url": "redis://:wr0ng@127.0.0.1:1/0"},
        "Cannot read from 127.0.0.1:1: ": {"from_url": "redis://:wr0ng@127.0.0.1:1/0", "commands": None},
        "Look at rediss:// in the URL": {"url": f"rediss://:wr0ng@127.0.0.1:{server.port}/0", "timeout": 1},
        "max_memory_pct is 200, it may be 100 at most": {"max_memory_pct": 200},
        "rate is -1.0, it must be above 0": {"rate": -1},
    }
    for message, options in cases.items():
        given = {"commands": str(path), **options}
        result = preload(server, **{name: value for name, value in given.items() if value is not None})
        assert message in result["msg"], result["msg"]
        assert "wr0ng" not in json.dumps({**result, "invocation": None})


def test_a_user_of_an_acl_writes_what_it_may(server: Any, preload: Any, tmp_path: Path) -> None:
    path = tmp_path / "commands"
    path.write_text("".join(f"SET {'cache' if number % 2 else 'secret'}:{number} 1\n" for number in range(100)))
    user = {"url": f"redis://127.0.0.1:{server.port}/0", "username": "writer", "password": "wr1te"}
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "writer", "reset", "on", ">wr1te", "~cache:*", "+info", "+set")
        try:
            result = preload(server, commands=str(path), **user)
            assert (result["written"], result["errors"], result["stopped"]) == (50, 50, "complete")
            assert result["failures"][0]["cause"] == "permission"
            client.execute_command("ACL", "SETUSER", "writer", "-set")
            assert preload(server, commands=str(path), **user)["stopped"] == "errors"
        finally:
            client.execute_command("ACL", "DELUSER", "writer")


def test_a_replica_is_refused(pair: Any, preload: Any, tmp_path: Path) -> None:
    old, new = pair
    path = tmp_path / "commands"
    path.write_text("SET a 1\n")
    with new.client() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", old.port)
        try:
            result = preload(new, commands=str(path))
        finally:
            client.execute_command("REPLICAOF", "NO", "ONE")
    assert result["stopped"] == "errors"
    assert "is a replica that only reads; give the URL of the primary" in result["msg"]


def test_tls(open_redis: Any, snapshot: Any, preload: Any, certificates: dict[str, str], tmp_path: Path) -> None:
    for name, content in certificates.items():
        (tmp_path / f"{name}.pem").write_text(content)
    lines, path = tmp_path / "commands", str(tmp_path / "cache.snapshot")
    lines.write_text("".join(f"SET key:{number} 1\n" for number in range(20_000)))
    trusted = {"ca_path": str(tmp_path / "ca.pem")}
    with open_redis("redis", "", certificates) as server:
        refused = preload(server, commands=str(lines))
        assert "certificate verify failed" in refused["msg"]
        assert "Look at rediss:// in the URL, at ca_path" in refused["msg"]
        assert preload(server, commands=str(lines), **trusted)["written"] == 20_000
        assert snapshot(server, path=path, **trusted)["keys"] == 20_000
        assert preload(server, commands=str(lines), validate_certs=False)["kept"] == 20_000
        shown = {"client_cert": str(tmp_path / "cert.pem"), "client_key": str(tmp_path / "key.pem")}
        assert preload(server, snapshot=path, **trusted, **shown)["kept"] == 20_000


def test_a_cluster_gets_each_key_where_it_belongs(
    cluster: list[Any], server: Any, snapshot: Any, preload: Any, mixed: Any, tmp_path: Path
) -> None:
    path = str(tmp_path / "cache.snapshot")
    with server.client() as client:
        mixed(client, 3000)
    snapshot(server, path=path)
    for source in ({"snapshot": path}, {"from_url": server.url}):
        result = preload(cluster[0], **source)
        assert (result["written"] + result["kept"], result["nodes"], result["stopped"]) == (3000, 3, "complete")
    counts = []
    for node in cluster:
        with node.client() as client:
            counts.append(client.dbsize())
    assert sum(counts) == 3000
    assert min(counts) > 500
    lines = tmp_path / "commands"
    lines.write_text("".join(f"HSET hash:{number} a 1\nEXPIRE hash:{number} 500\n" for number in range(500)))
    assert preload(cluster[2], commands=str(lines))["written"] == 500
    assert preload(cluster[2], commands=str(lines))["kept"] == 500


def test_slots_that_move_are_found_again(cluster: list[Any], preload: Any, tmp_path: Path) -> None:
    lines = tmp_path / "commands"
    lines.write_text("".join(f"SET key:{number} 1\n" for number in range(30_000)))
    # One of the last keys, alone in its slot, which the third node has.
    slots = [key_slot(b"key:%d" % number) for number in range(30_000)]
    alone = next(slot for slot in reversed(slots) if slot > 11_000 and slots.count(slot) == 1)

    def move(giver: Any, taker: Any) -> None:
        with taker.client() as new, giver.client() as old:
            name = new.execute_command("CLUSTER", "MYID")
            for client in (old, new):
                client.execute_command("CLUSTER", "SETSLOT", alone, "NODE", name)

    with cluster[2].client() as last, when(lambda: last.dbsize() > 10, lambda: move(cluster[2], cluster[0])):
        result = preload(cluster[0], commands=str(lines), rate=10_000)
    assert (result["stopped"], result["written"], result["errors"]) == ("complete", 30_000, 0)
    with cluster[0].client() as client:
        assert client.execute_command("CLUSTER", "COUNTKEYSINSLOT", alone) == 1
        client.flushall()
    move(cluster[0], cluster[2])


def test_an_old_server_that_goes_half_way(open_redis: Any, server: Any, preload: Any, mixed: Any) -> None:
    with (
        open_redis("redis") as old,
        old.client() as source,
        server.client() as client,
    ):
        mixed(source, 20_000)
        with when(lambda: client.dbsize() > 100, lambda: os.kill(old.pid, signal.SIGKILL)):
            result = preload(server, from_url=old.url, rate=2000, policy="best_effort")
        assert result["stopped"] == "gone"
        assert f"127.0.0.1:{old.port}" in result["reason"]
        # The new server is there, and has answered all that it was sent.
        assert (result["unanswered"], client.dbsize()) == (0, result["written"])
        assert 100 < result["written"] < 20_000

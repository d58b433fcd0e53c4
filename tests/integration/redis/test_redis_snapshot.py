# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""redis_snapshot against real servers."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest


def test_a_snapshot_holds_every_type_and_only_its_owner_reads_it(
    pair: Any, snapshot: Any, mixed: Any, tmp_path: Path
) -> None:
    old, _new = pair
    path = tmp_path / "deep" / "cache.snapshot"
    with old.client() as client:
        mixed(client, 600)
        result = snapshot(old, path=str(path))
    assert (result["changed"], result["keys"], result["stopped"], result["order"]) == (True, 600, "complete", "none")
    assert result["types"] == dict.fromkeys(("string", "list", "hash", "set", "zset", "stream"), 100)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size == result["bytes"]
    assert list(path.parent.iterdir()) == [path]


def test_check_mode_counts_and_writes_nothing(server: Any, snapshot: Any, mixed: Any, tmp_path: Path) -> None:
    path = tmp_path / "cache.snapshot"
    with server.client() as client:
        mixed(client, 600)
    common = {"path": str(path), "exclude": ["mixed:1*"], "check": True}
    result = snapshot(server, **common)
    # 1, 10 to 19 and 100 to 199 are left out.
    assert (result["changed"], result["keys"], result["bytes"]) == (True, 600 - 111, None)
    assert snapshot(server, **common, max_keys=7)["keys"] == 7
    assert snapshot(server, **common, keys=["mixed:1", "none", "mixed:2"])["keys"] == 2
    assert not path.exists()


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"patterns": ["user:*"]}, {"user:1", "user:22"}),
        ({"patterns": ["user:?", "page:*"]}, {"user:1", "page:a", "page:b"}),
        ({"patterns": ["page:[^a]"]}, {"page:b"}),
        ({"exclude": ["user:*", "page:a"]}, {"page:b"}),
        ({"keys": ["page:a", "none", "page:a"]}, {"page:a"}),
        ({"max_value_bytes": 1000, "patterns": ["page:*"]}, {"page:a"}),
        ({"patterns": ["none:*"]}, set()),
    ],
)
def test_keys_are_chosen(
    server: Any, snapshot: Any, preload: Any, tmp_path: Path, options: dict[str, Any], names: set[str]
) -> None:
    path = str(tmp_path / "cache.snapshot")
    with server.client(decode_responses=True) as client:
        client.mset({"user:1": "a", "user:22": "b", "page:a": "c", "page:b": "d" * 5000})
        result = snapshot(server, path=path, **options)
        assert result["keys"] == len(names)
        assert result["large"] == ("max_value_bytes" in options)
        client.flushall()
        assert preload(server, snapshot=path)["written"] == len(names)
        assert set(client.scan_iter()) == names


@pytest.mark.parametrize("policy", ["allkeys-lfu", "allkeys-lru"])
def test_the_hottest_keys_stay(server: Any, snapshot: Any, preload: Any, tmp_path: Path, policy: str) -> None:
    path = str(tmp_path / "cache.snapshot")
    with server.client(decode_responses=True) as client:
        client.config_set("maxmemory-policy", policy)
        for number in range(500):
            # An idle time and a frequency can be given: nobody needs to wait for them.
            heat = {"frequency": number % 250} if "lfu" in policy else {"idletime": 10_000 - 20 * (number % 250)}
            client.set("payload", f"v{number}")
            client.restore(f"key:{number}", 0, raw(server, "payload"), replace=True, **heat)
        client.delete("payload")
        result = snapshot(server, path=path, max_keys=50)
        assert (result["keys"], result["order"]) == (50, "freq" if "lfu" in policy else "idle")
        client.flushall()
        preload(server, snapshot=path)
        kept = {int(name.partition(":")[2]) % 250 for name in client.scan_iter()}
    # Times that lie close together count as the same.
    assert min(kept) >= 250 - 25 - (0 if "lfu" in policy else 4)


def raw(server: Any, key: str) -> bytes:
    with server.client() as client:
        payload: bytes = client.dump(key)
        return payload


def test_bytes_are_limited(server: Any, snapshot: Any, tmp_path: Path) -> None:
    with server.client() as client:
        client.mset({f"key:{number}": "v" * 1000 for number in range(100)})
    result = snapshot(server, path=str(tmp_path / "cache.snapshot"), max_bytes=20_000)
    assert 5 < result["keys"] < 20
    assert result["order"] == "idle"


def test_a_young_snapshot_is_left_alone(server: Any, snapshot: Any, tmp_path: Path) -> None:
    path = tmp_path / "cache.snapshot"
    options = {"path": str(path), "max_age": 3600}
    with server.client() as client:
        client.set("a", "1")
        first = snapshot(server, **options)
        client.set("b", "2")
    again = snapshot(server, **options)
    assert (again["changed"], again["keys"], again["sha256"]) == (False, 1, first["sha256"])
    assert snapshot(server, path=str(path))["keys"] == 2
    # What is not whole is no snapshot, however young it is.
    path.write_bytes(path.read_bytes()[:-1])
    assert snapshot(server, **options)["changed"] is True


def test_a_snapshot_ends_with_its_time(server: Any, snapshot: Any, preload: Any, mixed: Any, tmp_path: Path) -> None:
    with server.client() as client:
        mixed(client, 6000)
    path = str(tmp_path / "cache.snapshot")
    result = snapshot(server, path=path, budget=0.000001)
    assert result["stopped"] == "budget"
    assert preload(server, snapshot=path, existing="replace")["written"] == result["keys"] < 6000


def test_a_server_that_goes_leaves_the_old_snapshot(open_redis: Any, snapshot: Any, mixed: Any, tmp_path: Path) -> None:
    path = tmp_path / "cache.snapshot"
    with open_redis("redis") as server, server.client() as client:
        mixed(client, 60)
        snapshot(server, path=str(path))
        before = path.read_bytes()
        mixed(client, 3000)
        # Stopped, it answers nobody; the module has connected by then or not, the outcome is the same.
        os.kill(server.pid, signal.SIGSTOP)
        killer = threading.Timer(0.3, os.kill, (server.pid, signal.SIGKILL))
        killer.start()
        result = snapshot(server, path=str(path))
        killer.join()
    assert result["msg"].startswith(f"Cannot take a snapshot of 127.0.0.1:{server.port}: ")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_done_is_said(server: Any, snapshot: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "cache.snapshot")
    cases = {
        "Cannot take a snapshot: max_keys is 0, it must be above 0.": {"max_keys": 0},
        "it is no node of a cluster. Leave out the option cluster": {"cluster": True},
        "Correct user and password of the URL": {"url": f"redis://:wr0ng@127.0.0.1:{server.port}/0"},
        "Connection refused. See that the server runs": {"url": "redis://:wr0ng@127.0.0.1:1/0"},
        "Give a URL like": {"url": "http://:wr0ng@127.0.0.1"},
        "Cannot write /proc/none/cache.snapshot: ": {"path": "/proc/none/cache.snapshot"},
    }
    for message, options in cases.items():
        result = snapshot(server, **{"path": path, **options})
        assert message in result["msg"], result["msg"]
        assert "wr0ng" not in result["msg"]
    assert not Path(path).exists()


def test_a_user_of_an_acl_reads_what_it_may(server: Any, snapshot: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "cache.snapshot")
    user = {"url": f"redis://127.0.0.1:{server.port}/0", "username": "reader", "password": "r3ad"}
    with server.client() as client:
        client.mset({"cache:1": "a", "secret:1": "b"})
        client.execute_command(
            "ACL",
            "SETUSER",
            "reader",
            "reset",
            "on",
            ">r3ad",
            "~cache:*",
            "+info",
            "+scan",
            "+dump",
            "+type",
            "+pexpiretime",
            "+time",
        )
        try:
            result = snapshot(server, path=path, patterns=["cache:*"], **user)
            assert result["keys"] == 1
            refused = snapshot(server, path=path, **user)
            assert "is refused, the user may not do this. Allow the user SCAN, TYPE, DUMP" in refused["msg"]
            client.execute_command("ACL", "SETUSER", "reader", "-info")
            blind = snapshot(server, path=path, **user)
            assert "INFO is refused, the user may not do this" in blind["msg"]
        finally:
            client.execute_command("ACL", "DELUSER", "reader")


def test_a_cluster_is_read_whole(cluster: list[Any], snapshot: Any, preload: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "cache.snapshot")
    lines = tmp_path / "keys.txt"
    lines.write_text("".join(f"SET key:{number} v{number} EX 900\n" for number in range(3000)))
    assert preload(cluster[0], commands=str(lines))["written"] == 3000
    result = snapshot(cluster[1], path=path)
    assert (result["keys"], result["nodes"]) == (3000, 3)
    limited = snapshot(cluster[1], path=path, max_keys=100, cluster=True)
    assert limited["keys"] == 100
    refused = snapshot(cluster[1], path=path, cluster=False)
    assert "it is a node of a cluster" in refused["msg"]

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How quickly keys are loaded into a Redis, against `redis-cli --pipe`; what a snapshot brings back; what it costs."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from ansible_collections.sluice.release.plugins.module_utils.warm._redis_batch import pack
from benchmarks import modules

KEYS = 1_000_000
MIXED = 200_000
SMALL = 100_000

_STEP = 2000

# A key as a cache has it: a name with parts, a small object.
_FORMS = {"SET": (), "SET with EX": (b"EX", b"86400")}


@dataclass(frozen=True)
class Server:
    """A Redis of this benchmark's own."""

    port: int
    password: str

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def client(self) -> Any:
        return redis.Redis.from_url(self.url, socket_timeout=120)

    def pipe(self, path: Path) -> float:
        """Load a file of commands with redis-cli; seconds."""
        with path.open("rb") as stream:
            began = time.monotonic()
            done = subprocess.run(
                ["redis-cli", "-p", str(self.port), "--no-auth-warning", "--pipe"],
                stdin=stream,
                env={**os.environ, "REDISCLI_AUTH": self.password},
                capture_output=True,
                text=True,
                check=True,
            )
            seconds = time.monotonic() - began
        if "errors: 0" not in done.stdout:
            raise SystemExit(f"Cannot measure: redis-cli --pipe said {done.stdout[-500:]}")
        return seconds


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """Run a server that keeps nothing on disk, until the block ends."""
    home = Path(tempfile.mkdtemp(prefix="sluice-benchmark-"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        server = Server(probe.getsockname()[1], secrets.token_hex(12))
    settings = [
        "bind 127.0.0.1",
        f"port {server.port}",
        f"requirepass {server.password}",
        'save ""',
        "appendonly no",
        "enable-debug-command yes",
        f"dir {home}",
    ]
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "TERM", "redis-server", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdin
        process.stdin.write("\n".join(settings))
        process.stdin.close()
        deadline = time.monotonic() + 60
        while True:
            try:
                with server.client() as client:
                    client.ping()
                break
            except redis.RedisError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield server
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(home, ignore_errors=True)


def measure(rounds: int, keys: int = KEYS, mixed: int = MIXED) -> dict[str, Any]:
    """Measure all three."""
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-benchmark-")))
        old, new = (stack.enter_context(running()) for _ in range(2))
        with old.client() as client:
            version = client.info("server")["redis_version"]
        cli = subprocess.run(["redis-cli", "--version"], capture_output=True, text=True, check=True).stdout.strip()
        found: dict[str, Any] = {"server": version, "redis_cli": cli, "keys": keys, "rounds": rounds, "forms": {}}
        for form, words in _FORMS.items():
            path = _write(home / "commands", keys, words)
            found["forms"][form] = _against_pipe(new, path, keys, rounds)
        small = _write(home / "small", min(SMALL, keys), ())
        found["peak_mib"] = {
            "preload": {
                str(count): _peak(new, "redis_preload", commands=str(path))
                for count, path in ((min(SMALL, keys), small), (keys, home / "commands"))
            },
            "snapshot": {},
        }
        # The server has a million keys now, and then a hundred thousand.
        for count, path in ((keys, home / "commands"), (min(SMALL, keys), small)):
            with new.client() as client:
                client.flushall()
            new.pipe(path)
            usage = _run("redis_snapshot", url=new.url, path=str(home / "cache.snapshot")).usage
            found["peak_mib"]["snapshot"][str(count)] = round(usage.peak_kib / 1024, 1)
        found["snapshot"] = _there_and_back(old, new, home / "cache.snapshot", mixed)
    return found


def _write(path: Path, keys: int, more: tuple[bytes, ...]) -> Path:
    with path.open("wb") as stream:
        for start in range(0, keys, _STEP):
            numbers = range(start, min(start + _STEP, keys))
            stream.write(pack([[b"SET", b"product:%08d:price" % number, _value(number), *more] for number in numbers]))
    return path


def _value(number: int) -> bytes:
    return b'{"id": %d, "price": %d, "name": "product %d"}' % (number, number * 7, number)


def _run(module: str, **arguments: Any) -> modules.Run:
    done = modules.run(module, arguments)
    if done.result.get("failed"):
        raise SystemExit(f"Cannot measure: {done.result['msg']}")
    return done


def _peak(server: Server, module: str, **arguments: Any) -> float:
    with server.client() as client:
        client.flushall()
    return round(_run(module, url=server.url, **arguments).usage.peak_kib / 1024, 1)


def _against_pipe(server: Server, path: Path, keys: int, rounds: int) -> dict[str, Any]:
    """Load the same file by turns with redis-cli and with the module, each into an empty server."""
    seconds: dict[str, list[float]] = {"pipe": [], "module": []}
    for _ in range(rounds):
        with server.client() as client:
            client.flushall()
            seconds["pipe"].append(server.pipe(path))
            client.flushall()
            done = _run("redis_preload", url=server.url, commands=str(path))
            # All of its work: reading and checking the file, connecting, loading.
            seconds["module"].append(done.usage.ended - done.usage.begun)
            if (done.result["written"], client.dbsize()) != (keys, keys):
                raise SystemExit(f"Cannot measure: {done.result['written']} of {keys} keys were written")
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "seconds": {name: [round(value, 2) for value in values] for name, values in seconds.items()},
        "rates": {name: round(keys / value) for name, value in middle.items()},
        "ratio": round(middle["pipe"] / middle["module"], 2),
    }


def _fill(server: Server, count: int) -> None:
    """Write keys of all types; two thirds of them end, in ten minutes and later."""
    with server.client() as client:
        client.flushall()
        for start in range(0, count, _STEP):
            with client.pipeline(transaction=False) as pipeline:
                for number in range(start, min(start + _STEP, count)):
                    _write_one(pipeline, f"mixed:{number}", number)
                pipeline.execute()


def _write_one(pipeline: Any, key: str, number: int) -> None:
    kind, size = number % 6, number // 6 % 20 + 1
    if kind == 0:
        pipeline.set(key, f"value {number} " * size)
    elif kind == 1:
        pipeline.rpush(key, *range(size))
    elif kind == 2:
        pipeline.hset(key, mapping={f"field {part}": number + part for part in range(size)})
    elif kind == 3:
        pipeline.sadd(key, *(f"member {part}" for part in range(size)))
    elif kind == 4:
        pipeline.zadd(key, {f"member {part}": part * 1.5 for part in range(size)})
    else:
        pipeline.xadd(key, {"field": number})
    # By another number than the types go by, so that each has keys with and without an end.
    if number % 7 > 1:
        pipeline.pexpire(key, 600_000 + number * 13)


def _there_and_back(old: Server, new: Server, path: Path, count: int) -> dict[str, Any]:
    """Take a snapshot of one server, load it into the other, and compare every key."""
    _fill(old, count)
    taken = _run("redis_snapshot", url=old.url, path=str(path))
    with new.client() as client:
        client.flushall()
    loaded = _run("redis_preload", url=new.url, snapshot=str(path))
    differing, latest, ending = _compare(old, new)
    return {
        "keys": taken.result["keys"],
        "written": loaded.result["written"],
        "differing_values": differing,
        "with_ttl": ending,
        "largest_difference_ms": latest,
        "mib": round(taken.result["bytes"] / 2**20, 1),
        "seconds": {
            "snapshot": round(taken.usage.ended - taken.usage.begun, 2),
            "preload": round(loaded.usage.ended - loaded.usage.begun, 2),
        },
    }


def _compare(old: Server, new: Server) -> tuple[int, int, int]:
    """Keys whose values differ, the largest difference between two ends in milliseconds, and keys with an end."""
    differing, latest, ending = 0, 0, 0
    with old.client() as one, new.client() as other:
        keys = list(one.scan_iter(count=_STEP))
        if one.dbsize() != other.dbsize():
            differing = abs(one.dbsize() - other.dbsize())
        for start in range(0, len(keys), _STEP):
            answers = []
            for client in (one, other):
                with client.pipeline(transaction=False) as pipeline:
                    for key in keys[start : start + _STEP]:
                        pipeline.execute_command("DEBUG", "DIGEST-VALUE", key)
                        pipeline.pexpiretime(key)
                    answers.append(pipeline.execute())
            for mine, theirs in zip(answers[0][::2], answers[1][::2], strict=True):
                differing += mine != theirs
            for mine, theirs in zip(answers[0][1::2], answers[1][1::2], strict=True):
                ending += mine > 0
                latest = max(latest, abs(mine - theirs))
    return differing, latest, ending


def render(found: Mapping[str, Any]) -> list[str]:
    """Return the results as lines of a page for people."""
    heads = ("commands", "`redis-cli --pipe`, s", "module, s", "keys a second", "module's", "its rate, of redis-cli's")
    lines = [
        "",
        "## Keys of a Redis",
        "",
        f"`redis_preload` of {found['keys']:,} keys from a file of commands against `redis-cli --pipe` with the same",
        f"file, by turns, {found['rounds']} times each into an empty server (redis {found['server']},",
        f"{found['redis_cli']}). The time of the module is that of all its work: it reads the file twice, checks it",
        "before anything is sent, and leaves keys alone that are there.",
        "",
        f"| {' | '.join(heads)} |",
        "|---" * len(heads) + "|",
    ]
    for form, row in found["forms"].items():
        cells = [
            *(_list(row["seconds"][name]) for name in ("pipe", "module")),
            *(f"{row['rates'][name]:,}" for name in ("pipe", "module")),
            f"**{row['ratio']}**",
        ]
        lines.append(f"| {form} | {' | '.join(cells)} |")
    snapshot, peaks = found["snapshot"], found["peak_mib"]
    counts = list(peaks["preload"])
    return [
        *lines,
        "",
        f"A snapshot of {snapshot['keys']:,} keys of six types ({snapshot['mib']} MiB) took",
        f"{snapshot['seconds']['snapshot']} s, loading it into another server {snapshot['seconds']['preload']} s:",
        f"{snapshot['written']:,} keys, **{snapshot['differing_values']}** values that differ (`DEBUG DIGEST-VALUE`),",
        f"and of {snapshot['with_ttl']:,} keys with an end the largest difference is",
        f"**{snapshot['largest_difference_ms']} ms** (`PEXPIRETIME`).",
        "",
        f"| peak of memory, MiB | {' | '.join(f'{int(count):,} keys' for count in counts)} |",
        "|---" * (len(counts) + 1) + "|",
        *(f"| `redis_{name}` | {' | '.join(str(peak[count]) for count in counts)} |" for name, peak in peaks.items()),
    ]


def _list(values: list[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)

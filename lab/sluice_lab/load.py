# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An open-loop load generator: requests leave by the clock, however long the answers take.

A closed loop (a new request when the last was answered) goes quiet while the server does, and so hides an outage.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp

# One round: what a visitor asks for, with a write every tenth request (it empties the list cache).
MIX: Sequence[tuple[str, str]] = (
    ("GET", "/api/deals"),
    ("GET", "/api/deals/{number}"),
    ("GET", "/api/deals?limit=50&offset=50"),
    ("GET", "/api/deals"),
    ("GET", "/"),
    ("GET", "/api/deals/{number}"),
    ("GET", "/api/deals?limit=10"),
    ("GET", "/api/deals"),
    ("GET", "/api/deals/{number}"),
    ("POST", "/api/deals"),
)
PATIENCE = 5.0
KEEP = 15.0
# On which connections requests go: shared ones that are kept, a new one for each, or by turns.
Connections = Literal["both", "kept", "new"]
# Whatever address of this machine leads there.
ANYWHERE: Sequence[str] = ("",)
# Visitors of a cluster come from many addresses. One address uses a port again within a minute at 200 new connections a
# second; Docker, when it ends a pod, forgets connections by address and port, and so those of other pods too.
VISITORS: Sequence[str] = tuple(f"127.0.1.{number}" for number in range(1, 51))


@dataclass(frozen=True)
class Answer:
    """What became of one request; moments in monotonic seconds, `body` empty where there was no answer."""

    started: float
    ended: float
    error: str | None
    body: bytes


Look = Callable[[Answer], None]


@dataclass
class Tally:
    """What became of the requests. `errors` counts by kind: `http 500`, or the class of a connection error."""

    sent: int = 0
    failed: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)
    seconds: float = 0.0
    longest_gap_ms: float = 0.0
    _last_success: float | None = None

    def record(self, started: float, error: str | None) -> None:
        """Count one request that began at `started` (monotonic seconds)."""
        now = time.monotonic()
        self.sent += 1
        self.milliseconds.append((now - started) * 1000)
        if error is not None:
            self.failed += 1
            self.errors[error] += 1
            return
        if self._last_success is not None:
            self.longest_gap_ms = max(self.longest_gap_ms, (now - self._last_success) * 1000)
        self._last_success = now

    @property
    def answered_badly(self) -> int:
        """How many of the failures are answers of the application, not lost connections."""
        return sum(count for kind, count in self.errors.items() if kind.startswith("http "))

    @property
    def lost(self) -> int:
        """How many requests got no answer at all."""
        return self.failed - self.answered_badly

    def quantile_ms(self, q: float) -> float:
        """Return the q-quantile of the answer times in ms, 0 without any."""
        ordered = sorted(self.milliseconds)
        return ordered[min(int(q * len(ordered)), len(ordered) - 1)] if ordered else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers, ready for JSON."""
        return {
            "sent": self.sent,
            "failed": self.failed,
            "lost": self.lost,
            "errors": dict(self.errors),
            "p50_ms": round(self.quantile_ms(0.50), 1),
            "p95_ms": round(self.quantile_ms(0.95), 1),
            "longest_gap_ms": round(self.longest_gap_ms),
            "seconds": round(self.seconds, 1),
        }


async def _request(session: aiohttp.ClientSession, method: str, url: str, tally: Tally, look: Look | None) -> None:
    started = time.monotonic()
    body = {"title": "Load", "merchant": "Load", "price_cents": 1} if method == "POST" else None
    error: str | None = None
    content = b""
    try:
        async with session.request(method, url, json=body) as response:
            content = await response.read()
            if not 200 <= response.status < 300:
                error = f"http {response.status}"
    except (aiohttp.ClientError, TimeoutError, OSError) as problem:
        error = type(problem).__name__
    tally.record(started, error)
    if look:
        look(Answer(started, time.monotonic(), error, content))


def _session(address: str, keep: float, share: bool) -> aiohttp.ClientSession:
    """Return what connects from an address: connections that are shared and kept, or a new one for each request."""
    local = (address, 0) if address else None
    connector = (
        aiohttp.TCPConnector(local_addr=local, keepalive_timeout=keep)
        if share
        else aiohttp.TCPConnector(local_addr=local, force_close=True, limit=0)
    )
    session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE), connector=connector)
    # aiohttp repeats a request whose connection was lost. Here a lost connection is what is to be counted.
    session._retry_connection = False
    return session


async def run(
    base_url: str,
    rate: float,
    stopped: asyncio.Event,
    tally: Tally,
    keep: float = KEEP,
    *,
    mix: Sequence[tuple[str, str]] = MIX,
    connections: Connections = "both",
    look: Look | None = None,
    addresses: Sequence[str] = ANYWHERE,
) -> None:
    """Send `rate` requests a second to `base_url` until `stopped`, on `connections`; `look` at every answer.

    Connections that are kept are closed after `keep` seconds without a request. Visitors come from `addresses` of this
    machine by turns.
    """
    async with contextlib.AsyncExitStack() as opened:
        sessions = [
            [await opened.enter_async_context(_session(address, keep, share)) for address in addresses]
            for share in (False, True)
        ]
        begin = time.monotonic()
        under_way: set[asyncio.Task[None]] = set()
        for number in itertools.count():
            wait = begin + number / rate - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            if stopped.is_set():
                break
            method, path = mix[number % len(mix)]
            url = base_url + path.format(number=number % 500 + 1)
            # By rounds, so that every path of the mix is asked for in both ways.
            share = connections == "kept" or (connections == "both" and (number + number // len(mix)) % 2 == 0)
            session = sessions[share][number % len(addresses)]
            task = asyncio.create_task(_request(session, method, url, tally, look))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way)
        tally.seconds = time.monotonic() - begin


@contextlib.asynccontextmanager
async def load(
    base_url: str,
    rate: float,
    keep: float = KEEP,
    *,
    mix: Sequence[tuple[str, str]] = MIX,
    connections: Connections = "both",
    look: Look | None = None,
    addresses: Sequence[str] = ANYWHERE,
) -> AsyncIterator[Tally]:
    """Keep the load up while the body runs; the tally is complete after it. The options are those of `run`."""
    tally, stopped = Tally(), asyncio.Event()
    running = asyncio.create_task(
        run(base_url, rate, stopped, tally, keep, mix=mix, connections=connections, look=look, addresses=addresses)
    )
    try:
        yield tally
    finally:
        stopped.set()
        await running

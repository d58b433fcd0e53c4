# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An open-loop load generator: requests leave by the clock, however long the answers take.

A closed loop (a new request when the last was answered) goes quiet while the server does, and so hides an outage.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

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


async def _request(session: aiohttp.ClientSession, method: str, url: str, tally: Tally) -> None:
    started = time.monotonic()
    body = {"title": "Load", "merchant": "Load", "price_cents": 1} if method == "POST" else None
    error: str | None = None
    try:
        async with session.request(method, url, json=body) as response:
            await response.read()
            if not 200 <= response.status < 300:
                error = f"http {response.status}"
    except (aiohttp.ClientError, TimeoutError, OSError) as problem:
        error = type(problem).__name__
    tally.record(started, error)


async def run(base_url: str, rate: float, stopped: asyncio.Event, tally: Tally) -> None:
    """Send `rate` requests a second to `base_url` until `stopped`, every other one on a new connection."""
    patience = aiohttp.ClientTimeout(total=PATIENCE)
    async with (
        aiohttp.ClientSession(timeout=patience) as kept,
        aiohttp.ClientSession(timeout=patience, connector=aiohttp.TCPConnector(force_close=True, limit=0)) as fresh,
    ):
        # aiohttp repeats a request whose connection was lost. Here a lost connection is what is to be counted.
        for session in (kept, fresh):
            session._retry_connection = False
        begin = time.monotonic()
        under_way: set[asyncio.Task[None]] = set()
        for number in itertools.count():
            wait = begin + number / rate - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            if stopped.is_set():
                break
            method, path = MIX[number % len(MIX)]
            url = base_url + path.format(number=number % 500 + 1)
            # By rounds, so that every path of the mix is asked for in both ways.
            session = kept if (number + number // len(MIX)) % 2 == 0 else fresh
            task = asyncio.create_task(_request(session, method, url, tally))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way)
        tally.seconds = time.monotonic() - begin


@asynccontextmanager
async def load(base_url: str, rate: float) -> AsyncIterator[Tally]:
    """Keep the load up while the body runs; the tally is complete after it."""
    tally, stopped = Tally(), asyncio.Event()
    running = asyncio.create_task(run(base_url, rate, stopped, tally))
    try:
        yield tally
    finally:
        stopped.set()
        await running

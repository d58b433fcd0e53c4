# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application that is always well, for gates to ask: a process of its own that remembers when it was asked.

It prints its port, serves until its standard input ends, and then prints the moments of the requests by path, on the
clock that time.monotonic() shows to every process, and how many connections are open still.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections import defaultdict

ROUTES = [f"/api/{name}" for name in ("deals", "deals/:id", "users", "users/:id", "orders", "search", "login", "stats")]
BOUNDS = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "+Inf")


def metrics(seconds: float) -> str:
    """Return a page as a Node.js application exposes it: some 250 lines, of which checks want a part."""
    count = int(1000 + 50 * seconds)
    rows = ["# HELP http_requests_total Answered requests", "# TYPE http_requests_total counter"]
    for route in ROUTES:
        rows += [f'http_requests_total{{method="GET",route="{route}",status="{s}"}} {count}' for s in (200, 201, 404)]
        rows.append(f'http_requests_total{{method="GET",route="{route}",status="500"}} 3')
    rows += ["# HELP http_request_duration_seconds Time", "# TYPE http_request_duration_seconds histogram"]
    for route in ROUTES:
        labels = f'method="GET",route="{route}"'
        for number, bound in enumerate(BOUNDS):
            part = count * min(number + 1, 6) // 6
            rows.append(f'http_request_duration_seconds_bucket{{le="{bound}",{labels}}} {part}')
        rows += [f"http_request_duration_seconds_sum{{{labels}}} {count / 50}"]
        rows += [f"http_request_duration_seconds_count{{{labels}}} {count}"]
    rows += [f"nodejs_something_{number}_total {count}" for number in range(100)]
    rows += ["process_resident_memory_bytes 73400320", "process_start_time_seconds 1.7e9", ""]
    return "\n".join(rows)


async def main() -> None:
    """Serve until standard input ends."""
    begun = time.monotonic()
    asked: defaultdict[str, list[float]] = defaultdict(list)
    connected: set[asyncio.StreamWriter] = set()
    health = json.dumps({"status": "ok", "redis": {"status": "connected", "hit_pct": 91.5}, "workers": 4, "queue": 3})

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.add(writer)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    head = (await reader.readuntil(b"\r\n\r\n")).decode()
                    path = head.split(" ", 2)[1]
                    asked[path].append(time.monotonic())
                    body = (metrics(time.monotonic() - begun) if "metrics" in path else health).encode()
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                    await writer.drain()
                    if "connection: close" in head.lower():
                        break
        finally:
            connected.discard(writer)
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    # Nobody writes to it: only its end makes it readable.
    asyncio.get_running_loop().add_reader(sys.stdin, ended.set)
    await ended.wait()
    print(json.dumps({"asked": asked, "open": len(connected)}), flush=True)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())

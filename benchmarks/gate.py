# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gate of 30 checks costs the host, and whether it keeps time."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import modules
from benchmarks.database.server import VOLATILE, Server, running

INTERVAL = 1.0
HERE = Path(__file__).resolve().parent


@contextlib.contextmanager
def target(found: dict[str, Any]) -> Iterator[str]:
    """Run the application that is asked; at the end its memory is in `found`."""
    words = [sys.executable, str(HERE / "gate_target.py")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.stdin.close()
            found.update(json.loads(process.stdout.readline() or "{}"))


def checks(url: str, database_url: str) -> list[dict[str, Any]]:
    """Return 30 checks of four types; they ask 20 targets, for checks of one page or database share its answers."""
    found: list[dict[str, Any]] = []
    measures: list[tuple[str, dict[str, Any]]] = [
        ("status", {}),
        ("latency_ms", {"crit": 500}),
        ("p95", {"crit": 500}),
        ("p99", {"crit": 900}),
    ]
    measures += [("availability_pct", {"crit": 99}), ("status", {"expect_body": {"query": "status", "equals": "ok"}})]
    for number in range(10):
        measure, more = measures[number % len(measures)]
        found.append({"type": "http", "url": f"{url}/health?of=http{number}", "measure": measure, **more})
    metric, labels = "http_requests_total", {"status": "~5.."}
    aggregates: list[dict[str, Any]] = [
        {"metric": metric, "labels": labels, "aggregate": "ratio", "over": {"metric": metric}, "crit": 5},
        {"metric": "http_request_duration_seconds", "aggregate": "quantile", "quantile": 0.95, "crit": 10},
        {"metric": metric, "aggregate": "rate", "direction": "below", "crit": 1},
    ]
    for page in range(4):
        found += [{"type": "prometheus", "url": f"{url}/metrics?of={page}", **more} for more in aggregates]
    queries: list[tuple[str, dict[str, Any]]] = [
        ("redis.hit_pct", {"direction": "below", "crit": 60}),
        ("redis.status", {"expect": "connected"}),
    ]
    queries += [("workers", {"direction": "below", "crit": 1}), ("queue", {"crit": 100}), ("status", {"expect": "ok"})]
    for number, (query, more) in enumerate(queries):
        found.append({"type": "json", "url": f"{url}/health?of=json{number}", "query": query, **more})
    values: list[tuple[str, dict[str, Any]]] = [
        ("connections_used_ratio", {"crit": 1}),
        ("longest_query_seconds", {"crit": 600, "on_no_data": "pass"}),
    ]
    values += [("in_recovery", {"expect": "false"})]
    found += [{"type": "postgres", "database_url": database_url, "value": value, **more} for value, more in values]
    return [{"name": f"{number:02d} {check['type']}", **check} for number, check in enumerate(found)]


def timing(asked: Mapping[str, Sequence[float]], seconds: float) -> dict[str, Any]:
    """Hold the moments of the requests against the grid of each target."""
    deviations: list[float] = []
    drifts: list[float] = []
    missed = 0
    for moments in asked.values():
        ticks = [round((moment - moments[0]) / INTERVAL) for moment in moments]
        # Nobody but the gate knows when it began: at the earliest for the request that was the least late.
        begun = min(moment - tick * INTERVAL for moment, tick in zip(moments, ticks, strict=True))
        own = [moment - begun - tick * INTERVAL for moment, tick in zip(moments, ticks, strict=True)]
        deviations += own
        part = max(1, len(own) // 10)
        drifts.append(abs(statistics.median(own[-part:]) - statistics.median(own[:part])))
        missed += int(seconds / INTERVAL) + 1 - len(moments)
    return {
        "requests": len(deviations),
        "ticks_missed": missed,
        "deviation_ms": {
            "largest": round(max(deviations) * 1000, 1),
            "p99": round(statistics.quantiles(deviations, n=100)[-1] * 1000, 1),
        },
        "drift_ms": round(max(drifts) * 1000, 1),
    }


def sessions(server: Server) -> int:
    """How many sessions of clients the database has beside the one that asks."""
    [(count,)] = server.query(
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    return int(count)


def measure(seconds: float) -> dict[str, Any]:
    """Watch an application that is well with a gate of 30 checks."""
    served: dict[str, Any] = {}
    load_before = round(os.getloadavg()[0], 1)
    with running(VOLATILE) as server, target(served) as url:
        asked = checks(url, server.text_url("postgres"))
        arguments = {"checks": asked, "duration": seconds, "interval": INTERVAL, "progress": str(server.home / "told")}
        done = modules.run("health_gate", arguments)
        left = sessions(server)
    usage, result = done.usage, done.result
    if result.get("failed"):
        raise SystemExit(f"Cannot measure: the gate of an application that is well is not green.\n{result['msg']}")
    return {
        "load_before": load_before,
        "seconds": round(result["seconds"], 1),
        "checks": len(asked),
        "targets": len(served["asked"]) + 1,
        "verdict": result["verdict"],
        "samples": result["samples"],
        "cpu_pct": round(100 * usage.cpu / (usage.ended - usage.begun), 2),
        "cpu_seconds": {"start": round(usage.start_cpu, 2), "gate": round(usage.cpu - usage.start_cpu, 2)},
        "peak_mib": round(usage.peak_kib / 1024, 1),
        **timing(served["asked"], seconds),
        "left": {
            "sockets": usage.sockets,
            "threads": usage.threads,
            "connections_of_the_application": served["open"],
            "sessions_of_the_database": left,
        },
    }


def render(found: Mapping[str, Any]) -> list[str]:
    """Return the results as lines of a page for people."""
    cpu, left, deviation = found["cpu_seconds"], found["left"], found["deviation_ms"]
    return [
        "",
        "## What a gate costs",
        "",
        f"{found['checks']} checks of {found['targets']} targets (HTTP, a page of metrics, JSON, PostgreSQL), each",
        f"sampled every second for {found['seconds']:g} s, in a process of its own; {found['verdict']}.",
        f"Load of the machine before: {found['load_before']}.",
        "",
        f"- CPU: **{found['cpu_pct']} %** of one core ({cpu['gate']} s for the gate, {cpu['start']} s to start Python)",
        f"- memory: **{found['peak_mib']} MiB** at its peak",
        f"- clock: {found['requests']} requests, {found['ticks_missed']} ticks missed; the latest was",
        f"  {deviation['largest']} ms late, 99 % were at most {deviation['p99']} ms; from the first tenth of the",
        f"  samples to the last they drifted by **{found['drift_ms']} ms**",
        f"- left open at the end: {left['sockets']} sockets and {left['threads']} threads of its own,",
        f"  {left['connections_of_the_application']} connections of the application,",
        f"  {left['sessions_of_the_database']} sessions of the database",
    ]

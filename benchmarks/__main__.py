# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure Sluice against the raw commands, and write results.json and RESULTS.md beside this file.

Run by `make benchmark`, with nothing else to do on the machine. Parts, by default all of them:

deploy    a deploy between 1.0.0 and 1.1.0 against `plain.sh`, by turns; seconds, the ratio of the medians, and what
          Ansible itself costs: the number of its tasks, times what a task costs that does nothing. Needs the lab.
requests  requests that are lost in upgrades under load, and in automatic rollbacks, at 50 requests a second. Needs the
          lab.
database  `corruption`: which damages of a backup are found, by what. `cost`: a backup with digests against pg_dump, and
          a verification by restore against pg_restore. Starts a PostgreSQL of its own.
gate      what a gate of 30 checks costs the host, whether it keeps time, and what it leaves open. Starts a PostgreSQL
          of its own.
switching requests that are lost, at 200 a second, in switches and rollbacks of every driver, and when all traffic is on
          the new version, beside `pm2 reload`, `docker compose up -d`, `kubectl set image`, `systemctl restart`. Needs
          Docker, HAProxy, npm; for Kubernetes KUBECONFIG or SLUICE_KUBERNETES.
rollback  rollbacks of levels 1 and 2 by rollback.yml on every driver, under load, beside what a user would type. Needs
          what `switching` needs.
frontend  files that open pages miss while a frontend is switched and taken back, against a moved link and rsync. Starts
          an nginx.
fleet     wall time of a deploy and of a rollback by the number of hosts, what each stage costs, and how often a host is
          asked. Starts containers.
first_requests
          how long the first visitors of a release wait, with its caches warmed before they come and without. Needs
          HAProxy.
warm      requests a second of cache_warm against wrk, and its memory. Needs nginx and wrk of the distribution.
preload   keys that redis_preload loads in a second, against redis-cli --pipe, and how exactly a snapshot comes back.
          Starts servers of its own.
detection from the first bad answer of a bad release under load to red, and false alarms on a good one. Starts a lab of
          its own.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
# Not this directory itself, where the interpreter would look first: its modules are benchmarks.*
sys.path[:1] = [str(HERE.parent / part) for part in (".", "lab", "collections", "tests/run")]

from sluice_lab import services
from sluice_lab.lab import Lab

from benchmarks import (
    deploy,
    detection,
    first_requests,
    fleet,
    frontend,
    gate,
    lost_requests,
    redis_warm,
    rollback,
    switching,
    warm,
)
from benchmarks.database import corruption, cost
from benchmarks.database.server import machine as database_machine
from benchmarks.playbooks import machine

# What measures each part, and says what it has found, in the order of the page.
MODULES: Mapping[str, Any] = {
    "deploy": deploy,
    "requests": lost_requests,
    "gate": gate,
    "detection": detection,
    "switching": switching,
    "rollback": rollback,
    "frontend": frontend,
    "fleet": fleet,
    "first_requests": first_requests,
    "warm": warm,
    "preload": redis_warm,
}
PARTS = ("corruption", "cost", *MODULES)
# How often each is measured, where that is not five times.
ROUNDS = {"detection": 20, "rollback": 3, "first_requests": 3}


def measure_in_lab(results: dict[str, Any], part: str, rounds: int) -> None:
    """Measure what needs the lab."""
    lab = Lab()
    facts = services.up(lab)
    results["machine"] = machine(lab)
    results[part] = MODULES[part].measure(lab, facts, rounds)


def measure_database(results: dict[str, Any], part: str, arguments: argparse.Namespace) -> None:
    """Measure what needs a PostgreSQL alone."""
    found = results.setdefault("database", {})
    found["machine"] = database_machine()
    if part == "corruption":
        found["corruption"] = corruption.measure(arguments.scale)
    else:
        known = found.setdefault("cost", {})
        for megabytes in arguments.megabytes:
            known[str(megabytes)] = cost.measure(megabytes, arguments.rounds or 5)


def render(results: Mapping[str, Any]) -> str:
    """Return the results as a page for people."""
    lines = ["# Results of the last run", "", f"{results['date']}, by `make benchmark`.", ""]
    lines += [f"- {name}: {value}" for name, value in results.get("machine", {}).items()]
    for part, module in MODULES.items():
        if part in results:
            lines += module.render(results[part])
    found = results.get("database", {})
    if found:
        lines += ["", "## The database", ""]
        lines += [f"- {name}: {value}" for name, value in found["machine"].items()]
    if "corruption" in found:
        lines += corruption.render(found["corruption"])
    if "cost" in found:
        lines += cost.render(found["cost"])
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure what was asked for; keep what is known of the rest."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure Sluice against the raw commands.")
    choices = [*PARTS, "database"]
    parser.add_argument("parts", nargs="*", choices=[*choices, []], default=[], help="default: all")
    parser.add_argument(
        "--rounds", type=int, help="how often each is measured (5; detection 20, rollback and first_requests 3)"
    )
    parser.add_argument("--seconds", type=float, default=600.0, help="for how long the gate watches (600)")
    parser.add_argument(
        "--megabytes", type=int, nargs="+", default=[100, 1000], help="sizes of the database for cost (100 1000)"
    )
    parser.add_argument(
        "--ways", default="", help="of switching and rollback only those whose names match this expression"
    )
    parser.add_argument("--hosts", type=int, nargs="+", default=[1, 5, 20], help="sizes of the fleet (1 5 20)")
    parser.add_argument("--scale", type=float, default=1.0, help="part of the damages to do for corruption (1.0)")
    arguments = parser.parse_args()
    chosen = arguments.parts or list(PARTS)
    if "database" in chosen:
        chosen += ["corruption", "cost"]
    file = HERE / "results.json"
    results: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    results["date"] = f"{datetime.now(UTC):%Y-%m-%d}"
    for part in PARTS:
        if part not in chosen:
            continue
        rounds = arguments.rounds or ROUNDS.get(part, 5)
        if part in ("deploy", "requests"):
            measure_in_lab(results, part, rounds)
        elif part in ("corruption", "cost"):
            measure_database(results, part, arguments)
        elif part == "gate":
            results[part] = gate.measure(arguments.seconds)
        elif part == "fleet":
            results[part] = fleet.measure(arguments.hosts)
        elif part in ("switching", "rollback"):
            results[part] = MODULES[part].measure(rounds, results.get(part, {}), arguments.ways)
        else:
            results[part] = MODULES[part].measure(rounds)
        file.write_text(json.dumps(results, indent=2) + "\n")
        (HERE / "RESULTS.md").write_text(render(results))
    print(render(results))


if __name__ == "__main__":
    main()

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deploy and a rollback of a fleet cost: wall time by the number of hosts, stages, and calls of modules."""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sluice_lab.fleet import VERSIONS, Fleet

from benchmarks.deploy import CONTROLLER_ACTIONS

PROJECT = Path(__file__).resolve().parents[1]
# All hosts at once: the batches are the profile's business, and hide what a host costs.
TOGETHER = ("-e", '{"sluice_batches": ["100%"]}')
# At most so many, by the requirements of the project.
CALLS = {"deploy": 25, "rollback": 12}


def mitogen_strategy() -> str | None:
    """Return the directory of mitogen's strategy plugins; None where it is not installed."""
    found = importlib.util.find_spec("ansible_mitogen")
    if found is None or found.origin is None:
        return None
    return str(Path(found.origin).parent / "plugins" / "strategy")


def run(fleet: Fleet, playbook: str, *more: str, mitogen: bool = False) -> tuple[float, list[dict[str, Any]]]:
    """Run a playbook that must succeed; return seconds and Ansible's events."""
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.jsonl",
        "LC_ALL": "C.UTF-8",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    strategy = mitogen_strategy()
    if mitogen and strategy:
        # It reads no ssh_common_args, where the inventory says so for everybody else.
        unchecked = {"ANSIBLE_HOST_KEY_CHECKING": "False"}
        environment |= {"ANSIBLE_STRATEGY": "mitogen_linear", "ANSIBLE_STRATEGY_PLUGINS": strategy, **unchecked}
    began = time.monotonic()
    done = subprocess.run(
        fleet.command(playbook, *more), cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - began
    if done.returncode != 0:
        raise SystemExit(f"Cannot measure: {playbook} failed.\n{(done.stdout + done.stderr)[-3000:]}")
    return seconds, [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def calls_by_host(events: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """Count the modules that were started on each host."""
    calls: Counter[str] = Counter()
    for event in events:
        if event.get("_event") == "v2_runner_on_ok":
            calls.update(host for host, result in event["hosts"].items() if result["action"] not in CONTROLLER_ACTIONS)
    return calls


def stage_seconds(fleet: Fleet) -> dict[str, float]:
    """Return the median over the hosts of what each stage of the newest run took, by their journals."""
    seconds: dict[str, list[float]] = {}
    for host in fleet.hosts:
        journal = host.journal()
        for entry in journal:
            if entry["event"] == "left" and entry["release"] == journal[-1]["release"]:
                seconds.setdefault(entry["stage"], []).append(float(entry["seconds"]))
    return {stage: round(statistics.median(values), 2) for stage, values in seconds.items()}


def measure(counts: Sequence[int]) -> dict[str, Any]:
    """Deploy and roll back fleets of so many hosts."""
    found: dict[str, Any] = {}
    for count in counts:
        with Fleet(count) as fleet:
            run(fleet, "deploy.yml", "-e", f"release_version={VERSIONS[0]}", *TOGETHER)
            deployed, events = run(fleet, "deploy.yml", "-e", f"release_version={VERSIONS[1]}", *TOGETHER)
            stages = stage_seconds(fleet)
            back, rolled = run(fleet, "rollback.yml", "-e", "rollback_level=2")
            row: dict[str, Any] = {
                "deploy_seconds": round(deployed, 1),
                "rollback_seconds": round(back, 1),
                "stage_seconds": stages,
                "deploy_calls": max(calls_by_host(events).values()),
                "rollback_calls": max(calls_by_host(rolled).values()),
            }
            if mitogen_strategy():
                again, _events = run(
                    fleet, "deploy.yml", "-e", f"release_version={VERSIONS[1]}", *TOGETHER, mitogen=True
                )
                row["mitogen_seconds"] = round(again, 1)
            found[str(count)] = row
    return found


def render(found: Mapping[str, Any]) -> list[str]:
    """Return the results as lines of a page for people."""
    lines = [
        "",
        "## A fleet",
        "",
        "Containers with SSH, a small application under systemd behind nginx, all hosts in one batch; the journal,",
        "preflight, artifact, migration, switch, gate and smoke requests on each. Seconds of the wall.",
        "",
        "| hosts | deploy | with mitogen | rollback, level 2 | module calls: deploy, rollback (most on one host) |",
        "| --- | --- | --- | --- | --- |",
    ]
    for count, row in found.items():
        calls = (
            f"{row['deploy_calls']} (at most {CALLS['deploy']}), {row['rollback_calls']} (at most {CALLS['rollback']})"
        )
        mitogen = row.get("mitogen_seconds", "not installed")
        lines.append(f"| {count} | {row['deploy_seconds']} | {mitogen} | {row['rollback_seconds']} | {calls} |")
    last = list(found)[-1]
    told = ", ".join(f"{stage} {seconds}" for stage, seconds in found[last]["stage_seconds"].items())
    return [*lines, "", f"Stages of a deploy of {last} hosts, seconds by the median of the hosts: {told}."]

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure Sluice in the lab against the raw commands, and write results.json and RESULTS.md beside this file.

Run by `make benchmark`. Needs the lab (`make lab`) and nothing else to do on the machine.

deploy    a deploy between 1.0.0 and 1.1.0 against `plain.sh`, by turns; seconds, the ratio of the medians, and what
          Ansible itself costs: the number of its tasks, times what a task of that kind costs that does nothing.
requests  requests that are lost in upgrades under load, and in automatic rollbacks, at 50 requests a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lab"))

from sluice_lab import services
from sluice_lab.lab import Facts, Lab, clean_environment, free_ports
from sluice_lab.load import Tally, load

RATE = 50

# Tasks that run on the controller alone and start no process on a host.
CONTROLLER_ACTIONS = frozenset(
    {
        f"ansible.builtin.{name}"
        for name in ("assert", "include_role", "include_tasks", "set_fact", "validate_argument_spec")
    }
    | {f"sluice.release.release_{name}" for name in ("barrier", "outcome", "plan")}
)
BIN = Path(sys.executable).parent


def playbook(lab: Lab, *arguments: str, events: bool = False) -> tuple[int, float, str]:
    """Run ansible-playbook; return its exit status, seconds and output: for people, or a line of JSON an event."""
    environment = {**os.environ, "ANSIBLE_CONFIG": str(lab.project / "ansible.cfg"), "LC_ALL": "C.UTF-8"}
    if events:
        environment["ANSIBLE_STDOUT_CALLBACK"] = "ansible.posix.jsonl"
    began = time.monotonic()
    done = subprocess.run(
        [str(BIN / "ansible-playbook"), *arguments],
        cwd=lab.project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, time.monotonic() - began, done.stdout + done.stderr


def deploy(lab: Lab, version: str, *more: str, events: bool = False) -> tuple[float, str]:
    """Deploy a version that must succeed; return seconds and output."""
    status, seconds, output = playbook(
        lab, "deploy.yml", "-l", "lab", "-e", f"release_version={version}", *more, events=events
    )
    if status != 0:
        raise SystemExit(f"Cannot measure: the deploy of {version} failed.\n{output[-3000:]}")
    return seconds, output


def plain(lab: Lab, facts: Facts, version: str, port: int, directory: Path) -> float:
    """Deploy a version by the script; return seconds."""
    environment = {
        **clean_environment(lab),
        "PM2_HOME": str(lab.pm2_home),
        "NODE_ENV": "production",
        "PORT": str(port),
        "JWT_SECRET": facts.jwt_secret,
        "DATABASE_URL": f"postgresql://dealradar:{facts.database_password}@127.0.0.1:{facts.postgres_port}/dealradar",
        "REDIS_URL": f"redis://:{facts.redis_password}@127.0.0.1:{facts.valkey_port}/0",
    }
    began = time.monotonic()
    script = [str(HERE / "plain.sh"), str(lab.releases / version), str(directory / version)]
    subprocess.run(script, env=environment, check=True)
    return time.monotonic() - began


def forget_artifacts(lab: Lab, version: str) -> None:
    """Remove a built artifact that does not serve, so that the next deploy builds it as the script does."""
    for path in (lab.state / "srv" / "releases").glob(f"{version}-*"):
        subprocess.run(["rm", "-rf", str(path)], check=True)


def count_tasks(output: str) -> tuple[int, int]:
    """Return how many tasks of a run started a module on a host, and how many ended on the controller."""
    modules = others = 0
    for line in output.splitlines():
        event = json.loads(line) if line.startswith("{") else {}
        if event.get("_event") == "v2_runner_on_ok":
            for result in event["hosts"].values():
                local = result["action"] in CONTROLLER_ACTIONS
                modules, others = modules + (not local), others + local
    return modules, others


def idle_task_seconds(lab: Lab) -> tuple[float, float, float]:
    """Return what ansible-playbook costs to start, and what a task costs that does nothing: by a module, without."""
    inventory = "localhost ansible_connection=local ansible_python_interpreter={{ansible_playbook_python}}\n"

    def run(action: str, arguments: dict[str, str], tasks: int) -> float:
        with tempfile.TemporaryDirectory() as directory:
            play = [
                {"hosts": "all", "gather_facts": False, "tasks": [{f"ansible.builtin.{action}": arguments}] * tasks}
            ]
            Path(directory, "play.yml").write_text(json.dumps(play))
            Path(directory, "hosts").write_text(inventory)
            status, seconds, output = playbook(lab, "-i", f"{directory}/hosts", f"{directory}/play.yml")
            if status != 0:
                raise SystemExit(f"Cannot measure an idle task.\n{output[-2000:]}")
            return seconds

    one, many = run("ping", {}, 1), run("ping", {}, 31)
    module = (many - one) / 30
    other = (run("set_fact", {"nothing": ""}, 31) - run("set_fact", {"nothing": ""}, 1)) / 30
    return one - module, module, other


def measure_deploy(lab: Lab, facts: Facts, rounds: int) -> dict[str, Any]:
    """Deploy by turns with Sluice and with the script."""
    quick = ("-e", "gate_duration=2")
    sluice, script = [], []
    port = free_ports(1)[0]
    with tempfile.TemporaryDirectory() as directory:
        deploy(lab, "1.0.0", *quick)
        plain(lab, facts, "1.0.0", port, Path(directory))
        for number in range(rounds):
            version = ("1.1.0", "1.0.0")[number % 2]
            forget_artifacts(lab, version)
            seconds, output = deploy(lab, version, *quick, events=True)
            sluice.append(seconds)
            script.append(plain(lab, facts, version, port, Path(directory)))
        stop = {**clean_environment(lab), "PM2_HOME": str(lab.pm2_home)}
        subprocess.run(["pm2", "-s", "delete", "plain"], env=stop, check=True)
    start, module, other = idle_task_seconds(lab)
    modules, others = count_tasks(output)
    return {
        "sluice_seconds": [round(value, 1) for value in sluice],
        "script_seconds": [round(value, 1) for value in script],
        "ratio_of_medians": round(statistics.median(sluice) / statistics.median(script), 2),
        "ansible": {
            "start_seconds": round(start, 2),
            "module_tasks": modules,
            "module_task_seconds": round(module, 3),
            "controller_tasks": others,
            "controller_task_seconds": round(other, 3),
            "seconds": round(start + modules * module + others * other, 1),
        },
    }


async def under_load(lab: Lab, facts: Facts, version: str) -> tuple[int, Tally]:
    """Deploy under load; return the exit status and what became of the requests."""
    async with load(f"http://127.0.0.1:{facts.app_port}", RATE) as tally:
        arguments = ("deploy.yml", "-l", "lab", "-e", f"release_version={version}")
        status, _seconds, _output = await asyncio.to_thread(playbook, lab, *arguments)
    return status, tally


def measure_requests(lab: Lab, facts: Facts, rounds: int) -> dict[str, Any]:
    """Upgrade under load, and let a bad release be taken back under load."""
    upgrades, rollbacks = [], []
    for _ in range(rounds):
        deploy(lab, "1.0.0", "-e", "gate_duration=2")
        status, tally = asyncio.run(under_load(lab, facts, "1.1.0"))
        upgrades.append({"exit_status": status, **tally.as_dict()})
        status, tally = asyncio.run(under_load(lab, facts, "1.2.0"))
        rollbacks.append({"exit_status": status, **tally.as_dict()})
    return {
        "rate": RATE,
        "upgrade": upgrades,
        "rollback": rollbacks,
        "lost_in_upgrades": sum(run["failed"] for run in upgrades),
        # What the bad version itself answered is not lost.
        "lost_in_rollbacks": sum(run["lost"] for run in rollbacks),
    }


def machine(lab: Lab) -> dict[str, str]:
    """Say what was measured on, and with which versions."""

    def said(*command: str) -> str:
        done = subprocess.run(command, env=clean_environment(lab), capture_output=True, text=True, check=True)
        return done.stdout.strip().splitlines()[0]

    return {
        "cores": str(os.cpu_count()),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "ansible": said(str(BIN / "ansible-playbook"), "--version"),
        "node": said("node", "--version"),
        "npm": said("npm", "--version"),
        "postgresql": said("pg_dump", "--version"),
        "load_before": f"{os.getloadavg()[0]:.1f}",
    }


def render(results: Mapping[str, Any]) -> str:
    """Return the results as a page for people."""
    lines = ["# Results of the last run", "", f"{results['date']}, by `make benchmark`.", ""]
    lines += [f"- {name}: {value}" for name, value in results["machine"].items()]
    if "deploy" in results:
        found = results["deploy"]
        ansible = found["ansible"]
        lines += [
            "",
            "## A deploy against a plain script",
            "",
            f"Sluice {found['sluice_seconds']} s, `plain.sh` {found['script_seconds']} s, by turns:",
            f"**{found['ratio_of_medians']} times** the script, by the medians.",
            "",
            f"Ansible itself costs about {ansible['seconds']} s of it: {ansible['start_seconds']} s to start,",
            f"{ansible['module_tasks']} tasks with a module of {ansible['module_task_seconds']} s each (one that does",
            f"nothing), and {ansible['controller_tasks']} without of {ansible['controller_task_seconds']} s each.",
            "The rest is what the script does not do: the backup's proof by restore, the proof of every worker,",
            "the graceful end of the old ones, the gate, the smoke requests, the journal and the report.",
        ]
    if "requests" in results:
        found = results["requests"]
        runs, sent = len(found["upgrade"]), sum(run["sent"] for run in found["upgrade"])
        back = sum(run["sent"] for run in found["rollback"])
        lines += [
            "",
            f"## Requests lost at {found['rate']} requests a second",
            "",
            f"- {runs} upgrades from 1.0.0 to 1.1.0: **{found['lost_in_upgrades']}** of {sent} (no 2xx, or no answer)",
            f"- {runs} automatic rollbacks from 1.2.0: **{found['lost_in_rollbacks']}** of {back} (no answer; what",
            "  the bad version itself answered is not counted)",
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure what was asked for; keep what is known of the rest."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure Sluice in the lab.")
    parser.add_argument("parts", nargs="*", choices=["deploy", "requests", []], default=[], help="default: all")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default 5)")
    arguments = parser.parse_args()
    lab = Lab()
    facts = services.up(lab)
    file = HERE / "results.json"
    results: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    results |= {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(lab)}
    for part, measure in (("deploy", measure_deploy), ("requests", measure_requests)):
        if not arguments.parts or part in arguments.parts:
            results[part] = measure(lab, facts, arguments.rounds)
            file.write_text(json.dumps(results, indent=2) + "\n")
            (HERE / "RESULTS.md").write_text(render(results))
    print(render(results))


if __name__ == "__main__":
    main()

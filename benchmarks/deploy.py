# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deploy between 1.0.0 and 1.1.0 against plain.sh, by turns."""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sluice_lab.lab import Facts, Lab, clean_environment, free_ports

from benchmarks.playbooks import deploy, playbook

HERE = Path(__file__).resolve().parent

# Tasks that run on the controller alone and start no process on a host.
CONTROLLER_ACTIONS = frozenset(
    {
        f"ansible.builtin.{name}"
        for name in ("assert", "debug", "fail", "include_role", "include_tasks", "set_fact", "validate_argument_spec")
    }
    # The report is built there, too.
    | {f"sluice.release.release_{name}" for name in ("barrier", "outcome", "plan", "report", "target_info")}
    | {f"sluice.release.gate_{name}" for name in ("comparison", "verdict")}
)


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


def measure(lab: Lab, facts: Facts, rounds: int) -> dict[str, Any]:
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


def render(found: Mapping[str, Any]) -> list[str]:
    """Return the results as lines of a page for people."""
    ansible = found["ansible"]
    return [
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

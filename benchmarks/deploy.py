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


def idle_task_seconds(lab: Lab) -> tuple[float, float]:
    """Return what ansible-playbook costs to start, and what one task costs that runs a module that does nothing."""
    inventory = "localhost ansible_connection=local ansible_python_interpreter={{ansible_playbook_python}}\n"

    def run(tasks: int) -> float:
        with tempfile.TemporaryDirectory() as directory:
            play = [{"hosts": "all", "gather_facts": False, "tasks": [{"ansible.builtin.ping": None}] * tasks}]
            Path(directory, "play.yml").write_text(json.dumps(play))
            Path(directory, "hosts").write_text(inventory)
            status, seconds, output = playbook(lab, "-i", f"{directory}/hosts", f"{directory}/play.yml")
            if status != 0:
                raise SystemExit(f"Cannot measure an idle task.\n{output[-2000:]}")
            return seconds

    one, many = run(1), run(31)
    each = (many - one) / 30
    return one - each, each


def measure(lab: Lab, facts: Facts, rounds: int) -> dict[str, Any]:
    """Deploy by turns with Sluice and with the script."""
    quick = ("-e", "gate_duration=2")
    sluice, script, tasks = [], [], 0
    port = free_ports(1)[0]
    with tempfile.TemporaryDirectory() as directory:
        deploy(lab, "1.0.0", *quick)
        plain(lab, facts, "1.0.0", port, Path(directory))
        for number in range(rounds):
            version = ("1.1.0", "1.0.0")[number % 2]
            forget_artifacts(lab, version)
            seconds, output = deploy(lab, version, *quick, raw=True)
            sluice.append(seconds)
            tasks = output.count("\nok: [") + output.count("\nchanged: [")
            script.append(plain(lab, facts, version, port, Path(directory)))
        stop = {**clean_environment(lab), "PM2_HOME": str(lab.pm2_home)}
        subprocess.run(["pm2", "-s", "delete", "plain"], env=stop, check=True)
    start, each = idle_task_seconds(lab)
    return {
        "sluice_seconds": [round(value, 1) for value in sluice],
        "script_seconds": [round(value, 1) for value in script],
        "ratio_of_medians": round(statistics.median(sluice) / statistics.median(script), 2),
        "ansible": {
            "start_seconds": round(start, 2),
            "task_seconds": round(each, 3),
            "tasks": tasks,
            "seconds": round(start + tasks * each, 1),
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
        f"Ansible itself costs about {ansible['seconds']} s of it: {ansible['start_seconds']} s to start, and",
        f"{ansible['tasks']} tasks of {ansible['task_seconds']} s each (a module that does nothing).",
        "The rest is what the script does not do: the backup's proof by restore, the proof of every worker,",
        "the graceful end of the old ones, the gate, the smoke requests, the journal and the report.",
    ]

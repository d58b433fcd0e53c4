# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks that are run in the lab, and what is measured on."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from pathlib import Path

from sluice_lab.lab import Lab, clean_environment

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

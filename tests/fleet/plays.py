# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks on the fleet, from the checkout, as a person runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sluice_lab.fleet import Fleet

ROOT = Path(__file__).resolve().parents[2]
# A machine under load is slow; nothing here may hang it. Seconds.
LIMIT = 900.0


def begin(fleet: Fleet, playbook: str, *more: str) -> subprocess.Popen[str]:
    """Start a playbook."""
    tools = Path(sys.executable).parent
    private = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "LC_ALL": "C.UTF-8", "NO_COLOR": "1"}
    return subprocess.Popen(
        fleet.command(playbook, *more),
        cwd=ROOT,
        env={**os.environ, **private, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    )


def play(fleet: Fleet, playbook: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Run a playbook to its end."""
    with begin(fleet, playbook, *more) as process:
        output, _none = process.communicate(timeout=LIMIT)
        return subprocess.CompletedProcess(process.args, process.returncode, output)


def deploy(fleet: Fleet, version: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Deploy a version."""
    return play(fleet, "deploy.yml", "-e", f"release_version={version}", *more)

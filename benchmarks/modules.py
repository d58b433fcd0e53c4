# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module in a process of its own, as Ansible runs it, and what it used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COLLECTIONS = Path(__file__).resolve().parents[1] / "collections"

# Runs a module with the arguments that come on standard input, and reports what it used and left open. The moments are
# those of a clock that all processes share.
RUNNER = """
import json, os, resource, sys, threading, time
from ansible.module_utils.testing import patch_module_args
from ansible_collections.sluice.release.plugins.modules import {module} as module

def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime

def sockets():
    found = 0
    for fd in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{{fd}}").startswith("socket:")
        except OSError:
            pass
    return found

arguments, before = json.load(sys.stdin), sockets()
with patch_module_args(arguments):
    begun, start = time.monotonic(), cpu()
    try:
        module.main()
    finally:
        print(json.dumps({{
            "begun": begun, "ended": time.monotonic(), "start_cpu": start, "cpu": cpu(), "sockets": sockets() - before,
            "threads": threading.active_count() - 1,
            "peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        }}), file=sys.stderr)
"""


@dataclass(frozen=True)
class Usage:
    """What one run of a module used."""

    begun: float
    """When its work began and ended, on the clock that time.monotonic() shows to every process."""
    ended: float
    start_cpu: float
    """Seconds of CPU until its work began: the interpreter, the imports."""
    cpu: float
    """Seconds of CPU in all."""
    sockets: int
    """Those that were open when it ended and not when it began."""
    threads: int
    """Those that were alive when it ended, but for the main one."""
    peak_kib: int


@dataclass(frozen=True)
class Run:
    """One run of a module."""

    result: dict[str, Any]
    usage: Usage


def command(module: str) -> tuple[list[str], dict[str, str]]:
    """Return what starts a module that reads its arguments from standard input: words and environment."""
    return [sys.executable, "-c", RUNNER.format(module=module)], {**os.environ, "PYTHONPATH": str(COLLECTIONS)}


def read(output: str, errors: str) -> Run:
    """Read what it printed. It may have failed, as long as it says so in the way of a module."""
    try:
        return Run(json.loads(output), Usage(**json.loads(errors.splitlines()[-1])))
    except (ValueError, IndexError, TypeError) as error:
        raise SystemExit(f"Cannot measure: the module broke.\n{output[-2000:]}{errors[-2000:]}") from error


def run(module: str, arguments: Mapping[str, Any]) -> Run:
    """Run a module."""
    words, environment = command(module)
    done = subprocess.run(
        words, env=environment, input=json.dumps(arguments), capture_output=True, text=True, check=False
    )
    return read(done.stdout, done.stderr)

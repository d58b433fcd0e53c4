# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Which run of ansible-playbook this is, and whether another one still lives. For the controller; Linux."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import socket
from collections.abc import Mapping
from typing import Any

# A process that has ended but was not yet waited for does nothing any more.
_DEAD_STATES = "ZX"


def main_pid() -> int:
    """Return the process of ansible-playbook itself, of which a task's worker is a child.

    Not os.getppid(): a worker whose parent was killed is given another one.
    """
    parent = multiprocessing.parent_process()
    return os.getppid() if parent is None or parent.pid is None else parent.pid


def controller_id() -> str:
    """Return what makes a process number unique: this machine, since it started, in this container.

    Empty where that cannot be told; then no run is ever taken for dead.
    """
    try:
        parts = [
            socket.gethostname(),
            _first_line("/etc/machine-id"),
            _first_line("/proc/sys/kernel/random/boot_id"),
            os.readlink("/proc/self/ns/pid"),
        ]
    except OSError:
        return ""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def this_run() -> dict[str, Any]:
    """Return the identity of this run of ansible-playbook, as release_lock stores it."""
    pid = main_pid()
    return {"controller": controller_id(), "host": socket.gethostname(), "pid": pid, "started": start_time(pid)}


def start_time(pid: int) -> int | None:
    """Return when a process started (clock ticks since the boot); None when it does not live.

    The number tells a process from a later one that was given the same pid.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            # The command stands in parentheses and may hold anything; what follows does not.
            fields = stream.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in _DEAD_STATES else int(fields[19])


def has_ended(run: Mapping[str, Any]) -> bool:
    """Return whether a run is known to have ended. Only a run on this very controller can be known."""
    here = controller_id()
    if not here or run.get("controller") != here or not isinstance(run.get("pid"), int):
        return False
    return start_time(run["pid"]) is None or start_time(run["pid"]) != run.get("started")


def _first_line(path: str) -> str:
    # Containers often have no machine-id; the boot and the namespace still tell them apart.
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.readline().strip()
    except FileNotFoundError:
        return ""

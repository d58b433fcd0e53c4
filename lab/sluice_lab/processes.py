# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of ours: found by their pid files, and believed only when their command line says so too."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path


def command_line(pid: int) -> str:
    """Return the command line of a live process, or "" when it is gone or a zombie."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def pid_from(file: Path, mark: str) -> int | None:
    """Return the pid in the first line of `file` if that process runs and has `mark` in its command line.

    A pid file outlives its process, and pids are reused: without the mark a stranger could be taken for ours.
    """
    try:
        pid = int(file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    return pid if mark in command_line(pid) else None


def wait_until(condition: Callable[[], bool], timeout: float) -> bool:
    """Poll `condition` until it holds or `timeout` seconds are over; return whether it held."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def stop(file: Path, mark: str, *, gently: signal.Signals, patience: float = 15.0) -> bool:
    """End the process of a pid file: with the signal `gently`, after `patience` seconds with SIGKILL.

    Return whether there was one.
    """
    pid = pid_from(file, mark)
    if pid is None:
        return False
    for sign in (gently, signal.SIGKILL):
        try:
            os.kill(pid, sign)
        except ProcessLookupError:
            break
        if wait_until(lambda: mark not in command_line(pid), patience):
            break
    return True

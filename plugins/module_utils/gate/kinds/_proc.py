# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The processes of this host as Linux shows them in /proc: no library and no tool need be installed for it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from typing import NamedTuple

_TICK = os.sysconf("SC_CLK_TCK")

_PAGE = os.sysconf("SC_PAGE_SIZE")


class Process(NamedTuple):
    """One process at one moment."""

    pid: int
    parent: int
    started: int
    """Ticks since the host was booted: with the pid, it tells a process from a later one of the same pid."""
    cpu: float
    """Seconds of processor time so far, without those of its children."""
    memory: int
    """Bytes that it holds in memory, those that it shares included."""


def parse(text: str) -> Process | None:
    """Read /proc/<pid>/stat. None: it has ended and only waits to be noticed, or the text is no such line."""
    # The name in parentheses may hold spaces and parentheses of its own.
    head, _parenthesis, rest = text.rpartition(")")
    fields = rest.split()
    try:
        if fields[0] in ("Z", "X"):
            return None
        return Process(
            pid=int(head.split(" ", 1)[0]),
            parent=int(fields[1]),
            started=int(fields[19]),
            cpu=(int(fields[11]) + int(fields[12])) / _TICK,
            memory=int(fields[21]) * _PAGE,
        )
    except (IndexError, ValueError):
        return None


def table(proc: str = "/proc") -> dict[int, Process]:
    """All processes that may be seen, by pid."""
    found: dict[int, Process] = {}
    for name in os.listdir(proc):
        if name.isdigit():
            # A process may end at any moment.
            with contextlib.suppress(OSError), open(f"{proc}/{name}/stat", encoding="utf-8", errors="replace") as file:
                process = parse(file.read())
                if process:
                    found[process.pid] = process
    return found


def family(pid: int, processes: Mapping[int, Process]) -> list[Process]:
    """A process and everything below it; nothing when it has gone."""
    if pid not in processes:
        return []
    below: dict[int, list[Process]] = {}
    for process in processes.values():
        below.setdefault(process.parent, []).append(process)
    members = [processes[pid]]
    for process in members:
        members += below.get(process.pid, [])
    return members


def age(process: Process) -> float:
    """Seconds since it was started."""
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - process.started / _TICK)

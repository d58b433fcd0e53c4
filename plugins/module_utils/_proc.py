# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The processes of this host as Linux shows them in /proc: no library and no tool need be installed for it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

# State of a connection in /proc/net/tcp (include/net/tcp_states.h of the kernel).
_ESTABLISHED = "01"
_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Process(NamedTuple):
    """One process that has not ended, at one moment."""

    pid: int
    parent: int
    session: int
    started: int
    """Ticks since the host was booted: with the pid it tells a process from a later one of the same pid."""
    cpu: float = 0.0
    """Seconds of processor time so far, without those of its children."""
    memory: int = 0
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
            session=int(fields[3]),
            started=int(fields[19]),
            cpu=(int(fields[11]) + int(fields[12])) / _TICK,
            memory=int(fields[21]) * _PAGE,
        )
    except (IndexError, ValueError):
        return None


def process(pid: int) -> Process | None:
    """Return the process with this id; None when it has gone."""
    return parse(read(pid, "stat"))


def processes() -> Iterator[Process]:
    """Return every process that may be seen, those of containers among them."""
    for name in os.listdir("/proc"):
        found = process(int(name)) if name.isdigit() else None
        if found:
            yield found


def family(pid: int, known: Mapping[int, Process]) -> list[Process]:
    """Return a process and everything below it; nothing when it has gone."""
    if pid not in known:
        return []
    below: dict[int, list[Process]] = {}
    for one in known.values():
        below.setdefault(one.parent, []).append(one)
    members = [known[pid]]
    for one in members:
        members += below.get(one.pid, [])
    return members


def age(one: Process) -> float:
    """Return the seconds since it was started."""
    # Not /proc/uptime: in a container that may be the container's own.
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - one.started / _TICK)


def title(pid: int) -> str:
    """Return what it was started as, or what it calls itself since; empty when it has gone."""
    return read(pid, "cmdline").replace("\0", " ")


def established(table: str, port: int) -> Iterator[str]:
    """Return the inodes of the connections to a local port in the text of ``/proc/net/tcp`` or ``tcp6``."""
    for line in table.splitlines()[1:]:
        words = line.split()
        if len(words) > 9 and words[3] == _ESTABLISHED and int(words[1].rpartition(":")[2], 16) == port:
            yield words[9]


def read(pid: int, name: str) -> str:
    """Return a file of a process; empty when it has gone or the file is not for this user."""
    try:
        # A name or an argument can be any bytes.
        with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except OSError:
        return ""

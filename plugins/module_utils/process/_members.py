# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Which processes belong together: those of a session, those of a unit, and the connections that they hold."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator

from ansible_collections.sluice.release.plugins.module_utils import _proc
from ansible_collections.sluice.release.plugins.module_utils._proc import Process


def processes() -> Iterator[Process]:
    """Return the processes of this host. A container shows its own to whoever runs it, with marks like ours."""
    here = _namespace("self")
    return (one for one in _proc.processes() if _namespace(one.pid) in (here, None))


def _namespace(pid: int | str) -> str | None:
    """Return what names the namespace of process ids that a process is in; None when that may not be seen."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return None


def session(leader: int) -> list[int]:
    """Return the processes of a session, its leader among them while it lives."""
    return [one.pid for one in processes() if one.session == leader]


def of_unit(unit: str) -> list[int]:
    """Return the processes in the control group of a systemd unit."""
    return [one.pid for one in processes() if in_unit(one.pid, unit)]


def in_unit(pid: int, unit: str) -> bool:
    """Whether the process is in the control group of the unit, or below it."""
    paths = (line.rpartition(":")[2] for line in _proc.read(pid, "cgroup").splitlines())
    return any(f"/{unit}/" in f"{path}/" for path in paths)


def environment(pid: int) -> dict[str, str]:
    """Return the environment that the process was started with; nothing when it cannot be read."""
    pairs = (entry.partition("=") for entry in _proc.read(pid, "environ").split("\0"))
    return {name: value for name, equals, value in pairs if equals}


def connections(pids: Iterable[int], port: int, *, alone: bool) -> int | None:
    """Count the connections to a local port that these processes hold open; ``alone``: no other process has the port.

    Which process holds a connection not even root may see everywhere (a container without CAP_SYS_PTRACE). Then all of
    the port are counted when it is theirs alone; None when it is not.
    """
    held: set[str] = set()
    tables: list[str] = []
    hidden = False
    for pid in pids:
        sockets = _sockets(pid)
        hidden = hidden or sockets is None
        held |= sockets or set()
        tables = tables or [_proc.read(pid, "net/tcp"), _proc.read(pid, "net/tcp6")]
    if hidden and not alone:
        return None
    return sum(hidden or inode in held for table in tables for inode in _proc.established(table, port))


def boot_id() -> str:
    """Return what names this run of the kernel: ids and start times of processes begin anew with the next."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
        return stream.read().strip()


def wait_gone(
    members: Callable[[], list[int]], deadline: float, now: Callable[[], float], sleep: Callable[[float], None]
) -> list[int]:
    """Wait until none of the processes is left, at most until the deadline. Returns those that are."""
    while (left := members()) and now() < deadline:
        sleep(0.05)
    return left


def _sockets(pid: int) -> set[str] | None:
    """Return the inodes of its sockets; None when they may not be seen."""
    held = set()
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                kind, _bracket, inode = os.readlink(f"/proc/{pid}/fd/{name}").partition(":[")
                if kind == "socket":
                    held.add(inode.rstrip("]"))
    except PermissionError:
        return None
    except OSError:
        pass
    return held

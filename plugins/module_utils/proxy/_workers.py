# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The processes of nginx, as Linux shows them: the master, its workers, and those of them that are about to end."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from ansible_collections.sluice.release.plugins.module_utils import _proc

_MASTER = "master process"
_WORKER = "worker process"
_LEAVING = "shutting down"


def master(path: str) -> int | None:
    """Return the process id of the master that the file names, None when there is no such file or process."""
    try:
        with open(path, encoding="ascii") as stream:
            pid = int(stream.read())
    except (OSError, ValueError):
        return None
    return pid if _MASTER in _proc.title(pid) else None


def children(pid: int) -> list[int]:
    """Return the worker processes of the master, those about to end among them."""
    return [one.pid for one in _proc.processes() if one.parent == pid and _WORKER in _proc.title(one.pid)]


def is_leaving(pid: int) -> bool:
    """Whether the worker takes no new connection and ends with its last request."""
    return _LEAVING in _proc.title(pid)


def alive(pids: Iterable[int]) -> list[int]:
    """Return those that still run."""
    return [pid for pid in pids if _proc.process(pid)]


def age(pid: int) -> float:
    """Return the seconds since the process was started; 0 for one that has gone."""
    found = _proc.process(pid)
    return _proc.age(found) if found else 0.0


def age_of_file(path: str) -> float:
    """Return the seconds since the file was written; 0 when it is not there."""
    try:
        return time.time() - os.stat(path).st_mtime
    except OSError:
        return 0.0

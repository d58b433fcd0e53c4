# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Checks of the room on the file system that a path lies on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ansible_collections.sluice.release.plugins.module_utils._within import within
from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Sample
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._kind import (
    VALUE,
    Begin,
    Kind,
    Raw,
    value_problems,
)

_MB = 1024 * 1024


@dataclass(frozen=True)
class Room:
    """The figures of a file system, in bytes and inodes, or why there are none. ``usable``: to an ordinary user."""

    used: int = 0
    usable: int = 0
    inodes: int = 0
    free_inodes: int = 0
    error: str = ""


# What each yields; None: the file system does not say.
_VALUES: dict[str, Callable[[Room], float | None]] = {
    "free_mb": lambda room: room.usable / _MB,
    "free_pct": lambda room: _share(room.usable, room.used + room.usable),
    "used_pct": lambda room: _share(room.used, room.used + room.usable),
    "free_inodes": lambda room: room.free_inodes if room.inodes else None,
    "used_inodes_pct": lambda room: _share(room.inodes - room.free_inodes, room.inodes),
}


def _share(part: float, whole: float) -> float | None:
    return 100.0 * part / whole if whole else None


@dataclass(frozen=True)
class Place:
    """One look at a file system. Checks of one path share it."""

    path: str
    timeout: float = 5.0

    def ask(self) -> Room:
        """Look once. A file system of another host may hang, so the wait is bounded."""
        try:
            status = within(self.timeout, lambda: os.statvfs(self.path))
        except TimeoutError:
            return Room(error=f"did not answer within {self.timeout:g} s")
        except OSError as error:
            return Room(error=f"cannot be looked at ({error.strerror})")
        return Room(
            used=(status.f_blocks - status.f_bfree) * status.f_frsize,
            usable=status.f_bavail * status.f_frsize,
            inodes=status.f_files,
            free_inodes=status.f_favail,
        )


class _Disk:
    def __init__(self, check: Check, path: str, value: str) -> None:
        self.check, self.path, self.value = check, path, value

    def sample(self, t: float, answer: Room) -> Sample:
        if answer.error:
            return Sample(t, None, f"{self.path} {answer.error}")
        number = _VALUES[self.value](answer)
        if number is None:
            return Sample(t, None, f"the file system of {self.path} does not count that")
        return Sample(t, number * self.check.scale)


def _problems(raw: Raw, _gate: Raw) -> Iterator[str]:
    if not raw["path"]:
        yield "it has no path"
    yield from value_problems(raw, _VALUES)


def _begin(raw: Raw) -> Begin:
    path, value = raw["path"], raw["value"]
    return lambda check, _begun: _Disk(check, path, value)


def _unit(raw: Raw) -> str:
    value = str(raw["value"])
    return "MB" if value.endswith("_mb") else "%" if value.endswith("_pct") else ""


KIND = Kind(
    options={**VALUE, "path": {"type": "path"}},
    target=lambda raw, _gate: Place(raw["path"], raw["timeout"]),
    begin=_begin,
    problems=_problems,
    unit=_unit,
    direction=lambda raw: "below" if (raw["value"] or "").startswith("free") else "above",
)

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a blue-green switch asks of whatever runs an application: a container engine, systemd, a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError


@dataclass(frozen=True)
class Instance:
    """One running, or kept, copy of the application, as its runtime lists it."""

    id: str
    """Names it among all that the runtime has: a container's id, a unit's name."""
    number: int
    """Its place within its slot, from 0; in a slot it listens at the slot's port + number."""
    port: int | None = None
    """Where it listens; None when all instances share one address."""
    release: str | None = None
    mark: str | None = None
    """See switch/_plan.py: instances with the same mark are interchangeable."""
    alive: bool = True
    """Whether it runs, or its runtime is about to start it again."""
    pid: int | None = None
    restarts: int = 0
    status: str = ""
    """What the runtime calls its state."""
    healthy: bool | None = None
    """What the runtime's own health check says; None where it has none or does not know yet."""
    checked: bool = False
    """Whether the runtime has a health check for it, so that ``healthy`` has to become true."""


@dataclass(frozen=True)
class Ended:
    """How an instance ended."""

    seconds: float
    killed: bool = False
    """It had to be killed, so that requests may be lost."""
    connections: int | None = None
    """Connections that it still had when it was killed; None where that cannot be seen."""


class Runtime(Protocol):
    """One application under one runtime. Every call may raise SluiceError."""

    reports_pids: bool
    """Whether the pid that an instance tells of itself is the one that the runtime lists: not so in a container."""

    def instances(self) -> list[Instance]:
        """Return all instances under the application's name, kept ones that do not run as well."""

    def check(self) -> None:
        """Refuse what can be known to fail before anything is started: an image that is not there, a missing file."""

    def start(self, number: int, port: int | None) -> Instance:
        """Start one instance of the wanted release. A kept one of the same mark and place is started again."""

    def end(self, instance: Instance, *, keep: bool) -> Ended:
        """End it gracefully, by force after the drain timeout; it is gone when this returns.

        With ``keep`` it can be started again, else nothing of it is left. One that is gone already is no error.
        """

    def lines(self, instance: Instance) -> list[str]:
        """Return the last lines that it wrote, redacted. Empty when there are none to be had."""

    def prune(self, serving: str) -> None:
        """Remove kept instances beyond those that the profile wants kept; never one of the release ``serving``."""


def passed_on(problem: SluiceError, fields: Mapping[str, Any]) -> SluiceError:
    """Return the failure of another switch that this one has waited for, with what was seen of both."""
    both = {key: [*fields.get(key, []), *problem.fields.get(key, [])] for key in ("instances", "retired", "logs")}
    changed = bool(fields.get("changed")) or bool(problem.fields.get("changed"))
    return SluiceError(
        problem.verb_and_thing,
        problem.cause,
        problem.remedy,
        **{**problem.fields, **fields, **both, "changed": changed},
    )


def entry(instance: Instance, ready_seconds: float | None) -> dict[str, Any]:
    """Return the entry of ``instances`` in a result."""
    return {
        "id": instance.id,
        "pid": instance.pid,
        "port": instance.port,
        "release": instance.release,
        "status": instance.status,
        "ready": ready_seconds is not None,
        "ready_seconds": None if ready_seconds is None else round(ready_seconds, 3),
        "restarts": instance.restarts,
    }

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What to do with the workers that PM2 has, so that the wanted ones are left: decisions over plain data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.sluice.release.plugins.module_utils.switch._pm2 import Process


@dataclass(frozen=True)
class Plan:
    """Which workers stay, which are started, and which go: before the start, or after the proof."""

    keep: tuple[Process, ...] = ()
    """Of the wanted release and configuration; they still have to be proven."""
    clear: tuple[Process, ...] = ()
    """Not serving, and in the way of a start: deleted first."""
    start: tuple[int, ...] = ()
    """Numbers (NODE_APP_INSTANCE) of the workers that are missing."""
    retire: tuple[Process, ...] = ()
    """Everything else of the same name: serves until the wanted ones are proven, then deleted one by one."""

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.clear or self.start or self.retire)

    @property
    def serving(self) -> tuple[Process, ...]:
        """What serves while the wanted ones are not proven."""
        return tuple(process for process in self.retire if process.alive)


def mark(release: str, environment: Mapping[str, str], *start: object) -> str:
    """Name all that makes a worker what it is: release, configuration and how it is started.

    Two workers with the same mark are interchangeable. The number of workers is not in it, so a different number
    starts or ends only the difference.
    """
    text = json.dumps([release, dict(environment), start], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def plan(
    processes: Sequence[Process],
    *,
    wanted: str,
    script: str,
    instances: int,
    distrust: Collection[int] = (),
) -> Plan:
    """Decide from the processes of one name as they are now, whatever a killed run has left of them.

    ``wanted`` is the mark of the wanted workers. ``distrust``: ids of workers that carry it and did not prove
    themselves; they go as if they were of another release.
    """
    ours = [process for process in processes if process.mark == wanted and process.id not in distrust]
    others_serve = any(process.alive and process not in ours for process in processes)

    keep: dict[int, Process] = {}
    clear: list[Process] = []
    retire: list[Process] = []
    for process in processes:
        if process not in ours:
            # `pm2 start` on the script of a dead process restarts every process of that name instead.
            in_the_way = not process.alive and process.script == script
            (clear if in_the_way else retire).append(process)
        # A new worker that has crashed before its switch was finished is no worker to switch to. Where nothing else
        # serves it may have crashed last week: then it is what there is.
        elif not process.alive or (process.restarts and others_serve):
            clear.append(process)
        elif process.instance is None or process.instance >= instances or process.instance in keep:
            retire.append(process)
        else:
            keep[process.instance] = process
    missing = tuple(number for number in range(instances) if number not in keep)
    return Plan(tuple(keep[number] for number in sorted(keep)), tuple(clear), missing, tuple(retire))


def previous_release(processes: Sequence[Process], release: str) -> str | None:
    """Return the release that most of the living workers run and that is not the wanted one; None without any.

    Workers that were not started by this collection are named ``unknown``.
    """
    found = [process.release or "unknown" for process in processes if process.alive]
    others = [name for name in found if name != release] or found
    return max(sorted(set(others)), key=others.count) if others else None

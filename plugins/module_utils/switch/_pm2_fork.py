# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Workers that PM2 forks, each with an address of its own or none: what the blue-green switch asks of PM2."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.switch._bus import Bus
from ansible_collections.sluice.release.plugins.module_utils.switch._pm2 import Pm2, Process
from ansible_collections.sluice.release.plugins.module_utils.switch._pm2_logs import Logs
from ansible_collections.sluice.release.plugins.module_utils.switch._ready import Answer, Ready
from ansible_collections.sluice.release.plugins.module_utils.switch._runtime import Ended, Instance
from ansible_collections.sluice.release.plugins.module_utils.switch._worker import Worker

_SWEEPS = 5
# Seconds that the kernel gets to end what PM2 has killed.
_LAST = 5.0


@dataclass
class Listing:
    """PM2's list of one name. To ask for it costs the start of a Node.js, so the processes themselves are looked at."""

    pm2: Pm2
    name: str
    known: list[Process] | None = None

    def fresh(self) -> list[Process]:
        """Return the list as PM2 has it now."""
        self.known = self.pm2.processes(self.name)
        return self.known

    def quick(self) -> list[Process]:
        """Return the last list while all that it says can be seen to hold: what PM2 restarts has a new pid."""
        if self.known is None or not all(_stands(process) for process in self.known):
            return self.fresh()
        return self.known

    def forget(self) -> None:
        """Ask anew the next time."""
        self.known = None


def _stands(process: Process) -> bool:
    return process.status == "online" and os.path.exists(f"/proc/{process.pid}") if process.alive else True


@dataclass
class Forks:
    """The workers of one name (a Runtime). Nothing that has ended is kept: PM2 would start it with the next one."""

    listing: Listing
    logs: Logs
    worker: Worker
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    reports_pids: bool = True

    def instances(self) -> list[Instance]:
        if not self.logs.sizes:
            self.logs.note_sizes()
        return [self._instance(process) for process in self.listing.quick()]

    def check(self) -> None:
        """All that can be known has been refused with the options."""

    def start(self, number: int, port: int | None) -> Instance:
        self.pm2.ensure_daemon()
        self._hear()
        # PM2 takes what is new since its last list for the worker that was started.
        for process in self.listing.fresh():
            # `pm2 start` on the script of a dead process restarts every process of that name instead.
            if not process.alive and process.script == self.worker.entry:
                self.pm2.delete(process)
        started = self.pm2.start(self.worker.start(number, port))
        self.listing.forget()
        return self._instance(started)

    def end(self, instance: Instance, *, keep: bool) -> Ended:  # noqa: ARG002 - nothing is kept
        seconds = None
        for _round in range(_SWEEPS):
            found = next((one for one in self.listing.fresh() if str(one.id) == instance.id), None)
            if found is None:
                break
            took = self.pm2.delete(found)
            seconds = took if seconds is None else seconds
            killed = found.alive and took >= found.kill_timeout
            self._wait_gone(found)
        else:
            raise SluiceError(
                f"delete the PM2 process {instance.id}", "it comes back each time", f"See: pm2 delete {instance.id}"
            )
        return Ended(0.0) if seconds is None else Ended(seconds, killed, None if killed else 0)

    def lines(self, instance: Instance) -> list[str]:
        process = self._process(instance)
        return self.logs.lines(process) if process else []

    def prune(self, serving: str) -> None:  # noqa: ARG002 - of no release is anything kept
        """Remove what has ended by itself, whatever it is of."""
        for process in self.listing.quick():
            if not process.alive:
                self.pm2.delete(process)
                self.listing.forget()

    def dead(self) -> bool:
        """Whether PM2 lists workers that have ended."""
        return any(not process.alive for process in self.listing.quick())

    def close(self) -> None:
        """Hear no more of what the workers say."""
        if self.logs.bus:
            self.logs.bus.__exit__(None, None, None)
            self.logs.bus = None

    def _hear(self) -> None:
        if self.logs.bus is None:
            self.logs.bus = Bus(self.pm2.home).__enter__()

    @property
    def pm2(self) -> Pm2:
        return self.listing.pm2

    def _process(self, instance: Instance) -> Process | None:
        return next((one for one in self.listing.quick() if str(one.id) == instance.id), None)

    def _instance(self, process: Process) -> Instance:
        port = (process.variables or {}).get(self.worker.port_variable, "")
        return Instance(
            id=str(process.id),
            number=process.instance or 0,
            port=int(port) if port.isdigit() else None,
            release=process.release,
            mark=process.mark,
            alive=process.alive,
            pid=process.pid or None,
            restarts=process.restarts,
            status=process.status,
            healthy=process.status == "online" or None,
            checked=process.alive,
        )

    def _wait_gone(self, process: Process) -> None:
        until = self.now() + _LAST
        while process.pid and os.path.exists(f"/proc/{process.pid}"):
            if self.now() > until:
                raise SluiceError(
                    f"end the PM2 process {process.id}", f"process {process.pid} is still there", "See its state in ps"
                )
            self.sleep(0.02)


@dataclass(frozen=True)
class Upness:
    """How a worker without an address proves itself: it stays up for so many seconds and has written a text."""

    seconds: float
    log: str | None = None


@dataclass
class Watch:
    """Looks at workers that answer nobody, as if one of them answered: each in turn."""

    upness: Upness
    listing: Listing
    logs: Logs
    worker: Worker
    began: float = field(default_factory=lambda: time.clock_gettime(time.CLOCK_BOOTTIME))
    turn: int = 0

    def look(self, ready: Ready) -> Answer:
        """Return what the next of the wanted workers would say of itself."""
        wanted = [one for one in self.listing.quick() if one.mark == self.worker.mark and one.alive]
        if not wanted:
            return Answer(error="none of the workers runs")
        self.turn += 1
        process = wanted[self.turn % len(wanted)]
        started = _started(process.pid)
        lacks = None
        if time.clock_gettime(time.CLOCK_BOOTTIME) - started < self.upness.seconds:
            lacks = f"is not up for {self.upness.seconds:g} s yet"
        # What was there when this began has written it long ago, in a log that may be gone.
        elif self.upness.log and started >= self.began and not self.logs.wrote(process, self.upness.log):
            lacks = f"has not written {self.upness.log!r}"
        return Answer(503 if lacks else 200, process.pid, ready.version, lacks=lacks)


def _started(pid: int) -> float:
    """Return when the process was started, in seconds since the boot; endless when it has gone."""
    with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/stat", encoding="utf-8") as stream:
        return int(stream.read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    return float("inf")

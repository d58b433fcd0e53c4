# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A switch of workers of a cluster from one release to another that fails closed.

The new workers are started beside the old ones and proven one by one; only then the old ones are retired. Whatever goes
wrong before that removes the new ones and leaves the old ones as they were. Every step first looks at what is there, so
a run that was killed anywhere is finished, or undone, by the next.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import replace_link
from ansible_collections.sluice.release.plugins.module_utils.switch import _ready
from ansible_collections.sluice.release.plugins.module_utils.switch._bus import Bus
from ansible_collections.sluice.release.plugins.module_utils.switch._plan import Plan, plan, previous_release
from ansible_collections.sluice.release.plugins.module_utils.switch._pm2 import Pm2, Process
from ansible_collections.sluice.release.plugins.module_utils.switch._pm2_logs import Logs
from ansible_collections.sluice.release.plugins.module_utils.switch._ready import Answer, Proof, Ready
from ansible_collections.sluice.release.plugins.module_utils.switch._runtime import passed_on
from ansible_collections.sluice.release.plugins.module_utils.switch._worker import Worker

# Seconds between two looks that found another worker: quick, for the next connection goes to the next worker.
_NEXT_LOOK = 0.02
_SWEEPS = 5


@dataclass(frozen=True)
class Request:
    """What shall serve. Times in seconds."""

    worker: Worker
    ready: Ready
    instances: int = 1
    link: str | None = None

    @property
    def name(self) -> str:
        return self.worker.name

    @property
    def release(self) -> str:
        return self.worker.release

    @property
    def path(self) -> str:
        return self.worker.path

    @property
    def mark(self) -> str:
        return self.worker.mark


@dataclass(frozen=True)
class World:
    """What the switch touches, so that tests can hold it."""

    pm2: Pm2
    logs: Logs
    look: Callable[[Ready], Answer] = _ready.look
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    say: Callable[[str], object] = str
    warn: Callable[[str], object] = str
    proceed: Callable[[], object] = lambda: None
    """Called when the new workers are proven and before anything is moved: what has to be proven as well."""


class Unproven(Exception):  # noqa: N818 - a verdict, turned into the collection's error with all that was seen
    """The new workers did not prove themselves, for this reason."""


@dataclass
class Seen:
    """A worker that is to serve, and what was seen of it."""

    process: Process
    began: float
    ready_seconds: float | None = None

    def result(self) -> dict[str, Any]:
        """Return the entry of ``instances``."""
        return {
            "id": self.process.id,
            "pid": self.process.pid,
            "release": self.process.release,
            "status": self.process.status,
            "ready": self.ready_seconds is not None,
            "ready_seconds": None if self.ready_seconds is None else round(self.ready_seconds, 3),
            "restarts": self.process.restarts,
        }


def _runs(pid: int) -> bool:
    return pid > 0 and os.path.exists(f"/proc/{pid}")


def _all_run(workers: Sequence[Seen]) -> bool:
    """Look at the processes themselves: a list of PM2's costs the start of a Node.js."""
    return all(_runs(worker.process.pid) for worker in workers)


def _directory(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError as error:
        return f"an unknown directory ({error.strerror})"


@dataclass
class Switch:
    """One call of the module for ``state: active``."""

    request: Request
    world: World
    check_mode: bool = False
    workers: list[Seen] = field(default_factory=list)
    started: list[Process] = field(default_factory=list)
    retired: list[dict[str, Any]] = field(default_factory=list)

    def run(self) -> dict[str, Any]:
        """Bring it about, or in check mode say what would be done. SluiceError with the same keys on failure."""
        began = self.world.now()
        request, pm2 = self.request, self.world.pm2
        processes = pm2.processes(request.name)
        self.world.logs.note_sizes()
        todo = self._decide(processes)
        change = self._changes(todo)
        result = {
            "changed": bool(change),
            "previous": previous_release(processes, request.release),
            "current": request.release,
            "diff": {"before": self._before(processes), "after": self._after(processes, change)},
        }
        if change and not self.check_mode:
            pm2.ensure_daemon()
            with Bus(pm2.home) as self.world.logs.bus:
                self._carry_out(todo, result)
        else:
            self.world.proceed()
        instances = [worker.result() for worker in self.workers]
        if change and self.check_mode:
            instances = self._predicted(todo)
        return {
            **result,
            "instances": instances,
            "retired": self.retired,
            "duration": round(self.world.now() - began, 3),
        }

    # -- deciding ------------------------------------------------------------------------------------------------

    def _decide(self, processes: Sequence[Process]) -> Plan:
        """Plan from what is there; workers that look right but serve nobody's requests are replaced as well."""
        todo = self._plan(processes)
        if todo.keep and not todo.serving:
            self.world.say("check the running workers")
            workers = [Seen(process, self.world.now()) for process in todo.keep]
            try:
                self._prove(workers)
                self.workers = workers
            except Unproven as reason:
                self.world.warn(f"The running workers are not ready, so they are replaced: {reason}")
                todo = self._plan(processes, distrust={process.id for process in todo.keep})
        return todo

    def _plan(self, processes: Sequence[Process], distrust: set[int] | None = None) -> Plan:
        request = self.request
        return plan(
            processes,
            wanted=request.mark,
            script=request.worker.entry,
            instances=request.instances,
            distrust=distrust or (),
        )

    def _changes(self, todo: Plan) -> list[str]:
        """Name what is not as it shall be."""
        request = self.request
        changes = ["workers"] if todo.changed else []
        if request.link and _target(request.link) != request.path:
            changes.append("link")
        return changes

    # -- acting --------------------------------------------------------------------------------------------------

    def _carry_out(self, todo: Plan, result: Mapping[str, Any]) -> None:
        request, world = self.request, self.world
        link = _target(request.link) if request.link else None
        try:
            self._begin(todo)
            world.proceed()
            if request.link:
                replace_link(request.link, request.path)
            self._retire(todo)
            ours = {worker.process.id for worker in self.workers}
            self._sweep(lambda process: process.id not in ours)
        except (Unproven, SluiceError) as problem:
            left = [process for process in todo.serving or todo.keep if not self._gone(process)]
            evidence = self._evidence(result)
            if left or not self.retired:
                if request.link and link is not None and _target(request.link) != link:
                    replace_link(request.link, link)
                try:
                    self._remove_new(todo)
                except SluiceError as stuck:
                    world.warn(str(stuck))
            raise self._failure(problem, left, evidence) from problem

    def _begin(self, todo: Plan) -> None:
        """Start what is missing and prove all that shall serve."""
        world = self.world
        for process in todo.clear:
            world.pm2.delete(process)
        self.workers = self.workers or [Seen(process, world.now()) for process in todo.keep]
        # The first one goes ahead alone, so that a bad release meets as few requests as possible.
        ahead = todo.start[:1] if not todo.keep else ()
        for group in (ahead, todo.start[len(ahead) :]):
            for number in group:
                self._start(number)
            if group:
                self._prove(self.workers)
        if any(worker.ready_seconds is None for worker in self.workers):
            self._prove(self.workers)

    def _start(self, number: int) -> None:
        request, world = self.request, self.world
        world.say(f"start worker {number + 1} of {request.instances}")
        began = world.now()
        process = world.pm2.start(request.worker.start(number))
        self.started.append(process)
        self.workers.append(Seen(process, began))

    def _prove(self, workers: Sequence[Seen]) -> None:
        """Ask until every worker has proven itself. Unproven when one crashes, is wrong, or time is up."""
        world, ready = self.world, self.request.ready
        _ready.check(ready)
        began = world.now()
        proof = Proof(ready, [worker.process.pid for worker in workers])
        while not proof.complete:
            if proof.wrong or world.now() - began > ready.timeout:
                # A crashed worker explains more than what did not answer.
                self._check_processes(workers)
                raise Unproven(proof.shortfall())
            if not _all_run(workers):
                self._check_processes(workers)
            answer = world.look(ready)
            ours = proof.see(answer, world.now() - began)
            done = sum(record.ready_at is not None for record in proof.records.values())
            world.say(f"prove the workers of {self.request.release}: {done} of {len(workers)} ready")
            if not proof.complete:
                world.sleep(_NEXT_LOOK if ours or answer.pid is not None else ready.interval)
        while not self._check_processes(workers):
            if world.now() - began > ready.timeout:
                raise Unproven("the workers answer, but PM2 does not show them as online")
            world.sleep(ready.interval)
        for worker in workers:
            if worker.ready_seconds is None:
                worker.ready_seconds = began - worker.began + (proof.records[worker.process.pid].ready_at or 0.0)

    def _check_processes(self, workers: Sequence[Seen]) -> bool:
        """Compare with PM2's list. Unproven when a worker is not the process it was; returns whether all are online."""
        listed = {process.id: process for process in self.world.pm2.processes(self.request.name)}
        wanted = os.path.realpath(self.request.path)
        for worker in workers:
            was, now = worker.process, listed.get(worker.process.id)
            if now is None:
                raise Unproven(f"worker {was.id} is gone from PM2's list")
            fresh = any(process.id == was.id for process in self.started)
            worker.process = now
            if not now.alive or now.pid != was.pid or now.restarts > (0 if fresh else was.restarts):
                again = f", restarted {now.restarts} times" if now.restarts else ""
                raise Unproven(f"worker {was.id} crashed (PM2 says {now.status}{again}){self._last_words(now)}")
            if _runs(now.pid) and _directory(now.pid) != wanted:
                raise Unproven(f"worker {now.id} runs in {_directory(now.pid)} instead of {wanted}")
        return all(worker.process.status == "online" for worker in workers)

    def _retire(self, todo: Plan) -> None:
        """End the old workers one after the other, and none further once a new one has failed under the load."""
        for process in sorted(todo.retire, key=lambda process: (not process.alive, process.id)):
            self.world.say(f"drain worker {process.id} of {process.release or 'an unknown release'}")
            seconds = self.world.pm2.delete(process)
            killed = process.alive and seconds >= process.kill_timeout
            entry = {"id": process.id, "pid": process.pid, "release": process.release}
            self.retired.append({**entry, "seconds": round(seconds, 3), "killed": killed})
            if killed:
                self.world.warn(
                    f"Worker {process.id} had not ended {process.kill_timeout:g} s after SIGINT and was killed; "
                    "requests that it still had were lost."
                )
            if not _all_run(self.workers):
                self._check_processes(self.workers)

    def _gone(self, process: Process) -> bool:
        return any(entry["id"] == process.id for entry in self.retired)

    def _remove_new(self, todo: Plan) -> None:
        """Take away what this run started, and what a killed one left half-proven beside the serving release."""
        doomed = {process.id for process in (*self.started, *(todo.keep if todo.serving else ()))}
        self._sweep(lambda process: process.id in doomed)

    def _sweep(self, doomed: Callable[[Process], bool]) -> None:
        """Delete until PM2 lists none of them: one that crashes while it is deleted can come back."""
        for _round in range(_SWEEPS):
            found = [process for process in self.world.pm2.processes(self.request.name) if doomed(process)]
            if not found:
                return
            for process in found:
                self.world.pm2.delete(process)
        ids = ", ".join(str(process.id) for process in found)
        raise SluiceError(f"delete the PM2 processes {ids}", "they come back each time", f"See: pm2 delete {ids}")

    # -- telling -------------------------------------------------------------------------------------------------

    def _failure(self, problem: Exception, left: Sequence[Process], evidence: Mapping[str, Any]) -> SluiceError:
        cause = problem.message if isinstance(problem, SluiceError) else str(problem)
        names = sorted({process.release or "unknown" for process in left})
        if left:
            how = "as before" if not self.retired else f"with {len(left)} of {len(left) + len(self.retired)} workers"
            remedy = f"The new workers were removed; {', '.join(names)} goes on serving {how}"
        elif self.retired:
            remedy = "The old workers are gone already: go back to the last known good release"
        else:
            remedy = "The new workers were removed; nothing served before, and nothing serves now"
        fields = {**evidence, **(problem.fields if isinstance(problem, SluiceError) else {})}
        fields["changed"] = bool(self.retired)
        if isinstance(problem, SluiceError) and "instances" in problem.fields:
            return passed_on(problem, {**evidence, "changed": fields["changed"]})
        return SluiceError(f"switch {self.request.name} to {self.request.release}", cause, remedy, **fields)

    def _evidence(self, result: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "previous": result["previous"],
            "current": result["previous"],
            "instances": [worker.result() for worker in self.workers],
            "retired": self.retired,
            "logs": [
                {"id": worker.process.id, "lines": self.world.logs.lines(worker.process)}
                for worker in self.workers
                if any(process.id == worker.process.id for process in self.started)
            ],
        }

    def _predicted(self, todo: Plan) -> list[dict[str, Any]]:
        """Return ``instances`` as they would be; what is not started yet has neither id nor pid."""
        none = {"id": None, "pid": None, "release": self.request.release, "status": "absent"}
        missing = [{**none, "ready": False, "ready_seconds": None, "restarts": 0} for _number in todo.start]
        kept = self.workers or [Seen(process, 0.0) for process in todo.keep]
        return [*(worker.result() for worker in kept), *missing]

    def _last_words(self, process: Process) -> str:
        lines = [line.strip() for line in self.world.logs.lines(process)]
        return f"; its log says: {_ready.telling_line(lines)}" if lines else ""

    def _before(self, processes: Sequence[Process]) -> dict[str, Any]:
        state: dict[str, Any] = {
            "instances": [f"{process.release or 'unknown'} {process.status}" for process in processes]
        }
        if self.request.link:
            state["link"] = _target(self.request.link)
        return state

    def _after(self, processes: Sequence[Process], change: Sequence[str]) -> dict[str, Any]:
        state = self._before(processes)
        if "workers" in change:
            state["instances"] = [f"{self.request.release} online"] * self.request.instances
        if self.request.link:
            state["link"] = self.request.path
        return state


def _target(link: str) -> str | None:
    try:
        return os.readlink(link)
    except OSError:
        return None


def end(name: str, world: World, *, absent: bool, check_mode: bool = False) -> dict[str, Any]:
    """Stop every worker of that name gracefully, and with ``absent`` forget it as well. Same keys as a switch."""
    began = world.now()
    processes = world.pm2.processes(name)
    todo = [process for process in processes if absent or process.alive]
    retired = []
    left = processes
    for _round in range(0 if check_mode else _SWEEPS):
        again = [process for process in left if absent or process.alive]
        if not again:
            break
        for process in again:
            world.say(f"drain worker {process.id}")
            seconds = world.pm2.delete(process) if absent else world.pm2.stop(process)
            killed = process.alive and seconds >= process.kill_timeout
            entry = {"id": process.id, "pid": process.pid, "release": process.release}
            retired.append({**entry, "seconds": round(seconds, 3), "killed": killed})
        left = world.pm2.processes(name)
    before = [f"{process.release or 'unknown'} {process.status}" for process in processes]
    after = [] if absent else [f"{process.release or 'unknown'} stopped" for process in processes]
    return {
        "changed": bool(todo),
        "previous": previous_release(processes, ""),
        "current": None,
        "instances": [Seen(process, began).result() for process in left],
        "retired": retired,
        "duration": round(world.now() - began, 3),
        "diff": {"before": {"instances": before}, "after": {"instances": after if todo else before}},
    }

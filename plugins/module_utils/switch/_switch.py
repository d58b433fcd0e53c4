# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A switch from one release to another that fails closed.

The new workers are started beside the old ones and proven one by one; only then the old ones are retired. Whatever goes
wrong before that removes the new ones and leaves the old ones as they were. Every step first looks at what is there, so
a run that was killed anywhere is finished, or undone, by the next.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import replace_link
from ansible_collections.sluice.release.plugins.module_utils._runner import CommandRunner, redact
from ansible_collections.sluice.release.plugins.module_utils.switch import _pm2, _ready, _upstream
from ansible_collections.sluice.release.plugins.module_utils.switch._bus import Bus
from ansible_collections.sluice.release.plugins.module_utils.switch._plan import Plan, mark, plan, previous_release
from ansible_collections.sluice.release.plugins.module_utils.switch._pm2 import Pm2, Process
from ansible_collections.sluice.release.plugins.module_utils.switch._ready import Answer, Proof, Ready

# Seconds between two looks that found another worker: quick, for the next connection goes to the next worker.
_NEXT_LOOK = 0.02
_SWEEPS = 5
_LOG_LINES = 20
_LOG_BYTES = 1 << 20
# The line of a Node.js stack trace that says what happened.
_ERROR_LINE = re.compile(r"^(Uncaught )?\w*Error\b.*")


@dataclass(frozen=True)
class Request:
    """What shall serve. Times in seconds."""

    name: str
    release: str
    path: str
    script: str
    environment: Mapping[str, str]
    ready: Ready
    exec_mode: str = "cluster"
    instances: int = 1
    ports: Sequence[int] = ()
    port_variable: str = "PORT"
    upstream: _upstream.Upstream | None = None
    node_args: Sequence[str] = ()
    wait_ready: bool = True
    listen_timeout: float = 10.0
    drain_timeout: float = 8.0
    kill_timeout: float = 10.0
    link: str | None = None
    save: bool = False

    @property
    def entry(self) -> str:
        """Full path of the script. The release itself, not the link: PM2 restarts a crashed worker from there."""
        return os.path.normpath(os.path.join(self.path, self.script))

    @property
    def mark(self) -> str:
        """The mark of the wanted workers; the port is not in it, for a port pair changes it every time."""
        return mark(
            self.release,
            self.environment,
            self.entry,
            self.exec_mode,
            list(self.node_args),
            self.wait_ready,
            self.kill_timeout,
        )


@dataclass(frozen=True)
class World:
    """What the switch touches, so that tests can hold it."""

    pm2: Pm2
    runner: CommandRunner
    look: Callable[[Ready], Answer] = _ready.look
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    say: Callable[[str], object] = str
    warn: Callable[[str], object] = str


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
    log_sizes: dict[str, int] = field(default_factory=dict)
    bus: Bus | None = None

    def run(self) -> dict[str, Any]:
        """Bring it about, or in check mode say what would be done. SluiceError with the same keys on failure."""
        began = self.world.now()
        request, pm2 = self.request, self.world.pm2
        processes = pm2.processes(request.name)
        self._note_log_sizes()
        todo, port = self._decide(processes)
        change = self._changes(todo, port)
        result = {
            "changed": bool(change),
            "previous": previous_release(processes, request.release),
            "current": request.release,
            "diff": {"before": self._before(processes), "after": self._after(processes, change, port)},
        }
        if change and not self.check_mode:
            pm2.ensure_daemon()
            with Bus(pm2.home) as self.bus:
                self._carry_out(todo, port, result)
            if request.save:
                pm2.save()
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

    def _decide(self, processes: Sequence[Process]) -> tuple[Plan, int | None]:
        """Plan from what is there; workers that look right but serve nobody's requests are replaced as well."""
        todo = self._plan(processes)
        if todo.keep and not todo.serving:
            self.world.say("check the running workers")
            workers = [Seen(process, self.world.now()) for process in todo.keep]
            try:
                self._prove(workers, self._port_of(todo.keep[0]))
                self.workers = workers
            except Unproven as reason:
                self.world.warn(f"The running workers are not ready, so they are replaced: {reason}")
                todo = self._plan(processes, distrust={process.id for process in todo.keep})
        return todo, self._port(todo)

    def _plan(self, processes: Sequence[Process], distrust: set[int] | None = None) -> Plan:
        request = self.request
        live = self._live_port()
        # A port pair has one live side; what sits on the other was left there by a run that did not get further.
        idle = {
            process.id
            for process in processes
            if live is not None and process.mark != request.mark and self._port_of(process) not in (live, None)
        }
        return plan(
            processes,
            wanted=request.mark,
            script=request.entry,
            instances=request.instances,
            distrust=distrust or (),
            idle=idle,
        )

    def _live_port(self) -> int | None:
        upstream = self.request.upstream
        if upstream is None:
            return None
        return _upstream.live_port(_upstream.read(upstream.path), upstream.content, self.request.ports)

    def _port_of(self, process: Process) -> int | None:
        value = (process.variables or {}).get(self.request.port_variable, "")
        return int(value) if value.isdigit() and self.request.upstream else None

    def _port(self, todo: Plan) -> int | None:
        """Return the port for the new worker of a port pair; None in cluster mode."""
        if self.request.upstream is None:
            return None
        if todo.keep:
            return self._port_of(todo.keep[0])
        taken = {self._port_of(process) for process in todo.serving}
        live = self._live_port()
        free = [port for port in self.request.ports if port not in taken and port != (live if todo.serving else None)]
        if not free:
            raise SluiceError(
                f"choose a port for {self.request.name}",
                f"processes of that name use both of {' and '.join(map(str, self.request.ports))}, and "
                f"{self.request.upstream.path} does not say which one serves",
                "Delete the PM2 process that does not serve",
            )
        return free[0]

    def _changes(self, todo: Plan, port: int | None) -> list[str]:
        """Name what is not as it shall be."""
        request = self.request
        changes = ["workers"] if todo.changed else []
        if (
            request.upstream
            and port
            and _upstream.read(request.upstream.path) != _upstream.render(request.upstream.content, port)
        ):
            changes.append("upstream")
        if request.link and _target(request.link) != request.path:
            changes.append("link")
        if request.save and (todo.changed or self.world.pm2.saved(request.name) != self._saved()):
            changes.append("save")
        return changes

    def _saved(self) -> list[tuple[str | None, str]]:
        return sorted(((self.request.mark, str(number)) for number in range(self.request.instances)), key=str)

    # -- acting --------------------------------------------------------------------------------------------------

    def _carry_out(self, todo: Plan, port: int | None, result: Mapping[str, Any]) -> None:
        request, world = self.request, self.world
        file = _upstream.read(request.upstream.path) if request.upstream else None
        link = _target(request.link) if request.link else None
        pointed = False
        try:
            self._begin(todo, port)
            if request.upstream and port:
                world.say(f"point the proxy at port {port}")
                pointed = True
                _upstream.point(request.upstream, port, world.runner)
            if request.link:
                replace_link(request.link, request.path)
            if pointed and request.upstream and todo.serving:
                # Proxies reload in the background: their old workers still send requests to the old port.
                world.sleep(request.upstream.settle)
            self._retire(todo)
            ours = {worker.process.id for worker in self.workers}
            self._sweep(lambda process: process.id not in ours)
        except (Unproven, SluiceError) as problem:
            left = [process for process in todo.serving or todo.keep if not self._gone(process)]
            evidence = self._evidence(result)
            if left or not self.retired:
                if pointed and request.upstream and left:
                    _upstream.put_back(request.upstream, file, world.runner, again=True)
                if request.link and link is not None and _target(request.link) != link:
                    replace_link(request.link, link)
                try:
                    self._remove_new(todo)
                except SluiceError as stuck:
                    world.warn(str(stuck))
            raise self._failure(problem, left, evidence) from problem

    def _begin(self, todo: Plan, port: int | None) -> None:
        """Start what is missing and prove all that shall serve."""
        world = self.world
        for process in todo.clear:
            world.pm2.delete(process)
        if port and todo.start:
            _check_free(port)
        self.workers = self.workers or [Seen(process, world.now()) for process in todo.keep]
        # The first one goes ahead alone, so that a bad release meets as few requests as possible.
        ahead = todo.start[:1] if not todo.keep else ()
        for group in (ahead, todo.start[len(ahead) :]):
            for number in group:
                self._start(number, port)
            if group:
                self._prove(self.workers, port)
        if any(worker.ready_seconds is None for worker in self.workers):
            self._prove(self.workers, port)

    def _start(self, number: int, port: int | None) -> None:
        request, world = self.request, self.world
        world.say(f"start worker {number + 1} of {request.instances}")
        began = world.now()
        process = world.pm2.start(
            _pm2.Start(
                name=request.name,
                script=request.entry,
                cwd=request.path,
                environment={
                    **request.environment,
                    **({request.port_variable: str(port)} if port else {}),
                    _pm2.RELEASE: request.release,
                    _pm2.MARK: request.mark,
                    _pm2.INSTANCE: str(number),
                },
                exec_mode=request.exec_mode,
                node_args=request.node_args,
                wait_ready=request.wait_ready,
                listen_timeout=request.listen_timeout,
                kill_timeout=request.kill_timeout,
            )
        )
        self.started.append(process)
        self.workers.append(Seen(process, began))

    def _prove(self, workers: Sequence[Seen], port: int | None) -> None:
        """Ask until every worker has proven itself. Unproven when one crashes, is wrong, or time is up."""
        world = self.world
        ready = self.request.ready if port is None else self.request.ready.at_port(port)
        _ready.check(ready)
        began = world.now()
        proof = Proof(ready, [worker.process.pid for worker in workers], anonymous=port is not None)
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
        return SluiceError(f"switch {self.request.name} to {self.request.release}", cause, remedy, **fields)

    def _evidence(self, result: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "previous": result["previous"],
            "current": result["previous"],
            "instances": [worker.result() for worker in self.workers],
            "retired": self.retired,
            "logs": [
                {"id": worker.process.id, "lines": self._log_lines(worker.process)}
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

    def _note_log_sizes(self) -> None:
        """Remember where each log ends now: PM2 gives ids, and so logs, to new workers again."""
        directory = os.path.join(self.world.pm2.home, "logs")
        if os.path.isdir(directory):
            self.log_sizes = {entry.path: entry.stat().st_size for entry in os.scandir(directory) if entry.is_file()}

    def _log_lines(self, process: Process) -> list[str]:
        """Return the last lines that a new worker wrote, redacted: from its log files, or else as they were heard."""
        lines: list[str] = []
        for path in process.logs:
            try:
                with open(path, "rb") as stream:
                    stream.seek(self.log_sizes.get(path, 0))
                    text = stream.read(_LOG_BYTES).decode(errors="replace")
            except OSError:
                continue
            lines += [line for line in text.splitlines() if line.strip()][-_LOG_LINES:]
        if not lines and self.bus:
            lines = self.bus.lines(process.id)[-_LOG_LINES:]
        return redact("\n".join(lines), self.world.pm2.secrets).splitlines()

    def _last_words(self, process: Process) -> str:
        lines = [line.strip() for line in self._log_lines(process)]
        errors = [line for line in lines if _ERROR_LINE.match(line)]
        chosen = errors[-1:] or lines[-1:]
        return f"; its log says: {chosen[0]}" if chosen else ""

    def _before(self, processes: Sequence[Process]) -> dict[str, Any]:
        state: dict[str, Any] = {
            "instances": [f"{process.release or 'unknown'} {process.status}" for process in processes]
        }
        if self.request.link:
            state["link"] = _target(self.request.link)
        if self.request.upstream:
            state["port"] = self._live_port()
        return state

    def _after(self, processes: Sequence[Process], change: Sequence[str], port: int | None) -> dict[str, Any]:
        state = {**self._before(processes), **({"saved": True} if "save" in change else {})}
        if "workers" in change:
            state["instances"] = [f"{self.request.release} online"] * self.request.instances
        if self.request.link:
            state["link"] = self.request.path
        if self.request.upstream:
            state["port"] = port
        return state


def _target(link: str) -> str | None:
    try:
        return os.readlink(link)
    except OSError:
        return None


def _check_free(port: int) -> None:
    """Refuse a port that something listens on, before a worker trips over it."""
    with socket.socket() as probe:
        probe.settimeout(2.0)
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise SluiceError(
                f"start a worker on port {port}", "another process listens there", f"See: ss -ltnp 'sport = :{port}'"
            )


def end(name: str, world: World, *, absent: bool, save: bool = False, check_mode: bool = False) -> dict[str, Any]:
    """Stop every worker of that name gracefully, and with ``absent`` forget it as well. Same keys as a switch."""
    began = world.now()
    processes = world.pm2.processes(name)
    todo = [process for process in processes if absent or process.alive]
    stale = save and absent and bool(world.pm2.saved(name))
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
    if save and (todo or stale) and not check_mode:
        world.pm2.save()
    before = [f"{process.release or 'unknown'} {process.status}" for process in processes]
    after = [] if absent else [f"{process.release or 'unknown'} stopped" for process in processes]
    return {
        "changed": bool(todo) or stale,
        "previous": previous_release(processes, ""),
        "current": None,
        "instances": [Seen(process, began).result() for process in left],
        "retired": retired,
        "duration": round(world.now() - began, 3),
        "diff": {"before": {"instances": before}, "after": {"instances": after if todo else before}},
    }

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A blue-green switch that fails closed, whatever runs the application.

The new instances are started beside the old ones and proven one by one; the proxy is moved; the old ones stay able to
take the requests back for a while, and only then are ended. Whatever goes wrong before that moves the proxy back,
removes the new ones and leaves the old ones as they were. Every step first looks at what is there, so a run that was
killed anywhere is finished, or undone, by the next.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import replace_link
from ansible_collections.sluice.release.plugins.module_utils.proxy._route import Route
from ansible_collections.sluice.release.plugins.module_utils.switch import _ready
from ansible_collections.sluice.release.plugins.module_utils.switch._blue_green_plan import (
    Plan,
    Slots,
    live_slot,
    plan,
)
from ansible_collections.sluice.release.plugins.module_utils.switch._connections import check_free
from ansible_collections.sluice.release.plugins.module_utils.switch._ready import Answer, Proof, Ready
from ansible_collections.sluice.release.plugins.module_utils.switch._runtime import (
    Ended,
    Instance,
    Runtime,
    entry,
    passed_on,
)

# Seconds between two looks at a shared address that found another instance: the next connection may find this one.
_NEXT_LOOK = 0.02


@dataclass(frozen=True)
class Request:
    """What shall serve. Times in seconds."""

    name: str
    release: str
    mark: str
    ready: Ready
    instances: int = 1
    slots: Slots | None = None
    """None when old and new instances share one address (a socket that they inherit)."""
    hold: float = 3.0
    """How long the old instances stay able to take the requests back once the proxy has moved."""
    path: str | None = None
    link: str | None = None
    staged: bool = False
    """Whether the new instances are only started and proven, and wait beside those that serve: nothing is moved."""


@dataclass(frozen=True)
class World:
    """What the switch touches, so that tests can hold it."""

    runtime: Runtime
    route: Route | None = None
    look: Callable[[Ready], Answer] = _ready.look
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    say: Callable[[str], object] = str
    warn: Callable[[str], object] = str
    owns: Callable[[Instance, int], bool] = lambda instance, pid: pid == instance.pid
    """Whether a process is one of the instance's: what answers may not be what the runtime has started."""
    proceed: Callable[[], object] = lambda: None
    """Called when the new instances are proven and before anything is moved: what has to be proven as well."""


class Unproven(Exception):  # noqa: N818 - a verdict, turned into the collection's error with all that was seen
    """The new instances did not prove themselves, for this reason."""


@dataclass
class Seen:
    """An instance that is to serve, and what was seen of it."""

    instance: Instance
    began: float
    fresh: bool = False
    ready_seconds: float | None = None


def retired_entry(instance: Instance, ended: Ended) -> dict[str, Any]:
    """Return the entry of ``retired`` in a result."""
    return {
        "id": instance.id,
        "pid": instance.pid,
        "release": instance.release,
        "seconds": round(ended.seconds, 3),
        "killed": ended.killed,
        "connections": ended.connections,
    }


def previous_release(instances: Iterable[Instance], release: str | None) -> str | None:
    """Return the release that most of the running instances have and that is not the wanted one; None without any.

    Instances that were not started by this collection are named ``unknown``.
    """
    found = [one.release or "unknown" for one in instances if one.alive]
    others = [name for name in found if name != release] or found
    return max(sorted(set(others)), key=others.count) if others else None


@dataclass
class BlueGreen:
    """One call of a driver for ``state: active``."""

    request: Request
    world: World
    check_mode: bool = False
    workers: list[Seen] = field(default_factory=list)
    retired: list[dict[str, Any]] = field(default_factory=list)

    def run(self) -> dict[str, Any]:
        """Bring it about, or in check mode say what would be done. SluiceError with the same keys on failure."""
        began = self.world.now()
        request = self.request
        if request.slots:
            request.slots.check()
        elif request.staged:
            raise shared_address(request.name, request.release)
        instances = self.world.runtime.instances()
        live = self._live(instances)
        todo = self._decide(instances, live)
        changes = self._changes(todo)
        before = self._state(instances, live)
        result = {
            "changed": bool(changes),
            "previous": previous_release(instances, request.release),
            "current": request.release,
            "diff": {"before": before, "after": self._expected(before, changes, todo)},
        }
        waits = request.staged and todo.port != live
        if request.staged:
            result |= {"current": result["previous"], "staged": waits}
        if changes:
            self.world.runtime.check()
        if (changes or waits) and not self.check_mode:
            self._carry_out(todo, live, result)
        else:
            self.world.proceed()
        predicted = self.check_mode and bool(changes)
        return {
            **result,
            "instances": self._predicted(todo) if predicted else self._entries(),
            "retired": self.retired,
            "duration": round(self.world.now() - began, 3),
        }

    # -- deciding ------------------------------------------------------------------------------------------------

    def _live(self, instances: Sequence[Instance]) -> int | None:
        slots, route = self.request.slots, self.world.route
        if slots is None:
            return None
        routed = route.live() if route else None
        return live_slot(instances, slots, routed)

    def _decide(self, instances: Sequence[Instance], live: int | None) -> Plan:
        """Plan from what is there; instances that look right but do not answer right are replaced as well."""
        todo = self._plan(instances, live)
        if todo.keep and not todo.start and (todo.port is None or todo.port == live):
            self.world.say("check the running instances")
            workers = [Seen(one, self.world.now()) for one in todo.keep]
            try:
                self._prove(workers, todo.port)
                self.workers = workers
            except Unproven as reason:
                self.world.warn(f"The running instances are not ready, so they are replaced: {reason}")
                todo = self._plan(instances, live, distrust={one.id for one in todo.keep})
        return todo

    def _plan(self, instances: Sequence[Instance], live: int | None, distrust: set[str] | None = None) -> Plan:
        request = self.request
        return plan(
            instances,
            wanted=request.mark,
            count=request.instances,
            slots=request.slots,
            live=live,
            distrust=distrust or (),
        )

    def _port(self, todo: Plan, number: int) -> int | None:
        slots = self.request.slots
        return None if slots is None or todo.port is None else slots.at(todo.port, number)

    def _changes(self, todo: Plan) -> list[str]:
        """Name what is not as it shall be."""
        request, route = self.request, self.world.route
        if request.staged:
            return ["instances"] if todo.start or todo.clear else []
        changes = ["instances"] if todo.changed else []
        if route and todo.port is not None and not route.points_at(todo.port):
            changes.append("route")
        if request.link and _target(request.link) != request.path:
            changes.append("link")
        return changes

    # -- acting --------------------------------------------------------------------------------------------------

    def _carry_out(self, todo: Plan, live: int | None, result: Mapping[str, Any]) -> None:
        request, world = self.request, self.world
        link = _target(request.link) if request.link else None
        before: object | None = None
        moved = False
        try:
            self._begin(todo)
            world.proceed()
            if request.staged:
                return
            if world.route and todo.port is not None:
                world.say(f"move the proxy to port {todo.port}")
                before, moved = world.route.snapshot(), True
                self._point(world.route, todo.port)
                if live is not None and live != todo.port:
                    world.route.settle(live)
            if request.link and request.path:
                replace_link(request.link, request.path)
            if todo.retire:
                self._hold(todo)
            self._retire(todo)
        except (Unproven, SluiceError) as problem:
            left = self._left(todo.retire)
            evidence = self._evidence(result)
            if left or not self.retired:
                if moved and left:
                    self._attempt(lambda: self._move_back(before, todo))
                if request.link and link is not None and _target(request.link) != link:
                    replace_link(request.link, link)
                self._remove_new(bool(left))
            raise self._failure(problem, left, evidence) from problem
        self._attempt(lambda: world.runtime.prune(request.release))

    def _point(self, route: Route, port: int) -> None:
        try:
            route.point(port)
        except SluiceError:
            # An instance that has crashed meanwhile explains more than a proxy that cannot reach it.
            self._check_instances(self.workers)
            raise

    def _begin(self, todo: Plan) -> None:
        """Start what is missing and prove all that shall serve."""
        world = self.world
        for one in todo.clear:
            world.say(f"clear {one.id} out of the way")
            world.runtime.end(one, keep=False)
        self.workers = self.workers or [Seen(one, world.now()) for one in todo.keep]
        # The first one goes ahead alone, so that a bad release costs one start and not many.
        ahead = todo.start[:1] if not todo.keep else ()
        for group in (ahead, todo.start[len(ahead) :]):
            for number in group:
                world.say(f"start instance {number + 1} of {self.request.instances}")
                began = world.now()
                port = self._port(todo, number)
                if port is not None:
                    check_free(port)
                self.workers.append(Seen(world.runtime.start(number, port), began, fresh=True))
            if group:
                self._prove(self.workers, todo.port)
        if any(worker.ready_seconds is None for worker in self.workers):
            self._prove(self.workers, todo.port)

    def _prove(self, workers: Sequence[Seen], port: int | None) -> None:
        """Ask until every instance has proven itself. Unproven when one crashes, is wrong, or time is up."""
        if port is None:
            self._prove_together(workers)
            return
        for worker in workers:
            if worker.ready_seconds is None or not worker.fresh:
                self._prove_one(worker)
        self._check_instances(workers)

    def _prove_one(self, worker: Seen) -> None:
        """Prove an instance that has an address to itself."""
        world, instance = self.world, worker.instance
        ready = self.request.ready.at_port(instance.port or 0)
        key = instance.pid if world.runtime.reports_pids and instance.pid else 0
        proof = Proof(ready, [key], anonymous=True, name=instance.id)

        def read(answer: Answer) -> Answer:
            ours = not key or (answer.pid is not None and world.owns(instance, answer.pid))
            return replace(answer, pid=key or None) if ours else answer

        self._ask(worker.instance.id, proof, [worker], read)
        worker.ready_seconds = world.now() - worker.began

    def _prove_together(self, workers: Sequence[Seen]) -> None:
        """Prove instances that share an address: each answer says whose it is."""
        proof = Proof(self.request.ready, [worker.instance.pid or 0 for worker in workers])
        began = self.world.now()
        self._ask(self.request.release, proof, workers, lambda answer: answer)
        for worker in workers:
            if worker.ready_seconds is None:
                ready_at = proof.records[worker.instance.pid or 0].ready_at or 0.0
                worker.ready_seconds = began - worker.began + ready_at

    def _ask(self, who: str, proof: Proof, workers: Sequence[Seen], read: Callable[[Answer], Answer]) -> None:
        world, ready = self.world, proof.ready
        _ready.check(ready)
        began = world.now()
        while True:
            if not proof.complete:
                answer = read(world.look(ready))
                ours = proof.see(answer, world.now() - began)
            healthy = self._check_instances(workers)
            if proof.complete and healthy:
                return
            if proof.wrong or world.now() - began > ready.timeout:
                # A crashed instance explains more than what did not answer; its own health check, more than silence.
                raise Unproven(proof.shortfall() if not proof.complete else "its own health check has not passed")
            world.say(f"prove {who}: {sum(one.successes for one in proof.records.values())} answers")
            shared = not proof.anonymous and (ours or answer.pid is not None)
            world.sleep(_NEXT_LOOK if shared and not proof.complete else ready.interval)

    def _check_instances(self, workers: Sequence[Seen]) -> bool:
        """Compare with the runtime's list. Unproven when one is not what it was; returns whether all are healthy."""
        listed = {one.id: one for one in self.world.runtime.instances()}
        for worker in workers:
            was, now = worker.instance, listed.get(worker.instance.id)
            if now is None:
                raise Unproven(f"{was.id} is gone")
            worker.instance = now
            if not now.alive or now.restarts > (0 if worker.fresh else was.restarts) or now.pid != was.pid:
                again = f", restarted {now.restarts} times" if now.restarts else ""
                raise Unproven(f"{was.id} crashed ({now.status}{again}){self._last_words(now)}")
            if now.healthy is False:
                raise Unproven(f"the health check of {was.id} itself fails{self._last_words(now)}")
        return all(worker.instance.healthy or not worker.instance.checked for worker in workers)

    def _hold(self, todo: Plan) -> None:
        """Watch the new instances under the load while the old ones can still take it back."""
        world = self.world
        until = world.now() + self.request.hold
        while world.now() < until:
            world.say(f"keep {len(todo.retire)} old instances ready for {max(0.0, until - world.now()):.0f} s")
            world.sleep(min(self.request.ready.interval, max(0.0, until - world.now())))
            self._check_instances(self.workers)
        for worker in self.workers if todo.port is not None else ():
            ready = self.request.ready.at_port(worker.instance.port or 0)
            answer = world.look(ready)
            if answer.status not in ready.status:
                said = answer.error or f"HTTP {answer.status}"
                raise Unproven(f"{worker.instance.id} was ready and is not any more ({said})")

    def _retire(self, todo: Plan) -> None:
        """End the old instances one after the other, and none further once a new one has failed under the load."""
        for one in sorted(todo.retire, key=lambda one: one.number):
            self.world.say(f"drain {one.id} of {one.release or 'an unknown release'}")
            ended = self.world.runtime.end(one, keep=True)
            self.retired.append(retired_entry(one, ended))
            warn_of_kill(one, ended, self.world.warn)
            self._check_instances(self.workers)

    def _left(self, old: Sequence[Instance]) -> list[Instance]:
        """Return the old instances that can still serve: none as soon as all of a kind have ended."""
        slots, gone = self.request.slots, {one["id"] for one in self.retired}
        left = [one for one in old if one.id not in gone]
        if slots is not None and {slots.kind(one.port) for one in left} != {slots.kind(one.port) for one in old}:
            return []
        return left

    def _move_back(self, before: object, todo: Plan) -> None:
        if self.world.route and todo.port is not None:
            self.world.route.restore(before)
            self.world.route.settle(todo.port)

    def _remove_new(self, others_serve: bool) -> None:
        """Take away what this run started, and what a killed one left half-proven beside the serving release."""
        for worker in self.workers:
            if worker.fresh or others_serve:
                self._attempt(partial(self._remove, worker.instance))

    def _remove(self, instance: Instance) -> None:
        warn_of_kill(instance, self.world.runtime.end(instance, keep=False), self.world.warn)

    def _attempt(self, act: Callable[[], object]) -> None:
        """Do what must not hide the error that led here, nor fail a switch that is done."""
        try:
            act()
        except SluiceError as problem:
            self.world.warn(str(problem))

    # -- telling -------------------------------------------------------------------------------------------------

    def _failure(self, problem: Exception, left: Sequence[Instance], evidence: Mapping[str, Any]) -> SluiceError:
        cause = problem.message if isinstance(problem, SluiceError) else str(problem)
        names = sorted({one.release or "unknown" for one in left})
        if left:
            how = "as before" if not self.retired else f"with {len(left)} of {len(left) + len(self.retired)} instances"
            remedy = f"The new instances were removed; {', '.join(names)} goes on serving {how}"
        elif self.retired:
            gone = ", ".join(one["id"] for one in self.retired)
            remedy = f"What served before cannot go on without {gone}: go back to the last known good release"
        else:
            remedy = "The new instances were removed; nothing served before, and nothing serves now"
        fields = {**evidence, **(problem.fields if isinstance(problem, SluiceError) else {})}
        fields["changed"] = bool(self.retired)
        if isinstance(problem, SluiceError) and "instances" in problem.fields:
            return passed_on(problem, {**evidence, "changed": fields["changed"]})
        return SluiceError(f"switch {self.request.name} to {self.request.release}", cause, remedy, **fields)

    def _evidence(self, result: Mapping[str, Any]) -> dict[str, Any]:
        fresh = [worker.instance for worker in self.workers if worker.fresh]
        return {
            "previous": result["previous"],
            "current": result["previous"],
            "instances": self._entries(),
            "retired": self.retired,
            "logs": [{"id": one.id, "lines": self.world.runtime.lines(one)} for one in fresh],
        }

    def _entries(self) -> list[dict[str, Any]]:
        return [entry(worker.instance, worker.ready_seconds) for worker in self.workers]

    def _predicted(self, todo: Plan) -> list[dict[str, Any]]:
        """Return ``instances`` as they would be; what is not started yet has neither id nor pid."""
        kept = self.workers or [Seen(one, 0.0) for one in todo.keep]
        missing = [
            Instance(id="", number=number, port=self._port(todo, number), status="absent") for number in todo.start
        ]
        release = self.request.release
        new = [{**entry(replace(one, release=release), None), "id": None} for one in missing]
        return [*(entry(worker.instance, worker.ready_seconds) for worker in kept), *new]

    def _last_words(self, instance: Instance) -> str:
        lines = [line.strip() for line in self.world.runtime.lines(instance) if line.strip()]
        return f"; its log says: {_ready.telling_line(lines)}" if lines else ""

    def _state(self, instances: Sequence[Instance], live: int | None) -> dict[str, Any]:
        state: dict[str, Any] = {
            "instances": [f"{one.release or 'unknown'} {one.status}" for one in instances if one.alive]
        }
        if self.request.link:
            state["link"] = _target(self.request.link)
        if self.request.slots:
            state["port"] = live
        return state

    def _expected(self, before: Mapping[str, Any], changes: Sequence[str], todo: Plan) -> dict[str, Any]:
        state = dict(before)
        if self.request.staged:
            new = [f"{self.request.release} waits"] * len(todo.start)
            return {**state, "instances": [*state["instances"], *new]}
        if "instances" in changes:
            state["instances"] = [f"{self.request.release} running"] * self.request.instances
        if self.request.link:
            state["link"] = self.request.path
        if self.request.slots:
            state["port"] = todo.port
        return state


def shared_address(name: str, release: str) -> SluiceError:
    """Return why new instances cannot wait beside the old ones."""
    return SluiceError(
        f"stage {release} of {name}",
        "its instances share one address, so the new ones would be asked at once",
        "Give it a pair of ports, or leave staged out",
    )


def warn_of_kill(instance: Instance, ended: Ended, warn: Callable[[str], object]) -> None:
    """Say what a person should know even after a success."""
    if ended.killed:
        had = f" with {ended.connections} connections" if ended.connections else ""
        warn(
            f"{instance.id} had not ended {ended.seconds:.0f} s after it was told to and was killed{had}; "
            "requests that it still had were lost."
        )


def _target(link: str) -> str | None:
    try:
        return os.readlink(link)
    except OSError:
        return None


def end(world: World, *, absent: bool, check_mode: bool = False) -> dict[str, Any]:
    """End every instance gracefully, and with ``absent`` leave nothing of them. Same keys as a switch."""
    began = world.now()
    instances = world.runtime.instances()
    todo = [one for one in instances if absent or one.alive]
    retired = []
    for one in todo if not check_mode else ():
        world.say(f"drain {one.id}")
        ended = world.runtime.end(one, keep=not absent)
        retired.append(retired_entry(one, ended))
        warn_of_kill(one, ended, world.warn)
    left = instances if check_mode else world.runtime.instances()
    before = [f"{one.release or 'unknown'} {one.status}" for one in instances]
    after = [] if absent else [f"{one.release or 'unknown'} stopped" for one in instances]
    return {
        "changed": bool(todo),
        "previous": previous_release(instances, None),
        "current": None,
        "instances": [entry(one, None) for one in left],
        "retired": retired,
        "duration": round(world.now() - began, 3),
        "diff": {"before": {"instances": before}, "after": {"instances": after if todo else before}},
    }

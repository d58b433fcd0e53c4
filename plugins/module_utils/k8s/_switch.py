# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""From one release to another in a cluster: apply beside what serves, prove, move, retire; or go back."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import redact
from ansible_collections.sluice.release.plugins.module_utils.k8s import _access, _manifests, _patch, _plan, _transform
from ansible_collections.sluice.release.plugins.module_utils.k8s._cluster import (
    Cluster,
    ConflictError,
    MissingError,
    retried,
)
from ansible_collections.sluice.release.plugins.module_utils.k8s._objects import (
    APP,
    REVISION,
    SLOT,
    Object,
    kind,
    labels,
    name,
    notes_of,
    release_of,
    title,
)
from ansible_collections.sluice.release.plugins.module_utils.k8s._plan import Plan, Target
from ansible_collections.sluice.release.plugins.module_utils.k8s._pods import (
    Unit,
    drain_problems,
    pod,
    served_template,
)
from ansible_collections.sluice.release.plugins.module_utils.k8s._prune import prune
from ansible_collections.sluice.release.plugins.module_utils.k8s._watch import Leaving, UnprovenError, Watch
from ansible_collections.sluice.release.plugins.module_utils.switch._ready import Ready

_LOG_LINES = 20

# Seconds that old pods get to end, and what served to be whole again.
_RECOVERY = 120.0

# These may hold what no release has put there: they stay when a first release fails.
_NEVER_DELETED = ("Namespace", "PersistentVolumeClaim", "CustomResourceDefinition")


@dataclass(frozen=True)
class Request:
    """What shall serve, and how it gets there. Times in seconds."""

    release: _transform.Release
    path: str
    manifests: Sequence[str]
    ready: Ready
    strategy: str = "rolling"
    weight: float = 100.0
    reach: str = "auto"
    drain_timeout: float = 8.0
    timeout: float = 600.0
    patience: float = 30.0
    settle: float = 2.0
    keep: int = 5
    revisions: Mapping[str, int] = field(default_factory=dict)
    """Of each Deployment: go back to these instead of applying manifests."""


@dataclass
class World:
    """What the switch acts on."""

    cluster: Cluster
    say: Callable[[str], object] = str
    warn: Callable[[str], object] = str
    secrets: list[str] = field(default_factory=list)


class Switch:
    """One run of the module with state active."""

    def __init__(self, request: Request, world: World, check_mode: bool = False) -> None:
        self.request = request
        self.world = world
        self.cluster = world.cluster
        self.check_mode = check_mode
        self.doing = f"switch {request.release.app} to {request.release.id}"
        self.watch: Watch | None = None
        self.leaving = Leaving()
        self.undo: list[Callable[[], object]] = []
        self.before: dict[str, Unit] = {}
        self.moved = False

    def run(self) -> dict[str, Any]:
        """Do it. SluiceError, with the evidence in its fields, when the release does not serve in the end."""
        began = time.monotonic()
        plan = self._plan()
        self.before = self._watch().units([name(one.wanted) for one in plan.targets] + listed(plan.retire))
        result = self._result(plan)
        if self.check_mode:
            return {**result, "duration": round(time.monotonic() - began, 3)}
        try:
            self._bring(plan)
            self._prove(plan)
            self._move(plan)
            self._finish(plan)
        except (UnprovenError, SluiceError, ConflictError, MissingError) as problem:
            raise self._failure(plan, problem, result) from problem
        self._retire(plan)
        pruned = self._prune(plan)
        for entry in self.leaving.done:
            if entry["killed"]:
                self.world.warn(f"Pod {entry['id']} had to be killed; requests that it still had were lost.")
        return {
            **result,
            "instances": [one.result() for one in self._watch().seen.values() if not one.pod.leaving],
            "retired": self.leaving.done,
            "revisions": self._revisions(plan),
            "pruned": pruned,
            "duration": round(time.monotonic() - began, 3),
        }

    # -- before anything moves ---------------------------------------------------------------------------------------

    def _plan(self) -> Plan:
        request, cluster = self.request, self.cluster
        if request.revisions:
            _access.check(cluster, [], self.doing, writing=not self.check_mode)
            app = request.release.app
            return _plan.rolling(cluster, _plan.to_revisions(cluster, app, request.release.id, request.revisions), app)
        objects = _manifests.read(request.path, request.manifests)
        objects = _access.without_given_namespaces(cluster, objects, self.world.warn)
        _access.check(cluster, objects, self.doing, writing=not self.check_mode)
        objects = [cluster.complete(thing) for thing in objects]
        self.world.secrets += _transform.secrets(objects)
        _access.check_namespaces(cluster, objects, self.doing)
        ready = _transform.prepare(objects, request.release, self.world.warn)
        _access.check(cluster, ready, self.doing, writing=not self.check_mode)
        for thing in ready:
            if kind(thing) == "Deployment":
                for problem in drain_problems(thing["spec"]["template"], request.drain_timeout):
                    self.world.warn(f"{title(thing)}: {problem}.")
        app = request.release.app
        try:
            if request.strategy == "canary" and request.weight < 100:
                return _plan.canary(cluster, ready, app, request.weight)
            if request.strategy == "blue_green":
                return _plan.blue_green(cluster, ready, app)
            return _plan.rolling(cluster, ready, app)
        except (MissingError, ConflictError) as error:
            raise SluiceError(self.doing, str(error)) from error
        except SluiceError as error:
            if error.fields.get("status") == 422:
                raise SluiceError(
                    self.doing, redact(error.cause, self.world.secrets), "Correct the manifest"
                ) from error
            raise

    def _watch(self) -> Watch:
        if self.watch is None:
            request = self.request
            direct = _access.asks_directly(self.cluster, request.reach)
            self.watch = Watch(self.cluster, request.ready, direct, request.timeout, request.patience, self.world.say)
        return self.watch

    def _result(self, plan: Plan) -> dict[str, Any]:
        release = self.request.release.id
        served = [release_of(served_template(found)) or "unknown" for found in self.before.values() if found.replicas]
        others = [entry for entry in served if entry != release] or served
        previous = max(sorted(set(others)), key=others.count) if others else None
        partial = self.request.strategy == "canary" and self.request.weight < 100
        before, after = self._diff(plan)
        return {
            "changed": plan.needed,
            "previous": previous,
            "current": self._stable(plan) if partial else release,
            "instances": [],
            "retired": [],
            "slot": plan.slot,
            "revisions": {},
            "pruned": [],
            "diff": {"before": before, "after": after},
        }

    def _stable(self, plan: Plan) -> str | None:
        """Return the artifact that serves beside a canary."""
        names = {name(one.wanted) for one in plan.targets}
        found = [
            release_of(thing["spec"]["template"]) or "unknown"
            for thing in self.cluster.find("apps/v1", "Deployment", f"{APP}={self.request.release.app}")
            if name(thing) not in names
        ]
        return max(sorted(set(found)), key=found.count) if found else None

    def _diff(self, plan: Plan) -> tuple[Object, Object]:
        before: Object = {}
        after: Object = {}
        for entry in plan.entries:
            if entry.needed:
                before[title(entry.wanted)] = _patch.shown(entry.before, self.world.secrets)
                after[title(entry.wanted)] = _patch.shown(entry.after, self.world.secrets)
        for thing in plan.retire:
            before[title(thing)] = {"replicas": thing["spec"].get("replicas", 1)}
            after[title(thing)] = {"replicas": 0}
        for thing in plan.remove:
            before[title(thing)] = _patch.shown(thing, self.world.secrets)
            after[title(thing)] = {}
        return before, after

    # -- beside what serves ------------------------------------------------------------------------------------------

    def _bring(self, plan: Plan) -> None:
        """Apply all that disturbs nothing, and let new pods start."""
        for change in plan.changes:
            if change.needed and not change.late:
                self._apply(change.wanted, change.before)
        for one in plan.targets:
            if one.needed or one.held:
                self.world.say(f"start pods of {name(one.wanted)}")
                self._start(one)

    def _apply(self, wanted: Object, before: Object | None) -> None:
        if before is None:
            if kind(wanted) not in _NEVER_DELETED:
                self.undo.append(lambda: self.cluster.delete(wanted))
        else:
            self.undo.append(lambda: self._restore(before))
        self.cluster.apply(wanted)

    def _restore(self, before: Object) -> None:
        """Put an object back as it was."""
        now = self.cluster.get(before)
        metadata = {key: value for key, value in before["metadata"].items() if key != "managedFields"}
        if now is None:
            for key in ("uid", "resourceVersion"):
                metadata.pop(key, None)
            self.cluster.create({**before, "metadata": metadata})
        else:
            metadata["resourceVersion"] = now["metadata"]["resourceVersion"]
            self.cluster.replace({**before, "metadata": metadata})

    def _start(self, one: Target) -> None:
        if one.before is None:
            self.undo.append(lambda: self.cluster.delete(one.wanted))
            self.cluster.create(one.wanted)
            return
        self.undo.append(lambda: self._take_back(one))
        self.cluster.edit(one.before, one.operations)

    def _take_back(self, one: Target) -> None:
        now = self.cluster.get(one.wanted)
        if now is None or one.before is None:
            return
        found = self.before.get(name(one.wanted))
        template = (served_template(found) if found else None) or one.before["spec"]["template"]
        self.cluster.edit(now, _patch.back(one.before, template, now, replicas=one.replicas is not None))

    def _prove(self, plan: Plan) -> None:
        """Wait until the first new pods of every Deployment are proven: all of them, or the first that may be there."""
        batches = {name(one.wanted): one.batch for one in plan.targets if one.batch}
        if not batches:
            return
        watch = self._watch()
        watch.until(
            list(batches),
            lambda units: all(watch.proven(units[one], count) for one, count in batches.items()),
            f"prove {self.request.release.id}",
        )

    # -- the move ----------------------------------------------------------------------------------------------------

    def _move(self, plan: Plan) -> None:
        """Let requests go to the new pods, and old ones end."""
        for change in plan.changes:
            if change.needed and change.late:
                self.world.say(f"move {title(change.wanted)}")
                self._apply(change.wanted, change.before)
        for one in plan.targets:
            if one.moves and name(one.wanted) in self.before:
                # Some end so fast that nobody would see them leave.
                self.leaving.expect(self.before[name(one.wanted)].pods)
            if one.held:
                now = self.cluster.get(one.wanted)
                self.moved = True
                if now is not None:
                    self.cluster.edit(now, _patch.let_go(now))

    def _finish(self, plan: Plan) -> None:
        """Wait until each Deployment has all its pods, every one of them proven, and no other."""
        watch = self._watch()
        names = [name(one.wanted) for one in plan.targets]
        for one in plan.targets:
            if one.after["spec"].get("replicas") == 0:
                self.world.warn(f"{title(one.wanted)} is scaled to 0, so nothing of it was proven.")

        def done(units: Mapping[str, Unit]) -> bool:
            for found in units.values():
                self.leaving.expect(found.old)
            self.leaving.look(pod for found in units.values() for pod in found.pods)
            return all(found.rolled_out and watch.proven(found, found.replicas) for found in units.values())

        if names:
            watch.until(names, done, f"roll out {self.request.release.id}")
        if plan.slot and any(kind(change.wanted) == "Service" and change.needed for change in plan.changes):
            self.world.say("wait until no request goes to the old pods")
            time.sleep(self.request.settle)

    def _retire(self, plan: Plan) -> None:
        """End what else runs, and wait until every old pod has ended."""
        targets = [name(one.wanted) for one in plan.targets]
        units = self._watch().units([*targets, *listed(plan.retire), *listed(plan.remove)])
        for found in units.values():
            self.leaving.expect(found.old if found.name in targets else found.pods)
        for thing in plan.retire:
            self.world.say(f"retire {name(thing)}")
            self.cluster.edit(thing, _patch.scaled(thing, 0, remember=True))
        for thing in plan.remove:
            self.world.say(f"remove {name(thing)}")
            self.cluster.delete(thing)
        await_end(self.world, self.leaving)

    def _prune(self, plan: Plan) -> list[str]:
        objects = [one.wanted for one in plan.entries]
        try:
            return prune(self.cluster, self.request.release.app, objects, self.request.keep)
        except (SluiceError, MissingError, ConflictError) as error:
            self.world.warn(f"Old configurations were not removed: {error}")
            return []

    def _revisions(self, plan: Plan) -> dict[str, int]:
        found = {}
        for one in plan.targets:
            now = self.cluster.get(one.wanted)
            if now is not None and notes_of(now).get(REVISION):
                found[name(one.wanted)] = int(notes_of(now)[REVISION])
        return found

    # -- when it fails -----------------------------------------------------------------------------------------------

    def _failure(self, plan: Plan, problem: Exception, result: Mapping[str, Any]) -> SluiceError:
        cause = problem.cause if isinstance(problem, SluiceError) else str(problem)
        logs = self._logs()
        instances = [one.result() for one in self._watch().seen.values()]
        self.world.say("go back to what served")
        left = self._go_back(plan)
        evidence = {
            **result,
            "current": result["previous"],
            "changed": self.moved or bool(left),
            "instances": instances,
            "retired": self.leaving.done,
            "logs": logs,
            "diff": {"before": {}, "after": {}},
        }
        if left:
            remedy = (
                f"Going back did not work either ({'; '.join(left)}); see: kubectl get pods -n {self.cluster.namespace}"
            )
        elif result["previous"]:
            remedy = f"The new pods were removed; {result['previous']} goes on serving"
        else:
            remedy = "The new pods were removed; nothing served before, and nothing serves now"
        text = redact(cause, self.world.secrets)
        words = next((entry["lines"][-1] for entry in logs if entry["lines"]), "")
        return SluiceError(self.doing, f"{text}; its log says: {words}" if words else text, remedy, **evidence)

    def _go_back(self, plan: Plan) -> list[str]:
        """Undo what was done, the last first. Returns what could not be undone."""
        problems = []
        until = time.monotonic() + self.request.patience
        for step in reversed(self.undo):
            for attempt in range(3):
                try:
                    retried(step, until)
                    break
                except ConflictError as error:
                    if attempt == 2:
                        problems.append(str(error))
                except (SluiceError, MissingError) as error:
                    problems.append(redact(str(error), self.world.secrets))
                    break
        for thing in plan.remove:
            # The canary that was to be the release, or one that the release was to replace.
            with contextlib.suppress(SluiceError):
                self.cluster.delete(thing)
        problems += self._await_served(plan)
        return problems

    def _await_served(self, plan: Plan) -> list[str]:
        """Wait until what served is whole, and no new pod takes requests any more."""
        watch = self._watch()
        new = set(watch.seen)
        names = [name(one.wanted) for one in plan.targets if one.before is not None]
        until = time.monotonic() + _RECOVERY
        while True:
            units = retried(lambda: watch.units(names), until)
            there = {pod.name for found in units.values() for pod in found.pods if not pod.leaving}
            whole = all(found.rolled_out or not found.replicas for found in units.values())
            if whole and not there & new and not self._running(plan, new):
                return []
            if time.monotonic() > until:
                return [] if not there & new else [f"pods {', '.join(sorted(there & new))} are still there"]
            time.sleep(0.25)

    def _running(self, plan: Plan, new: set[str]) -> bool:
        """Whether pods of Deployments that were made in this run are still there and not told to end."""
        if all(one.before is not None for one in plan.targets):
            return False
        return any(
            name(thing) in new and not thing["metadata"].get("deletionTimestamp")
            for thing in self.cluster.find("v1", "Pod")
        )

    def _logs(self) -> list[dict[str, Any]]:
        """Return the last lines of the new pods, those that did not prove themselves first."""
        found = []
        for one in sorted(self._watch().seen.values(), key=lambda one: one.proven):
            lines: list[str] = []
            for container in one.pod.containers:
                text = self.cluster.log(one.pod.name, container, _LOG_LINES, previous=False)
                if one.pod.restarts and not text.strip():
                    text = self.cluster.log(one.pod.name, container, _LOG_LINES, previous=True)
                lines += redact(text, self.world.secrets).splitlines()
            found.append({"id": one.pod.name, "lines": lines})
        return found


def listed(objects: Sequence[Object]) -> list[str]:
    return [name(thing) for thing in objects]


def end(app: str, world: World, *, absent: bool, check_mode: bool = False) -> dict[str, Any]:
    """End every pod of an application, and with ``absent`` forget its Deployments and configurations."""
    began = time.monotonic()
    cluster = world.cluster
    _access.check(cluster, [], f"end {app}", writing=not check_mode)
    deployments = cluster.find("apps/v1", "Deployment", f"{APP}={app}")
    running = [thing for thing in deployments if thing["spec"].get("replicas") != 0]
    doomed = list(deployments) if absent else running
    for of in ("Secret", "ConfigMap") if absent else ():
        with contextlib.suppress(SluiceError):
            doomed += cluster.find("v1", of, f"{APP}={app}")
    served = [release_of(thing["spec"]["template"]) or "unknown" for thing in running]
    leaving = Leaving()
    if not check_mode:
        watch = Watch(cluster, Ready("", ""), False, _RECOVERY, _RECOVERY, world.say)
        for found in watch.units(listed(deployments)).values():
            leaving.expect(found.pods)
        for thing in doomed:
            world.say(f"end {title(thing)}")
            if absent:
                cluster.delete(thing)
            else:
                cluster.edit(thing, _patch.scaled(thing, 0, remember=True))
        await_end(world, leaving)
    return {
        "changed": bool(doomed),
        "previous": max(sorted(set(served)), key=served.count) if served else None,
        "current": None,
        "instances": [],
        "retired": leaving.done,
        "slot": next((labels(thing).get(SLOT) for thing in running), None),
        "revisions": {},
        "pruned": [],
        "duration": round(time.monotonic() - began, 3),
        "diff": {
            "before": {title(thing): {"replicas": thing["spec"].get("replicas", 1)} for thing in running},
            "after": {} if absent else {title(thing): {"replicas": 0} for thing in running},
        },
    }


def await_end(world: World, leaving: Leaving) -> None:
    """Wait until the pods that shall go have ended, and warn when they do not."""
    until = time.monotonic() + _RECOVERY
    while not leaving.look([pod(thing, "") for thing in retried(lambda: world.cluster.find("v1", "Pod"), until)]):
        if time.monotonic() > until:
            world.warn(f"Pods had still not ended {_RECOVERY:g} s after they were told to: {sorted(leaving.names)}.")
            return
        world.say(f"drain {len(leaving.names)} old pods")
        time.sleep(0.25)

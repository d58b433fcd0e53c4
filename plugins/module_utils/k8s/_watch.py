# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The proof of pods while their rollout goes on: every single one has to be ready, answer, and say its version."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils.k8s._cluster import Cluster, retried
from ansible_collections.sluice.release.plugins.module_utils.k8s._objects import name
from ansible_collections.sluice.release.plugins.module_utils.k8s._pods import Pod, Trouble, Unit, unit
from ansible_collections.sluice.release.plugins.module_utils.switch import _ready
from ansible_collections.sluice.release.plugins.module_utils.switch._ready import Answer, Proof, Ready

# In a URL of option ready: the pod that is asked.
PLACE = "{pod}"

# A proof counts by process; a pod is asked by its name, so there is but one.
_ONE = 0

# Seconds that a pod may be listed beyond its grace.
_LATE = 10.0


class UnprovenError(Exception):
    """A new pod, or its Deployment, has shown that it will not serve."""


@dataclass
class Seen:
    """What has become of one new pod. Times are monotonic seconds."""

    pod: Pod
    began: float
    proof: Proof
    running_since: float | None = None
    looked: float = float("-inf")
    ready_seconds: float | None = None
    answered: bool = False
    """Whether it has ever been ready: then a restart is no slow start any more."""
    restarts: int = 0

    @property
    def proven(self) -> bool:
        return self.ready_seconds is not None

    def result(self) -> dict[str, Any]:
        seconds = self.ready_seconds
        return {
            "id": self.pod.name,
            "deployment": self.pod.deployment,
            "release": self.pod.release,
            "status": self.pod.status,
            "ready": self.proven,
            "ready_seconds": None if seconds is None else round(seconds, 3),
            "restarts": self.pod.restarts,
        }


def ask(cluster: Cluster, ready: Ready, pod: Pod, direct: bool) -> Answer:
    """Ask one pod whether it is ready and which version it is: at its own address, or through the API server."""
    if direct:
        urls = {key: getattr(ready, key).replace(PLACE, pod.ip) for key in ("url", "version_url")}
        return _ready.look(Ready(**{**ready.__dict__, **urls}))
    began = time.monotonic()
    status, body, error = cluster.fetch(pod.name, ready.url.replace(PLACE, "pod"), ready.request_timeout)
    if status in ready.status and ready.version_url and ready.version_url != ready.url:
        version_url = ready.version_url.replace(PLACE, "pod")
        _status, body, error = cluster.fetch(pod.name, version_url, ready.request_timeout)
    process, version = _ready.read(ready, body)
    seconds = time.monotonic() - began
    return Answer(status, process, version, error=error, seconds=seconds) if not error else Answer(0, error=error)


@dataclass
class Watch:
    """Looks at some Deployments until they are where they shall be. Times in seconds."""

    cluster: Cluster
    ready: Ready
    direct: bool
    timeout: float
    patience: float
    say: Callable[[str], object]
    seen: dict[str, Seen] = field(default_factory=dict)
    troubles: dict[str, float] = field(default_factory=dict)

    def units(self, names: Iterable[str]) -> dict[str, Unit]:
        """Return the named Deployments as they are now; those that are gone are missing."""
        found = {name(entry): entry for entry in self.cluster.find("apps/v1", "Deployment")}
        sets = self.cluster.find("apps/v1", "ReplicaSet")
        pods = self.cluster.find("v1", "Pod")
        return {one: unit(found[one], sets, pods) for one in names if one in found}

    def until(
        self,
        names: Sequence[str],
        done: Callable[[Mapping[str, Unit]], bool],
        doing: str,
    ) -> dict[str, Unit]:
        """Look and ask until ``done``. UnprovenError when something is wrong or the time is up."""
        began = time.monotonic()
        pause = max(0.05, min(self.ready.interval, 0.5))
        while True:
            units: dict[str, Unit] = retried(lambda: self.units(names), time.monotonic() + self.patience)
            for found in units.values():
                self._check(found.name, found.trouble)
                self._prove(found)
            if len(units) == len(names) and done(units):
                return units
            if time.monotonic() - began > self.timeout:
                raise UnprovenError(f"{self._missing(units)} after {self.timeout:g} s")
            fresh = [pod for found in units.values() for pod in found.fresh]
            proven = sum(pod.name in self.seen and self.seen[pod.name].proven for pod in fresh)
            self.say(f"{doing}: {proven} of {len(fresh)} new pods proven")
            time.sleep(pause)

    def proven(self, found: Unit, at_least: int) -> bool:
        """Whether so many new pods are there, and all of them are proven."""
        return (
            found.observed
            and len(found.fresh) >= at_least
            and all(pod.name in self.seen and self.seen[pod.name].proven for pod in found.fresh)
        )

    def _prove(self, found: Unit) -> None:
        for pod in found.fresh:
            now = time.monotonic()
            one = self.seen.get(pod.name)
            if one is None:
                proof = Proof(self.ready, [_ONE], anonymous=True)
                one = self.seen[pod.name] = Seen(pod, now, proof, restarts=pod.restarts)
            one.pod = pod
            self._check(f"pod {pod.name}", pod.trouble)
            if one.answered and pod.restarts > one.restarts:
                raise UnprovenError(f"pod {pod.name} crashed after it had been ready")
            if one.proven:
                continue
            if not pod.running:
                one.running_since = None
                continue
            one.running_since = one.running_since or now
            if now - one.looked >= self.ready.interval:
                self._look(one)
            if not one.proven and now - one.running_since > self.ready.timeout:
                raise UnprovenError(self._shortfall(one))

    def _look(self, one: Seen) -> None:
        one.looked = time.monotonic()
        answer = ask(self.cluster, self.ready, one.pod, self.direct)
        one.proof.see(Answer(**{**answer.__dict__, "pid": None}), one.looked - one.began)
        if one.proof.wrong:
            raise UnprovenError(f"pod {one.pod.name} reports version {answer.version} instead of {self.ready.version}")
        if one.proof.records[_ONE].successes and not one.answered:
            one.answered, one.restarts = True, one.pod.restarts
        if one.proof.complete and one.pod.ready:
            one.ready_seconds = time.monotonic() - one.began

    def _check(self, what: str, trouble: Trouble | None) -> None:
        """Raise for what lasts, and for what has lasted longer than patience."""
        if trouble is None:
            self.troubles.pop(what, None)
            return
        since = self.troubles.setdefault(what, time.monotonic())
        if trouble.lasting or time.monotonic() - since >= self.patience:
            raise UnprovenError(f"{what}: {trouble.text}")
        self.say(f"{what}: {trouble.text}")

    def _shortfall(self, one: Seen) -> str:
        record = one.proof.records[_ONE]
        probe = ""
        if not one.pod.ready:
            failed = [entry for entry in self.cluster.events(one.pod.name) if entry.get("reason") == "Unhealthy"]
            probe = f"; {failed[-1].get('message')}" if failed else "; Kubernetes does not call it ready"
        return (
            f"pod {one.pod.name} has not proven itself {self.ready.timeout:g} s after its start: {record.seen} "
            f"({record.successes} of {self.ready.successes} in a row){probe}"
        )

    def _missing(self, units: Mapping[str, Unit]) -> str:
        parts = []
        for found in units.values():
            troubles = [f"{pod.name}: {pod.trouble.text}" for pod in found.fresh if pod.trouble]
            proven = sum(pod.name in self.seen and self.seen[pod.name].proven for pod in found.fresh)
            more = f" ({'; '.join(troubles)})" if troubles else ""
            parts.append(f"Deployment {found.name} has {proven} proven of {found.replicas} pods{more}")
        return ", ".join(parts) or "no Deployment was found"


@dataclass
class Leaving:
    """Old pods on their way out: how long each took, and whether it had to be killed."""

    names: set[str] = field(default_factory=set)
    """Those that shall go."""
    since: dict[str, float] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)
    done: list[dict[str, Any]] = field(default_factory=list)

    def expect(self, pods: Iterable[Pod]) -> None:
        """Let these go, too; those that have ended already count for nothing."""
        noted = {entry["id"] for entry in self.done}
        for pod in pods:
            if pod.name not in noted and not (pod.ended and pod.name not in self.pods):
                self.names.add(pod.name)
                self.pods[pod.name] = pod

    def look(self, pods: Iterable[Pod]) -> bool:
        """Take all pods of one moment into account. Returns whether everyone who shall go has ended."""
        now = time.monotonic()
        here = {pod.name: pod for pod in pods if pod.name in self.names}
        for pod in here.values():
            self.pods[pod.name] = pod
            if pod.leaving:
                self.since.setdefault(pod.name, now)
        for one in sorted(self.names):
            # Nothing runs longer than that; what is still listed has a node that does not answer.
            late = now - self.since.get(one, now) > self.pods[one].grace + _LATE
            if one not in here or here[one].ended or late:
                self._note(one, now)
        return not self.names

    def _note(self, one: str, now: float) -> None:
        self.names.discard(one)
        pod, seconds = self.pods[one], now - self.since.pop(one, now)
        killed = 137 in pod.exit_codes or seconds >= pod.grace
        self.done.append({"id": one, "release": pod.release, "seconds": round(seconds, 3), "killed": killed})

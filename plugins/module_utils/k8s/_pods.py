# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""How far a rollout is, and why it will not get further: read from the status of Deployments and pods."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils.k8s._objects import (
    REVISION,
    Object,
    name,
    notes_of,
    owned_by,
    release_of,
)

# Reasons for which a container waits, and whether they stay however long one waits.
_WAITING = {
    "CrashLoopBackOff": True,
    "ErrImageNeverPull": True,
    "InvalidImageName": True,
    "CreateContainerConfigError": False,
    "CreateContainerError": False,
    "ErrImagePull": False,
    "ImagePullBackOff": False,
    "ImageInspectError": False,
    "RegistryUnavailable": False,
    "RunContainerError": False,
}


@dataclass(frozen=True)
class Trouble:
    """Why something does not get on. ``lasting``: waiting will not help."""

    text: str
    lasting: bool


@dataclass(frozen=True)
class Pod:
    """What one pod tells about itself."""

    name: str
    deployment: str
    release: str | None
    ip: str
    phase: str
    ready: bool
    running: bool
    """Whether all of its containers run."""
    alive: bool
    """Whether any of them does."""
    restarts: int
    leaving: bool
    """Whether it has been told to end."""
    grace: float
    """Seconds that it has for that."""
    exit_codes: tuple[int, ...]
    """Of its containers that have ended, as long as it is still there."""
    containers: tuple[str, ...]
    trouble: Trouble | None

    @property
    def ended(self) -> bool:
        """Whether nothing of it runs any more: the object itself may stay for a minute after that."""
        return self.leaving and not self.alive

    @property
    def status(self) -> str:
        """What ``kubectl get pods`` would say, more or less."""
        if self.leaving:
            return "Terminating"
        if self.phase == "Running":
            return "Running" if self.running else "NotRunning"
        return self.phase


def pod(thing: Mapping[str, Any], deployment: str) -> Pod:
    """Read a pod."""
    metadata, spec, status = thing["metadata"], thing["spec"], thing.get("status") or {}
    own = status.get("containerStatuses") or []
    everyone = [*(status.get("initContainerStatuses") or []), *own]
    ended = [found["terminated"] for entry in own for found in [entry.get("state") or {}] if found.get("terminated")]
    return Pod(
        name=metadata["name"],
        deployment=deployment,
        release=release_of(thing),
        ip=status.get("podIP") or "",
        phase=status.get("phase") or "Pending",
        ready=_condition(status, "Ready").get("status") == "True",
        running=len(own) == len(spec["containers"]) and all((entry.get("state") or {}).get("running") for entry in own),
        # A container that is gone before its end was told shows up as one that waits to be created.
        alive=any((entry.get("state") or {}).get("running") for entry in own),
        restarts=sum(entry.get("restartCount") or 0 for entry in everyone),
        leaving=bool(metadata.get("deletionTimestamp")),
        grace=float(metadata.get("deletionGracePeriodSeconds") or spec.get("terminationGracePeriodSeconds") or 30),
        exit_codes=tuple(entry.get("exitCode", 0) for entry in ended),
        containers=tuple(entry["name"] for entry in spec["containers"]),
        trouble=_pod_trouble(status, everyone),
    )


def _condition(status: Mapping[str, Any], of_type: str) -> Mapping[str, Any]:
    found: Sequence[Mapping[str, Any]] = status.get("conditions") or []
    return next((entry for entry in found if entry.get("type") == of_type), {})


def _pod_trouble(status: Mapping[str, Any], everyone: Sequence[Mapping[str, Any]]) -> Trouble | None:
    for entry in everyone:
        waiting = (entry.get("state") or {}).get("waiting") or {}
        reason = waiting.get("reason", "")
        if reason in _WAITING:
            last = (entry.get("lastState") or {}).get("terminated") or {}
            parts = [f"container {entry['name']}: {reason}"]
            if reason == "CrashLoopBackOff" and last:
                parts.append(f"it ended with {last.get('exitCode')} ({last.get('reason', 'no reason')})")
            elif waiting.get("message"):
                parts.append(str(waiting["message"]))
            return Trouble(", ".join(parts), _WAITING[reason])
    scheduled = _condition(status, "PodScheduled")
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        return Trouble(f"unschedulable, {scheduled.get('message', 'no reason given')}", False)
    if status.get("phase") == "Failed":
        return Trouble(f"failed, {status.get('reason') or 'its containers have ended'}", True)
    return None


@dataclass(frozen=True)
class Unit:
    """One Deployment with what it runs, as seen at one moment."""

    deployment: Object
    sets: tuple[Object, ...]
    pods: tuple[Pod, ...]
    current: Object | None
    """The ReplicaSet of the Deployment's own template; None while the cluster has not made it."""
    fresh: tuple[Pod, ...]
    """Pods of that, without those that are leaving."""
    old: tuple[Pod, ...]
    """All others; none as long as it is not known which are new."""

    @property
    def name(self) -> str:
        return name(self.deployment)

    @property
    def replicas(self) -> int:
        found = self.deployment["spec"].get("replicas")
        return 1 if found is None else int(found)

    @property
    def observed(self) -> bool:
        """Whether the status belongs to the specification."""
        return observed(self.deployment)

    @property
    def rolled_out(self) -> bool:
        """What ``kubectl rollout status`` waits for."""
        status = self.deployment.get("status") or {}
        updated, total = int(status.get("updatedReplicas") or 0), int(status.get("replicas") or 0)
        available = int(status.get("availableReplicas") or 0)
        return self.observed and updated >= self.replicas and total <= updated and available >= updated

    @property
    def trouble(self) -> Trouble | None:
        """What holds up the Deployment itself."""
        if not self.observed:
            return None
        if self.deployment["spec"].get("paused"):
            return Trouble(f"it is paused; see: kubectl rollout resume deployment/{self.name}", True)
        status = self.deployment.get("status") or {}
        failure = _condition(status, "ReplicaFailure")
        if failure.get("status") == "True":
            return Trouble(f"{failure.get('reason', 'FailedCreate')}, {failure.get('message', '')}", False)
        progress = _condition(status, "Progressing")
        if progress.get("reason") == "ProgressDeadlineExceeded":
            return Trouble(f"its progress deadline has passed ({progress.get('message', '')})", True)
        return None


def observed(deployment: Mapping[str, Any]) -> bool:
    """Whether the cluster has seen the specification as it is now."""
    status = deployment.get("status") or {}
    return int(status.get("observedGeneration") or 0) >= int(deployment["metadata"].get("generation") or 0)


def unit(deployment: Object, sets: Sequence[Object], pods: Sequence[Object]) -> Unit:
    """Put together what belongs to a Deployment; more may be given."""
    own = [entry for entry in sets if owned_by(entry, deployment)]
    # Until the cluster has seen the new template, the revision is that of the old one.
    revision = notes_of(deployment).get(REVISION) if observed(deployment) else None
    current = next((entry for entry in own if revision and notes_of(entry).get(REVISION) == revision), None)
    read = [(entry, pod(entry, name(deployment))) for entry in pods if any(owned_by(entry, one) for one in own)]
    fresh = [one for entry, one in read if current is not None and owned_by(entry, current)]
    staying = tuple(one for one in fresh if not one.leaving)
    return Unit(
        deployment=deployment,
        sets=tuple(own),
        pods=tuple(one for _entry, one in read),
        current=current,
        fresh=staying,
        old=tuple(one for _entry, one in read if current is not None and one not in staying),
    )


def served_template(found: Unit) -> Object | None:
    """Return the template of the pods that serve: not of those that a killed run has left unproven."""
    serving = [entry for entry in found.sets if int((entry.get("status") or {}).get("availableReplicas") or 0)]
    if not serving or (found.current is not None and any(entry is found.current for entry in serving)):
        template: Object = found.deployment["spec"]["template"]
        return template
    best = max(serving, key=lambda entry: int(entry["status"]["availableReplicas"]))
    return without_hash(best["spec"]["template"])


def without_hash(template: Mapping[str, Any]) -> Object:
    """Return a ReplicaSet's template as its Deployment had it."""
    metadata = template.get("metadata") or {}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != "pod-template-hash"}
    return {**template, "metadata": {**metadata, "labels": labels}}


def surge(deployment: Mapping[str, Any], replicas: int) -> int:
    """Return how many pods may be there beside ``replicas``, as Kubernetes rounds: up."""
    strategy = deployment["spec"].get("strategy") or {}
    value = (strategy.get("rollingUpdate") or {}).get("maxSurge", "25%")
    if isinstance(value, str) and value.endswith("%"):
        return math.ceil(replicas * int(value[:-1]) / 100)
    return int(value)


def share(replicas: int, percent: float) -> int:
    """Return how many canary pods beside ``replicas`` take about ``percent`` of the requests; at least one."""
    if percent >= 100:
        return replicas
    return max(1, math.ceil(replicas * percent / (100 - percent) - 0.5))


def drain_problems(template: Mapping[str, Any], drain_timeout: float) -> list[str]:
    """Say why requests may be lost when pods of this template end."""
    spec = template["spec"]
    grace = float(spec.get("terminationGracePeriodSeconds") or 30)
    problems = []
    for container in spec["containers"]:
        hook = (container.get("lifecycle") or {}).get("preStop")
        if container.get("ports") and not hook:
            problems.append(
                f"container {container['name']} has no preStop hook: it is told to end while requests are still sent "
                "to it; let it sleep first (15 s are enough for most clusters)"
            )
        wait = prestop_seconds(hook or {})
        if wait + drain_timeout > grace:
            problems.append(
                f"terminationGracePeriodSeconds is {grace:g}, but container {container['name']} may need "
                f"{wait + drain_timeout:g} s (preStop {wait:g}, drain_timeout {drain_timeout:g}) until it is killed"
            )
    return problems


def prestop_seconds(hook: Mapping[str, Any]) -> float:
    """Return how long a hook sleeps, as far as that can be seen."""
    if "sleep" in hook:
        return float(hook["sleep"].get("seconds") or 0)
    words = " ".join((hook.get("exec") or {}).get("command") or []).split()
    for word, following in zip(words, words[1:]):
        if word.endswith("sleep"):
            try:
                return float(following.rstrip("s;"))
            except ValueError:
                return 0.0
    return 0.0

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What is to be done: which Deployments get which template, and which other objects before and after the proof."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.k8s import _patch, _pods, _transform
from ansible_collections.sluice.release.plugins.module_utils.k8s._cluster import Cluster, MissingError
from ansible_collections.sluice.release.plugins.module_utils.k8s._objects import (
    APP,
    BASE,
    HELD,
    MARK,
    REPLICAS,
    REVISION,
    SLOT,
    SLOTS,
    Object,
    kind,
    labels,
    name,
    namespace,
    notes_of,
    owned_by,
    release_of,
    selects,
    template,
    title,
)

# These send requests to pods, or decide about their number: they wait for the proof where they are there already.
_LATE = (
    "Service",
    "Ingress",
    "HorizontalPodAutoscaler",
    "HTTPRoute",
    "Gateway",
    "PodDisruptionBudget",
    "NetworkPolicy",
)


@dataclass
class Change:
    """One object that is not a Deployment of the release."""

    wanted: Object
    before: Object | None
    after: Object

    @property
    def needed(self) -> bool:
        return not _patch.same(self.before, self.after)

    @property
    def late(self) -> bool:
        """Whether it waits until the new pods are proven."""
        return self.before is not None and kind(self.wanted) in _LATE


@dataclass
class Target:
    """One Deployment that shall run the release."""

    wanted: Object
    before: Object | None
    after: Object
    operations: list[Object] = field(default_factory=list)
    replicas: int | None = None
    """The number of its pods, where that is this collection's business."""
    held: bool = False
    """Whether old pods stay until new ones of it are proven."""
    batch: int = 0
    """How many new pods have to be proven before anything moves."""

    @property
    def needed(self) -> bool:
        return not _patch.same(self.before, self.after)

    @property
    def moves(self) -> bool:
        """Whether it gets other pods."""
        return self.before is None or self.before["spec"]["template"] != self.after["spec"]["template"]


@dataclass
class Plan:
    """All that one run does, in this order: changes that are not late, targets, proof, late changes, retirement."""

    changes: list[Change]
    targets: list[Target]
    retire: list[Object] = field(default_factory=list)
    """Deployments that go, once the others serve: they keep their template and lose their pods."""
    remove: list[Object] = field(default_factory=list)
    """Deployments of a canary, which are deleted then."""
    slot: str | None = None

    @property
    def needed(self) -> bool:
        return bool(self.retire or self.remove) or any(entry.needed for entry in self.entries)

    @property
    def entries(self) -> list[Change | Target]:
        return [*self.changes, *self.targets]


def rolling(cluster: Cluster, objects: Sequence[Object], app: str) -> Plan:
    """New pods take the place of old ones within their Deployments."""
    wanted = [thing for thing in objects if kind(thing) == "Deployment"]
    targets = [target(cluster, thing) for thing in wanted]
    return Plan(
        [change(cluster, thing, objects) for thing in objects if kind(thing) != "Deployment"],
        targets,
        *_leftovers(cluster, app, {name(thing) for thing in wanted}),
    )


def to_revisions(cluster: Cluster, app: str, release: str, revisions: Mapping[str, int]) -> list[Object]:
    """Return the Deployments as they are, with the templates of earlier revisions of that very release.

    Kubernetes counts a revision anew when it is gone back to, so the number alone says little.
    """
    doing = f"go back to {release}"
    sets = cluster.find("apps/v1", "ReplicaSet")
    found = []
    for called, revision in sorted(revisions.items()):
        metadata = {"name": called, "namespace": cluster.namespace}
        live = cluster.get({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata})
        if live is None or not _patch.is_ours(live, app):
            raise SluiceError(doing, f"{app} has no Deployment {called}", "Give the release directory instead")
        own = [one for one in sets if owned_by(one, live)]
        fitting = [one for one in own if notes_of(one).get(REVISION) == str(revision)]
        if not fitting or release_of(fitting[0]["spec"]["template"]) != release:
            runs = release_of(fitting[0]["spec"]["template"]) or "unknown" if fitting else "gone"
            raise SluiceError(
                doing, f"revision {revision} of Deployment {called} is {runs}", "Give the release directory instead"
            )
        spec = {**live["spec"], **_patch.unheld(live), "template": _pods.without_hash(fitting[0]["spec"]["template"])}
        found.append({**essential(live), "spec": spec})
    return found


def essential(live: Mapping[str, Any]) -> Object:
    """Return a Deployment with its name and nothing that was noted on it."""
    metadata = {key: live["metadata"][key] for key in ("name", "namespace", "labels") if key in live["metadata"]}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata}


def canary(cluster: Cluster, objects: Sequence[Object], app: str, weight: float) -> Plan:
    """Some pods of the release beside those that serve; Services and all else stay as they are."""
    targets = []
    for thing in objects:
        if kind(thing) != "Deployment":
            continue
        stable = cluster.get(thing)
        if stable is None:
            raise SluiceError(
                f"give {weight:g} % of the requests to {name(thing)}",
                "nothing serves beside which it could run",
                "Switch the first release with weight 100",
            )
        if notes_of(stable["spec"]["template"]).get(MARK) != notes_of(thing["spec"]["template"])[MARK]:
            count = _pods.share(int(stable["spec"].get("replicas") or 0), weight)
            targets.append(target(cluster, _transform.as_canary(thing, count), replicas=count))
    names = {name(one.wanted) for one in targets}
    found = [change(cluster, thing, objects) for thing in objects if BASE in labels(thing)]
    kept = {name(thing) for thing in objects if kind(thing) == "Deployment"}
    _retire, remove = _leftovers(cluster, app, names | kept)
    return Plan(found, targets, [], remove)


def blue_green(cluster: Cluster, objects: Sequence[Object], app: str) -> Plan:
    """New Deployments beside those that serve; then the Services lead there, all at once."""
    wanted = [thing for thing in objects if kind(thing) == "Deployment"]
    pods = [labels(template(thing) or {}) for thing in wanted]
    services = [
        thing
        for thing in objects
        if kind(thing) == "Service" and any(selects(thing["spec"].get("selector"), one) for one in pods)
    ]
    if not services:
        raise SluiceError(
            f"switch {app} blue/green", "no Service in the manifests selects its pods", "Add one, or use rolling"
        )
    now = [found for thing in services for found in [cluster.get(thing)] if found]
    live = next((one for thing in now for one in [(thing["spec"].get("selector") or {}).get(SLOT)] if one), None)
    slot = choose_slot(live, {one: _runs(cluster, wanted, one) for one in SLOTS})
    found = _transform.in_slot(objects, slot, move=True)
    targets = []
    for plain, thing in zip(wanted, [thing for thing in found if kind(thing) == "Deployment"]):
        serving = cluster.get(_as(plain, _transform.slot_name(name(plain), live)) if live else plain)
        count = int((serving or plain)["spec"].get("replicas") or 0) or int(plain["spec"].get("replicas") or 1)
        targets.append(target(cluster, thing, replicas=None if live == slot and serving else count))
    plan = Plan(
        [change(cluster, thing, objects) for thing in found if kind(thing) != "Deployment"],
        targets,
        *_leftovers(cluster, app, {name(one.wanted) for one in targets}, wanted),
        slot=slot,
    )
    for one in plan.targets:
        # No request comes here yet: every pod is proven before one does.
        one.held, one.batch = False, int(one.after["spec"].get("replicas") or 0)
    return plan


def choose_slot(live: str | None, running: Mapping[str, bool]) -> str:
    """Return the slot for the release. ``running``: whether a slot has all Deployments of that very release."""
    if live is None:
        return next((slot for slot in SLOTS if running[slot]), SLOTS[0])
    if running[live]:
        return live
    return next(slot for slot in SLOTS if slot != live)


def _runs(cluster: Cluster, wanted: Sequence[Object], slot: str) -> bool:
    for thing in wanted:
        found = cluster.get(_as(thing, _transform.slot_name(name(thing), slot)))
        mark = notes_of(thing["spec"]["template"])[MARK]
        if found is None or notes_of(found["spec"]["template"]).get(MARK) != mark:
            return False
    return True


def _as(thing: Object, called: str) -> Object:
    return {**thing, "metadata": {**thing["metadata"], "name": called}}


def _leftovers(
    cluster: Cluster, app: str, names: set[str], plain: Sequence[Object] = ()
) -> tuple[list[Object], list[Object]]:
    """Return what else runs under the name of the application: to be retired, and to be deleted."""
    retire, remove = [], []
    unlabelled = {name(thing) for thing in plain}
    for thing in cluster.find("apps/v1", "Deployment"):
        if name(thing) in names or not (_patch.is_ours(thing, app) or name(thing) in unlabelled):
            continue
        if name(thing).endswith("-canary") and labels(thing).get("sluice.release/track") == "canary":
            remove.append(thing)
        elif thing["spec"].get("replicas") != 0:
            retire.append(thing)
    return retire, remove


def change(cluster: Cluster, thing: Object, objects: Sequence[Object]) -> Change:
    """Compare an object with the cluster's, by what the cluster itself says that it would become."""
    before = cluster.get(thing)
    wanted = thing
    if before is not None and isinstance(thing.get("spec"), dict) and "replicas" in thing["spec"]:
        # StatefulSets too: the number belongs to whoever has set it last.
        wanted = {**thing, "spec": {**thing["spec"], "replicas": before["spec"].get("replicas", 1)}}
    if before is None and namespace(thing) in _to_come(cluster, objects):
        return Change(wanted, None, wanted)
    return Change(wanted, before, cluster.apply(wanted, dry_run=True))


def _to_come(cluster: Cluster, objects: Sequence[Object]) -> set[str]:
    """Return the namespaces that these objects are to make."""
    return {name(thing) for thing in objects if kind(thing) == "Namespace" and cluster.get(thing) is None}


def target(cluster: Cluster, thing: Object, replicas: int | None = None) -> Target:
    """Compare a Deployment with the cluster's."""
    before = cluster.get(thing)
    if before is None:
        wanted = thing if replicas is None else {**thing, "spec": {**thing["spec"], "replicas": replicas}}
        after = wanted
        with contextlib.suppress(MissingError):
            # MissingError: its namespace is one of those to come.
            after = cluster.create(wanted, dry_run=True)
        return Target(wanted, None, after, replicas=replicas, batch=int(after["spec"].get("replicas", 1)))
    check_free(before, thing)
    if before["spec"]["selector"] != thing["spec"]["selector"]:
        raise SluiceError(
            f"change {title(thing)}",
            "its selector in the manifest is another one, and Kubernetes never changes that of a Deployment",
            "Restore the selector, or give the Deployment another name",
        )
    stopped = REPLICAS in notes_of(before) and not before["spec"].get("replicas")
    if stopped and replicas is None:
        replicas = int(notes_of(before)[REPLICAS])
    operations = _patch.to_manifest(before, thing, replicas)
    found = Target(thing, before, cluster.edit(before, operations, dry_run=True), operations, replicas)
    count = int(found.after["spec"].get("replicas") or 0)
    if stopped:
        found.batch = count
    elif (found.moves or HELD in notes_of(before)) and count and _rolls(found.after):
        found.held = True
        found.operations = _patch.held(before, operations)
        found.batch = min(count, max(1, _pods.surge(found.after, count)))
    return found


def check_free(before: Mapping[str, Any], thing: Object) -> None:
    """Refuse a Deployment that another application has, or that nobody can roll out."""
    other = labels(before).get(APP)
    if other not in (None, labels(thing).get(APP)):
        raise SluiceError(
            f"change {title(thing)}",
            f"it belongs to the application {other}",
            "Give one of the two another name, or another namespace",
        )
    if before["spec"].get("paused"):
        raise SluiceError(
            f"change {title(thing)}",
            "it is paused, so that its pods would stay as they are",
            f"See: kubectl rollout resume deployment/{name(thing)}",
        )


def _rolls(deployment: Mapping[str, Any]) -> bool:
    return (deployment["spec"].get("strategy") or {}).get("type") == "RollingUpdate"

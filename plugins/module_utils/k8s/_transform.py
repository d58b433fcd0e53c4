# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""From manifests to what is applied for one release: images, configuration by content, marks, a safe strategy."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.k8s._objects import (
    APP,
    BASE,
    HASHED,
    MARK,
    RELEASE,
    SLOT,
    TRACK,
    Object,
    containers,
    kind,
    labels,
    name,
    notes_of,
    references,
    selects,
    template,
    title,
)

# Names have up to 63 characters where they end up in a label.
_MAX_NAME = 63
_HASH = 10


@dataclass(frozen=True)
class Release:
    """What shall serve."""

    app: str
    id: str
    images: Mapping[str, str]
    """Image reference by container, by deployment/container, or by what stands in the manifest without its tag."""
    recorded: Mapping[str, str] = field(default_factory=dict)
    """The same as the release directory has it: ``images`` goes before it, and what fits no container is no mistake."""
    config: Mapping[str, str] | None = None
    """The environment of the pods; None: the manifests alone say what that is."""
    config_name: str = ""
    """Name under which the manifests refer to the Secret with that environment."""


def prepare(objects: Sequence[Object], release: Release, warn: Callable[[str], object] = str) -> list[Object]:
    """Return the objects as they are applied. The given ones are left alone."""
    found = copy.deepcopy(list(objects))
    _name_protocols(found)
    _set_images(found, release)
    if release.config is not None:
        _add_config(found, release)
    _name_by_content(found, release.app)
    for thing in found:
        pods = template(thing)
        if kind(thing) != "Deployment" or pods is None:
            continue
        thing["metadata"].setdefault("labels", {})[APP] = release.app
        _enforce_strategy(thing, warn)
        notes = pods.setdefault("metadata", {}).setdefault("annotations", {})
        notes[RELEASE] = release.id
        notes[MARK] = mark(release.id, pods)
    return found


def mark(release: str, pods: Mapping[str, Any]) -> str:
    """Name all that makes pods what they are: release and template, in which configuration is named by content."""
    text = json.dumps([release, {**pods, "metadata": _unmarked(pods)}], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _unmarked(pods: Mapping[str, Any]) -> Object:
    notes = {key: value for key, value in notes_of(pods).items() if key not in (RELEASE, MARK)}
    return {**pods.get("metadata", {}), "annotations": notes}


def _name_protocols(objects: Sequence[Object]) -> None:
    """Say TCP where nothing is said: some clusters (up to 1.20) refuse to apply ports without it."""
    for thing in objects:
        pods = template(thing)
        holders = containers(pods["spec"]) if pods else [thing["spec"]] if kind(thing) == "Service" else []
        for holder in holders:
            for port in holder.get("ports") or []:
                port.setdefault("protocol", "TCP")


def _set_images(objects: Sequence[Object], release: Release) -> None:
    used: set[str] = set()
    for thing in objects:
        pods = template(thing)
        for container in containers(pods["spec"]) if pods else ():
            keys = (f"{name(thing)}/{container['name']}", container["name"], repository(container.get("image", "")))
            used |= {key for key in keys if key in release.images}
            for images in (release.images, release.recorded):
                chosen = next((images[key] for key in keys if key in images), None)
                if chosen is not None:
                    container["image"] = chosen
                    break
    unused = sorted(set(release.images) - used)
    if unused:
        raise SluiceError(
            f"set the image of {unused[0]}",
            "no container in the manifests is called so or runs such an image",
            "Correct option images; its keys are containers, deployment/container, or images without a tag",
        )


def repository(image: str) -> str:
    """Return an image reference without its tag and digest."""
    image = image.partition("@")[0]
    head, slash, tail = image.rpartition("/")
    return f"{head}{slash}{tail.partition(':')[0]}"


def _add_config(objects: list[Object], release: Release) -> None:
    """Put a Secret with the environment before the first workload."""
    if any(kind(thing) == "Secret" and name(thing) == release.config_name for thing in objects):
        raise SluiceError(
            f"add the configuration as Secret {release.config_name}",
            "the manifests hold a Secret of that name",
            "Remove it from the manifests, or set option config_name",
        )
    wanting = [thing for thing in objects if kind(thing) == "Deployment"]
    where = {namespace_of(thing) for thing in objects for pod in [template(thing)] if pod and _needs(pod, release)}
    if not where:
        raise SluiceError(
            f"give the configuration to {', '.join(name(thing) for thing in wanting)}",
            f"no container in the manifests refers to a Secret {release.config_name}",
            f"Add envFrom: [{{secretRef: {{name: {release.config_name}}}}}] to the containers that need it",
        )
    first = next(number for number, thing in enumerate(objects) if template(thing))
    data = {key: base64.b64encode(value.encode()).decode() for key, value in sorted((release.config or {}).items())}
    for place in sorted(where, key=str):
        metadata = {"name": release.config_name, **({"namespace": place} if place else {})}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}
        objects.insert(first, secret)


def namespace_of(thing: Mapping[str, Any]) -> str | None:
    found: str | None = thing["metadata"].get("namespace")
    return found


def _needs(pods: Mapping[str, Any], release: Release) -> bool:
    return any(of == "Secret" and holder[key] == release.config_name for of, holder, key in references(pods["spec"]))


def _name_by_content(objects: Sequence[Object], app: str) -> None:
    """Call each ConfigMap and Secret that pods refer to by its content, so that it goes back with them."""
    pods = [(namespace_of(thing), found["spec"]) for thing in objects for found in [template(thing)] if found]
    named = {(place, of, holder[key]) for place, spec in pods for of, holder, key in references(spec)}
    renamed: dict[tuple[str | None, str, str], str] = {}
    for thing in objects:
        what = (namespace_of(thing), kind(thing), name(thing))
        if kind(thing) not in ("ConfigMap", "Secret") or what not in named or notes_of(thing).get(HASHED) == "false":
            continue
        renamed[what] = by_content(thing)
        thing["metadata"]["labels"] = {**labels(thing), APP: app, BASE: name(thing)[:_MAX_NAME]}
        thing["metadata"]["name"] = renamed[what]
        thing["immutable"] = True
    for place, spec in pods:
        for of, holder, key in references(spec):
            holder[key] = renamed.get((place, of, holder[key]), holder[key])


def by_content(thing: Mapping[str, Any]) -> str:
    """Return the name of a ConfigMap or Secret with a hash of what is in it."""
    content = {key: thing.get(key) for key in ("type", "data", "stringData", "binaryData") if thing.get(key)}
    digest = hashlib.sha256(json.dumps([kind(thing), content], sort_keys=True, default=str).encode()).hexdigest()
    return f"{name(thing)[: 252 - _HASH]}-{digest[:_HASH]}"


def _enforce_strategy(deployment: Object, warn: Callable[[str], object]) -> None:
    """See to it that an old pod goes only when a new one is available."""
    spec = deployment["spec"]
    strategy = spec.get("strategy") or {}
    if strategy.get("type") == "Recreate":
        warn(
            f"{title(deployment)} has the strategy Recreate: its old pods end before new ones start, so requests are "
            "lost and nothing serves while the new ones prove themselves. Use RollingUpdate where the pods can share."
        )
        return
    rolling = strategy.get("rollingUpdate") or {}
    if rolling.get("maxUnavailable") not in (None, 0, "0", "0%"):
        warn(
            f"{title(deployment)} allows maxUnavailable {rolling['maxUnavailable']}; it is switched with 0, because "
            "what serves goes on serving until the new pods have proven themselves."
        )
    surge = rolling.get("maxSurge", "25%")
    spec["strategy"] = {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1 if surge in (0, "0", "0%") else surge},
    }


def in_slot(objects: Sequence[Object], slot: str, move: bool) -> list[Object]:
    """Return the objects with every Deployment in a slot of its own; with ``move`` Services lead there.

    Autoscalers follow their Deployment. Without ``move`` the Services and autoscalers are left out.
    """
    found = copy.deepcopy(list(objects))
    names = {name(thing) for thing in found if kind(thing) == "Deployment"}
    pods = [labels(template(thing) or {}) for thing in found if kind(thing) == "Deployment"]
    kept = []
    for thing in found:
        if kind(thing) == "Deployment":
            thing["metadata"]["name"] = slot_name(name(thing), slot)
            _label(thing, SLOT, slot)
        elif kind(thing) == "Service" and any(selects(thing["spec"].get("selector"), one) for one in pods):
            if not move:
                continue
            thing["spec"]["selector"] = {**thing["spec"]["selector"], SLOT: slot}
        elif kind(thing) == "HorizontalPodAutoscaler" and thing["spec"]["scaleTargetRef"]["name"] in names:
            if not move:
                continue
            thing["spec"]["scaleTargetRef"]["name"] = slot_name(thing["spec"]["scaleTargetRef"]["name"], slot)
        kept.append(thing)
    return kept


def slot_name(of: str, slot: str) -> str:
    return f"{of[: _MAX_NAME - len(slot) - 1]}-{slot}"


def as_canary(deployment: Object, replicas: int) -> Object:
    """Return a Deployment that runs beside the given one, and whose pods the same Services find."""
    found = copy.deepcopy(deployment)
    found["metadata"]["name"] = slot_name(name(found), "canary")
    found["spec"]["replicas"] = replicas
    _label(found, TRACK, "canary")
    return found


def _label(deployment: Object, key: str, value: str) -> None:
    spec = deployment["spec"]
    spec["selector"] = {**spec["selector"], "matchLabels": {**(spec["selector"].get("matchLabels") or {}), key: value}}
    for metadata in (deployment["metadata"], spec["template"].setdefault("metadata", {})):
        metadata["labels"] = {**(metadata.get("labels") or {}), key: value}


def secrets(objects: Sequence[Object]) -> list[str]:
    """Return the values of every Secret: what no message may show."""
    found: list[str] = []
    for thing in objects:
        if kind(thing) != "Secret":
            continue
        found += [str(value) for value in (thing.get("stringData") or {}).values()]
        for value in (thing.get("data") or {}).values():
            found.append(str(value))
            try:
                found.append(base64.b64decode(value).decode())
            except (ValueError, TypeError):
                continue
    return [value for value in found if len(value) > 3]

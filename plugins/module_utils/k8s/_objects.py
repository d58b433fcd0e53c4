# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Objects of the Kubernetes API as plain data: what they are called, and what their pods refer to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Object = dict[str, Any]

# Who put it there; a label of Deployments, ConfigMaps and Secrets.
APP = "sluice.release/app"
# Which artifact, and all that makes its pods what they are; annotations of the pod template.
RELEASE = "sluice.release/release"
MARK = "sluice.release/mark"
# The name in the manifests of what is called by its content; a label.
BASE = "sluice.release/base"
# "false" on a ConfigMap or Secret that shall keep its name; an annotation.
HASHED = "sluice.release/hashed"
# blue or green; a label, and part of the selectors.
SLOT = "sluice.release/slot"
# stable or canary; a label, and part of the selector of the canary.
TRACK = "sluice.release/track"
# What state=stopped has taken away; an annotation.
REPLICAS = "sluice.release/replicas"
# What holds while new pods prove themselves is not what the manifest says; an annotation.
HELD = "sluice.release/held"

REVISION = "deployment.kubernetes.io/revision"
TEMPLATE_HASH = "pod-template-hash"

SLOTS = ("blue", "green")


def kind(thing: Mapping[str, Any]) -> str:
    return str(thing.get("kind", ""))


def name(thing: Mapping[str, Any]) -> str:
    return str(thing["metadata"]["name"])


def namespace(thing: Mapping[str, Any]) -> str | None:
    found = thing["metadata"].get("namespace")
    return None if found is None else str(found)


def title(thing: Mapping[str, Any]) -> str:
    """Return how a person calls it: ``Deployment web``."""
    return f"{kind(thing)} {name(thing)}"


def labels(thing: Mapping[str, Any]) -> dict[str, str]:
    return dict(thing.get("metadata", {}).get("labels") or {})


def notes_of(thing: Mapping[str, Any]) -> dict[str, str]:
    return dict(thing.get("metadata", {}).get("annotations") or {})


def template(thing: Mapping[str, Any]) -> Object | None:
    """Return the pod template of a workload of any kind, None for what has none."""
    spec = thing.get("spec") or {}
    if kind(thing) == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    found = spec.get("template")
    return found if isinstance(found, dict) and isinstance(found.get("spec"), dict) else None


def containers(pod_spec: Mapping[str, Any], *, first: bool = True) -> list[Object]:
    """Return the containers of a pod; with ``first`` those that run before them as well."""
    return [*(pod_spec.get("initContainers") or [] if first else []), *(pod_spec.get("containers") or [])]


def references(pod_spec: Mapping[str, Any]) -> Iterator[tuple[str, Object, str]]:
    """Yield what names a ConfigMap or a Secret: its kind, the dict that holds the name, and under which key."""
    for container in containers(pod_spec):
        for source in container.get("envFrom") or []:
            yield from _named(source, {"configMapRef": "ConfigMap", "secretRef": "Secret"}, "name")
        for variable in container.get("env") or []:
            fields = {"configMapKeyRef": "ConfigMap", "secretKeyRef": "Secret"}
            yield from _named(variable.get("valueFrom") or {}, fields, "name")
    for volume in pod_spec.get("volumes") or []:
        yield from _named(volume, {"configMap": "ConfigMap"}, "name")
        yield from _named(volume, {"secret": "Secret"}, "secretName")
        for source in (volume.get("projected") or {}).get("sources") or []:
            yield from _named(source, {"configMap": "ConfigMap", "secret": "Secret"}, "name")
    for secret in pod_spec.get("imagePullSecrets") or []:
        yield "Secret", secret, "name"


def _named(holder: Mapping[str, Any], fields: Mapping[str, str], key: str) -> Iterator[tuple[str, Object, str]]:
    for field, of_kind in fields.items():
        found = holder.get(field)
        if isinstance(found, dict) and key in found:
            yield of_kind, found, key


def referenced(pod_spec: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return kind and name of every ConfigMap and Secret that a pod needs."""
    return {(of_kind, str(holder[key])) for of_kind, holder, key in references(pod_spec)}


def release_of(pod_template: Mapping[str, Any] | None) -> str | None:
    """Return the artifact that pods of this template run, None when this collection did not start them."""
    return notes_of(pod_template or {}).get(RELEASE)


def owned_by(thing: Mapping[str, Any], owner: Mapping[str, Any]) -> bool:
    return any(
        entry.get("controller") and entry.get("uid") == owner["metadata"].get("uid")
        for entry in thing["metadata"].get("ownerReferences") or []
    )


def selects(selector: Mapping[str, str] | None, of_labels: Mapping[str, str]) -> bool:
    """Whether a Service with this selector sends requests to pods with these labels."""
    return bool(selector) and all(of_labels.get(key) == value for key, value in (selector or {}).items())

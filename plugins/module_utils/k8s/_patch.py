# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a switch changes in a Deployment, as JSON patches, and what two states of an object differ in."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._runner import REDACTED, redact
from ansible_collections.sluice.release.plugins.module_utils.k8s._objects import (
    APP,
    HELD,
    REPLICAS,
    REVISION,
    Object,
    kind,
    labels,
    notes_of,
)

# With these no pod becomes available, and no deadline passes: old pods stay until they are taken away again.
_HOLD = 2147483646
_NO_DEADLINE = 2147483647

_DEFAULT_DEADLINE = 600

# What the cluster adds to every object, and says nothing about what was asked for.
_NOISE = ("creationTimestamp", "generation", "managedFields", "ownerReferences", "resourceVersion", "selfLink", "uid")
_NOISY_NOTES = (REVISION, "kubectl.kubernetes.io/last-applied-configuration")

# These of a Deployment are set from the manifest; replicas are not among them, whoever owns them.
_FIELDS = ("template", "strategy", "minReadySeconds", "progressDeadlineSeconds", "revisionHistoryLimit")
_DEFAULTS = {"minReadySeconds": 0, "progressDeadlineSeconds": _DEFAULT_DEADLINE, "revisionHistoryLimit": 10}


def to_manifest(live: Mapping[str, Any], wanted: Mapping[str, Any], replicas: int | None = None) -> list[Object]:
    """Return the patch that makes a Deployment what its manifest says, all but the number of its pods.

    ``replicas`` where that is this collection's business.
    """
    spec = {**_DEFAULTS, **{key: wanted["spec"][key] for key in _FIELDS if key in wanted["spec"]}}
    operations = [_set(f"/spec/{key}", spec[key]) for key in _FIELDS if key in spec]
    if replicas is not None:
        operations.append(_set("/spec/replicas", replicas))
    operations += _set_all(live, "labels", labels(wanted)) + _set_all(live, "annotations", notes_of(wanted))
    for key in (HELD, REPLICAS) if replicas is not None else (HELD,):
        if key in notes_of(live):
            operations.append({"op": "remove", "path": f"/metadata/annotations/{_escape(key)}"})
    return operations


def held(live: Mapping[str, Any], operations: Sequence[Object]) -> list[Object]:
    """Return the patch, but so that no old pod goes until ``release`` is applied."""
    values = {entry["path"]: entry.get("value") for entry in operations}
    kept = {key: values[f"/spec/{key}"] for key in ("minReadySeconds", "progressDeadlineSeconds")}
    note = f"/metadata/annotations/{_escape(HELD)}"
    return [
        *(entry for entry in operations if entry["path"] != note),
        _set("/spec/minReadySeconds", _HOLD),
        _set("/spec/progressDeadlineSeconds", _NO_DEADLINE),
        *_set_all(live, "annotations", {HELD: json.dumps(kept, sort_keys=True)}),
    ]


def let_go(live: Mapping[str, Any]) -> list[Object]:
    """Return the patch that lets a held rollout go on: nothing when it is not held."""
    text = notes_of(live).get(HELD)
    if text is None:
        return []
    kept = json.loads(text)
    return [
        *(_set(f"/spec/{key}", kept[key]) for key in sorted(kept)),
        {"op": "remove", "path": f"/metadata/annotations/{_escape(HELD)}"},
    ]


def unheld(live: Mapping[str, Any]) -> Object:
    """Return the fields that a hold has replaced, as they were meant; {} when it is not held."""
    found: Object = json.loads(notes_of(live).get(HELD, "{}"))
    return found


def back(
    before: Mapping[str, Any], template: Mapping[str, Any], now: Mapping[str, Any], replicas: bool
) -> list[Object]:
    """Return the patch from ``now`` to what a Deployment was ``before``, with the template that served."""
    # The API leaves out what is 0.
    spec = {**_DEFAULTS, **before["spec"], "template": template}
    spec.update(unheld(before))
    operations = [_set(f"/spec/{key}", spec[key]) for key in _FIELDS if key in spec]
    if replicas:
        operations.append(_set("/spec/replicas", before["spec"].get("replicas", 1)))
    old, new = notes_of(before), notes_of(now)
    for key in sorted(set(old) | set(new)):
        if key in (REVISION, HELD):
            continue
        if key not in old:
            operations.append({"op": "remove", "path": f"/metadata/annotations/{_escape(key)}"})
        elif old[key] != new.get(key):
            operations.append(_set(f"/metadata/annotations/{_escape(key)}", old[key]))
    if HELD in new:
        operations.append({"op": "remove", "path": f"/metadata/annotations/{_escape(HELD)}"})
    return operations


def scaled(live: Mapping[str, Any], replicas: int, remember: bool) -> list[Object]:
    """Return the patch that sets the number of pods; ``remember`` notes what it was."""
    note = {REPLICAS: str(live["spec"].get("replicas", 1))} if remember else {}
    return [_set("/spec/replicas", replicas), *_set_all(live, "annotations", note)]


def _set(path: str, value: Any) -> Object:
    # "add" replaces a member that is there.
    return {"op": "add", "path": path, "value": value}


def _set_all(live: Mapping[str, Any], field: str, values: Mapping[str, str]) -> list[Object]:
    if not values:
        return []
    if not (live["metadata"].get(field) or {}):
        return [_set(f"/metadata/{field}", dict(values))]
    return [_set(f"/metadata/{field}/{_escape(key)}", value) for key, value in sorted(values.items())]


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def essence(thing: Mapping[str, Any] | None) -> Object:
    """Return what a person decides about an object; {} for none."""
    if thing is None:
        return {}
    metadata = {key: value for key, value in thing["metadata"].items() if key not in _NOISE}
    notes = {key: value for key, value in notes_of(thing).items() if key not in _NOISY_NOTES}
    metadata = {**metadata, "annotations": notes, "labels": labels(thing)}
    return {**{key: value for key, value in thing.items() if key != "status"}, "metadata": metadata}


def same(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    return essence(one) == essence(other)


def shown(thing: Mapping[str, Any] | None, secrets: Sequence[str]) -> Object:
    """Return an object for a diff: no value of a Secret, and none of the secrets anywhere else."""
    found = essence(thing)
    if kind(found) == "Secret":
        for field in ("data", "stringData"):
            if field in found:
                found = {**found, field: dict.fromkeys(found[field], REDACTED)}
    clean: Object = _clean(found, [secret for secret in secrets if len(secret) > 3])
    return clean


def _clean(value: Any, secrets: Sequence[str]) -> Any:
    if isinstance(value, dict):
        return {key: _clean(entry, secrets) for key, entry in value.items()}
    if isinstance(value, list):
        return [_clean(entry, secrets) for entry in value]
    if isinstance(value, str):
        return redact(value, secrets)
    return value


def decoded(thing: Mapping[str, Any]) -> dict[str, str]:
    """Return the data of a Secret in plain text."""
    found = {}
    for key, value in (thing.get("data") or {}).items():
        found[key] = base64.b64decode(value).decode(errors="replace")
    return found


def is_ours(thing: Mapping[str, Any], app: str) -> bool:
    return labels(thing).get(APP) == app

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A Service of Kubernetes whose selector says which slot has the traffic."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.k8s import _pods
from ansible_collections.sluice.release.plugins.module_utils.k8s._cluster import ConflictError
from ansible_collections.sluice.release.plugins.module_utils.k8s._objects import SLOT, Object, labels, selects

_POLL = 0.2
_PATH = "/spec/selector"


class Api(Protocol):
    """What is asked of the cluster; ``k8s._cluster.Cluster`` is it."""

    namespace: str

    def get(self, thing: Mapping[str, Any]) -> Object | None: ...
    def find(self, api_version: str, of_kind: str, selector: str | None = None) -> list[Object]: ...
    def edit(self, thing: Mapping[str, Any], operations: Sequence[Object], dry_run: bool = False) -> Object: ...


def move(
    api: Api,
    service: str,
    to: str,
    check_mode: bool,
    timeout: float = 10.0,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> dict[str, Any]:
    """Point the Service at the pods of slot ``to``, and wait until it has them. Back again when it does not get them.

    Refused when no pod of that slot is ready, for then there would be a moment with none.
    """
    doing = f"point Service {service} at {to}"
    thing = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": service, "namespace": api.namespace}}
    found = api.get(thing)
    if found is None:
        raise SluiceError(doing, f"namespace {api.namespace} has no such Service", "Name one that is there")
    before: dict[str, str] = found["spec"].get("selector") or {}
    if SLOT not in before:
        raise SluiceError(
            doing, f"its selector does not name a slot ({SLOT})", "Let k8s_switch make it, with strategy blue_green"
        )
    after = {**before, SLOT: to}
    everyone = {key: value for key, value in before.items() if key != SLOT}
    pods = api.find("v1", "Pod", ",".join(f"{key}={value}" for key, value in everyone.items()) or None)
    ready = {pod.ip for one in pods if selects(after, labels(one)) for pod in [_pods.pod(one, "")] if _serves(pod)}
    if before != after:
        if not ready:
            there = sum(selects(after, labels(one)) for one in pods)
            raise SluiceError(doing, f"none of its {there} pods is ready", "Bring that slot up first")
        # Only from what it is now: somebody else may move it at this moment.
        step = [{"op": "test", "path": _PATH, "value": before}, {"op": "replace", "path": _PATH, "value": after}]
        try:
            api.edit(found, step, dry_run=check_mode)
        except ConflictError as error:
            raise SluiceError(doing, f"somebody else has just changed it ({error})", "Look at it again") from error
        if not check_mode:
            _await(api, found, ready, doing, step, timeout, now, sleep)
    return {
        "changed": before != after,
        "previous": before[SLOT],
        "current": to,
        "servers": [_server(one, selects(after, labels(one))) for one in pods],
        "diff": {"before": {service: before}, "after": {service: after}},
    }


def _await(
    api: Api,
    service: Object,
    ready: set[str],
    doing: str,
    step: Sequence[Object],
    timeout: float,
    now: Callable[[], float],
    sleep: Callable[[float], object],
) -> None:
    """Wait until the Service has pods of the new slot and no others."""
    endpoints = {**service, "kind": "Endpoints"}
    began, seen = now(), set[str]()
    while now() - began < timeout:
        subsets = (api.get(endpoints) or {}).get("subsets") or []
        seen = {address["ip"] for subset in subsets for address in subset.get("addresses") or []}
        if seen and seen <= ready:
            return
        sleep(_POLL)
    back = [{**step[0], "value": step[1]["value"]}, {**step[1], "value": step[0]["value"]}]
    with contextlib.suppress(SluiceError, ConflictError):
        api.edit(service, back)
    raise SluiceError(
        doing,
        f"after {timeout:g} s it has {', '.join(sorted(seen)) or 'no address'} instead of {', '.join(sorted(ready))}",
        "Its selector is as it was; see why its endpoints do not follow",
    )


def _serves(pod: _pods.Pod) -> bool:
    return pod.ready and not pod.leaving and bool(pod.ip)


def _server(thing: Mapping[str, Any], chosen: bool) -> dict[str, Any]:
    pod = _pods.pod(thing, "")
    return {
        "name": pod.name,
        "slot": labels(thing).get(SLOT),
        "state": "ready" if chosen else "drain",
        "status": "Ready" if _serves(pod) else pod.status,
    }

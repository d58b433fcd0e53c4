# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Configurations that are called by their content pile up: which of them nothing can go back to any more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.sluice.release.plugins.module_utils.k8s._cluster import Cluster
from ansible_collections.sluice.release.plugins.module_utils.k8s._objects import (
    APP,
    BASE,
    Object,
    kind,
    labels,
    name,
    referenced,
    template,
)


def superfluous(found: Sequence[Object], needed: set[tuple[str, str]], keep: int) -> list[Object]:
    """Return those of ``found`` that are neither needed nor among the newest ``keep`` of their kind and base name."""
    doomed = []
    groups: dict[tuple[str, str], list[Object]] = {}
    for thing in found:
        if BASE in labels(thing):
            groups.setdefault((kind(thing), labels(thing)[BASE]), []).append(thing)
    for group in groups.values():
        newest_first = sorted(group, key=lambda one: str(one["metadata"].get("creationTimestamp")), reverse=True)
        doomed += [one for one in newest_first[keep:] if (kind(one), name(one)) not in needed]
    return doomed


def in_use(things: Iterable[Object]) -> set[tuple[str, str]]:
    """Return kind and name of every ConfigMap and Secret that workloads, old ReplicaSets or pods refer to."""
    found: set[tuple[str, str]] = set()
    for thing in things:
        pods = template(thing)
        spec = pods["spec"] if pods else thing.get("spec")
        if isinstance(spec, dict) and "containers" in spec:
            found |= referenced(spec)
    return found


def prune(cluster: Cluster, app: str, objects: Sequence[Object], keep: int) -> list[str]:
    """Delete what is superfluous; returns it as ``Secret name``."""
    found = [thing for of in ("ConfigMap", "Secret") for thing in cluster.find("v1", of, f"{APP}={app}")]
    kinds = (("apps/v1", "ReplicaSet"), ("apps/v1", "Deployment"), ("v1", "Pod"))
    users = [thing for version, of in kinds for thing in cluster.find(version, of)]
    doomed = superfluous(found, in_use([*objects, *users]), keep)
    for thing in doomed:
        cluster.delete(thing)
    return [f"{kind(thing)} {name(thing)}" for thing in doomed]

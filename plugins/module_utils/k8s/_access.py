# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Whether this user may do all that a switch does: asked before anything is changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.k8s._cluster import Cluster, MissingError
from ansible_collections.sluice.release.plugins.module_utils.k8s._objects import Object, kind, name, namespace

_DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": ""}}
_REPLICA_SET = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": ""}}
_POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": ""}}
_NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ""}}


def check(cluster: Cluster, objects: Sequence[Object], doing: str, *, writing: bool) -> None:
    """SluiceError that names every right that is missing, for check mode only those to read."""
    needed: dict[tuple[str, str], Object] = {}
    for thing in objects:
        for verb in ("get", "create", "patch") if writing else ("get",):
            needed.setdefault((verb, kind(thing)), thing)
    for verb in ("get", "list", "create", "patch", "delete") if writing else ("get", "list"):
        needed[verb, "Deployment"] = _DEPLOYMENT
    needed["list", "ReplicaSet"] = _REPLICA_SET
    needed["list", "Pod"] = _POD
    lacking = []
    for (verb, what), thing in needed.items():
        try:
            allowed = cluster.allowed(verb, thing)
        except MissingError as error:
            raise SluiceError(doing, str(error), "Correct the manifest, or install what brings that kind") from error
        if not allowed:
            lacking.append(f"{verb} {what}s")
    if lacking:
        raise SluiceError(
            doing,
            f"this user may not {', '.join(lacking)} in namespace {cluster.namespace}",
            "Let an administrator extend its Role",
        )


def without_given_namespaces(
    cluster: Cluster, objects: Sequence[Object], warn: Callable[[str], object]
) -> list[Object]:
    """Leave out namespaces that are there and may not be changed, as is usual for a user of one namespace."""
    kept = []
    for thing in objects:
        given = kind(thing) == "Namespace" and not cluster.allowed("patch", thing) and cluster.allowed("get", thing)
        if given and cluster.get(thing) is not None:
            warn(f"Namespace {name(thing)} is left as it is: this user may not change it.")
        else:
            kept.append(thing)
    return kept


def asks_directly(cluster: Cluster, reach: str) -> bool:
    """Whether pods are asked at their own addresses: as told, or else when this user may not use the API's proxy."""
    return reach == "direct" or (reach == "auto" and not cluster.allowed("get", _POD, "proxy"))


def check_namespaces(cluster: Cluster, objects: Sequence[Object], doing: str) -> None:
    """SluiceError when a namespace is missing that the manifests do not make."""
    made = {name(thing) for thing in objects if kind(thing) == "Namespace"}
    places = {cluster.namespace} | {place for place in map(namespace, objects) if place}
    if not cluster.allowed("get", _NAMESPACE):
        # A user of one namespace: it will show when the first object is tried.
        return
    for place in sorted(places - made):
        if cluster.get({**_NAMESPACE, "metadata": {"name": place}}) is None:
            raise SluiceError(
                doing,
                f"there is no namespace {place} in {cluster.host}",
                "Create it, add it to the manifests, or correct option namespace",
            )
    units = {namespace(thing) for thing in objects if kind(thing) == "Deployment"}
    if units - {cluster.namespace}:
        raise SluiceError(
            doing,
            f"its Deployments lie in {', '.join(sorted(map(str, units)))} and not all in {cluster.namespace}",
            "Set option namespace to theirs; Deployments of several namespaces cannot be one release",
        )

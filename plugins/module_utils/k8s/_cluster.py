# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The cluster, as far as a switch needs it: the kubernetes library behind a few verbs, its errors in our words."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._libraries import require
from ansible_collections.sluice.release.plugins.module_utils.k8s._objects import Object, kind, name, namespace, title

MANAGER = "sluice"

# Seconds for the connection and for one answer.
_PATIENCE = (5, 30)


class MissingError(Exception):
    """There is no such object, or no such kind, in the cluster."""


class ConflictError(Exception):
    """Somebody else has changed it at the same moment, or it is there already."""


class Cluster:
    """One namespace of a cluster, and what lies outside of namespaces."""

    def __init__(self, kubeconfig: str | None, context: str | None, namespace: str | None) -> None:
        """Connect. SluiceError when that does not work, with what is wrong."""
        require("talk to Kubernetes", ["kubernetes"])
        # Not at the top: check mode of everything else, and the documentation, work without them.
        import kubernetes.client
        import kubernetes.config
        import kubernetes.dynamic
        import urllib3

        where = kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
        try:
            if not kubeconfig and not os.path.exists(os.path.expanduser(where.split(os.pathsep)[0])):
                configuration = kubernetes.client.Configuration()
                kubernetes.config.load_incluster_config(configuration)
                found = _own_namespace()
                where = "the service account of this pod"
            else:
                configuration = kubernetes.client.Configuration()
                kubernetes.config.load_kube_config(kubeconfig, context, configuration)
                _contexts, active = kubernetes.config.list_kube_config_contexts(kubeconfig)
                found = _namespace_of(_contexts, context or active["name"])
        except kubernetes.config.ConfigException as error:
            raise SluiceError(
                f"use the kubeconfig {where}", _first_line(error), "Correct options kubeconfig and context"
            ) from error
        except Exception as error:  # the library passes on whatever a wrong file makes its parser say
            raise SluiceError(
                f"use the kubeconfig {where}",
                f"it is no kubeconfig ({type(error).__name__})",
                "Correct options kubeconfig and context",
            ) from error
        configuration.retries = 0
        if not configuration.verify_ssl:
            # The kubeconfig says so, and a line for every request would bury what matters.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self.host = configuration.host
        self.namespace = namespace or found or "default"
        self.errors = kubernetes.client.ApiException
        self._client = kubernetes.client.ApiClient(configuration)
        self._core = kubernetes.client.CoreV1Api(self._client)
        with self._speaking("reach the cluster"), tempfile.TemporaryDirectory(prefix="sluice-") as private:
            # The library's own place for what it has found out is a file in /tmp that anybody may have made.
            self._dynamic = kubernetes.dynamic.DynamicClient(
                self._client, cache_file=os.path.join(private, "discovery")
            )
        self._missing_kind = kubernetes.dynamic.exceptions.ResourceNotFoundError
        self._kinds: dict[tuple[str, str], Any] = {}

    @contextlib.contextmanager
    def _speaking(self, doing: str) -> Iterator[None]:
        """Turn what the library raises into MissingError, ConflictError or SluiceError."""
        import urllib3.exceptions
        from kubernetes.client import ApiException

        try:
            yield
        except ApiException as error:
            if error.status == 404:
                raise MissingError(_message(error)) from error
            if error.status == 409:
                raise ConflictError(_message(error)) from error
            remedy = {
                401: "Renew the credentials of the kubeconfig",
                403: "Let an administrator grant it to this user, or use another kubeconfig",
            }.get(error.status, "")
            raise SluiceError(doing, _message(error), remedy, status=error.status) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            reason = _first_line(getattr(error, "reason", None) or error)
            raise SluiceError(
                doing,
                f"{self.host} does not answer ({reason.rpartition('] ')[2]})",
                "Check the address in the kubeconfig, and that the API server runs",
                status=0,
            ) from error

    def resource(self, thing: Mapping[str, Any]) -> Any:
        """Return what the library knows about the kind of an object. MissingError when the cluster does not have it."""
        key = (str(thing["apiVersion"]), kind(thing))
        if key not in self._kinds:
            try:
                with self._speaking(f"look up {key[1]} of {key[0]}"):
                    self._kinds[key] = self._dynamic.resources.get(api_version=key[0], kind=key[1])
            except self._missing_kind as error:
                raise MissingError(f"the cluster does not know kind {key[1]} of {key[0]}") from error
        return self._kinds[key]

    def complete(self, thing: Object) -> Object:
        """Return the object with the namespace that it will have; none for what lies outside of namespaces."""
        metadata = {**thing["metadata"]}
        if self.resource(thing).namespaced:
            metadata.setdefault("namespace", self.namespace)
        else:
            metadata.pop("namespace", None)
        return {**thing, "metadata": metadata}

    def _call(self, doing: str, verb: str, thing: Mapping[str, Any], **arguments: Any) -> Object:
        resource = self.resource(thing)
        arguments.setdefault("namespace", namespace(thing) if resource.namespaced else None)
        with self._speaking(doing):
            answer = getattr(self._dynamic, verb)(resource, serialize=False, _request_timeout=_PATIENCE, **arguments)
            found: Object = json.loads(answer.data)
        return found

    def get(self, thing: Mapping[str, Any]) -> Object | None:
        """Return the object as it is in the cluster, None when it is not."""
        try:
            return self._call(f"read {title(thing)}", "get", thing, name=name(thing))
        except MissingError:
            return None

    def find(self, api_version: str, of_kind: str, selector: str | None = None) -> list[Object]:
        """Return all objects of a kind in the namespace; ``selector`` is one of labels."""
        thing = {"apiVersion": api_version, "kind": of_kind, "metadata": {"name": "", "namespace": self.namespace}}
        found = self._call(f"list {of_kind}s", "get", thing, label_selector=selector)
        return [{"apiVersion": api_version, "kind": of_kind, **entry} for entry in found["items"]]

    def create(self, thing: Object, dry_run: bool = False) -> Object:
        return self._call(f"create {title(thing)}", "create", thing, body=thing, **_how(dry_run))

    def apply(self, thing: Object, dry_run: bool = False) -> Object:
        """Server-side apply: what this collection has once set and does not set any more goes, all else stays."""
        return self._call(
            f"apply {title(thing)}", "server_side_apply", thing, body=thing, force_conflicts=True, **_how(dry_run)
        )

    def replace(self, thing: Object) -> Object:
        return self._call(f"restore {title(thing)}", "replace", thing, body=thing, field_manager=MANAGER)

    def edit(self, thing: Mapping[str, Any], operations: Sequence[Object], dry_run: bool = False) -> Object:
        """Change some fields (JSON patch): nobody else's change of others is lost."""
        return self._call(
            f"change {title(thing)}",
            "patch",
            thing,
            name=name(thing),
            body=list(operations),
            content_type="application/json-patch+json",
            **_how(dry_run),
        )

    def delete(self, thing: Mapping[str, Any]) -> None:
        """Delete it and what belongs to it; nothing happens when it is gone."""
        with contextlib.suppress(MissingError):
            self._call(f"delete {title(thing)}", "delete", thing, name=name(thing), propagation_policy="Background")

    def allowed(self, verb: str, thing: Mapping[str, Any], subresource: str = "") -> bool:
        """Ask whether this user may do it (SelfSubjectAccessReview)."""
        resource = self.resource(thing)
        asked = {
            "verb": verb,
            "group": resource.group or "",
            "resource": resource.name,
            "subresource": subresource,
            **({"namespace": namespace(thing) or self.namespace} if resource.namespaced else {}),
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "metadata": {},
            "spec": {"resourceAttributes": asked},
        }
        found = self._call("ask what this user may do", "create", review, body=review)
        return bool((found.get("status") or {}).get("allowed"))

    def log(self, pod: str, container: str, lines: int, previous: bool) -> str:
        """Return the last lines that a container wrote; none when there are none to be had."""
        try:
            with self._speaking("read the log"):
                answer: Any = self._core.read_namespaced_pod_log(
                    pod,
                    self.namespace,
                    container=container,
                    tail_lines=lines,
                    previous=previous,
                    _preload_content=False,
                    _request_timeout=_PATIENCE,
                )
                text: str = answer.data.decode(errors="replace")
                return text
        except (MissingError, ConflictError, SluiceError):
            return ""

    def events(self, of_name: str) -> list[Object]:
        """Return what happened to an object, as far as this user may see it."""
        thing = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "", "namespace": self.namespace}}
        try:
            found = self._call("list events", "get", thing, field_selector=f"involvedObject.name={of_name}")
        except (MissingError, ConflictError, SluiceError):
            return []
        return list(found["items"])

    def fetch(self, pod: str, url: str, timeout: float) -> tuple[int, bytes, str | None]:
        """GET a URL of a pod through the API server: (status, body, error). Status 0: there was no answer."""
        parts = urlsplit(url)
        scheme = "https:" if parts.scheme == "https" else ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        path = f"/api/v1/namespaces/{self.namespace}/pods/{scheme}{pod}:{port}/proxy{parts.path or '/'}"
        query = [tuple(pair.split("=", 1)) for pair in parts.query.split("&") if "=" in pair]
        try:
            answer = self._dynamic.request(
                "get", path, query_params=query, serialize=False, _request_timeout=(timeout, timeout)
            )
            return int(answer.status), bytes(answer.data), None
        except self.errors as error:
            body = error.body.encode() if isinstance(error.body, str) else bytes(error.body or b"")
            unreachable = _proxy_error(body)
            if unreachable:
                return 0, b"", unreachable
            return int(error.status or 0), body, None
        except Exception as error:  # noqa: BLE001 - whatever is between here and the pod, it is an answer to be counted
            return 0, b"", _first_line(getattr(error, "reason", None) or error)


def retried(cluster_call: Any, until: float) -> Any:
    """Call again while the API server is away or busy, until that monotonic time: it may be restarted under us."""
    while True:
        try:
            return cluster_call()
        except SluiceError as error:
            if error.fields.get("status") not in (0, 429, 500, 502, 503, 504) or time.monotonic() > until:
                raise
        time.sleep(1.0)


def _how(dry_run: bool) -> dict[str, Any]:
    return {"field_manager": MANAGER, **({"dry_run": "All"} if dry_run else {})}


def _proxy_error(body: bytes) -> str | None:
    """Return the API server's own word that it could not reach the pod; None for an answer of the pod."""
    with contextlib.suppress(ValueError):
        found = json.loads(body)
        if isinstance(found, dict) and found.get("kind") == "Status" and found.get("apiVersion") == "v1":
            return str(found.get("message") or found.get("reason") or "the API server cannot reach it")
    return None


def _message(error: Any) -> str:
    """Return what the API server said, in one line."""
    with contextlib.suppress(ValueError, TypeError):
        found = json.loads(error.body)
        if isinstance(found, dict) and found.get("message"):
            return str(found["message"])
    return f"HTTP {error.status} {error.reason}"


def _first_line(error: object) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _namespace_of(contexts: Sequence[Mapping[str, Any]], wanted: str) -> str | None:
    for entry in contexts:
        if entry["name"] == wanted:
            found: str | None = entry["context"].get("namespace")
            return found
    return None


def _own_namespace() -> str | None:
    with contextlib.suppress(OSError), open("/var/run/secrets/kubernetes.io/serviceaccount/namespace") as stream:
        return stream.read().strip()
    return None

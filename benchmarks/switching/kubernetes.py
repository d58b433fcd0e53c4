# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes: k8s_switch, and `kubectl set image` on a plain Deployment."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from sluice_lab.load import VISITORS

from benchmarks.switching.containers import IMAGE, images
from benchmarks.switching.site import VERSIONS, Site, Way, call, config, directory, ready, run_module, slowest_ready

REPLICAS = 2
# Seconds that a pod goes on answering when it has been told to end, as the page of k8s_switch asks: until no node sends
# it anything any more. With 6, kube-proxy was late twice in 79,397 requests.
LINGER = 15


@functools.cache
def kubeconfig() -> str | None:
    """Return the cluster's, from KUBECONFIG or from what SLUICE_KUBERNETES brings up; None where there is neither."""
    given, tool = os.environ.get("KUBECONFIG"), os.environ.get("SLUICE_KUBERNETES")
    if given or not tool:
        return given
    return call(tool, "up").strip().splitlines()[-1]


class Namespace:
    """A namespace of its own, gone after the body."""

    def __init__(self) -> None:
        self.name = f"sluice-bench-{os.getpid()}"

    def __enter__(self) -> Self:
        images()
        self.kubectl("create", "namespace", self.name)
        return self

    def __exit__(self, *_: object) -> None:
        self.kubectl("delete", "namespace", self.name)

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """Run kubectl there, which must succeed."""
        command = ["kubectl", "--kubeconfig", str(kubeconfig()), "-n", self.name, *words]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"Cannot measure: kubectl {words[0]} failed.\n{done.stderr}")
        return done.stdout

    def url(self) -> str:
        """Return where visitors come: the Service's port of the node."""
        gateway = call("docker", "network", "inspect", "bridge", "-f", "{{(index .IPAM.Config 0).Gateway}}").strip()
        service = json.loads(self.kubectl("get", "service", "web", "-o", "json"))
        return f"http://{gateway}:{service['spec']['ports'][0]['nodePort']}"


def objects(version: str, bad: str, *, linger: float, config_name: str | None = None) -> list[dict[str, Any]]:
    """Return Service and Deployment; a plain one has no `linger`."""
    container = {
        "name": "web",
        "image": f"{IMAGE}:{version}",
        "imagePullPolicy": "Never",
        "ports": [{"containerPort": 3000}],
        "env": [{"name": "BAD", "value": bad}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 3000}, "periodSeconds": 1},
    }
    if linger:
        container["lifecycle"] = {"preStop": {"exec": {"command": ["sleep", str(linger)]}}}
    if config_name:
        container["envFrom"] = [{"secretRef": {"name": config_name}}]
    pod = {"automountServiceAccountToken": False, "terminationGracePeriodSeconds": 30, "containers": [container]}
    labels = {"app": "web"}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": REPLICAS,
            # All new pods at once, where that is left to the manifests; plain ones have what Kubernetes gives them.
            **({"strategy": {"rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}}} if linger else {}),
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    spec = {"type": "NodePort", "selector": labels, "ports": [{"port": 80, "targetPort": 3000}]}
    return [{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec}, deployment]


def lay(path: Path, found: list[dict[str, Any]]) -> None:
    """Write manifests; JSON is YAML."""
    path.mkdir(parents=True)
    (path / "app.yaml").write_text("\n---\n".join(map(json.dumps, found)))


@contextlib.contextmanager
def with_module(strategy: str, bad: str) -> Iterator[Site]:
    """k8s_switch."""
    with directory() as root, Namespace() as namespace:
        env = config(root, GREETING="hello")
        for version in VERSIONS:
            found = objects(version, bad, linger=LINGER, config_name="shop-config")
            lay(root / "releases" / f"{version}-abc" / "k8s", found)

        def move(version: str) -> float | None:
            done = run_module(
                "k8s_switch",
                name="shop",
                release=f"{version}-abc",
                path=str(root / "releases" / f"{version}-abc"),
                config=str(env),
                kubeconfig=kubeconfig(),
                namespace=namespace.name,
                strategy=strategy,
                ready=ready(version, "http://{pod}:3000"),
            )
            return slowest_ready(done)

        move(VERSIONS[0])
        yield Site(namespace.url(), move, VISITORS)


@contextlib.contextmanager
def set_image(bad: str) -> Iterator[Site]:
    """`kubectl set image` and `kubectl rollout status`."""
    with Namespace() as namespace:
        both = {"apiVersion": "v1", "kind": "List", "items": objects(VERSIONS[0], bad, linger=0)}
        namespace.kubectl("apply", "-f", "-", stdin=json.dumps(both))

        def move(version: str) -> None:
            namespace.kubectl("set", "image", "deployment/web", f"web={IMAGE}:{version}")
            namespace.kubectl("rollout", "status", "deployment/web", "--timeout=120s")

        namespace.kubectl("rollout", "status", "deployment/web", "--timeout=120s")
        yield Site(namespace.url(), move, VISITORS)


WAYS = [
    Way("k8s_switch, rolling", functools.partial(with_module, "rolling")),
    Way("k8s_switch, blue and green", functools.partial(with_module, "blue_green")),
    Way("`kubectl set image`", set_image, peer=True),
]

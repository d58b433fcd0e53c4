# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""From the options of k8s_switch to what the switch works with, and all that can be refused before anything moved."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.artifact import _image_file
from ansible_collections.sluice.release.plugins.module_utils.journal._fence import telling
from ansible_collections.sluice.release.plugins.module_utils.k8s._cluster import Cluster
from ansible_collections.sluice.release.plugins.module_utils.k8s._switch import Request, World
from ansible_collections.sluice.release.plugins.module_utils.k8s._transform import Release
from ansible_collections.sluice.release.plugins.module_utils.k8s._watch import PLACE
from ansible_collections.sluice.release.plugins.module_utils.switch import _environment, _ready

# A label, with room for what a Deployment's name is made longer by.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,45}[a-z0-9])?\Z")

# Beside the manifests of a release: which images belong to it, by service; module release_image writes it.


def world(params: Mapping[str, Any], warn: Callable[[str], object] = str) -> World:
    """Connect to the cluster; ``warn`` takes what a person should know after a success as well."""
    if not _NAME.match(params["name"]):
        raise SluiceError(
            "use the options of k8s_switch",
            f"name {params['name']!r} cannot be a label in Kubernetes",
            "Use up to 47 lower-case letters, digits and dashes",
        )
    cluster = Cluster(params["kubeconfig"], params["context"], params["namespace"])
    return World(cluster, telling(params["progress"]), warn)


def request(params: Mapping[str, Any]) -> Request:
    """Return what shall serve. SluiceError for what can never work."""
    for option in ("release", "path", "ready", "manifests"):
        # An explicit null counts as given for Ansible.
        if not params[option]:
            raise SluiceError("use the options of k8s_switch", f"{option} is empty", "Correct the profile")
    ready = _ready.from_options(params["ready"])
    for url in (ready.url, ready.version_url or ready.url):
        if urlsplit(url).hostname != PLACE:
            raise SluiceError(
                f"prove readiness by {url}", f"its host is not {PLACE}", f"Write http://{PLACE}:3000/ready, for example"
            )
    _ready.check(ready)
    problem = ""
    if not 0 < params["weight"] <= 100:
        problem = f"weight is {params['weight']:g}, and has to be above 0 and at most 100"
    elif params["weight"] < 100 and params["strategy"] != "canary":
        problem = f"weight is {params['weight']:g}, and strategy {params['strategy']} knows only all"
    elif params["revisions"] and params["strategy"] != "rolling":
        problem = f"revisions cannot be gone back to with strategy {params['strategy']}"
    elif not all(str(revision).isdigit() for revision in params["revisions"].values()):
        problem = "revisions has something that is no number"
    elif ready.successes < 1:
        problem = "ready.successes is less than 1"
    if problem:
        raise SluiceError("use the options of k8s_switch", problem, "Correct the profile")
    config = _environment.read_environment(params["config"]) if params["config"] else None
    return Request(
        release=Release(
            app=params["name"],
            id=params["release"],
            images=params["images"],
            recorded={service: one.image for service, one in _image_file.read(params["path"]).items()},
            config=config,
            config_name=params["config_name"] or f"{params['name']}-config",
        ),
        path=os.path.abspath(params["path"]),
        manifests=tuple(params["manifests"]),
        revisions={str(called): int(revision) for called, revision in params["revisions"].items()},
        ready=ready,
        **{
            key: params[key]
            for key in ("strategy", "weight", "reach", "drain_timeout", "timeout", "patience", "settle", "keep")
        },
    )


def foretold(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return what check mode says of a release whose manifests are yet to be built."""
    return {
        "changed": True,
        "previous": None,
        "current": params["release"],
        "instances": [],
        "retired": [],
        "slot": None,
        "revisions": {},
        "pruned": [],
        "duration": 0.0,
        "diff": {"before": {}, "after": {"release": params["release"]}},
    }

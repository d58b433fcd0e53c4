#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_switch
short_description: Switch an application in Kubernetes from one release to another
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Applies the manifests of a release, lets every new pod prove itself, and only then lets old pods end.
  - Fails closed, and at once. When a new pod cannot be scheduled, has no image, crashes, does not get ready or answers
    with another version, the Deployments go back to the very pod template that served. The result says why, with the
    pods' last log lines. C(kubectl rollout status) waits for a deadline of ten minutes instead, and nobody goes back.
  - Configuration goes back with the code. ConfigMaps and Secrets that pods refer to are called by their content, and so
    are the variables of O(config); a pod template names the very configuration that it was made for.
  - All Deployments of the manifests are one release. No old pod of any of them ends before the first new pods of all of
    them are proven, and when one fails all go back.
  - The number of pods of a Deployment that exists is never changed, for it belongs to an autoscaler or to a person.
  - Looks first at what is there, so that it finishes or undoes what a killed run has left. What serves is read from the
    annotations C(sluice.release/release) and C(sluice.release/mark) of the pod templates.
extends_documentation_fragment:
  - sluice.release._attributes
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
  - sluice.release._progress
  - sluice.release._switch
requirements:
  - kubernetes >= 26
options:
  name:
    description:
      - Name of the application, up to 47 lower-case letters, digits and dashes.
      - It becomes the label C(sluice.release/app) of the Deployments, ConfigMaps and Secrets.
  state:
    description:
      - With V(active), O(release) serves, and nothing else under this name.
      - With V(stopped), every Deployment of the application has 0 pods; V(active) gives back what each had.
      - With V(absent), the Deployments of the application and their configurations are deleted. Services, volumes and
        namespaces stay.
  path:
    description:
      - The release directory, with the manifests. Required with O(state=active).
      - C(images.json) in it, which module M(sluice.release.release_image) writes, names images by service. A container
        that is called like a service, or whose image is, gets that one.
  config:
    description:
      - JSON file with the environment of the application, one flat object of strings.
      - It becomes a Secret, called by O(config_name) and a hash of its content. Its values are shown nowhere.
  ready:
    description:
      - How every new pod proves itself. Required with O(state=active).
      - O(ready.url) and O(ready.version_url) have C({pod}) as their host, for example C(http://{pod}:3000/ready), and
        the container's port. Kubernetes has to call the pod ready as well; its readiness probe decides about requests.
      - O(ready.timeout) is counted from when all containers of the pod run, and O(ready.instance_query) is not needed.
  drain_timeout:
    description:
      - Seconds that the application may need from SIGTERM until its last request is answered.
      - The module warns when C(terminationGracePeriodSeconds) is too short for it.
  kubeconfig:
    description: The kubeconfig; where it is left out E(KUBECONFIG), C(~/.kube/config), or the service account of
      the pod that this runs in.
    type: path
  context:
    description: Context of the kubeconfig, the current one when it is left out.
    type: str
  namespace:
    description: Namespace of the Deployments, that of the context when it is left out.
    type: str
  manifests:
    description:
      - Files and directories in O(path), applied in this order; the files of a directory by name.
      - Services, Ingresses and autoscalers that are there already change when the new pods are proven.
    type: list
    elements: str
    default: [k8s]
  images:
    description:
      - Image references, best by digest, by name of the container, by C(deployment/container), or by what the manifests
        call the image, without its tag.
      - They go before what C(images.json) of O(path) says.
    type: dict
    default: {}
  config_name:
    description:
      - Name by which the manifests refer to the Secret with O(config), for example in C(envFrom).
      - The name of the application and C(-config) when it is left out.
    type: str
  strategy:
    description:
      - With V(rolling), new pods take the place of old ones, as many at a time as C(maxSurge) says; C(maxUnavailable)
        is always 0. The first of them take requests, as soon as their readiness probe lets them, while they are proven.
      - With V(blue_green), new Deployments run beside the old ones, each with a C(-blue) or C(-green) at its name, and
        no request comes to them before all of their pods are proven. Then the selectors of the Services are changed. It
        needs room for twice as many pods.
      - With V(canary) and O(weight) below 100, Deployments with a C(-canary) at their names run beside those that
        serve, with as many pods as it takes. With 100 the release is rolled out and the canary is removed.
    type: str
    choices: [rolling, blue_green, canary]
    default: rolling
  weight:
    description:
      - Percentage of the requests that shall go to the canary, by its number of pods, at least one.
      - A pipeline calls the module with one weight after the other, and judges in between. To take a canary back, call
        it with the release that serves and 100.
    type: float
    default: 100
  reach:
    description:
      - How pods are asked whether they are ready. V(proxy) is through the API server, and works from everywhere;
        V(direct) is at their own addresses, and works within the cluster's network.
      - With V(auto), through the API server when this user may get C(pods/proxy).
    type: str
    choices: [auto, proxy, direct]
    default: auto
  timeout:
    description: Seconds for the whole rollout, pulling images included.
    type: float
    default: 600
  patience:
    description:
      - Seconds for what may pass by itself, such as a pod that cannot be scheduled, an image that cannot be pulled, an
        exceeded quota, or an API server that does not answer.
      - A crash loop, a missing image that must not be pulled and a wrong version end the run at once.
    type: float
    default: 30
  settle:
    description: Seconds between the move of the Services and the end of the old pods with O(strategy=blue_green).
    type: float
    default: 2
  revisions:
    description:
      - Revision by Deployment, as RV(revisions) of an earlier run has named them. The Deployments go back to these
        instead of to the manifests in O(path), which need not be there any more.
      - Refused unless each of them still is O(release), for Kubernetes gives a revision another number when it is gone
        back to, and forgets those beyond C(revisionHistoryLimit).
    type: dict
    default: {}
  keep:
    description:
      - How many generations of each ConfigMap and Secret stay at least.
      - What a ReplicaSet or a pod still refers to stays in any case.
    type: int
    default: 5
notes:
  - It runs where the API server can be reached, which is usually the controller, with C(ansible_connection) set to
    V(local).
  - A pod is told to end while requests are still sent to it, because endpoints and SIGTERM go different ways. A
    container that loses none has a C(preStop) hook that sleeps for some 15 seconds, then ends when its last request is
    answered, and C(terminationGracePeriodSeconds) is longer than both. The module warns where that is not so.
  - An autoscaler of the manifests follows its Deployment from slot to slot with O(strategy=blue_green).
  - A ConfigMap or Secret with the annotation C(sluice.release/hashed) set to C("false") keeps its name, and so does one
    that no pod refers to.
  - Deployments of the application that the manifests of a release do not have any more are scaled to 0.
seealso:
  - module: sluice.release.health_gate
  - module: kubernetes.core.k8s
"""

EXAMPLES = r"""
- name: Let the release serve
  sluice.release.k8s_switch:
    name: shop
    release: 1.1.0-3f2a9c51b7de
    path: /srv/shop/releases/1.1.0-3f2a9c51b7de
    manifests: [k8s/namespace.yaml, k8s/backend.yaml, k8s/frontend.yaml]
    config: /srv/shop/config/7/env.json
    namespace: shop
    ready:
      url: http://{pod}:3000/ready
      version_url: http://{pod}:3000/version
      version: 1.1.0

- name: Give a quarter of the requests to the release
  sluice.release.k8s_switch:
    name: shop
    release: 1.1.0-3f2a9c51b7de
    path: /srv/shop/releases/1.1.0-3f2a9c51b7de
    images:
      web: registry.example.com/shop@sha256:6a92dfeec0c6b1f1c1f4d0f3a52a5a1be1d8ac3c9a4b1b60fa2c2b0d3e4f5a6b
    namespace: shop
    strategy: canary
    weight: 25
    ready:
      url: http://{pod}:3000/version
      version: 1.1.0
"""

RETURN = r"""
previous:
  description: Artifact that served before, or V(unknown) for one that this module did not start; none at a first start.
  returned: success, or failure after the release was compared with the cluster
  type: str
  sample: 1.0.0-8c1d77aa02f4
current:
  description: Artifact that serves now; none when nothing does. In check mode the one that would.
  returned: success, or failure after the release was compared with the cluster
  type: str
  sample: 1.1.0-3f2a9c51b7de
instances:
  description: The pods of O(release); after a failure as they were seen last, before they were removed.
  returned: success, or failure after the release was compared with the cluster
  type: list
  elements: dict
  contains:
    id:
      description: Name of the pod.
      type: str
      sample: web-7c9d8f6b5c-2xkqp
    deployment:
      description: Its Deployment.
      type: str
      sample: web
    release:
      description: Artifact that it runs.
      type: str
      sample: 1.1.0-3f2a9c51b7de
    status:
      description: Its phase, or V(Terminating).
      type: str
      sample: Running
    ready:
      description: Whether it has proven itself.
      type: bool
      sample: true
    ready_seconds:
      description: Seconds from when it was first seen to its proof.
      type: float
      sample: 2.204
    restarts:
      description: How often its containers were restarted.
      type: int
      sample: 0
retired:
  description: The pods that were ended, in that order.
  returned: success, or failure after the release was compared with the cluster
  type: list
  elements: dict
  contains:
    id:
      description: Name of the pod.
      type: str
      sample: web-5d4f8b7c9-7hq2l
    release:
      description: Artifact that it ran.
      type: str
      sample: 1.0.0-8c1d77aa02f4
    seconds:
      description: How long it took to end.
      type: float
      sample: 16.3
    killed:
      description: Whether it had to be killed, so that requests may be lost.
      type: bool
      sample: false
slot:
  description: Which Deployments serve with O(strategy=blue_green), none otherwise.
  returned: success, or failure after the release was compared with the cluster
  type: str
  sample: green
revisions:
  description: Revision of each Deployment, as C(kubectl rollout history) numbers them.
  returned: success, or failure after the release was compared with the cluster
  type: dict
  sample: {"web": 12}
pruned:
  description: ConfigMaps and Secrets that were deleted because nothing can go back to them any more.
  returned: success, or failure after the release was compared with the cluster
  type: list
  elements: str
  sample: [Secret shop-config-3f9ab2d410]
duration:
  description: Seconds that all of it took, until the last old pod was gone.
  returned: success
  type: float
  sample: 24.31
logs:
  description: The last lines that the new pods wrote, secrets masked.
  returned: failure after the release was compared with the cluster
  type: list
  elements: dict
  contains:
    id:
      description: Name of the pod.
      type: str
      sample: web-7c9d8f6b5c-2xkqp
    lines:
      description: The lines.
      type: list
      elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.journal._fence import acting
from ansible_collections.sluice.release.plugins.module_utils.k8s import _options, _switch
from ansible_collections.sluice.release.plugins.module_utils.switch import _environment, _spec

OPTIONS: dict[str, t.Any] = {
    **_spec.SWITCH,
    "kubeconfig": {"type": "path"},
    "context": {"type": "str"},
    "namespace": {"type": "str"},
    "manifests": {"type": "list", "elements": "str", "default": ["k8s"]},
    "images": {"type": "dict", "default": {}},
    "config_name": {"type": "str"},
    "strategy": {"type": "str", "choices": ["rolling", "blue_green", "canary"], "default": "rolling"},
    "weight": {"type": "float", "default": 100},
    "reach": {"type": "str", "choices": ["auto", "proxy", "direct"], "default": "auto"},
    "timeout": {"type": "float", "default": 600},
    "patience": {"type": "float", "default": 30},
    "settle": {"type": "float", "default": 2},
    "revisions": {"type": "dict", "default": {}},
    "keep": {"type": "int", "default": 5},
}


def switch(params: t.Mapping[str, t.Any], *, check_mode: bool, warn: t.Callable[[str], object]) -> dict[str, t.Any]:
    """Bring the application to the wanted state."""
    if params["state"] == "active" and not params["revisions"] and _environment.is_to_come(params, check_mode):
        return _options.foretold(params)
    wanted = _options.request(params) if params["state"] == "active" else None
    alone = acting(params["state_dir"], params["token"], f"switch {params['name']}", check_mode=check_mode)
    with alone:
        world = _options.world(params, warn)
        if wanted is not None:
            world.secrets += _environment.secrets(wanted.release.config or {})
            return _switch.Switch(wanted, world, check_mode).run()
        return _switch.end(params["name"], world, absent=params["state"] == "absent", check_mode=check_mode)


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, required_if=_spec.REQUIRED_IF, supports_check_mode=True)
    run(module, lambda params: switch(params, check_mode=module.check_mode, warn=module.warn))


if __name__ == "__main__":
    main()

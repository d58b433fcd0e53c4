#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxy_route
short_description: Move traffic at a proxy, or take a server out of it and back
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Moves the traffic from one of two slots to the other, all of it or a part, without a moment at which none serves.
  - Takes a server out of a proxy in front of several hosts, waits until its requests are done, and brings it back.
  - What the proxy is told is tested first. When it refuses, or the new server does not get up, the proxy is as before.
  - Run it where the proxy runs; C(delegate_to) says so in a play over the hosts behind it.
extends_documentation_fragment:
  - sluice.release._attributes
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
  - sluice.release._proxy
options:
  service:
    description:
      - Instead of O(proxy), a Service of Kubernetes whose selector names the slot.
      - M(sluice.release.k8s_switch) makes it with O(sluice.release.k8s_switch#module:strategy=blue_green).
    type: dict
    suboptions:
      name:
        description: Name of the Service.
        type: str
        required: true
      namespace:
        description: Namespace of the Service, that of the context when it is left out.
        type: str
      kubeconfig:
        description:
          - The kubeconfig; where it is left out E(KUBECONFIG), C(~/.kube/config), or the service account of the pod
            that this runs in.
        type: path
      context:
        description: Context of the kubeconfig, the current one when it is left out.
        type: str
      timeout:
        description: Seconds that the Service may take to have the pods of the slot.
        type: float
        default: 10
  to:
    description:
      - The slot that shall have the traffic, by its base port in O(ports).
      - With O(proxy.type=haproxy) also by the name of a server in O(proxy.servers), and with O(service) by the name of
        the slot, V(blue) or V(green).
      - Once all of it is moved, the module waits until the old slot has no request left, at most O(proxy.timeout).
    type: str
  weight:
    description: Percent of the traffic that O(to) gets; the other slot keeps the rest. All of it when left out.
    type: int
  ports:
    description: Base ports of the two slots. Required with O(proxy) and O(to).
    type: list
    elements: int
  instances:
    description: Number of instances of a slot; they listen at its base port and those after it.
    type: int
    default: 1
  server:
    description: Names of servers of O(proxy.backend) that belong together, such as all of one host.
    type: list
    elements: str
  state:
    description:
      - With V(drained), O(server) gets no new request, and the module waits until it has none left, at most
        O(proxy.timeout).
      - With V(undrained), it gets requests again, once HAProxy's own health checks have seen it up.
      - Required with O(server).
    type: str
    choices: [drained, undrained]
  serving:
    description: How many other servers have to be serving, so that one may be drained.
    type: int
    default: 1
requirements:
  - kubernetes (with O(service))
seealso:
  - module: sluice.release.k8s_switch
  - module: sluice.release.pm2_switch
"""

EXAMPLES = r"""
- name: Send one request of ten to the new version
  sluice.release.proxy_route:
    proxy:
      type: haproxy
      socket: /run/haproxy/admin.sock
      backend: shop
      state_file: /var/lib/haproxy/shop.state
    ports: [3001, 3002]
    to: green
    weight: 10

- name: Go back to the slot at port 3001
  sluice.release.proxy_route:
    proxy:
      type: nginx
      path: /etc/nginx/sluice/shop.conf
      content: "upstream shop { {servers} keepalive 16; }"
      test: [nginx, -t]
      reload: [nginx, -s, reload]
      pid: /run/nginx.pid
    ports: [3001, 3002]
    to: "3001"

- name: Go back to the pods of the other slot
  sluice.release.proxy_route:
    service:
      name: web
      namespace: shop
    to: blue

- name: Take this host out of the proxy in front of all
  sluice.release.proxy_route:
    proxy:
      type: haproxy
      socket: /run/haproxy/admin.sock
      backend: shop
    server: "{{ inventory_hostname }}"
    state: drained
  delegate_to: front.example.org
"""

RETURN = r"""
previous:
  description:
    - Base port, or name, of the slot that had the traffic, or the most of it; none when that cannot be told.
    - With O(server), the state of the first one, V(ready), V(drain) or V(maint).
  returned: success
  type: str
  sample: "3001"
current:
  description: The same as it is now; in check mode as it would be. None when the slots have half of it each.
  returned: success
  type: str
  sample: "3002"
servers:
  description: All servers of both slots, or of the backend.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name in HAProxy, its address, or the name of a pod.
      type: str
      sample: green
    slot:
      description: Base port or name of its slot. Returned with O(to).
      type: raw
      sample: 3002
    state:
      description:
        - What it was told. V(ready) takes requests, V(drain) finishes those that it has, V(maint) is out of service.
      type: str
      sample: ready
    status:
      description: HAProxy's own word, or that of Kubernetes, for how it is.
      type: str
      sample: UP
    check:
      description: What HAProxy's last health check has seen; empty without any.
      type: str
      sample: L7OK
    weight:
      description: Its weight among those that take requests.
      type: int
      sample: 1
    own_weight:
      description: The weight that the configuration gives it.
      type: int
      sample: 1
    sessions:
      description: Sessions that it has; none where the proxy does not say.
      type: int
      sample: 0
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils._runner import SubprocessRunner
from ansible_collections.sluice.release.plugins.module_utils.k8s._cluster import Cluster
from ansible_collections.sluice.release.plugins.module_utils.proxy import _act, _options, _service

OPTIONS: dict[str, t.Any] = {
    **_options.PROXY,
    "service": {
        "type": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "namespace": {"type": "str"},
            "kubeconfig": {"type": "path"},
            "context": {"type": "str"},
            "timeout": {"type": "float", "default": 10},
        },
    },
    "to": {"type": "str"},
    "weight": {"type": "int"},
    "ports": {"type": "list", "elements": "int"},
    "instances": {"type": "int", "default": 1},
    "server": {"type": "list", "elements": "str"},
    "state": {"type": "str", "choices": ["drained", "undrained"]},
    "serving": {"type": "int", "default": 1},
}


def act(params: t.Mapping[str, t.Any], *, check_mode: bool, warn: t.Callable[[str], object]) -> dict[str, t.Any]:
    """Move the traffic, or drain or undrain servers."""
    if params["service"]:
        return move_service(params["service"], params["to"], params["weight"], check_mode)
    proxy = params["proxy"]
    if params["to"] and not params["ports"]:
        raise SluiceError(f"move traffic to {params['to']}", "ports is missing", "Name the base ports of both slots")
    if not params["server"]:
        route = _options.from_options(proxy, params["ports"], params["instances"], SubprocessRunner())
        port = _act.slot_of(params["to"], params["ports"], _options.slot_names(proxy, params["instances"]))
        return _act.move(route, params["ports"], port, params["weight"], check_mode)
    if proxy["type"] != "haproxy":
        raise SluiceError(
            f"bring {', '.join(params['server'])} to {params['state']}",
            f"{proxy['type']} does not know its servers one by one",
            "Move the traffic with the option to",
        )
    names = [_options.check_name(name, "server") for name in params["server"]]
    backend = _options.backend(proxy)
    if params["state"] == "undrained":
        return _act.undrain(backend, names, check_mode)
    return _act.drain(backend, names, params["serving"], check_mode, warn)


def move_service(options: t.Mapping[str, t.Any], to: str, weight: int | None, check_mode: bool) -> dict[str, t.Any]:
    """Move a Service of Kubernetes."""
    if weight not in (None, 100):
        raise SluiceError(
            f"send {weight} % to {to}", "a selector takes all or nothing", "Use k8s_switch with strategy canary"
        )
    cluster = Cluster(options["kubeconfig"], options["context"], options["namespace"])
    return _service.move(cluster, options["name"], to, check_mode, options["timeout"])


def main() -> None:
    module = AnsibleModule(
        argument_spec=OPTIONS,
        required_one_of=[("proxy", "service"), ("to", "server")],
        mutually_exclusive=[("proxy", "service"), ("to", "server"), ("to", "state"), ("service", "server")],
        required_by={"weight": "to", "server": "state", "state": "server"},
        supports_check_mode=True,
    )
    run(module, lambda params: act(params, check_mode=module.check_mode, warn=module.warn))


if __name__ == "__main__":
    main()

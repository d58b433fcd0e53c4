#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: compose_switch
short_description: Switch an application of a Compose project from one release to another
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Starts the containers of the stateless services of a release beside those that serve, lets every single one prove
    itself by its own answer and by its health check, moves the proxies, and only then ends the old ones, which stay on
    the host for a rollback.
  - C(docker compose up) ends a container before it starts the new one. Here each of two slots is a project of its own,
    O(name) with V(-a) and V(-b), so that two releases stand side by side. All that is not among O(services) stays in
    the project O(name), with its networks and volumes; it is recreated only when its definition has changed, with a
    warning, and all of it has to run and to be healthy before anything else begins.
  - Fails closed. When a new container crashes, does not get ready, or answers with another version, all new ones are
    removed, what was recreated is put back, and the old ones go on serving.
  - Looks first at what is there, so that it finishes or undoes what a killed run has left.
  - Nothing is pulled or built. C(images.json) of O(path) names the images and the digests that they have to have; a
    service that is not in it runs the image that the project names, which has to be on the host. A rollback needs no
    registry.
extends_documentation_fragment:
  - sluice.release._attributes
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
  - sluice.release._switch
  - sluice.release._progress
options:
  files:
    description: The project files, relative to O(path); a later one adds to those before it.
    type: list
    elements: str
    default: [compose.yml]
  services:
    description:
      - The stateless services, which are switched together. Required with O(state=active).
      - They find each other, within one release, by their names. A service that is not among them finds them through
        the proxy only, for they have no name that both releases could have.
      - They get the variables of O(config) in addition to those that the project gives them.
    type: list
    elements: dict
    suboptions:
      name:
        description: The service, as the project calls it.
        type: str
        required: true
      port:
        description: Where it listens in its container.
        type: int
        required: true
      ports:
        description:
          - The two ports of the host that releases use in turn. What the project publishes for it is left out.
          - With several O(services[].instances), each of the two is the first of as many ports.
        type: list
        elements: int
        required: true
      address:
        description: Address of the host at which it is published.
        type: str
        default: 127.0.0.1
      instances:
        description: Number of instances.
        type: int
        default: 1
      ready:
        description: What of O(ready) is different for this service.
        type: dict
      proxy:
        description:
          - The proxy in front of its two slots, as O(sluice.release.docker_switch#module:proxy) describes it.
          - The proxies of several services move one after the other, and all go back when one refuses.
        type: dict
  hold:
    description:
      - Seconds that the old instances stay able to take the requests back once the proxies have moved.
    type: float
    default: 3
  staged:
    description:
      - Whether the new instances are only started and proven, and wait at the idle ports beside those that serve. A
        call without it moves the traffic to them. Services that hold state are brought up to date all the same.
    type: bool
    default: false
  keep:
    description: How many ended releases stay on the host, ready to be started again, at most one in each slot.
    type: int
    default: 1
  link:
    description: Symbolic link that points at O(path) once the new instances are proven.
    type: path
  compose:
    description:
      - The command, for example V([/opt/docker-compose]). C(docker compose) when left out, or else C(docker-compose),
        whose version 1 is as good; that one needs the Python library PyYAML.
    type: list
    elements: str
  docker_host:
    description: The engine. E(DOCKER_HOST), or the socket of this host, when left out.
    type: str
notes:
  - O(state_dir) is needed. The projects as they run lie in its directory C(compose), with mode 0600, for they hold what
    O(config) says. Every one of them can be looked at with C(docker compose -p NAME ps).
  - Variables in the project files are filled in from O(config).
  - A request is lost when the application closes a connection that the proxy is about to use again, or when it is
    killed. One that loses none does this on its stop signal. It stops to accept, answers everything that still comes on
    open connections with the header C(Connection) set to C(close), and exits when the last one has ended.
  - A service outside of O(services) that mounts something of the release directory has a new definition with each
    release, and so has one under another version of Compose. Let it mount what stays in its place.
  - Volumes are never removed.
  - Old and new containers run beside each other for a while. What must run only once must not be among O(services).
requirements:
  - docker (Python library) 7.0 or newer
  - Compose 1.27 or newer
seealso:
  - module: sluice.release.docker_switch
  - module: sluice.release.health_gate
"""

EXAMPLES = r"""
- name: Let the release serve
  sluice.release.compose_switch:
    name: shop
    release: 1.1.0-3f2a9c51b7de
    path: /srv/shop/releases/1.1.0-3f2a9c51b7de
    files: [docker-compose.production.yml]
    config: /srv/shop/config/7/env.json
    services:
      - name: api
        port: 3000
        ports: [3001, 3002]
        proxy:
          type: haproxy
          socket: /run/haproxy/admin.sock
          backend: api
      - name: web
        port: 8080
        ports: [8081, 8082]
        ready:
          url: http://127.0.0.1:{port}/
          version_url: http://127.0.0.1:{port}/version.json
        proxy:
          type: haproxy
          socket: /run/haproxy/admin.sock
          backend: web
    ready:
      url: http://127.0.0.1:{port}/ready
      version_url: http://127.0.0.1:{port}/version
      version: 1.1.0
    state_dir: /var/lib/sluice/shop
"""

RETURN = r"""
previous:
  description: Artifact that served before; none at a first start.
  returned: success, or failure after a container was started
  type: str
  sample: 1.0.0-8c1d77aa02f4
staged:
  description: Whether new instances wait, at another port than the one that serves.
  returned: with O(staged), when it succeeded
  type: bool
current:
  description: Artifact that serves now; none when nothing does. In check mode the one that would.
  returned: success, or failure after a container was started
  type: str
  sample: 1.1.0-3f2a9c51b7de
images:
  description: The images of the services of O(release), by service.
  returned: success with O(state=active), or failure of it after the images were found
  type: dict
  sample:
    api:
      reference: sluice-kept/shop-api:1.1.0-3f2a9c51b7de
      id: sha256:d0d24312878b0c51d0f7f2a1d8b2a4ba1a33b9ad0ed5e4dbb7d8ec8a1cba5b3f
      digest: sha256:d0d24312878b0c51d0f7f2a1d8b2a4ba1a33b9ad0ed5e4dbb7d8ec8a1cba5b3f
rest:
  description: The services that are not among O(services) and were not as they shall be.
  returned: success, or failure after the images were found
  type: list
  elements: dict
  contains:
    service:
      description: Its name.
      type: str
      sample: cache
    was:
      description: How it stood, V(missing), V(changed) or V(ended). Not with O(state=stopped) and O(state=absent).
      type: str
      sample: changed
instances:
  description: The containers of O(services); after a failure as they were seen last, before they were removed.
  returned: success, or failure after a container was started
  type: list
  elements: dict
  contains:
    id:
      description: Its name; none for one that check mode did not start.
      type: str
      sample: shop-1.1.0-3f2a9c51b7de-3002
    pid:
      description: Its first process, as the host numbers it.
      type: int
      sample: 21873
    service:
      description: The service that it is one of. Not with O(state=stopped) and O(state=absent).
      type: str
      sample: api
    port:
      description: Its port on the host.
      type: int
      sample: 3002
    release:
      description: Artifact that it runs.
      type: str
      sample: 1.1.0-3f2a9c51b7de
    status:
      description: What the engine says of it.
      type: str
      sample: running
    ready:
      description: Whether it has proven itself.
      type: bool
      sample: true
    ready_seconds:
      description: Seconds from its start to its proof.
      type: float
      sample: 1.204
    restarts:
      description: How often the engine has restarted it.
      type: int
      sample: 0
retired:
  description: The containers that were ended, in that order.
  returned: success, or failure after a container was started
  type: list
  elements: dict
  contains:
    id:
      description: Its name.
      type: str
      sample: shop-1.0.0-8c1d77aa02f4-3001
    pid:
      description: Its first process.
      type: int
      sample: 20114
    release:
      description: Artifact that it ran.
      type: str
      sample: 1.0.0-8c1d77aa02f4
    seconds:
      description: How long it took to end.
      type: float
      sample: 1.13
    killed:
      description: Whether it had to be killed, so that requests may be lost.
      type: bool
      sample: false
    connections:
      description: Connections that it still had when it was killed.
      type: int
      sample: 2
duration:
  description: Seconds that all of it took.
  returned: success
  type: float
  sample: 6.31
logs:
  description: The last lines that the new containers wrote, values of O(config) masked.
  returned: failure after a container was started
  type: list
  elements: dict
  contains:
    id:
      description: Name of the container, or of the service.
      type: str
      sample: shop-1.1.0-3f2a9c51b7de-3002
    lines:
      description: The lines, errors first.
      type: list
      elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.compose._options import OPTIONS
from ansible_collections.sluice.release.plugins.module_utils.compose._switch import switch
from ansible_collections.sluice.release.plugins.module_utils.switch._spec import REQUIRED_IF


def main() -> None:
    module = AnsibleModule(
        argument_spec=OPTIONS,
        required_if=[*REQUIRED_IF, ("state", "active", ("services", "state_dir"))],
        supports_check_mode=True,
    )
    run(module, lambda params: switch(params, check_mode=module.check_mode, warn=module.warn))


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_switch
short_description: Switch an application in Docker containers from one release to another
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Starts the containers of a release beside those that serve, lets every single one prove itself by its own answer and
    by its health check, moves the proxy, and only then ends the old ones, which stay on the host for a rollback.
  - Fails closed. When a new container crashes, does not get ready, or answers with another version, all new ones are
    removed and the old ones go on serving.
  - Looks first at what is there, so that it finishes or undoes what a killed run has left. What it knows of a container
    it reads from labels of the container.
  - Nothing is pulled. An image that is not on the host is an error before anything has moved, and so is one with
    another digest than the release names. A rollback needs no registry.
extends_documentation_fragment:
  - sluice.release._attributes
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
  - sluice.release._switch
  - sluice.release._switch.blue_green
  - sluice.release._proxy
  - sluice.release._progress
options:
  image:
    description:
      - The image to run, by digest, or by a tag that is never moved.
      - When it is left out, C(images.json) of O(path) names it, which also says which digest it has to have.
    type: str
  service:
    description: Which one of C(images.json), when there are several.
    type: str
  container:
    description: How every container is made. Required with O(state=active).
    type: dict
    suboptions:
      port:
        description: Where the application listens in the container.
        type: int
        required: true
      address:
        description: Address of the host at which its port is published, one of O(ports) for each container.
        type: str
        default: 127.0.0.1
      port_variable:
        description: Environment variable that tells the application where to listen.
        type: str
        default: PORT
      command:
        description: What it runs instead of the image's command. Anybody on the host can read it.
        type: list
        elements: str
        default: []
      user:
        description: User, or user and group, in place of the image's.
        type: str
      memory:
        description: Memory that it may use, for example V(512M).
        type: str
      cpus:
        description: Processors that it may use, for example V(1.5).
        type: float
      pids:
        description: Processes and threads that it may have.
        type: int
      networks:
        description:
          - Networks that it joins. With V(host) it has the network of the host, nothing is published, and
            O(container.port_variable) is its port of O(ports).
        type: list
        elements: str
        default: []
      volumes:
        description: Volumes and directories of the host, as C(name:/target) or C(/path:/target:ro).
        type: list
        elements: str
        default: []
      secrets:
        description:
          - Files of the host that are mounted read-only. One that everybody can read is refused; the user in the
            container has to be able to.
          - A changed content makes new containers.
        type: list
        elements: dict
        default: []
        suboptions:
          source:
            description: The file on the host.
            type: path
            required: true
          target:
            description: Where the application finds it, for example V(/run/secrets/token).
            type: str
            required: true
      tmpfs:
        description: Directories in memory.
        type: list
        elements: str
        default: []
      extra_hosts:
        description: Addresses by host name.
        type: dict
        default: {}
      restart:
        description:
          - When the engine starts it again. With V(unless-stopped) what this module has ended stays ended when the host
            is booted.
        type: str
        choices: [unless-stopped, always, on-failure, 'no']
        default: unless-stopped
      log_driver:
        description: Where its output goes; the engine's default when left out.
        type: str
      log_options:
        description: Options of the log driver, for example C(max-size).
        type: dict
        default: {}
      stop_signal:
        description: Signal that tells it to end; the image's when left out.
        type: str
      healthcheck:
        description:
          - In place of the image's HEALTHCHECK, or of what of it is given. An image that has one has to pass it.
          - The first check is not waited for. It is run as soon as the container has started, and then once a second.
        type: dict
        suboptions:
          test:
            description: Command whose exit status 0 means healthy.
            type: list
            elements: str
          interval:
            description: Seconds between two checks.
            type: float
          timeout:
            description: Seconds for one.
            type: float
          start_period:
            description: Seconds in which failures do not count.
            type: float
          retries:
            description: Failures in a row that make it unhealthy.
            type: int
      read_only:
        description: Whether the container can write to its own file system.
        type: bool
        default: false
      cap_drop:
        description: Capabilities that it does not get, for example V(ALL).
        type: list
        elements: str
        default: []
      init:
        description: Whether a small init process passes signals on, for an image whose first process does not.
        type: bool
        default: false
  docker_host:
    description: The engine. E(DOCKER_HOST), or the socket of this host, when left out.
    type: str
notes:
  - A request is lost when the application closes a connection that the proxy is about to use again, or when it is
    killed. One that loses none does this on its stop signal. It stops to accept, answers everything that still comes on
    open connections with the header C(Connection) set to C(close), and exits when the last one has ended.
  - A shell as the first process (C(CMD npm start)) does not pass the signal on, so the application is killed.
  - The environment of a container can be read by whoever may use the engine. O(container.secrets) cannot.
  - Old and new containers run beside each other for a while. What must run only once must not run in them.
requirements:
  - docker (Python library) 7.0 or newer
seealso:
  - module: sluice.release.compose_switch
  - module: sluice.release.health_gate
"""

EXAMPLES = r"""
- name: Let the release serve
  sluice.release.docker_switch:
    name: shop
    release: 1.1.0-3f2a9c51b7de
    path: /srv/shop/releases/1.1.0-3f2a9c51b7de
    config: /srv/shop/config/7/env.json
    ports: [3001, 3002]
    container:
      port: 3000
      memory: 512M
      cpus: 1
      pids: 200
      secrets:
        - {source: /srv/shop/secrets/token, target: /run/secrets/token}
    proxy:
      type: haproxy
      socket: /run/haproxy/admin.sock
      backend: shop
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
image:
  description: The image that the containers of O(release) run, as the engine itself names it.
  returned: success with O(state=active), or failure of it after the image was found
  type: dict
  contains:
    reference:
      description: Its name.
      type: str
      sample: sluice-kept/shop:1.1.0-3f2a9c51b7de
    id:
      description: Its id in this engine.
      type: str
      sample: sha256:d0d24312878b0c51d0f7f2a1d8b2a4ba1a33b9ad0ed5e4dbb7d8ec8a1cba5b3f
    digest:
      description: Its digest; its id where it comes from no registry.
      type: str
      sample: sha256:d0d24312878b0c51d0f7f2a1d8b2a4ba1a33b9ad0ed5e4dbb7d8ec8a1cba5b3f
instances:
  description: The containers of O(release); after a failure as they were seen last, before they were removed.
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
  description: The last lines that the new containers wrote, values of O(config) and O(container.secrets) masked.
  returned: failure after a container was started
  type: list
  elements: dict
  contains:
    id:
      description: Name of the container.
      type: str
      sample: shop-1.1.0-3f2a9c51b7de-3002
    lines:
      description: The lines, errors first.
      type: list
      elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.docker._options import OPTIONS
from ansible_collections.sluice.release.plugins.module_utils.docker._switch import switch
from ansible_collections.sluice.release.plugins.module_utils.switch._spec import REQUIRED_IF


def main() -> None:
    module = AnsibleModule(
        argument_spec=OPTIONS,
        required_if=[*REQUIRED_IF, ("state", "active", ("ports", "container"))],
        supports_check_mode=True,
    )
    run(module, lambda params: switch(params, check_mode=module.check_mode, warn=module.warn))


if __name__ == "__main__":
    main()

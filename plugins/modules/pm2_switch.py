#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pm2_switch
short_description: Switch a Node.js application under PM2 from one release to another
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Starts the workers of a release beside those that serve, lets every single one prove itself, and only then retires
    the old ones, one after the other.
  - Fails closed. When a new worker crashes, does not get ready, or answers with another version, all new workers are
    removed and the old ones go on serving. C(pm2 reload), which deletes the old worker after a timeout in any case, is
    never used, nor is C(pm2 kill) or a command on all applications.
  - Looks first at what is there, so that it finishes or undoes what a killed run has left.
  - In cluster mode old and new workers share the listening port within one PM2 daemon. In fork mode the new worker gets
    the other one of two ports, and a proxy's upstream file is pointed at it.
  - Each worker runs in the release directory itself and carries E(SLUICE_RELEASE), E(SLUICE_MARK) and
    E(NODE_APP_INSTANCE), numbered from 0 within its release.
extends_documentation_fragment:
  - sluice.release._attributes
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
  - sluice.release._progress
options:
  name:
    description: Name of the application in PM2. Processes of other names are never touched.
    type: str
    required: true
  state:
    description:
      - With V(active), O(release) serves, and nothing else under this name.
      - With V(stopped), no worker runs, but PM2 keeps them in its list.
      - With V(absent), PM2 does not know the name.
    type: str
    choices: [active, stopped, absent]
    default: active
  release:
    description: Id of the artifact that shall serve. Required with O(state=active).
    type: str
  path:
    description: The release directory. Required with O(state=active).
    type: path
  script:
    description: The file that Node.js runs, relative to O(path). Required with O(state=active).
    type: str
  config:
    description:
      - JSON file with the environment of the workers, one flat object of strings.
      - The workers get these variables, E(PATH), E(HOME) and what PM2 adds. It is never an argument of a process.
    type: path
  exec_mode:
    description: How PM2 runs the workers. V(fork) needs O(ports) and O(upstream).
    type: str
    choices: [cluster, fork]
    default: cluster
  instances:
    description: Number of workers. Always one with O(exec_mode=fork).
    type: int
    default: 1
  ready:
    description: How every worker proves itself. Required with O(state=active).
    type: dict
    suboptions:
      url:
        description: Address that says whether the worker is ready. In fork mode C({port}) stands for the worker's port.
        type: str
        required: true
      status:
        description: HTTP status that means ready.
        type: list
        elements: int
        default: [200]
      version:
        description: The version that the worker has to report.
        type: str
        required: true
      version_url:
        description:
          - Address whose JSON tells version and process of the worker that answers; O(ready.url) when it is left out.
          - On the same host and port, for both are asked over one connection, which belongs to one worker.
        type: str
      version_query:
        description: JMESPath expression for the version.
        type: str
        default: version
      instance_query:
        description: JMESPath expression for the process id. Without it no worker of a cluster can be told from another.
        type: str
        default: pid
      successes:
        description: How often in a row each worker has to be ready.
        type: int
        default: 3
      timeout:
        description: Seconds that the workers have for it, counted from when PM2 has started them.
        type: float
        default: 30
      interval:
        description: Seconds between two successes of one worker, and after an answer that was none.
        type: float
        default: 0.2
      request_timeout:
        description: Seconds for one request.
        type: float
        default: 5
      validate_certs:
        description: Whether an https certificate has to be valid.
        type: bool
        default: true
  ports:
    description: The two ports that releases use in turn in fork mode.
    type: list
    elements: int
  port_variable:
    description: Environment variable that tells the worker its port in fork mode.
    type: str
    default: PORT
  upstream:
    description: The proxy in front of the port pair.
    type: dict
    suboptions:
      path:
        description: The file that names the live port; the proxy includes it.
        type: path
        required: true
      content:
        description: Content of the file, with C({port}) for the port.
        type: str
        required: true
      test:
        description: Command that checks the proxy's configuration.
        type: list
        elements: str
        default: []
      reload:
        description: Command that makes the proxy read the file.
        type: list
        elements: str
        required: true
      settle:
        description: Seconds between the reload, which works in the background, and the end of the old worker.
        type: float
        default: 1
  node_args:
    description: Arguments for Node.js, for example C(--max-old-space-size=512). Anybody on the host can read them.
    type: list
    elements: str
    default: []
  wait_ready:
    description: Whether the application tells PM2 that it is ready with C(process.send('ready'\)).
    type: bool
    default: true
  listen_timeout:
    description: Seconds that PM2 waits for that word, for each worker. The proof begins after it in any case.
    type: float
    default: 10
  drain_timeout:
    description: Seconds that the application may need from SIGINT until its last request is answered.
    type: float
    default: 8
  kill_timeout:
    description:
      - Seconds after which PM2 ends a worker with SIGKILL; two more than O(drain_timeout) when left out, and never less
        than that.
      - It holds for the workers that this call starts. Those that it retires have the one that they were started with.
    type: float
  link:
    description: Symbolic link that points at O(path) once the new workers are proven.
    type: path
  save:
    description:
      - Whether PM2 shall write its list, which it restores after a reboot, when the switch is done.
      - PM2 writes all applications of the daemon. Set it only after the gates have passed, in a call of its own.
    type: bool
    default: false
  pm2:
    description: The C(pm2) program.
    type: str
    default: pm2
  pm2_home:
    description: Home of the PM2 daemon. Its mode is set to 0700, for PM2 keeps the environments of all workers in it.
    type: path
    default: ~/.pm2
  path_prepend:
    description: Directories to look in for C(pm2) and C(node) first.
    type: list
    elements: path
    default: []
  state_dir:
    description: State directory of the application. With it, only one module at a time acts on the host.
    type: path
notes:
  - A request is lost when a worker exits with a connection that the PM2 daemon has just handed to it, when it closes a
    connection that a client is about to use again, or when it is killed. An application that loses none does three
    things on SIGINT. First it stops to accept, without closing idle connections, by
    C(net.Server.prototype.close.call(server, leave\)); the daemon gives what it still hands over to the other workers.
    Second it answers everything that comes on open connections with the header C(Connection) set to C(close). Third,
    when the last connection has ended, C(leave) calls C(cluster.worker.disconnect(\)), which waits until the daemon
    knows, and the process exits at its event C(disconnect), never before. In fork mode it just exits.
  - An idle connection ends by itself after C(server.keepAliveTimeout) (5 s by default), so O(drain_timeout) should be
    that and the longest request.
  - The PM2 daemon is started when it does not run, with nothing but E(PATH), E(HOME) and E(PM2_HOME) in its
    environment, because workers in cluster mode inherit that. A daemon that runs already is left as it is. Node.js then
    hands the connections to the workers in turn, so that each is proven by few requests. In a daemon that was started
    with E(NODE_CLUSTER_SCHED_POLICY) set to C(none) the kernel chooses the worker, and a proof takes more of them.
  - In cluster mode a new worker takes requests as soon as it listens. An application must not listen before it can
    answer.
  - Old and new workers run beside each other for a while. What must run only once must not run in the workers.
seealso:
  - module: sluice.release.health_gate
  - module: sluice.release.release_retention
"""

EXAMPLES = r"""
- name: Let the release serve
  sluice.release.pm2_switch:
    name: dealradarus
    release: 1.1.0-3f2a9c51b7de
    path: /srv/dealradarus/releases/1.1.0-3f2a9c51b7de
    script: server.js
    config: /srv/dealradarus/config/7/env.json
    instances: 2
    ready:
      url: http://127.0.0.1:3000/ready
      version_url: http://127.0.0.1:3000/version
      version: 1.1.0
    link: /srv/dealradarus/current
    state_dir: /var/lib/sluice/dealradarus

- name: The same for an application that must not run as a cluster
  sluice.release.pm2_switch:
    name: dealradarus
    release: 1.1.0-3f2a9c51b7de
    path: /srv/dealradarus/releases/1.1.0-3f2a9c51b7de
    script: server.js
    config: /srv/dealradarus/config/7/env.json
    exec_mode: fork
    ports: [3001, 3002]
    upstream:
      path: /etc/nginx/sluice/dealradarus.conf
      content: "upstream dealradarus { server 127.0.0.1:{port}; keepalive 16; }"
      test: [nginx, -t]
      reload: [nginx, -s, reload]
    ready:
      url: http://127.0.0.1:{port}/ready
      version_url: http://127.0.0.1:{port}/version
      version: 1.1.0
"""

RETURN = r"""
previous:
  description: Artifact that served before, or V(unknown) for one that this module did not start; none at a first start.
  returned: success, or failure after PM2 was asked
  type: str
  sample: 1.0.0-8c1d77aa02f4
current:
  description: Artifact that serves now; none when nothing does. In check mode the one that would.
  returned: success, or failure after PM2 was asked
  type: str
  sample: 1.1.0-3f2a9c51b7de
instances:
  description: The workers of O(release); after a failure as they were seen last, before they were removed.
  returned: success, or failure after PM2 was asked
  type: list
  elements: dict
  contains:
    id:
      description: Its id in PM2; none for one that check mode did not start.
      type: int
      sample: 4
    pid:
      description: Its process id.
      type: int
      sample: 21873
    release:
      description: Artifact that it runs.
      type: str
      sample: 1.1.0-3f2a9c51b7de
    status:
      description: Status in PM2.
      type: str
      sample: online
    ready:
      description: Whether it has proven itself.
      type: bool
      sample: true
    ready_seconds:
      description: Seconds from its start to its proof.
      type: float
      sample: 1.204
    restarts:
      description: How often PM2 has restarted it.
      type: int
      sample: 0
retired:
  description: The workers that were ended, in that order.
  returned: success, or failure after PM2 was asked
  type: list
  elements: dict
  contains:
    id:
      description: Its id in PM2.
      type: int
      sample: 2
    pid:
      description: Its process id.
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
duration:
  description: Seconds that all of it took.
  returned: success
  type: float
  sample: 6.31
logs:
  description: The last lines that the new workers wrote, values of O(config) masked.
  returned: failure after a worker was started
  type: list
  elements: dict
  contains:
    id:
      description: Id of the worker in PM2.
      type: int
      sample: 4
    lines:
      description: The lines, errors first.
      type: list
      elements: str
"""

import contextlib
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._argspec import PROGRESS
from ansible_collections.sluice.release.plugins.module_utils._files import host_lock
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.switch import _options, _switch

READY_OPTIONS: dict[str, t.Any] = {
    "url": {"type": "str", "required": True},
    "status": {"type": "list", "elements": "int", "default": [200]},
    "version": {"type": "str", "required": True},
    "version_url": {"type": "str"},
    "version_query": {"type": "str", "default": "version"},
    "instance_query": {"type": "str", "default": "pid"},
    "successes": {"type": "int", "default": 3},
    "timeout": {"type": "float", "default": 30},
    "interval": {"type": "float", "default": 0.2},
    "request_timeout": {"type": "float", "default": 5},
    "validate_certs": {"type": "bool", "default": True},
}

UPSTREAM_OPTIONS: dict[str, t.Any] = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str", "required": True},
    "test": {"type": "list", "elements": "str", "default": []},
    "reload": {"type": "list", "elements": "str", "required": True},
    "settle": {"type": "float", "default": 1},
}

OPTIONS: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["active", "stopped", "absent"], "default": "active"},
    "release": {"type": "str"},
    "path": {"type": "path"},
    "script": {"type": "str"},
    "config": {"type": "path"},
    "exec_mode": {"type": "str", "choices": ["cluster", "fork"], "default": "cluster"},
    "instances": {"type": "int", "default": 1},
    "ready": {"type": "dict", "options": READY_OPTIONS},
    "ports": {"type": "list", "elements": "int"},
    "port_variable": {"type": "str", "default": "PORT"},
    "upstream": {"type": "dict", "options": UPSTREAM_OPTIONS},
    "node_args": {"type": "list", "elements": "str", "default": []},
    "wait_ready": {"type": "bool", "default": True},
    "listen_timeout": {"type": "float", "default": 10},
    "drain_timeout": {"type": "float", "default": 8},
    "kill_timeout": {"type": "float"},
    "link": {"type": "path"},
    "save": {"type": "bool", "default": False},
    "pm2": {"type": "str", "default": "pm2"},
    "pm2_home": {"type": "path", "default": "~/.pm2"},
    "path_prepend": {"type": "list", "elements": "path", "default": []},
    "state_dir": {"type": "path"},
    **PROGRESS,
}


def switch(params: t.Mapping[str, t.Any], *, check_mode: bool, warn: t.Callable[[str], object]) -> dict[str, t.Any]:
    """Bring the application to the wanted state."""
    world = _options.world(params, check_mode, warn)
    alone = (
        contextlib.nullcontext()
        if check_mode or not params["state_dir"]
        else host_lock(params["state_dir"], f"switch {params['name']}")
    )
    with alone:
        if params["state"] == "active":
            return _switch.Switch(_options.request(params, check_mode), world, check_mode).run()
        return _switch.end(
            params["name"], world, absent=params["state"] == "absent", save=params["save"], check_mode=check_mode
        )


def main() -> None:
    module = AnsibleModule(
        argument_spec=OPTIONS,
        required_if=[
            ("state", "active", ("release", "path", "script", "ready")),
            ("exec_mode", "fork", ("ports", "upstream")),
        ],
        supports_check_mode=True,
    )
    run(module, lambda params: switch(params, check_mode=module.check_mode, warn=module.warn))


if __name__ == "__main__":
    main()

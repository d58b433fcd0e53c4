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
  - In cluster mode old and new workers share the listening port within one PM2 daemon. In fork mode the new ones get
    the other one of two ports, and the proxy before them is led there.
  - An application may have several processes, such as one that answers requests and one that works on a queue. They are
    one unit, of which nothing is moved before every new one has proven itself.
  - The environment is always fresh, as with C(--update-env). A worker never keeps a variable of an older configuration.
  - Each worker runs in the release directory itself and carries E(SLUICE_RELEASE), E(SLUICE_MARK) and
    E(SLUICE_APPLICATION) and E(NODE_APP_INSTANCE), numbered from 0 within its release.
extends_documentation_fragment:
  - sluice.release._attributes
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
  - sluice.release._progress
  - sluice.release._switch
  - sluice.release._proxy
options:
  name:
    description: Name of the application, which is its name in PM2 unless O(processes) or O(ecosystem) has others.
  script:
    description: The file that Node.js runs, relative to O(path).
    type: str
  config:
    description:
      - JSON file with the environment of the workers, one flat object of strings.
      - The workers get these variables, E(PATH), E(HOME) and what PM2 adds. They go before those of O(ecosystem).
    type: path
  exec_mode:
    description: How PM2 runs the workers. V(fork) needs O(ports) and O(proxy), or O(up).
    type: str
    choices: [cluster, fork]
    default: cluster
  instances:
    description: Number of workers.
    type: int
    default: 1
  ready:
    description: How every worker proves itself. Needed unless O(up) says that it answers nobody.
  up:
    description:
      - How a worker proves itself that answers no requests, instead of O(ready). It may not crash meanwhile.
      - O(wait_ready) is off for it unless it is set beside it in O(processes).
    type: dict
    suboptions:
      seconds:
        description: Seconds that it has to stay up.
        type: float
        default: 5
      log:
        description: Text that it has to have written.
        type: str
  processes:
    description:
      - The processes of the application, when there are several. What one leaves out is as in O(ecosystem), or as the
        option of that name of this module.
      - They are started and proven in this order. The first one moves last.
      - What was started for the application under a name that is not among them any more is ended.
    type: list
    elements: dict
    suboptions:
      name:
        description: Its name in PM2.
        type: str
        required: true
      script:
        description: As O(script).
        type: str
      args:
        description: As O(args).
        type: list
        elements: str
      exec_mode:
        description: As O(exec_mode).
        type: str
        choices: [cluster, fork]
      instances:
        description: As O(instances).
        type: int
      ready:
        description: As O(ready).
        type: dict
      up:
        description: As O(up).
        type: dict
        suboptions:
          seconds:
            description: As O(up.seconds).
            type: float
            default: 5
          log:
            description: As O(up.log).
            type: str
      ports:
        description: As O(ports).
        type: list
        elements: int
      proxy:
        description: As O(proxy).
        type: dict
      node_args:
        description: As O(node_args).
        type: list
        elements: str
      wait_ready:
        description: As O(wait_ready).
        type: bool
      listen_timeout:
        description: As O(listen_timeout).
        type: float
      kill_timeout:
        description: As O(kill_timeout).
        type: float
      out_file:
        description: As O(out_file).
        type: str
      error_file:
        description: As O(error_file).
        type: str
      merge_logs:
        description: As O(merge_logs).
        type: bool
  ecosystem:
    description:
      - Ecosystem file in JSON or JavaScript, relative to O(path), that says how the processes are started.
      - How they prove themselves says O(ready), or O(processes) for the one of that name.
      - Refused is what a switch cannot honour, such as C(watch), C(cwd), C(cron_restart) or C(deploy).
    type: str
  ecosystem_env:
    description: Which C(env_<name>) of the ecosystem file is laid over its C(env).
    type: str
  ports:
    description:
      - The two ports that releases use in turn in fork mode.
      - With several O(instances), each of the two is the first of as many ports.
    type: list
    elements: int
  port_variable:
    description: Environment variable that tells the worker its port in fork mode.
    type: str
    default: PORT
  hold:
    description: Seconds that the old workers stay able to take the requests back in fork mode once the proxy has moved.
    type: float
    default: 3
  staged:
    description:
      - Whether the new workers are only started and proven, in fork mode with O(ports), and wait beside those that
        serve. A call without it moves the traffic to them. Workers without ports of their own wait for that call.
    type: bool
    default: false
  args:
    description: Arguments of the script. Anybody on the host can read them.
    type: list
    elements: str
    default: []
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
  kill_timeout:
    description:
      - Seconds after which PM2 ends a worker with SIGKILL; two more than O(drain_timeout) when left out, and never less
        than that.
      - It holds for the workers that this call starts. Those that it retires have the one that they were started with.
    type: float
  log_dir:
    description: Directory for the logs of the workers, C(NAME-out.log) and C(NAME-error.log); PM2's own if left out.
    type: path
  out_file:
    description: File for what the workers write, an absolute path.
    type: str
  error_file:
    description: File for the errors that the workers write, an absolute path.
    type: str
  merge_logs:
    description: Whether all workers write into one file, without their id in its name.
    type: bool
    default: false
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
    proxy:
      type: nginx
      path: /etc/nginx/sluice/dealradarus.conf
      content: "upstream dealradarus { server 127.0.0.1:{port}; keepalive 16; }"
      test: [nginx, -t]
      reload: [nginx, -s, reload]
    ready:
      url: http://127.0.0.1:{port}/ready
      version_url: http://127.0.0.1:{port}/version
      version: 1.1.0

- name: An application of two processes, as its ecosystem file says, and of which one answers nobody
  sluice.release.pm2_switch:
    name: dealradarus
    release: 1.1.0-3f2a9c51b7de
    path: /srv/dealradarus/releases/1.1.0-3f2a9c51b7de
    config: /srv/dealradarus/config/7/env.json
    ecosystem: ecosystem.config.js
    ecosystem_env: production
    ready:
      url: http://127.0.0.1:3000/ready
      version_url: http://127.0.0.1:3000/version
      version: 1.1.0
    processes:
      - name: dealradarus-worker
        up:
          seconds: 10
          log: waiting for jobs
    log_dir: /var/log/dealradarus
"""

RETURN = r"""
previous:
  description: Artifact that served before, or V(unknown) for one that this module did not start; none at a first start.
  returned: success, or failure after PM2 was asked
  type: str
  sample: 1.0.0-8c1d77aa02f4
staged:
  description: Whether new instances wait, at another port than the one that serves.
  returned: with O(staged), when it succeeded
  type: bool
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
    port:
      description: Where it listens in fork mode.
      type: int
      sample: 3001
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
    connections:
      description: In fork mode 0 when it went by itself, none when it was killed.
      type: int
      sample: 0
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

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.journal._fence import acting
from ansible_collections.sluice.release.plugins.module_utils.proxy._options import PROXY
from ansible_collections.sluice.release.plugins.module_utils.switch import _application, _options
from ansible_collections.sluice.release.plugins.module_utils.switch._spec import SWITCH

UP: dict[str, t.Any] = {"seconds": {"type": "float", "default": 5}, "log": {"type": "str"}}

# What each process may have of its own. How it is read when it has not is said by the option of the module.
PROCESS: dict[str, t.Any] = {
    "script": {"type": "str"},
    "args": {"type": "list", "elements": "str"},
    "exec_mode": {"type": "str", "choices": ["cluster", "fork"]},
    "instances": {"type": "int"},
    "up": {"type": "dict", "options": UP},
    "ports": {"type": "list", "elements": "int"},
    "node_args": {"type": "list", "elements": "str"},
    "wait_ready": {"type": "bool"},
    "listen_timeout": {"type": "float"},
    "kill_timeout": {"type": "float"},
    "out_file": {"type": "str"},
    "error_file": {"type": "str"},
    "merge_logs": {"type": "bool"},
}

DEFAULTS: dict[str, t.Any] = {
    "args": [],
    "exec_mode": "cluster",
    "instances": 1,
    "node_args": [],
    "wait_ready": True,
    "listen_timeout": 10,
    "merge_logs": False,
}

OPTIONS: dict[str, t.Any] = {
    **SWITCH,
    **PROXY,
    **{
        name: {**option, **({"default": DEFAULTS[name]} if name in DEFAULTS else {})}
        for name, option in PROCESS.items()
    },
    "processes": {
        "type": "list",
        "elements": "dict",
        "options": {
            **PROCESS,
            "name": {"type": "str", "required": True},
            "ready": {"type": "dict"},
            "proxy": {"type": "dict"},
        },
    },
    "ecosystem": {"type": "str"},
    "ecosystem_env": {"type": "str"},
    "hold": {"type": "float", "default": 3},
    "staged": {"type": "bool", "default": False},
    "port_variable": {"type": "str", "default": "PORT"},
    "log_dir": {"type": "path"},
    "link": {"type": "path"},
    "save": {"type": "bool", "default": False},
    "pm2": {"type": "str", "default": "pm2"},
    "pm2_home": {"type": "path", "default": "~/.pm2"},
    "path_prepend": {"type": "list", "elements": "path", "default": []},
}


def switch(params: t.Mapping[str, t.Any], *, check_mode: bool, warn: t.Callable[[str], object]) -> dict[str, t.Any]:
    """Bring the application to the wanted state."""
    place = _options.place(params, check_mode, warn)
    alone = acting(params["state_dir"], params["token"], f"switch {params['name']}", check_mode=check_mode)
    how = {"save": params["save"], "check_mode": check_mode}
    with alone:
        if params["state"] == "active":
            kinds = _options.kinds(params, check_mode)
            moves = {"link": params["link"], "hold": params["hold"], "staged": params["staged"]}
            return _application.switch(kinds, params["name"], place, **moves, **how)
        names = _options.names(params, check_mode)
        return _application.end(names, params["name"], place, absent=params["state"] == "absent", **how)


def main() -> None:
    module = AnsibleModule(
        argument_spec=OPTIONS,
        required_if=[("state", "active", ("release", "path"))],
        supports_check_mode=True,
    )
    run(module, lambda params: switch(params, check_mode=module.check_mode, warn=module.warn))


if __name__ == "__main__":
    main()

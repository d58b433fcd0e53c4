#!/usr/bin/python

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: process_switch
short_description: Let another release of an application serve, as systemd units or plain processes
description:
  - Starts the new processes beside the old ones and proves each of them. Only then the requests are led to them, and
    the old processes are told to end and waited for until they are gone.
  - When a new process crashes, does not get ready in time or is of another version, the new ones are removed and the
    old ones go on serving.
  - With O(manager=systemd) every process is a unit C(name@PORT.service). Whatever runs is also what starts at boot.
  - Each call converges from whatever an interrupted one has left, and a second call changes nothing.
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
extends_documentation_fragment:
  - sluice.release._attributes
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
  - sluice.release._progress
  - sluice.release._switch
  - sluice.release._switch.blue_green
  - sluice.release._proxy
options:
  manager:
    description:
      - With V(systemd), units that it starts again after a crash and at boot. Needs root.
      - With V(direct), processes in sessions of their own, for hosts without systemd. Nothing starts them again after a
        crash or at boot but another call of this module.
    type: str
    choices: [systemd, direct]
    default: systemd
  command:
    description:
      - Program and arguments. A program without a slash is looked for in O(path_prepend) and the system's directories;
        one with a slash is relative to O(path).
      - Anybody on the host can read them. Required with O(state=active).
    type: list
    elements: str
  user:
    description: User that the processes run as; the one that this module runs as when it is left out.
    type: str
  port_variable:
    description: Environment variable that tells a process its port.
    type: str
    default: PORT
  path_prepend:
    description: Directories to look in for programs first; E(PATH) of the processes begins with them.
    type: list
    elements: path
    default: []
  socket:
    description:
      - Address of a socket that systemd holds and all processes inherit as file descriptor 3, such as
        V(127.0.0.1:3000). With it neither O(ports) nor O(proxy) is needed.
      - Connections wait in the socket while no process accepts them, so none is refused. A new process takes requests
        as soon as it listens, so an application must not listen before it can answer.
      - The processes are told apart by the process id that O(ready.instance_query) finds. Only with O(manager=systemd).
    type: str
  stop_signal:
    description: Signal that tells the application to end.
    type: str
    default: SIGTERM
  properties:
    description:
      - Directives of the section C([Service]) of the units, such as C(MemoryMax), C(TasksMax), C(CPUQuota) or
        C(LimitNOFILE). A list stands for several lines of one directive.
      - They override what this module sets by itself, which is C(Type=exec), C(Restart=on-failure), C(RestartSec=2),
        C(UMask=0027), C(NoNewPrivileges), C(PrivateTmp), C(ProtectSystem=full), C(ProtectControlGroups),
        C(ProtectKernelModules), C(ProtectKernelTunables), C(RestrictSUIDSGID) and C(LockPersonality).
    type: dict
    default: {}
  state_dir:
    description:
      - State directory of the application. It holds the environments, notes and logs of the processes, and with it only
        one module at a time acts on the host.
    type: path
    required: true
notes:
  - A process gets the variables of O(config), E(PATH), what its user brings, O(port_variable) and five variables
    C(SLUICE_*) that tell its application, release, configuration, number and port. Nothing else of the environment of
    this module reaches it.
  - With O(manager=systemd) the variables are in a file that root alone can read. A value arrives as it is, also with
    quotes, dollars and line ends.
  - A process gets O(stop_signal) and O(drain_timeout) plus two seconds, then it is killed, and the result tells how
    many connections it still had. Both are those that it was started with.
  - An application loses no request when it stops to accept on O(stop_signal), answers what comes on open connections
    with the header C(Connection) set to C(close), and exits when the last connection has ended.
  - With O(manager=direct) standard output and errors go to C(process/NAME/PORT.log) below O(state_dir). They are
    appended, so that C(copytruncate) of logrotate can be used.
  - A unit C(name.service) that served before this module did is retired as well once the new processes are proven.
seealso:
  - module: sluice.release.pm2_switch
  - module: sluice.release.health_gate
"""

EXAMPLES = r"""
- name: Let the release serve as two units behind nginx
  sluice.release.process_switch:
    name: dealradarus
    release: 1.1.0-3f2a9c51b7de
    path: /srv/dealradarus/releases/1.1.0-3f2a9c51b7de
    config: /srv/dealradarus/config/7/env.json
    command: [node, dist/main.js]
    user: dealradarus
    instances: 2
    ports: [3000, 3100]
    proxy:
      type: nginx
      path: /etc/nginx/sluice/dealradarus.conf
      content: "upstream dealradarus { {servers} keepalive 16; }"
      test: [nginx, -t]
      reload: [nginx, -s, reload]
      pid: /run/nginx.pid
    ready:
      url: http://127.0.0.1:{port}/ready
      version_url: http://127.0.0.1:{port}/version
      version: 1.1.0
    properties:
      MemoryMax: 512M
    link: /srv/dealradarus/current
    state_dir: /var/lib/sluice/dealradarus

- name: The same without a proxy, by a socket that old and new processes share
  sluice.release.process_switch:
    name: dealradarus
    release: 1.1.0-3f2a9c51b7de
    path: /srv/dealradarus/releases/1.1.0-3f2a9c51b7de
    command: [node, dist/main.js]
    user: dealradarus
    socket: 127.0.0.1:3000
    ready:
      url: http://127.0.0.1:3000/ready
      version_url: http://127.0.0.1:3000/version
      version: 1.1.0
    state_dir: /var/lib/sluice/dealradarus
"""

RETURN = r"""
previous:
  description: Artifact that served before, or V(unknown) for one that this module did not start; none at a first start.
  returned: success, or failure once the processes were listed
  type: str
  sample: 1.0.0-8c1d77aa02f4
staged:
  description: Whether new instances wait, at another port than the one that serves.
  returned: with O(staged), when it succeeded
  type: bool
current:
  description: Artifact that serves now; none when nothing does. In check mode the one that would.
  returned: success, or failure once the processes were listed
  type: str
  sample: 1.1.0-3f2a9c51b7de
instances:
  description: The processes of O(release); after a failure as they were seen last, before they were removed.
  returned: success, or failure once the processes were listed
  type: list
  elements: dict
  contains:
    id:
      description: The unit, or C(name:port); none for one that check mode did not start.
      type: str
      sample: dealradarus@3100.service
    pid:
      description: Its process id.
      type: int
      sample: 21873
    port:
      description: Where it listens; none with O(socket).
      type: int
      sample: 3100
    release:
      description: Artifact that it runs.
      type: str
      sample: 1.1.0-3f2a9c51b7de
    status:
      description: What systemd, or the kernel, says of it.
      type: str
      sample: active (running)
    ready:
      description: Whether it has proven itself.
      type: bool
      sample: true
    ready_seconds:
      description: Seconds from its start to its proof.
      type: float
      sample: 1.204
    restarts:
      description: How often systemd has started it again.
      type: int
      sample: 0
retired:
  description: The processes that were ended, in that order.
  returned: success, or failure once the processes were listed
  type: list
  elements: dict
  contains:
    id:
      description: The unit, or C(name:port).
      type: str
      sample: dealradarus@3000.service
    pid:
      description: Its process id.
      type: int
      sample: 20114
    release:
      description: Artifact that it ran.
      type: str
      sample: 1.0.0-8c1d77aa02f4
    seconds:
      description: How long it took until it and all that it had started were gone.
      type: float
      sample: 1.13
    killed:
      description: Whether it had to be killed, so that requests may be lost.
      type: bool
      sample: false
    connections:
      description: Connections of clients that it still had when it was killed; 0 when it went by itself.
      type: int
      sample: 0
duration:
  description: Seconds that all of it took.
  returned: success
  type: float
  sample: 6.31
logs:
  description: The last lines that the new processes wrote, values of O(config) masked.
  returned: failure after a process was started
  type: list
  elements: dict
  contains:
    id:
      description: The unit, or C(name:port).
      type: str
      sample: dealradarus@3100.service
    lines:
      description: The lines.
      type: list
      elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.journal._fence import acting
from ansible_collections.sluice.release.plugins.module_utils.process import _options
from ansible_collections.sluice.release.plugins.module_utils.process._systemd import Systemd
from ansible_collections.sluice.release.plugins.module_utils.proxy._options import PROXY
from ansible_collections.sluice.release.plugins.module_utils.switch import _blue_green
from ansible_collections.sluice.release.plugins.module_utils.switch._spec import BLUE_GREEN, SWITCH

OPTIONS: dict[str, t.Any] = {
    **SWITCH,
    **BLUE_GREEN,
    **PROXY,
    "state_dir": {"type": "path", "required": True},
    "manager": {"type": "str", "choices": ["systemd", "direct"], "default": "systemd"},
    "command": {"type": "list", "elements": "str"},
    "user": {"type": "str"},
    "port_variable": {"type": "str", "default": "PORT"},
    "path_prepend": {"type": "list", "elements": "path", "default": []},
    "socket": {"type": "str"},
    "stop_signal": {"type": "str", "default": "SIGTERM"},
    "properties": {"type": "dict", "default": {}},
}


def switch(params: t.Mapping[str, t.Any], *, check_mode: bool, warn: t.Callable[[str], object]) -> dict[str, t.Any]:
    """Bring the application to the wanted state."""
    alone = acting(params["state_dir"], params["token"], f"switch {params['name']}", check_mode=check_mode)
    with alone:
        world, runtime = _options.world(params, check_mode, warn)
        if runtime.program:
            wanted = _options.request(params, runtime.program)
            result = _blue_green.BlueGreen(wanted, world, check_mode).run()
        else:
            result = _blue_green.end(world, absent=params["state"] == "absent", check_mode=check_mode)
            if params["state"] == "absent" and not check_mode:
                runtime.clear()
        if isinstance(runtime, Systemd) and not (check_mode and result["changed"]) and not params["staged"]:
            differing = runtime.starts_at_boot()
            if differing and not check_mode:
                runtime.set_boot()
            result["changed"] = result["changed"] or bool(differing)
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec=OPTIONS,
        required_if=[("state", "active", ("release", "path", "ready", "command"))],
        supports_check_mode=True,
    )
    run(module, lambda params: switch(params, check_mode=module.check_mode, warn=module.warn))


if __name__ == "__main__":
    main()

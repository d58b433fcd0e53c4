#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: maintenance_mode
short_description: Turn requests away at a proxy for a while, or only announce it
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Sets a maintenance mode at nginx or HAProxy, or clears it. Once the proxy knows the rules, neither reloads it nor
    closes a connection.
  - The proxy itself compares the time at each request, so that a mode ends when its minutes are over, although whoever
    has set it, and every timer, may be gone. A clock that jumps moves the end.
  - Everybody may ask at O(endpoint) what is set; a frontend announces it so.
extends_documentation_fragment:
  - sluice.release._attributes
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
options:
  name:
    description: The application, as a part of the names of variables in the proxy's configuration.
    type: str
    required: true
  state:
    description:
      - V(set) sets O(mode) for O(minutes). The same asked for again changes nothing until half of them is over, and
        begins them anew from then on.
      - V(cleared) ends whatever is set. With nginx it also lays down the rules, for a later V(set) without a reload.
      - V(read) changes nothing.
    type: str
    choices: [set, cleared, read]
    default: set
  mode:
    description:
      - V(block) answers 503 with C(Retry-After), C(Cache-Control no-store) and the header C(X-Maintenance block), and
        with a page for those who accept C(text/html) and JSON for all others.
      - V(notice) lets everything through, with the header C(X-Maintenance notice).
    type: str
    choices: [block, notice]
    default: block
  minutes:
    description: For how long.
    type: float
    default: 30
  announcement:
    description: What people are told, in the page and at O(endpoint). Everybody can read it.
    type: str
    default: ''
  page:
    description:
      - File on this host with a page of your own, in one file, in which C({message}) and C({until}) are replaced.
      - Line breaks in it become spaces.
    type: path
  retry_after:
    description: Seconds after which programs are asked to come back.
    type: int
    default: 60
  probes:
    description: Paths that pass, exactly as they are, for those who watch the application.
    type: list
    elements: str
    default: [/health, /ready]
  allow:
    description: Addresses and networks from which everything passes. They are those that the proxy sees.
    type: list
    elements: str
    default: []
  api_paths:
    description: Beginnings of paths that are answered with JSON in any case.
    type: list
    elements: str
    default: [/api/]
  endpoint:
    description: Path at which the proxy says as JSON what is set, with 200.
    type: str
    default: /maintenance.json
  url:
    description:
      - Where the proxy answers, without a path. The mode counts as set, or cleared, when O(endpoint) there says so.
      - When it does not within O(proxy.timeout), it is put back and the task fails.
      - Without it nothing proves that the proxy has the rules where they belong.
    type: str
  validate_certs:
    description: Whether the certificate of O(url) has to be valid.
    type: bool
    default: true
  proxy:
    description: The proxy. The module runs where it runs.
    type: dict
    required: true
    suboptions:
      type:
        description: Which one.
        type: str
        choices: [nginx, haproxy]
        required: true
      path:
        description:
          - Directory of the mode for nginx, made when it is missing. Nginx's workers have to be able to search it.
          - Required with O(proxy.type=nginx), and O(proxy.reload) with it.
        type: path
      test:
        description: Command that checks nginx's configuration. It is asked before the rules are read.
        type: list
        elements: str
        default: [nginx, -t]
      reload:
        description: Command that makes nginx read the rules, the first time and whenever they have changed.
        type: list
        elements: str
        default: [nginx, -s, reload]
      pid:
        description: File with the process id of nginx's master. With it, a reload that is not carried out is an error.
        type: path
      socket:
        description: HAProxy's stats socket, a path or C(host:port). Required with O(proxy.type=haproxy).
        type: str
      map:
        description:
          - File of HAProxy's map, read when HAProxy is started or reloaded. It has to be there, empty, before the first
            start. Required with O(proxy.type=haproxy).
        type: path
      timeout:
        description: Seconds that the proxy may take.
        type: float
        default: 10
notes:
  - Nginx needs C(include <path>/http*.conf;) in section C(http) and C(include <path>/server*.conf;) in section
    C(server), which do no harm before the files are there. A C(location) with an C(add_header) of its own does not take
    over that of the section, so it does not have the header C(X-Maintenance). C(open_file_cache) must be off in that
    section C(server). Behind another proxy C(set_real_ip_from) makes O(allow) see its clients.
  - HAProxy needs the lines of RV(rules) in the frontend, once; they change with O(probes), O(allow), O(api_paths),
    O(endpoint) and O(retry_after). The page may have about 8000 characters.
  - Nginx tells time by files that are named as the beginning of the seconds since 1970 are, in blocks of 10000, 100 and
    1 seconds; it looks for three of them at a request, which takes some microseconds.
seealso:
  - module: sluice.release.proxy_route
"""

EXAMPLES = r"""
- name: Turn requests away for half an hour
  sluice.release.maintenance_mode:
    name: shop
    mode: block
    minutes: 30
    announcement: We move to a new database.
    allow: [10.0.0.0/8]
    url: https://shop.example.com
    proxy:
      type: nginx
      path: /etc/nginx/sluice/shop
      pid: /run/nginx.pid

- name: Announce it for a day
  sluice.release.maintenance_mode:
    name: shop
    mode: notice
    minutes: 1440
    proxy:
      type: haproxy
      socket: /run/haproxy/admin.sock
      map: /etc/haproxy/shop.map

- name: See what is set
  sluice.release.maintenance_mode:
    name: shop
    state: read
    proxy:
      type: haproxy
      socket: /run/haproxy/admin.sock
      map: /etc/haproxy/shop.map
"""

RETURN = r"""
mode:
  description: What is set, V(block) or V(notice), or V(off); in check mode what would be.
  returned: success
  type: str
  sample: block
message:
  description: What people are told, which is O(announcement).
  returned: success
  type: str
since:
  description: When it was set.
  returned: success
  type: str
  sample: '2026-11-22T01:30:00.000Z'
until:
  description: When it ends by itself, or has ended.
  returned: success
  type: str
  sample: '2026-11-22T02:00:00.000Z'
seconds_left:
  description: Seconds until then.
  returned: success
  type: int
  sample: 1800
line:
  description: What is set, in a line.
  returned: success
  type: str
  sample: 'maintenance: block until 2026-11-22T02:00:00.000Z'
previous:
  description: The same as it was before.
  returned: success
  type: dict
rules:
  description:
    - What the proxy has to know, by the file that it is in, or by C(frontend) for HAProxy's lines.
    - Also returned when HAProxy does not know the map.
  returned: success
  type: dict
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils._runner import SubprocessRunner
from ansible_collections.sluice.release.plugins.module_utils.maintenance import _act

OPTIONS: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["set", "cleared", "read"], "default": "set"},
    "mode": {"type": "str", "choices": ["block", "notice"], "default": "block"},
    "minutes": {"type": "float", "default": 30},
    "announcement": {"type": "str", "default": ""},
    "page": {"type": "path"},
    "retry_after": {"type": "int", "default": 60},
    "probes": {"type": "list", "elements": "str", "default": ["/health", "/ready"]},
    "allow": {"type": "list", "elements": "str", "default": []},
    "api_paths": {"type": "list", "elements": "str", "default": ["/api/"]},
    "endpoint": {"type": "str", "default": "/maintenance.json"},
    "url": {"type": "str"},
    "validate_certs": {"type": "bool", "default": True},
    "proxy": {
        "type": "dict",
        "required": True,
        "options": {
            "type": {"type": "str", "required": True, "choices": ["nginx", "haproxy"]},
            "path": {"type": "path"},
            "test": {"type": "list", "elements": "str", "default": ["nginx", "-t"]},
            "reload": {"type": "list", "elements": "str", "default": ["nginx", "-s", "reload"]},
            "pid": {"type": "path"},
            "socket": {"type": "str"},
            "map": {"type": "path"},
            "timeout": {"type": "float", "default": 10},
        },
        "required_if": [("type", "nginx", ("path",)), ("type", "haproxy", ("socket", "map"))],
    },
}


def act(params: t.Mapping[str, t.Any], *, check_mode: bool) -> dict[str, t.Any]:
    """Set, clear or read the mode."""
    return _act.run(params, _act.World(SubprocessRunner()), check_mode=check_mode)


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    run(module, lambda params: act(params, check_mode=module.check_mode))


if __name__ == "__main__":
    main()

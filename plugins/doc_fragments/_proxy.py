# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    # The option that goes with PROXY of module_utils/proxy/_options.py
    DOCUMENTATION = r"""
options:
  proxy:
    description:
      - The proxy in front of the two slots that releases use in turn.
      - What it is told is tested first, and it is as before when it refuses.
    type: dict
    suboptions:
      type:
        description:
          - V(nginx) reads a file with the live ports and is told to read it again. Any other proxy that works so can be
            meant.
          - V(haproxy) is told through its runtime API. No connection is closed and nothing is reloaded.
        type: str
        choices: [nginx, haproxy]
        required: true
      path:
        description:
          - The file that names the live ports; nginx includes it.
          - O(proxy.type=nginx) needs it, with O(proxy.content) and O(proxy.reload), or O(proxy.flag).
          - While it moves, and when it was killed, a comment in the first line says which port served before.
        type: path
      content:
        description:
          - Content of the file. C({port}) stands for the port of the first instance, C({servers}) for a line
            C(server 127.0.0.1:PORT;) for each instance.
          - Required with O(proxy.path). Weights need C({servers}).
        type: str
      test:
        description: Command that checks nginx's configuration.
        type: list
        elements: str
        default: []
      reload:
        description: Command that makes nginx read the file. Required with O(proxy.path).
        type: list
        elements: str
      pid:
        description:
          - File with the process id of nginx's master on this host, for example V(/run/nginx.pid).
          - With it, a reload that nginx does not carry out is an error, and the old slot is ended when the last worker
            that knows it has gone, at most O(proxy.timeout) later.
        type: path
      flag:
        description:
          - File that is there while the slot of the second port serves. nginx looks for it at every request, so that a
            move takes no reload and closes no connection; see the notes for what nginx needs.
          - Its directory has to be one that nginx's workers may search.
        type: path
      settle:
        description:
          - Seconds between the move and the end of the old slot, where nothing else tells when nginx has let go of it.
          - Not used with O(proxy.pid) and with O(proxy.type=haproxy).
        type: float
        default: 1
      socket:
        description: HAProxy's stats socket of level admin, a path or C(host:port). Required with O(proxy.type=haproxy).
        type: str
      backend:
        description: HAProxy's backend. Required with O(proxy.type=haproxy).
        type: str
      servers:
        description:
          - Names of the servers of the backend, for the slot of the first port and for that of the second.
          - With several instances one name stands for numbered ones, V(blue) for V(blue1), V(blue2) and so on, in the
            order of their ports.
        type: list
        elements: list
        default: [[blue], [green]]
      state_file:
        description:
          - File from which HAProxy takes the states of the servers when it is started or reloaded, which forgets what
            its runtime API was told. Without it a reload sends requests to both slots.
          - What it says of backends other than O(proxy.backend) stays as it is.
          - For HAProxy it goes before the configuration. Remove it when you change the port of a server.
        type: path
      timeout:
        description:
          - Seconds after which HAProxy's own health checks must have seen the new slot up; otherwise the old one stays.
          - Seconds that the old slot's sessions in HAProxy, or nginx's old workers, have to end; what lasts longer is
            left to the drain time of the application.
        type: float
        default: 10
notes:
  - A reload makes nginx close idle connections of its clients. A request that comes on one at that moment gets no
    answer. Measured with nginx 1.22 and 300 requests a second, half of them on kept connections, 60 reloads lost 7 of
    9714 requests. C(lingering_close) does not help. C(keepalive_timeout 0;) lost none in 100 reloads, for a connection
    for each request. From 1.27.4 on C(keepalive_min_timeout 5s;) leaves such a connection open until the client was
    told.
  - With O(proxy.flag) the same load lost none in 140 moves. nginx needs two groups C(upstream shop_a) and
    C(upstream shop_b), in C(server) the lines C(set $slot shop_a;) and
    C(if (-f /etc/nginx/sluice/shop.second\) { set $slot shop_b; }), in C(location) C(proxy_pass http://$slot;), and no
    C(open_file_cache) there.
  - With O(proxy.type=haproxy) none is lost either. So that it reads O(proxy.state_file), HAProxy needs
    C(load-server-state-from-file local) and C(server-state-file-name) in the backend, and C(server-state-base) in its
    section C(global). Let the file be a backend's own.
  - HAProxy keeps idle connections to the application, which an application that drains waits for. C(pool-purge-delay
    500ms) in the line C(default-server) closes them within a second; it is C(5s) otherwise. C(timeout check) has to be
    longer than the application takes for an answer while another version of it starts beside it.
"""

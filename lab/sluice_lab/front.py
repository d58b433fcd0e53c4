# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proxies in front of two slots, of which the first serves, as a host of a blue/green driver has one."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import LabError

# Seconds until a proxy listens.
PATIENCE = 30.0
# Instances that a slot has room for: as many ports from its own upwards.
ROOM = 4

# Its own checks look whether a slot is up before it sends a request there. What it keeps open to a slot that has been
# left is closed within a second, so that an application that drains need not wait for it.
_HAPROXY = """
global
  stats socket {root}/admin.sock mode 600 level admin
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
  timeout check 3s
frontend front
  bind 127.0.0.1:{front}
  default_backend shop
backend shop
  default-server check inter 200ms rise 1 fall 20 pool-purge-delay 500ms
  option httpchk GET /health
  server blue 127.0.0.1:{ports[0]}
  server green 127.0.0.1:{ports[1]} disabled
"""

_NGINX = """
worker_processes 2; daemon off; pid {root}/nginx.pid; error_log {root}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off; client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/f;
  uwsgi_temp_path {root}/u; scgi_temp_path {root}/s;
  include {root}/upstream.conf;
  server {{ listen 127.0.0.1:{front}; location / {{
    proxy_pass http://shop; proxy_http_version 1.1; proxy_set_header Connection ''; }} }}
}}
"""


@dataclass(frozen=True)
class Front:
    """Where visitors come, the ports of the two slots behind it, and option `proxy` of a driver."""

    url: str
    ports: list[int]
    proxy: dict[str, Any]


def haproxy() -> contextlib.AbstractContextManager[Front]:
    """HAProxy, which is told through its socket, while the body runs. LabError when it does not start."""
    return _front(_HAPROXY, {"type": "haproxy", "socket": "ROOT/admin.sock", "backend": "shop"}, ["haproxy", "-f"])


def nginx() -> contextlib.AbstractContextManager[Front]:
    """The file that nginx includes, and nginx, while the body runs. LabError when it does not start."""
    proxy = {
        "type": "nginx",
        "path": "ROOT/upstream.conf",
        "content": "upstream shop { {servers} keepalive 16; }",
        "test": ["nginx", "-t", "-c", "ROOT/proxy.conf"],
        "reload": ["nginx", "-s", "reload", "-c", "ROOT/proxy.conf"],
        "pid": "ROOT/nginx.pid",
    }
    return _front(_NGINX, proxy, ["nginx", "-c"])


@contextlib.contextmanager
def _front(config: str, proxy: dict[str, Any], command: list[str]) -> Iterator[Front]:
    # Short, for the path of a socket, and open to the workers of nginx.
    root = Path(tempfile.mkdtemp(prefix="front-"))
    root.chmod(0o755)
    front, *ports = _free_slots(3)
    (root / "upstream.conf").write_text(f"upstream shop {{ server 127.0.0.1:{ports[0]}; }}\n")
    (root / "proxy.conf").write_text(config.format(root=root, front=front, ports=ports))
    log = root / "proxy.log"
    with log.open("wb") as out:
        process = subprocess.Popen([*command, str(root / "proxy.conf")], stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + PATIENCE
        while not _listens(front):
            if process.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"start {command[0]}", log.read_text(errors="replace")[-500:])
            time.sleep(0.05)
        filled = json.loads(json.dumps(proxy).replace("ROOT", str(root)))
        yield Front(f"http://127.0.0.1:{front}", ports, filled)
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=15)
        process.kill()
        process.wait()
        shutil.rmtree(root, ignore_errors=True)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


def _free_slots(count: int) -> list[int]:
    """Return ports with ROOM free ones from each upwards, below those that the kernel gives to clients."""
    found: list[int] = []
    while len(found) < count:
        base = 15000 + secrets.randbelow(1000) * 16
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(base, base + ROOM):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            found += [base] if base not in found else []
    return found

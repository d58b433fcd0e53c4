# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proxies and applications behind them, and how to move the traffic under a load that does not wait for answers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from sluice_lab.load import Tally, load

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import SubprocessRunner
from ansible_collections.sluice.release.plugins.module_utils.proxy import _options, _workers
from ansible_collections.sluice.release.plugins.modules import proxy_route

RATE = 100
PATIENCE = 10.0


def free_ports(count: int) -> list[int]:
    """Return ports that nobody has; the slots of a pair lie apart."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return sorted(probe.getsockname()[1] for probe in probes)


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@dataclass
class Site:
    """A proxy, the ports of two slots, and how often each has been asked."""

    root: Path
    front: int
    ports: list[int]
    proxy: dict[str, Any] = field(default_factory=dict)
    asked: Counter[int] = field(default_factory=Counter)
    runners: dict[int, web.AppRunner] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.front}"

    def route(self, **options: Any) -> Any:
        return _options.from_options({**self.proxy, **options}, self.ports, 1, SubprocessRunner())

    def run(self, check_mode: bool = False, proxy: dict[str, Any] | None = None, **params: Any) -> dict[str, Any]:
        """Call the module's function; the warnings come as ``warnings``."""
        left_out = dict.fromkeys(("service", "to", "weight", "server", "state"))
        defaults = {**left_out, "ports": self.ports, "instances": 1}
        warnings: list[str] = []
        options = {**defaults, "serving": 1, **params, "proxy": {**self.proxy, **(proxy or {})}}
        return {**proxy_route.act(options, check_mode=check_mode, warn=warnings.append), "warnings": warnings}

    async def start(self, port: int) -> None:
        """Let an application listen at the port."""

        async def answer(request: web.Request) -> web.Response:
            if request.path != "/health":
                self.asked[port] += 1
            if request.path == "/slow":
                await asyncio.sleep(1)
            return web.json_response({"port": port})

        application = web.Application()
        application.router.add_route("*", "/{path:.*}", answer)
        self.runners[port] = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await self.runners[port].setup()
        await web.TCPSite(self.runners[port], "127.0.0.1", port).start()

    async def stop(self, port: int) -> None:
        await self.runners.pop(port).cleanup()


HAPROXY = """
global
  stats socket {root}/admin.sock mode 600 level admin expose-fd listeners
  stats socket {root}/user.sock mode 600 level user
  server-state-base {root}
  maxconn 500
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
  timeout check 5s
frontend front
  bind 127.0.0.1:{front}
  default_backend {backend}
backend shop
  load-server-state-from-file local
  server-state-file-name shop.state
  option httpchk GET /health
  default-server check inter 100ms rise 2 fall 3
  server blue 127.0.0.1:{ports[0]}
  server green 127.0.0.1:{ports[1]} disabled
backend unchecked
  server blue 127.0.0.1:{ports[0]}
  server green 127.0.0.1:{ports[1]} disabled
"""

NGINX = """
worker_processes 2; pid {root}/nginx.pid; error_log {root}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off; client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/f;
  uwsgi_temp_path {root}/u; scgi_temp_path {root}/s;
  {http}
}}
"""

RELOADED = """
  include {root}/upstream.conf;
  server {{ listen 127.0.0.1:{front}; location / {{
    proxy_pass http://shop; proxy_http_version 1.1; proxy_set_header Connection ''; }} }}
"""

FLAGGED = """
  upstream shop_a {{ server 127.0.0.1:{ports[0]}; keepalive 8; }}
  upstream shop_b {{ server 127.0.0.1:{ports[1]}; keepalive 8; }}
  server {{
    listen 127.0.0.1:{front};
    set $slot shop_a; if (-f {root}/second) {{ set $slot shop_b; }}
    location / {{ proxy_pass http://$slot; proxy_http_version 1.1; proxy_set_header Connection ''; }} }}
"""


@contextlib.asynccontextmanager
async def slots(site: Site, *ports: int) -> AsyncIterator[None]:
    """Let applications listen at the ports while the body runs."""
    for port in ports:
        await site.start(port)
    try:
        yield
    finally:
        for port in list(site.runners):
            await site.stop(port)


async def moves(site: Site, count: int) -> Tally:
    """Move the traffic forth and back under load; each move is one that changes, the same again is none."""
    first, second = site.ports
    async with slots(site, first, second):
        await asyncio.to_thread(until, lambda: serves(site, first), "the first slot does not serve")
        async with load(site.base_url, RATE) as tally:
            for number in range(count):
                old, new = (first, second) if number % 2 == 0 else (second, first)
                result = await asyncio.to_thread(site.run, to=str(new))
                assert (result["changed"], result["previous"], result["current"]) == (True, str(old), str(new))
                seen = site.asked[old]
                again = await asyncio.to_thread(site.run, to=str(new))
                assert (again["changed"], again["current"]) == (False, str(new))
                assert states(again) == states(result)
                assert site.asked[old] == seen, "the old slot was asked after it had settled"
                await asyncio.to_thread(gets, site, new, 10)
            await asyncio.to_thread(forth_and_back, site, second, first)
    return tally


def forth_and_back(site: Site, new: int, old: int) -> None:
    """Move the traffic, and put everything back as a driver does whose new release fails in the first seconds."""
    route = site.route()
    before = route.snapshot()
    route.point(new)
    route.settle(old)
    route.restore(before)
    route.settle(new)
    asked = site.asked[new]
    gets(site, old, 10)
    assert (site.asked[new], route.points_at(old)) == (asked, True)


def gets(site: Site, port: int, requests: int) -> None:
    """Wait until the slot has been asked so often."""
    before = site.asked[port]
    until(lambda: site.asked[port] >= before + requests, f"port {port} gets no traffic")


def serves(site: Site, port: int) -> bool:
    """Whether the proxy has somebody to ask."""
    with contextlib.suppress(SluiceError, OSError), socket.create_connection(("127.0.0.1", site.front), 1) as stream:
        stream.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return b" 200 " in stream.recv(64) and site.route().live() == port
    return False


def states(result: dict[str, Any]) -> dict[str, str]:
    return {server["name"]: server["state"] for server in result["servers"]}


def nginx(site: Site, http: str) -> Iterator[Site]:
    config = site.root / "nginx.conf"
    config.write_text(
        NGINX.format(root=site.root, http=http.format(root=site.root, front=site.front, ports=site.ports))
    )
    command = ["nginx", "-c", str(config), "-e", f"{site.root}/error.log"]
    site.proxy = {
        "type": "nginx",
        "path": str(site.root / "upstream.conf"),
        "content": "upstream shop { {servers} keepalive 8; }",
        "test": [*command, "-t"],
        "reload": [*command, "-s", "reload"],
        "pid": str(site.root / "nginx.pid"),
        "settle": 0.2,
        "timeout": 5.0,
    }
    (site.root / "upstream.conf").write_text(f"upstream shop {{ server 127.0.0.1:{site.ports[0]}; keepalive 8; }}\n")
    subprocess.run(command, check=True)
    until(lambda: len(worker_pids(site)) == 2, "nginx does not start")
    yield site
    master = int((site.root / "nginx.pid").read_text())
    subprocess.run([*command, "-s", "stop"], check=True, capture_output=True)
    until(lambda: not _workers.alive([master]), "nginx does not end")


def worker_pids(site: Site) -> list[int]:
    master = _workers.master(str(site.root / "nginx.pid"))
    return sorted(_workers.children(master)) if master else []

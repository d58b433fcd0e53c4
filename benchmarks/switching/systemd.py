# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd, in a container that has it: process_switch behind nginx, and `systemctl restart` behind the same."""

from __future__ import annotations

import contextlib
import functools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import ansible
from sluice_lab.fleet import PORT, Fleet, Host, docker

from benchmarks.switching.site import PROJECT, VERSIONS, Site, Way, call, directory, ready, run_module, slowest_ready

PORTS = (3100, 3200)
LIBRARY = "/opt/library"
FLAG = "/run/shop.second"

# nginx looks for the file at each request: a move takes no reload, which would close kept connections.
NGINX = f"""
error_log /dev/null; pid /run/nginx.pid;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  upstream shop_a {{ server 127.0.0.1:{PORTS[0]}; keepalive 16; }}
  upstream shop_b {{ server 127.0.0.1:{PORTS[1]}; keepalive 16; }}
  server {{
    listen {PORT};
    set $slot shop_a; if (-f {FLAG}) {{ set $slot shop_b; }}
    location / {{ proxy_pass http://$slot; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""
UNIT = f"""
[Service]
ExecStart=/usr/bin/env node main.js
WorkingDirectory=/srv/shop/current
Environment=PORT={PORTS[0]} BAD=%s
"""


@functools.cache
def image() -> None:
    """Build the image that a host is made of."""
    call(PROJECT / "molecule" / "utils" / "images" / "build")


def write(host: Host, path: str, text: str) -> None:
    """Write a file of the host."""
    with directory() as place:
        (place / "file").write_text(text)
        docker("cp", str(place / "file"), f"{host.container}:{path}")


def install(host: Host) -> None:
    """Bring Ansible and the collection to the host, which AnsiballZ would do for each call."""
    with directory() as place:
        shutil.copytree(Path(ansible.__file__).parent, place / "library" / "ansible")
        collection = place / "library" / "ansible_collections" / "sluice" / "release"
        shutil.copytree(PROJECT / "plugins", collection / "plugins")
        docker("cp", str(place / "library"), f"{host.container}:{LIBRARY}")


@contextlib.contextmanager
def machine() -> Iterator[Host]:
    """A host with nginx."""
    image()
    with Fleet(1) as fleet:
        (host,) = fleet.hosts
        write(host, "/etc/nginx/nginx.conf", NGINX)
        host.run("nginx", "-s", "reload")
        yield host


@contextlib.contextmanager
def units(bad: str) -> Iterator[Site]:
    """process_switch with units of systemd."""
    with machine() as host:
        install(host)
        host.run("mkdir", "-p", "/srv/shop")
        write(host, "/srv/shop/env.json", json.dumps({"BAD": bad}))
        within = ["docker", "exec", "--interactive", "--env", f"PYTHONPATH={LIBRARY}", host.container]

        def move(version: str) -> float | None:
            done = run_module(
                "process_switch",
                within=within,
                name="shop",
                release=f"{version}-abc",
                path=f"/opt/source/{version}",
                command=["node", "main.js"],
                config="/srv/shop/env.json",
                ports=list(PORTS),
                proxy={"type": "nginx", "flag": FLAG},
                ready=ready(version, "http://127.0.0.1:{port}"),
                state_dir="/var/lib/sluice/shop",
                link="/srv/shop/current",
            )
            return slowest_ready(done)

        move(VERSIONS[0])
        yield Site(f"http://{host.address}:{PORT}", move)


@contextlib.contextmanager
def restart(bad: str) -> Iterator[Site]:
    """Move a link and `systemctl restart`."""
    with machine() as host:
        write(host, "/etc/systemd/system/shop.service", UNIT % bad)
        host.run("mkdir", "-p", "/srv/shop")

        def move(version: str) -> None:
            host.run("ln", "-sfn", f"/opt/source/{version}", "/srv/shop/current")
            host.run("systemctl", "restart", "shop")

        move(VERSIONS[0])
        yield Site(f"http://{host.address}:{PORT}", move)


WAYS = [
    Way("process_switch, units of systemd behind nginx", units),
    Way("`systemctl restart`, behind the same nginx", restart, peer=True),
]

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy of each kind, in front of two slots that are free."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from proxies import FLAGGED, HAPROXY, PATIENCE, RELOADED, Site, free_ports, nginx, until


@pytest.fixture
def root() -> Iterator[Path]:
    # Short, for the path of a socket, and open to the workers of nginx.
    path = Path(tempfile.mkdtemp(prefix="proxy-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def site(root: Path) -> Site:
    front, *ports = free_ports(3)
    return Site(root, front, ports)


@pytest.fixture
def haproxy(site: Site, lack: Callable[[str], None], request: pytest.FixtureRequest) -> Iterator[Site]:
    if shutil.which("haproxy") is None:
        lack("haproxy")
    config, backend = site.root / "haproxy.cfg", getattr(request, "param", "shop")
    config.write_text(HAPROXY.format(root=site.root, front=site.front, ports=site.ports, backend=backend))
    (site.root / "shop.state").touch()
    with (site.root / "log").open("wb") as log:
        site.process = subprocess.Popen(["haproxy", "-W", "-f", config], stdout=log, stderr=log)
    address = str(site.root / "admin.sock")
    site.proxy = {
        "type": "haproxy",
        "socket": address,
        "backend": backend,
        "state_file": str(site.root / "shop.state"),
        "timeout": 3.0,
    }
    until((site.root / "admin.sock").exists, "HAProxy does not start")
    yield site
    site.process.send_signal(signal.SIGTERM)
    site.process.wait(PATIENCE)


@pytest.fixture
def nginx_site(site: Site, lack: Callable[[str], None]) -> Iterator[Site]:
    if shutil.which("nginx") is None:
        lack("nginx")
    # Where no connection waits for its next request, nginx cannot close one just when that comes.
    yield from nginx(site, "keepalive_timeout 0;" + RELOADED)


@pytest.fixture
def flag_site(site: Site, lack: Callable[[str], None]) -> Iterator[Site]:
    if shutil.which("nginx") is None:
        lack("nginx")
    for _ in nginx(site, FLAGGED):
        site.proxy = {"type": "nginx", "flag": str(site.root / "second"), "settle": 0.5}
        yield site

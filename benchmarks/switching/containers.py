# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker and Compose: new containers beside the old ones behind HAProxy, and `docker compose up -d`."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import docker
import needs
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
    run_module,
    slowest_ready,
)

IMAGE = "sluice/test-app"
COMPOSE = """
services:
  api:
    image: {image}
    ports: ["{port}:3000"]
    environment: {{BAD: "{bad}"}}
"""


@functools.cache
def images() -> dict[str, str]:
    """Build the images; return their ids by version."""
    call(PROJECT / "tests" / "fixtures" / "container_app" / "build", *VERSIONS)
    engine = docker.from_env()
    return {version: engine.images.get(f"{IMAGE}:{version}").id for version in VERSIONS}


@functools.cache
def compose() -> list[str]:
    """Return the command of Compose, version 2 where that can be had."""
    command = needs.compose_plugin() or (["docker-compose"] if shutil.which("docker-compose") else None)
    if command is None:
        raise SystemExit("Cannot measure: there is no Compose. Install docker-compose.")
    return command


def lay(root: Path, service: str) -> dict[str, Path]:
    """Lay release directories that name the images; return them by version."""
    paths = {}
    for version, digest in images().items():
        paths[version] = root / "releases" / f"{version}-abc"
        paths[version].mkdir(parents=True)
        kept = f"{IMAGE}:{version}"
        pins = {service: {"image": kept, "digest": digest, "kept": kept}}
        (paths[version] / "images.json").write_text(json.dumps(pins))
    return paths


@contextlib.contextmanager
def cleared(name: str) -> Iterator[None]:
    """Remove the application's containers after the body, and the names by which it has kept its images."""
    try:
        yield
    finally:
        engine = docker.from_env()
        for one in engine.containers.list(all=True, filters={"name": name}):
            one.remove(force=True, v=True)
        for network in engine.networks.list(names=[name]):
            network.remove()
        for image in engine.images.list(f"sluice/{name}/*"):
            for tag in image.tags:
                if tag.startswith(f"sluice/{name}/"):
                    engine.images.remove(tag)


@contextlib.contextmanager
def with_docker(bad: str) -> Iterator[Site]:
    """docker_switch."""
    name = f"shop-bench-{os.getpid()}"
    with directory() as root, front.haproxy() as proxy, cleared(name):
        paths = lay(root, "shop")
        config(root, BAD=bad)

        def move(version: str) -> float | None:
            done = run_module(
                "docker_switch",
                **asked(root, name, paths[version], version, "http://127.0.0.1:{port}"),
                ports=proxy.ports,
                proxy=proxy.proxy,
                container={"port": 3000},
                service="shop",
            )
            return slowest_ready(done)

        move(VERSIONS[0])
        yield Site(proxy.url, move)


@contextlib.contextmanager
def with_compose(bad: str) -> Iterator[Site]:
    """compose_switch."""
    name = f"shop-bench-{os.getpid()}"
    with directory() as root, front.haproxy() as proxy, cleared(name):
        paths = lay(root, "api")
        for path in paths.values():
            (path / "compose.yml").write_text(COMPOSE.format(image=IMAGE, port=3000, bad=bad))
        config(root)

        def move(version: str) -> float | None:
            done = run_module(
                "compose_switch",
                **asked(root, name, paths[version], version, "http://127.0.0.1:{port}"),
                services=[{"name": "api", "port": 3000, "ports": proxy.ports, "proxy": proxy.proxy}],
                compose=compose(),
            )
            return slowest_ready(done)

        move(VERSIONS[0])
        yield Site(proxy.url, move)


@contextlib.contextmanager
def up(bad: str) -> Iterator[Site]:
    """Name the new image in the file and `docker compose up -d`."""
    images()
    name = f"shop-bench-{os.getpid()}"
    with directory() as root, cleared(name):
        (port,) = free_ports(1)
        file = root / "compose.yml"

        def move(version: str) -> None:
            file.write_text(COMPOSE.format(image=f"{IMAGE}:{version}", port=port, bad=bad))
            call(*compose(), "-f", file, "-p", name, "up", "-d")

        move(VERSIONS[0])
        yield Site(f"http://127.0.0.1:{port}", move)


WAYS = [
    Way("docker_switch, behind HAProxy", with_docker),
    Way("compose_switch, behind HAProxy", with_compose),
    Way("`docker compose up -d`", up, peer=True),
]

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One small application on this host, by each driver, that whole playbooks release and roll back."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice_lab import front
from sluice_lab.fleet import lay_source
from sluice_lab.lab import free_ports

from ansible_collections.sluice.release.plugins.module_utils.journal import _store
from ansible_collections.sluice.release.plugins.module_utils.report._build import parse_time
from benchmarks.switching import containers, kubernetes, pm2
from benchmarks.switching.site import GRACEFUL, PROJECT, VERSIONS, Site, directory


@dataclass(frozen=True)
class Took:
    """Seconds of the wall from the start of a playbook: until the journal had the switch as proven, and to its end."""

    switched: float
    ended: float


@dataclass(frozen=True)
class Ground:
    """An inventory of this host alone, and where visitors come."""

    root: Path
    url: str

    @property
    def profile(self) -> dict[str, Any]:
        """The variables of the host."""
        found: dict[str, Any] = json.loads((self.root / "hosts.json").read_text())["sluice"]["hosts"]["app1"]
        return found

    def extend(self, **variables: Any) -> None:
        """Change the host's variables."""
        inventory = {"sluice": {"hosts": {"app1": {**self.profile, **variables}}}}
        (self.root / "hosts.json").write_text(json.dumps(inventory, indent=1))

    def play(self, playbook: str, **variables: Any) -> Took:
        """Run a playbook as a person does, which must succeed."""
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "--inventory", str(self.root / "hosts.json")]
        began = time.time()
        done = subprocess.run(
            [*command, playbook, "--extra-vars", json.dumps(variables)],
            cwd=PROJECT,
            env={**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
        )
        ended = time.time()
        if done.returncode:
            raise SystemExit(f"Cannot measure: {playbook} failed.\n{(done.stdout + done.stderr)[-3000:]}")
        entries = _store.read(str(self.root / "state"))
        (*_, switch) = (entry for entry in entries if (entry["event"], entry.get("stage")) == ("left", "switch"))
        return Took(round(parse_time(switch["time"]).timestamp() - began, 1), round(ended - began, 1))


def prepare(root: Path, url: str, ready: str, **profile: Any) -> Ground:
    """Write sources and inventory; `ready` is the address by which a driver asks new instances."""
    for version in VERSIONS:
        lay_source(root / "source" / version, version)
    asked = [{"name": "ready", "type": "http", "url": f"{url}/ready", "expect_status": [200]}]
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "sluice_environment": "bench",
        "sluice_application": f"shop-bench-{os.getpid()}",
        "sluice_root": str(root / "srv"),
        "sluice_state_dir": str(root / "state"),
        "sluice_base_url": url,
        "sluice_env": {"GREETING": "one"},
        "backup_enabled": False,
        # Nothing is ever pending.
        "migrate_status": ["true"],
        "migrate_command": ["true"],
        "migrate_revert": [],
        "artifact_source": {"type": "directory", "path": f"{root}/source/{{{{ release_version | default('') }}}}"},
        "artifact_install": [],
        "artifact_build": ["true"],
        "artifact_entry": "main.js",
        "preflight_checks": [{"name": "room", "type": "disk", "path": str(root), "free_mb": 10}],
        "switch_ready": {
            "url": f"{ready}/ready",
            "version_url": f"{ready}/version",
            "successes": 3,
            "interval": 0.2,
            "timeout": 30,
        },
        "switch_instances": 1,
        "switch_drain_timeout": 10,
        "switch_hold": 1,
        "gate_duration": 1,
        "gate_checks": asked,
        "verify_checks": asked,
        "watch_windows": [],
        **profile,
    }
    (root / "hosts.json").write_text(json.dumps({"sluice": {"hosts": {"app1": {}}}}))
    ground = Ground(root, url)
    ground.extend(**variables)
    return ground


@contextlib.contextmanager
def with_pm2() -> Iterator[Ground]:
    """A cluster of two workers."""
    with directory() as root, pm2.daemon(root):
        (port,) = free_ports(1)
        url = f"http://127.0.0.1:{port}"
        yield prepare(
            *(root, url, url),
            sluice_driver="pm2",
            sluice_pm2_process="shop",
            sluice_pm2_home=str(root / "pm2"),
            sluice_path=[str(pm2.program().parent)],
            sluice_env={"GREETING": "one", "PORT": str(port)},
            switch_script="main.js",
            switch_exec_mode="cluster",
            switch_instances=pm2.WORKERS,
        )


@contextlib.contextmanager
def with_processes() -> Iterator[Ground]:
    """Processes without a manager behind HAProxy."""
    with directory() as root, front.haproxy() as proxy:
        ground = prepare(
            *(root, proxy.url, "http://127.0.0.1:{port}"),
            sluice_driver="process",
            sluice_path=[str(pm2.program().parent)],
            switch_manager="direct",
            switch_command=["node", "main.js"],
            switch_ports=proxy.ports,
            switch_proxy=proxy.proxy,
        )
        try:
            yield ground
        finally:
            end_processes(root)


def end_processes(root: Path) -> None:
    """End what serves from a directory, when the measurement is over."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "cwd").readlink().is_relative_to(root):
                os.kill(int(entry.name), 9)


@contextlib.contextmanager
def with_docker() -> Iterator[Ground]:
    """A container behind HAProxy; the images are on the host, as those of releases are."""
    containers.images()
    with directory() as root, front.haproxy() as proxy, containers.cleared(f"shop-bench-{os.getpid()}"):
        yield prepare(
            *(root, proxy.url, "http://127.0.0.1:{port}"),
            sluice_driver="docker",
            artifact_source={},
            artifact_images=[{"service": "shop", "image": f"{containers.IMAGE}:{{version}}"}],
            switch_service="shop",
            switch_container={"port": 3000},
            switch_ports=proxy.ports,
            switch_proxy=proxy.proxy,
        )


@contextlib.contextmanager
def with_compose() -> Iterator[Ground]:
    """A project of one service behind HAProxy."""
    containers.images()
    with directory() as root, front.haproxy() as proxy, containers.cleared(f"shop-bench-{os.getpid()}"):
        service = {"name": "api", "port": 3000, "ports": proxy.ports, "proxy": proxy.proxy}
        ground = prepare(
            *(root, proxy.url, "http://127.0.0.1:{port}"),
            sluice_driver="compose",
            artifact_images=[{"service": "api", "image": f"{containers.IMAGE}:{{version}}"}],
            artifact_include=["compose.yml"],
            switch_compose_command=containers.compose(),
            switch_compose_services=[service],
        )
        for version in VERSIONS:
            text = containers.COMPOSE.format(image=f"{containers.IMAGE}:{version}", port=3000, bad=GRACEFUL)
            (root / "source" / version / "compose.yml").write_text(text)
        yield ground


@contextlib.contextmanager
def with_kubernetes() -> Iterator[Ground]:
    """A Deployment of two pods."""
    with directory() as root, kubernetes.Namespace() as namespace:
        plain = kubernetes.objects(VERSIONS[0], GRACEFUL, linger=0)
        # The Service is there before: its port is where visitors come.
        namespace.kubectl("apply", "-f", "-", stdin=json.dumps(plain[0]))
        name = f"shop-bench-{os.getpid()}"
        ground = prepare(
            *(root, namespace.url(), "http://{pod}:3000"),
            sluice_driver="kubernetes",
            artifact_entry="k8s/app.yaml",
            switch_kubernetes={"kubeconfig": str(kubernetes.kubeconfig()), "namespace": namespace.name},
            switch_drain_timeout=30,
        )
        for version in VERSIONS:
            found = kubernetes.objects(version, GRACEFUL, linger=kubernetes.LINGER, config_name=f"{name}-config")
            kubernetes.lay(root / "source" / version / "k8s", found)
        yield ground


@dataclass(frozen=True)
class Driver:
    """One driver, and what a user would type instead to have the last version back."""

    name: str
    open: Callable[[], AbstractContextManager[Ground]]
    plain: str
    peer: Callable[[str], AbstractContextManager[Site]]


def drivers() -> list[Driver]:
    """Return the drivers that can run here."""
    reload = next(way for way in pm2.WAYS if way.peer)
    up = next(way for way in containers.WAYS if way.peer)
    found = [
        Driver("pm2", with_pm2, reload.name, reload.open),
        Driver("process", with_processes, reload.name, reload.open),
        Driver("docker", with_docker, up.name, up.open),
        Driver("compose", with_compose, up.name, up.open),
    ]
    if kubernetes.kubeconfig():
        undo = next(way for way in kubernetes.WAYS if way.peer)
        found.append(Driver("kubernetes", with_kubernetes, undo.name, undo.open))
    return found

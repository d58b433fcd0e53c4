# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of hosts: containers with systemd that Ansible reaches by SSH, each with an application behind nginx.

Needs Docker; makes the image of the Molecule hosts where it is missing. A test can hold a host in any stage of
a release and kill it there: see `hold`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

from sluice_lab.errors import LabError

LAB = Path(__file__).resolve().parents[1]
PROJECT = LAB.parent
APPLICATION = PROJECT / "tests" / "fixtures" / "container_app" / "server.js"
BASE = PROJECT / "molecule" / "utils" / "images" / "build"
IMAGE = "sluice/fleet:bookworm"
LABEL = "sluice.fleet"
VERSIONS = ("1.0.0", "1.1.0")
STATE = "/var/lib/sluice/shop"
# The stages of a release in which a host can be held, by a command of the profile or of the application.
STAGES = ("preflight", "artifact", "migrate", "switch", "gate", "verify")
PORT = 8080
_WAIT = 60.0

# A version of the application is its package.json; the command of the profile starts it.
_MAIN = "process.env.APP_VERSION = require('./package.json').version;\nrequire('./server.js');\n"


def lay_source(path: Path, version: str) -> None:
    """Lay the source of a version of the application in a new directory."""
    path.mkdir(parents=True)
    shutil.copy(APPLICATION, path / "server.js")
    (path / "main.js").write_text(_MAIN)
    (path / "package.json").write_text(json.dumps({"name": "shop", "version": version}))


def docker(*words: str, timeout: float = 300.0) -> str:
    """Run docker; return what it printed. LabError when it fails."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode:
        raise LabError(f"run docker {words[0]}", (done.stderr or done.stdout).strip()[-500:])
    return done.stdout.strip()


def wait_for(what: str, condition: Callable[[], object], limit: float = _WAIT) -> None:
    """Return once the condition holds. LabError when it does not in time."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"wait for {what}", f"{limit:g} s have passed")
        time.sleep(0.1)


def _held(name: str, then: str) -> list[str]:
    """Return a command that goes on as `then` unless the host is held there."""
    return ["sh", "-c", f"hold {name} && {then}"]


def profile(key: Path) -> dict[str, Any]:
    """Return the variables of the group: a small application under systemd, behind nginx, without a database."""
    url = f"http://127.0.0.1:{PORT}"
    asked = {"type": "http", "expect_status": [200]}
    return {
        "ansible_user": "root",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_private_key_file": str(key),
        "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR",
        "sluice_environment": "fleet",
        "sluice_application": "shop",
        "sluice_driver": "process",
        "sluice_root": "/srv/shop",
        "sluice_state_dir": STATE,
        "sluice_base_url": url,
        "sluice_port": PORT,
        "sluice_env": {"GREETING": "hello"},
        "sluice_batches": [1, "50%", "100%"],
        "backup_enabled": False,
        # What is pending is a file of the host, so that each test begins with something to do.
        "migrate_status": ["sh", "-c", "test -e /migrated || echo pending first"],
        "migrate_command": _held("migrate", "touch /migrated"),
        "migrate_revert": [],
        "artifact_source": {"type": "directory", "path": "/opt/source/{{ release_version | default('') }}"},
        "artifact_install": [],
        "artifact_build": _held("artifact", "true"),
        "artifact_entry": "main.js",
        "preflight_checks": [{"name": "go", "type": "command", "argv": _held("preflight", "true")}],
        "switch_command": _held("switch", "exec node main.js"),
        "switch_instances": 1,
        "switch_ports": [3100, 3200],
        "switch_hold": 1,
        "switch_drain_timeout": 5,
        "switch_proxy": {
            "type": "nginx",
            "path": "/etc/nginx/shop/upstream.conf",
            "content": "upstream shop { {servers} keepalive 8; }",
            "test": ["nginx", "-t"],
            "reload": ["nginx", "-s", "reload"],
            "pid": "/run/nginx.pid",
        },
        "switch_ready": {
            "url": "http://127.0.0.1:{port}/ready",
            "version_url": "http://127.0.0.1:{port}/version",
            "successes": 2,
        },
        "gate_duration": 1,
        "gate_checks": [
            {"name": "go", "type": "command", "argv": _held("gate", "true"), "timeout": 600},
            {"name": "ready", "url": f"{url}/ready", **asked},
        ],
        "verify_checks": [
            {"name": "go", "type": "command", "argv": _held("verify", "true"), "timeout": 600},
            {"name": "home", "url": f"{url}/", **asked},
        ],
        "watch_windows": [],
    }


@dataclass(frozen=True)
class Host:
    """One container."""

    name: str
    container: str

    def run(self, *argv: str) -> str:
        """Run a command on it."""
        return docker("exec", self.container, *argv)

    def has(self, path: str) -> bool:
        """Whether the file is there."""
        done = subprocess.run(["docker", "exec", self.container, "test", "-e", path], capture_output=True, check=False)
        return done.returncode == 0

    def hold(self, stage: str) -> None:
        """Let the next run stop at this stage on this host."""
        self.run("mkdir", "-p", "/hold")
        self.run("touch", f"/hold/{stage}")

    def release(self) -> None:
        """Hold it nowhere."""
        self.run("rm", "-rf", "/hold", "/held")

    def kill(self) -> None:
        """Take its power away."""
        docker("kill", self.container)

    def start(self) -> None:
        """Switch it on again, as after a loss of power."""
        docker("start", self.container)

    @property
    def address(self) -> str:
        """Its address on the bridge."""
        return docker("inspect", "--format", "{{ .NetworkSettings.IPAddress }}", self.container)

    def version(self) -> str | None:
        """What a visitor gets from it; None while nothing answers."""
        try:
            with urllib.request.urlopen(f"http://{self.address}:{PORT}/version", timeout=5) as answer:
                return str(json.load(answer)["version"])
        except (OSError, ValueError, LabError):
            return None

    def journal(self) -> list[dict[str, Any]]:
        """The entries of its journal, oldest first; empty where there is none."""
        text = self.run("sh", "-c", f"cat {STATE}/journal/*.jsonl 2>/dev/null || true")
        return [entry for entry in map(json.loads, text.splitlines()) if "event" in entry]


class Fleet:
    """So many hosts; a context manager that leaves nothing."""

    def __init__(self, count: int) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="sluice-fleet-"))
        self.hosts = [
            Host(f"app{number:02d}", f"sluice-fleet-{os.getpid()}-{number}") for number in range(1, count + 1)
        ]

    def __enter__(self) -> Self:
        try:
            self._build()
            for host in self.hosts:
                docker(
                    *("run", "--detach", "--name", host.container, "--hostname", host.name, "--label", LABEL),
                    *("--tmpfs", "/run", "--tmpfs", "/run/lock", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:ro", IMAGE),
                )
            self.write_inventory()
            for host in self.hosts:
                wait_for(f"SSH on {host.name}", partial(self._answers, host))
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def write_inventory(self) -> None:
        """Write it anew: a host that was switched on again may have another address."""
        hosts = {host.name: {"ansible_host": host.address} for host in self.hosts}
        group = {"hosts": hosts, "vars": profile(self.directory / "key")}
        inventory = {"sluice": {"children": {"fleet": group}}}
        (self.directory / "inventory.json").write_text(json.dumps(inventory, indent=1))

    def command(self, playbook: str, *more: str) -> list[str]:
        """Return the command line of a playbook on the fleet."""
        return ["ansible-playbook", "--inventory", str(self.directory / "inventory.json"), playbook, *more]

    def versions(self) -> list[str | None]:
        """What a visitor gets from each host."""
        return [host.version() for host in self.hosts]

    def _build(self) -> None:
        made = subprocess.run([BASE], capture_output=True, text=True, check=False)
        if made.returncode:
            raise LabError("make the image of the hosts", (made.stderr or made.stdout).strip()[-500:])
        context = self.directory / "image"
        shutil.copytree(LAB / "fleet", context)
        for version in VERSIONS:
            lay_source(context / "source" / version, version)
        key = self.directory / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        shutil.copy(f"{key}.pub", context / "authorized_keys")
        docker("build", "--quiet", "--tag", IMAGE, str(context))

    def _answers(self, host: Host) -> bool:
        words = [
            "-i",
            str(self.directory / "key"),
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
        ]
        command: Sequence[str] = ["ssh", *words, "-o", "ConnectTimeout=5", f"root@{host.address}", "true"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def _remove(self) -> None:
        containers = [host.container for host in self.hosts]
        subprocess.run(["docker", "rm", "--force", "--volumes", *containers], capture_output=True, check=False)
        shutil.rmtree(self.directory, ignore_errors=True)

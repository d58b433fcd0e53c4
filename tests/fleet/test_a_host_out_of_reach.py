# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host serves, and nobody can log in: a rollback takes the others back, and the proxy in front forgets it.

It is the first one, which acts for all where there is one database. The database stands for itself here: a file on each
host, for the hosts of the lab share nothing.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import needs
import pytest
from plays import deploy, play
from sluice_lab.fleet import PORT, VERSIONS, Fleet, Host, wait_for

from ansible_collections.sluice.release.plugins.module_utils.journal import _state
from ansible_collections.sluice.release.plugins.module_utils.proxy._haproxy_socket import asker

CONFIG = """
global
  stats socket {root}/admin.sock mode 600 level admin
  server-state-base {root}
defaults
  mode http
  timeout connect 1s
  timeout client 10s
  timeout server 10s
frontend front
  bind 127.0.0.1:{port}
  default_backend shop
backend shop
  load-server-state-from-file local
  server-state-file-name shop.state
  option httpchk GET /ready
  default-server check inter 200ms rise 2 fall 3
"""


@dataclass
class Front:
    """HAProxy in front of the fleet, where the controller is."""

    root: Path
    port: int

    def profile(self) -> Path:
        """The file of variables that tells the fleet of it, and how migrations are taken back."""
        proxy = {
            "socket": str(self.root / "admin.sock"),
            "backend": "shop",
            "state_file": str(self.root / "shop.state"),
        }
        path = self.root / "front.json"
        told = {"switch_front_proxy": {"hosts": ["localhost"], "proxy": proxy}, "migrate_revert": ["rm", "/migrated"]}
        path.write_text(json.dumps(told))
        return path

    def versions(self, requests: int = 12) -> set[str]:
        """What visitors get through it."""
        found = set()
        for _ in range(requests):
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/version", timeout=10) as answer:
                found.add(str(json.load(answer)["version"]))
        return found

    def serving(self) -> set[str]:
        """The servers that get requests."""
        lines = asker(str(self.root / "admin.sock"))("show stat").splitlines()
        names = lines[0].removeprefix("# ").split(",")
        rows: list[dict[str, Any]] = [dict(zip(names, line.split(","), strict=False)) for line in lines[1:] if line]
        servers = [row for row in rows if row["pxname"] == "shop" and row["svname"] != "BACKEND"]
        return {row["svname"] for row in servers if row["status"] == "UP"}


@pytest.fixture
def front(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    if shutil.which("haproxy") is None:
        if needs.IN_CI:
            raise needs.SetupError("Cannot test a proxy in front of a fleet: there is no haproxy. Install it.")
        pytest.skip("no proxy in front of the fleet: there is no haproxy")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    found = Front(tmp_path_factory.mktemp("front"), port)
    servers = "".join(f"  server {host.name} {host.address}:{PORT}\n" for host in fleet.hosts)
    config = found.root / "haproxy.cfg"
    config.write_text(CONFIG.format(root=found.root, port=port) + servers)
    (found.root / "shop.state").touch()
    with subprocess.Popen(["haproxy", "-f", config]) as process:
        try:
            everybody = {host.name for host in fleet.hosts}
            wait_for("HAProxy", (found.root / "admin.sock").exists)
            wait_for("all servers at HAProxy", lambda: found.serving() == everybody)
            yield found
        finally:
            process.terminate()


def taken_back(host: Host) -> list[str] | None:
    """The migrations that the last rollback has taken back, by the journal of the host."""
    left = [entry for entry in host.journal() if (entry["event"], entry.get("stage")) == ("left", "rollback")]
    found: list[str] | None = (left[-1]["data"].get("database") or {}).get("reverted")
    return found


def test_a_host_out_of_reach(fleet: Fleet, front: Front) -> None:
    told = ("-e", f"@{front.profile()}")
    before = fleet.hosts[0].version()
    assert before is not None
    bad = VERSIONS[1] if before == VERSIONS[0] else VERSIONS[0]
    for host in fleet.hosts:
        host.run("rm", "-f", "/migrated")
    done = deploy(fleet, bad, *told)
    assert done.returncode == 0, done.stdout[-3000:]
    assert front.versions() == {bad}
    assert front.serving() == {host.name for host in fleet.hosts}
    known = [_state.derive(host.journal())["database"]["migrations"] for host in fleet.hosts]
    assert known == [["first"]] * len(fleet.hosts), "each knows what was done to the database of all"
    for host in fleet.hosts:
        host.run("touch", "/migrated")

    # The first one, which a run would rather ask before any other.
    victim, others = fleet.hosts[0], fleet.hosts[1:]
    # With the connections that the controller keeps open.
    victim.run("sh", "-c", "systemctl stop ssh.socket ssh.service; pkill -x sshd; true")
    back = play(fleet, "rollback.yml", "-e", "rollback_level=3", *told)
    said = " ".join(back.stdout.split())
    assert back.returncode != 0, said[-3000:]
    assert f"Cannot reach {victim.name}" in said
    assert [host.version() for host in others] == [before] * len(others), said[-3000:]
    # Another one has taken the migration back, and all that were reached know.
    assert [host.has("/migrated") for host in others] == [False, *[True] * (len(others) - 1)]
    assert [taken_back(host) for host in others] == [["first"]] * len(others)
    # It serves what the others have left, to nobody.
    assert victim.version() == bad
    assert front.serving() == {host.name for host in others}
    assert front.versions() == {before}
    # One of the others has acted for all, and says so.
    told_of = [entry["data"]["message"] for host in others for entry in host.journal() if entry.get("name") == "issue"]
    assert len(told_of) == 1
    assert told_of[0].startswith(f"{victim.name} could not be reached, and gets no request from localhost any more")

    victim.run("systemctl", "start", "ssh.service")
    wait_for(f"SSH on {victim.name}", lambda: victim.has("/run/sshd.pid"))
    again = play(fleet, "rollback.yml", "-e", "rollback_level=2", "--limit", victim.name, *told)
    assert again.returncode == 0, again.stdout[-3000:]
    assert fleet.versions() == [before] * len(fleet.hosts)
    wait_for(f"{victim.name} at HAProxy", lambda: front.serving() == {host.name for host in fleet.hosts})
    assert front.versions() == {before}

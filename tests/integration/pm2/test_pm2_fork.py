# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fork mode: two slots behind a proxy."""

from __future__ import annotations

import json
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pm2_site import Site, free_port, wait


@dataclass
class Proxy:
    """A stand-in for nginx: its `reload` refuses a file that it cannot read, as `nginx -t` does."""

    root: Path

    @property
    def file(self) -> Path:
        return self.root / "upstream.conf"

    def options(self, **changed: Any) -> dict[str, Any]:
        pattern = r"server 127.0.0.1:\d+;"
        check = f"import re, sys; sys.exit(not re.search({pattern!r}, open({str(self.file)!r}).read()))"
        note = f"open({str(self.root / 'reloads')!r}, 'a').write('x')"
        return {
            "type": "nginx",
            "path": str(self.file),
            "content": "upstream shop { server 127.0.0.1:{port}; }",
            "test": [sys.executable, "-c", check],
            "reload": [sys.executable, "-c", note],
            "settle": 0.1,
            **changed,
        }

    def port(self) -> int:
        return int(self.file.read_text().split("127.0.0.1:")[1].split(";")[0])


def fork(
    site: Site, proxy: Proxy, ports: list[int], broken: dict[str, Any] | None = None, **changed: Any
) -> dict[str, Any]:
    return {
        "exec_mode": "fork",
        "instances": 1,
        "ports": ports,
        "proxy": proxy.options(**(broken or {})),
        "hold": 0.1,
        **changed,
        "ready": {
            "url": "http://127.0.0.1:{port}/ready",
            "version_url": "http://127.0.0.1:{port}/version",
            **changed.get("ready", {}),
        },
    }


def test_fork_mode_changes_ports_behind_the_proxy(site: Site) -> None:
    proxy, ports = Proxy(site.root), [free_port(), free_port()]
    first, second = site.release("1.0.0"), site.release("1.1.0")

    done = site.switch(first, **fork(site, proxy, ports))
    assert not done.failed, done.values
    assert proxy.port() == ports[0]
    assert site.listed()[0]["pm2_env"]["exec_mode"] == "fork_mode"
    assert site.ask(port=ports[0])["version"] == "1.0.0"

    before = site.state()
    assert site.switch(first, **fork(site, proxy, ports))["changed"] is False
    foretold = site.switch(second, check_mode=True, **fork(site, proxy, ports))
    assert (foretold["changed"], foretold["diff"]["after"]["port"]) == (True, ports[1])
    assert (site.state(), proxy.port()) == (before, ports[0])

    done = site.switch(second, **fork(site, proxy, ports))
    assert not done.failed, done.values
    assert (proxy.port(), site.ask(port=ports[1])["version"], len(site.state())) == (ports[1], "1.1.0", 1)

    before = site.state()
    bad = site.release("1.2.0", ready="false")
    done = site.switch(bad, **fork(site, proxy, ports, ready={"timeout": 1}))
    assert done.failed
    assert (site.state(), proxy.port()) == (before, ports[1])


def test_fork_mode_proxy_refuses(site: Site) -> None:
    proxy, ports = Proxy(site.root), [free_port(), free_port()]
    assert not site.switch(site.release("1.0.0"), **fork(site, proxy, ports)).failed
    before, text = site.state(), proxy.file.read_text()
    broken = {"content": "upstream shop { oops {port} }"}
    done = site.switch(site.release("1.1.0"), **fork(site, proxy, ports, broken))
    assert done.failed
    assert "goes on serving as before" in done["msg"]
    assert (site.state(), proxy.file.read_text()) == (before, text)


def test_fork_mode_after_killed_runs(site: Site) -> None:
    proxy, ports = Proxy(site.root), [free_port(), free_port()]
    first, second, third = site.release("1.0.0"), site.release("1.1.0"), site.release("1.2.0")
    assert not site.switch(first, **fork(site, proxy, ports)).failed
    # A run to 1.1.0 was killed before it pointed the proxy; the next one goes to 1.2.0, on the same idle port.
    config = json.loads((site.root / "config" / "1" / "env.json").read_text())
    site.command(
        "start", str(second / "app.js"), "--name", site.name, "-f", "--cwd", str(second),
        environment={**config, "PORT": str(ports[1]), "SLUICE_RELEASE": second.name, "SLUICE_MARK": "other"},
    )  # fmt: skip
    wait(lambda: len(site.state()) == 2, "the stray worker")
    done = site.switch(third, **fork(site, proxy, ports))
    assert not done.failed, done.values
    assert (site.releases(), proxy.port()) == (["1.2.0"], ports[1])


def test_fork_mode_port_taken_by_another_process(site: Site) -> None:
    proxy, ports = Proxy(site.root), [free_port(), free_port()]
    with socket.socket() as other:
        other.bind(("127.0.0.1", ports[0]))
        other.listen()
        done = site.switch(site.release("1.0.0"), **fork(site, proxy, ports))
    assert done.failed
    assert f"Cannot start an instance on port {ports[0]}: another process listens there" in done["msg"]

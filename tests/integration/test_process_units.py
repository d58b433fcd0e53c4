# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""process_switch with units of a real systemd, in a container, behind nginx: what is there before, and what fails.

How units are made and moved is in the Molecule scenario switch; what is no good in any process, beside this file.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

ROOT = Path(__file__).parents[2]
SERVER = ROOT / "tests" / "fixtures" / "container_app" / "server.js"
LIBRARIES = sysconfig.get_path("purelib")
PORTS = [3100, 3200]
SECRET = "planted-5be0c1d2-secret"
STATE = "/srv/state"
PROGRAM = """
import json, sys
from ansible.module_utils.testing import patch_module_args
from ansible_collections.sluice.release.plugins.modules.process_switch import main
with patch_module_args(json.load(sys.stdin)): main()
"""
# What there is before: an application that somebody has put there by hand.
BY_HAND = f"""
mkdir -p /srv/config /srv/releases /etc/nginx/sluice
echo '{json.dumps({"GREETING": SECRET, "BAD_AFTER": "600"})}' >/srv/config/env.json
chmod 600 /srv/config/env.json
cat >/etc/systemd/system/shop.service <<'END'
[Service]
Environment=PORT={PORTS[0]} APP_VERSION=0.9.0
ExecStart=/usr/bin/env node /srv/server.js
END
echo 'upstream shop {{ server 127.0.0.1:{PORTS[0]}; }}' >/etc/nginx/sluice/shop.conf
cat >/etc/nginx/conf.d/shop.conf <<'END'
include /etc/nginx/sluice/shop.conf;
server {{ listen 127.0.0.1:8080; location / {{ proxy_pass http://shop; }} }}
END
systemctl daemon-reload
systemctl start shop
systemctl restart nginx
for _ in $(seq 100); do curl --fail --silent http://127.0.0.1:8080/version && exit; sleep 0.1; done
exit 1
"""


@dataclass
class Host:
    """A host with systemd, whose application is called shop."""

    container: str

    def run(self, *argv: str, stdin: str = "", check: bool = True) -> str:
        done = subprocess.run(
            ["docker", "exec", "-i", "-e", f"PYTHONPATH={LIBRARIES}:{ROOT}/collections", self.container, *argv],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done.stdout

    def switch(self, version: str, bad: str = "", **changed: Any) -> dict[str, Any]:
        path = f"/srv/releases/{version}-{bad or 'good'}"
        told = json.dumps({"APP_VERSION": version, **({"BAD": bad} if bad else {})})
        self.run("mkdir", "-p", path)
        self.run("tee", f"{path}/main.js", stdin=f"Object.assign(process.env, {told}); require('/srv/server.js');")
        ready = {
            "url": "http://127.0.0.1:{port}/ready",
            "version_url": "http://127.0.0.1:{port}/version",
            "version": version,
            "timeout": 20,
            "interval": 0.1,
            **changed.pop("ready", {}),
        }
        options = {
            "name": "shop",
            "release": path.rpartition("/")[2],
            "path": path,
            "command": ["node", "main.js"],
            "config": "/srv/config/env.json",
            "ports": PORTS,
            "proxy": {
                "type": "nginx",
                "path": "/etc/nginx/sluice/shop.conf",
                "content": "upstream shop { {servers} }",
                "test": ["nginx", "-t"],
                "reload": ["nginx", "-s", "reload"],
                "pid": "/run/nginx.pid",
            },
            "manager": "systemd",
            "drain_timeout": 6,
            "hold": 0.3,
            "ready": ready,
            "state_dir": STATE,
            **changed,
        }
        given = json.dumps({**options, "_ansible_remote_tmp": "/tmp"})
        result: dict[str, Any] = json.loads(self.run("python3", "-c", PROGRAM, stdin=given, check=False))
        assert SECRET not in json.dumps({key: value for key, value in result.items() if key != "invocation"})
        return result

    def version(self) -> str:
        answer = self.run("curl", "--fail", "--silent", "http://127.0.0.1:8080/version")
        version: str = json.loads(answer)["version"]
        return version

    def units(self) -> list[tuple[str, str]]:
        """Name and state of every unit of the application that is loaded."""
        shown = self.run("systemctl", "list-units", "--all", "--output=json", "shop.service", "shop@*.service")
        return sorted((unit["unit"], unit["sub"]) for unit in json.loads(shown))


@pytest.fixture(scope="module")
def host(container_app: Callable[..., None]) -> Iterator[Host]:
    """One test after the other finds it as the first has left it: 1.0.0 serves."""
    # The image that the hosts of the scenarios have comes with it.
    container_app("1.0.0")
    engine = docker.from_env()
    first = engine.info().get("CgroupVersion", "1") == "1"
    made = engine.containers.run(
        "sluice/molecule:bookworm",
        detach=True,
        stop_signal="SIGRTMIN+3",
        cgroupns=None if first else "host",
        tmpfs={"/run": "", "/run/lock": "", "/tmp": "exec", STATE: "size=512k"},
        volumes=[
            f"/sys/fs/cgroup:/sys/fs/cgroup:{'ro' if first else 'rw'}",
            f"{ROOT}:{ROOT}:ro",
            f"{LIBRARIES}:{LIBRARIES}:ro",
        ],
    )
    try:
        host = Host(made.id)
        host.run("systemctl", "is-system-running", "--wait", check=False)
        host.run("tee", "/srv/server.js", stdin=SERVER.read_text())
        host.run("bash", "-c", BY_HAND)
        yield host
    finally:
        made.remove(force=True, v=True)
        engine.close()


@pytest.fixture
def serving(host: Host) -> Host:
    """Version 1.0.0 serves, and nothing else is there."""
    if not host.units() or host.version() != "1.0.0":
        done = host.switch("1.0.0")
        assert not done.get("failed"), done
    return host


def test_a_unit_of_another_hand_is_replaced_and_stays_that_ones(host: Host) -> None:
    assert host.version() == "0.9.0"
    done = host.switch("1.0.0")
    assert not done.get("failed"), done
    assert (done["previous"], done["current"]) == ("unknown", "1.0.0-good")
    assert [(one["id"], one["killed"]) for one in done["retired"]] == [("shop.service", False)]
    assert host.version() == "1.0.0"
    assert host.run("systemctl", "is-active", "shop.service", check=False).strip() == "inactive"
    assert "APP_VERSION=0.9.0" in host.run("cat", "/etc/systemd/system/shop.service")
    again = host.switch("1.0.0")
    assert (again["changed"], again["retired"]) == (False, [])


@pytest.mark.parametrize(
    ("bad", "changed", "expected"),
    [
        ("crash", {}, "Error: cannot start, the setting ********"),
        ("crash-after-ready", {"hold": 5}, "Error: out of luck after being ready"),
        ("hang", {"ready": {"version": "1.1.1"}, "drain_timeout": 0}, "reports version 1.1.0 instead of 1.1.1"),
    ],
)
def test_a_release_that_is_no_good_leaves_the_old_one(
    serving: Host, bad: str, changed: dict[str, Any], expected: str
) -> None:
    before = serving.units()
    done = serving.switch("1.1.0", bad, **changed)
    assert done["failed"]
    assert expected in done["msg"]
    assert "1.0.0-good goes on serving as before" in done["msg"]
    assert (done["current"], done["retired"], done["changed"]) == ("1.0.0-good", [], False)
    assert (serving.units(), serving.version()) == (before, "1.0.0")
    assert ("was killed" in json.dumps(done.get("warnings", []))) is (bad == "hang")


def test_what_this_host_cannot_do_is_said(serving: Host) -> None:
    before = serving.units()
    [(unit, _state)] = before
    idle = next(port for port in PORTS if str(port) not in unit)
    listener = f"import signal, socket; held = socket.create_server(('127.0.0.1', {idle})); signal.pause()"
    serving.run("systemd-run", "--unit=other", "python3", "-c", listener)
    with contextlib.ExitStack() as stack:
        stack.callback(serving.run, "systemctl", "stop", "other")
        serving.run("sh", "-c", f"until ss -ltn | grep -q :{idle}; do sleep 0.05; done")
        assert f"port {idle}: another process listens there" in serving.switch("1.1.0")["msg"]
    assert "Cannot run no-such-program" in serving.switch("1.1.0", command=["no-such-program"])["msg"]
    wrong = serving.switch("1.1.0", properties={"MemoryMax": "much"})
    assert "Cannot use the unit of shop" in wrong["msg"]
    serving.run("sh", "-c", f"dd if=/dev/zero of={STATE}/filler bs=4k 2>/dev/null || true")
    full = serving.switch("1.1.0")
    assert "No space left on device" in full["msg"]
    assert (serving.units(), serving.version()) == (before, "1.0.0")

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""watch.yml (release_watch, release_watch_outcome) as a scheduler runs it, on two hosts that were switched before."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.sluice.release.plugins.module_utils._clock import parse_utc, utc_text
from ansible_collections.sluice.release.plugins.module_utils.journal import _advance, _store
from ansible_collections.sluice.release.plugins.module_utils.watch import _record, _words

ROOT = Path(__file__).parents[2]
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
R1 = "20260101T000000Z-1.1.0"
TARGET = {"version": "1.1.0", "artifact": {"id": "1.1.0-abc", "path": "/srv"}, "config": {"version": 1}}
# One look, due twenty minutes after the switch, and late twenty minutes after that.
WINDOW = {"name": "now", "until": 1200, "every": 1200, "tolerance": 1199, "from": 0}


@pytest.fixture(scope="module")
def page() -> Iterator[str]:
    """A page that answers, for those who are well."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


class Fleet:
    """Two hosts on this machine, each with a journal of its own."""

    def __init__(self, path: Path, page: str) -> None:
        self.path = path
        self.states = {name: path / name for name in ("app1", "app2")}
        check = {"name": "answers", "type": "http", "expect_status": [200], "timeout": 2}
        local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        hosts = {
            name: {**local, "sluice_state_dir": str(state), "gate_checks": [{**check, "url": page}]}
            for name, state in self.states.items()
        }
        hosts["app2"]["gate_checks"][0]["url"] = "http://127.0.0.1:1/"
        profile = {"sluice_environment": "test", "sluice_application": "shop", "sluice_driver": "pm2"}
        profile |= {"sluice_pm2_process": "shop", "sluice_pm2_home": str(path / "pm2")}
        flow = {"name": "visit", "steps": [{"name": "the page", "path": "/"}]}
        profile |= {"sluice_base_url": page.rstrip("/"), "watch_windows": [{**WINDOW, "flows": [flow]}]}
        inventory = {"sluice": {"hosts": hosts, "vars": profile}}
        (path / "hosts.yml").write_text(yaml.safe_dump(inventory))

    def deploy(self) -> None:
        for state in self.states.values():
            with _store.writing(str(state), "test"):
                for request in (
                    _advance.Request("opened", R1, data={"kind": "deploy", "version": "1.1.0"}),
                    _advance.Request("entered", R1, stage="switch", data=TARGET),
                    _advance.Request("closed", R1, outcome="succeeded"),
                    _advance.Request("noted", R1, name="watch", data=self.opened()),
                ):
                    entries = _store.read(str(state))
                    _store.append(str(state), entries, _advance.advance(entries, request, _store.now()))

    @staticmethod
    def opened() -> dict[str, Any]:
        # Twenty minutes ago, so that the window is due, at its end.
        start = utc_text(parse_utc(_store.now().time) - 1200)
        return {"event": "opened", "release": R1, "version": "1.1.0", "start": start, "windows": [WINDOW]}

    def tick(self, **variables: Any) -> tuple[int, str]:
        own = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "SLUICE_"))}
        more = [
            "-e",
            json.dumps({name: value if isinstance(value, list) else str(value) for name, value in variables.items()}),
        ]
        done = subprocess.run(
            [PLAYBOOK, "-i", str(self.path / "hosts.yml"), "-l", "sluice", "watch.yml", *more],
            cwd=ROOT,
            env={**own, "NO_COLOR": "1", "ANSIBLE_FORKS": "2", "ANSIBLE_LOCAL_TEMP": str(self.path / "tmp")},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    def told(self, host: str) -> dict[str, Any]:
        watch = _record.find(_store.read(str(self.states[host])), R1)
        assert watch is not None
        return _words.recorded(watch)


def test_one_red_host_is_reason_enough_and_a_person_is_asked(tmp_path: Path, page: str) -> None:
    fleet = Fleet(tmp_path, page)
    fleet.deploy()
    status, said = fleet.tick(rollback_automatic="ask", rollback_triggers=[{"name": "any", "check": "*", "level": 1}])
    assert status != 0, said
    assert "app1: now: tick 1 of 1 green, and the window is over, green; the watch is over, passed" in said
    assert "app2: now: tick 1 of 1 red, and the window is over, red; red: now: answers" in said
    command = f"ansible-playbook rollback_level1.yml -i {tmp_path}/hosts.yml -l sluice -e release_reason=any"
    assert f"To take it back, run: {command}." in said
    for host, verdict in (("app1", "green"), ("app2", "red")):
        told = fleet.told(host)
        assert told["verdict"] == verdict
        (window,) = told["ticks"][0]["windows"]
        assert [(gate["check"], gate["verdict"]) for gate in window["gates"]] == [
            ("answers", verdict),
            ("visit", "green"),
        ]
        assert [(one["action"], one["command"]) for one in told["decisions"]] == [("ask", command)]
    # The report says it as well.
    assert (fleet.states["app1"] / "reports" / f"{R1}.json").is_file()


def test_without_a_watch_a_tick_is_green_and_tells_the_scheduler(tmp_path: Path, page: str) -> None:
    fleet = Fleet(tmp_path, page)
    ended = tmp_path / "ended"
    status, said = fleet.tick(watch_ended_file=ended)
    assert status == 0, said
    assert "app1: nothing is watched" in said
    assert ended.is_file()

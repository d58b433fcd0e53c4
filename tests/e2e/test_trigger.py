# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What triggers lead to: a gate that asks, and an alert, as Alertmanager sends it and as a rulebook brings it.

Each test goes on where the one before has ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from world import ROOT, World, wait_for

from ansible_collections.sluice.release.plugins.module_utils._clock import utc_text

SENT = json.loads((ROOT / "tests/fixtures/alertmanager/firing.json").read_text())
BY_ALERT = [{"name": "errors", "alert": "HighErrorRate"}]


@pytest.fixture(scope="module")
def before(world: World) -> World:
    """1.0.0 serves, and 1.1.0 may be deployed."""
    if world.serving() != "1.0.0":
        world.ensure("1.0.0")
    return world


def notes(world: World) -> list[dict[str, Any]]:
    return [entry["data"] for entry in world.entries() if entry["name"] == "trigger"]


def test_a_trigger_that_names_no_check_is_refused_with_its_line(before: World) -> None:
    profile = before.project / "inventories/lab/group_vars/lab/profile.yml"
    text = profile.read_text()
    profile.write_text(f"{text}\nrollback_triggers:\n  - {{name: errors, check: error_rate}}\n")
    try:
        run = before.deploy("1.1.0")
    finally:
        profile.write_text(text)
    assert run.status != 0
    line = len(text.splitlines()) + 3
    assert (
        f"trigger errors (inventories/lab/group_vars/lab/profile.yml:{line}): no check is called error_rate" in run.said
    )
    before.assert_serves("1.0.0")


def test_a_gate_that_asks_leaves_the_release_where_it_is(before: World) -> None:
    # A check of the trigger's own, which never is as it expects.
    check = {"name": "teapot", "type": "http", "url": f"{before.base_url}/ready", "expect_status": [418]}
    triggers = [{"name": "odd answers", "check": check, "action": "consider"}]
    run = before.deploy("1.1.0", rollback_triggers=triggers)
    assert run.status != 0
    assert "It was not taken back, for trigger odd answers is for a person to consider, and serves on host" in run.said
    before.assert_serves("1.1.0")
    state = before.state()
    assert (state["good"][0]["version"], state["last"]["outcome"]) == ("1.0.0", "failed")
    assert before.lock() is None
    (told,) = before.report()["triggers"]
    assert (told["source"], told["trigger"], told["action"]) == ("gate", "odd answers", "ask")

    # What was printed is what a person types.
    found = re.search(r"run: (ansible-playbook rollback_level2\.yml .*?)\. To keep it", run.said)
    assert found, run.output
    words = shlex.split(found[1])
    assert words[2:4] == ["-l", "lab"]
    back = before.play("rollback_level2", *words[4:])
    assert back.status == 0, back.output
    before.assert_serves("1.0.0")
    assert before.entries()[-1]["release"].endswith("rollback")
    assert before.report()["reason"] == "odd answers"


def test_an_alert_takes_the_release_back_once(before: World) -> None:
    run = before.deploy("1.1.0")
    assert run.status == 0, run.output
    # It was sent long ago.
    run = before.play("trigger", variables={"rollback_triggers": BY_ALERT, "trigger_alerts": SENT})
    assert run.status == 0, run.output
    assert re.search(r"left aside, for it began at 2026-11-23T04:15:31\.380Z, before 1\.1\.0 served", run.said), (
        run.said
    )
    before.assert_serves("1.1.0")

    mark = before.directory / "was_a_template"
    text = json.dumps({**SENT, "alerts": [{**SENT["alerts"][0], "startsAt": utc_text()}]}).replace("MARK", str(mark))
    variables = {"rollback_triggers": BY_ALERT, "trigger_alerts": json.loads(text)}
    run = before.play("trigger", variables=variables)
    assert run.status == 0, run.output
    before.assert_serves("1.0.0")
    assert (notes(before)[-1]["trigger"], notes(before)[-1]["action"]) == ("errors", "rollback")
    assert before.report()["reason"].startswith("errors: alert HighErrorRate on app1:3001: More than 1 %")
    assert not mark.exists()
    # Alertmanager repeats itself.
    run = before.play("trigger", variables=variables)
    assert run.status == 0, run.output
    assert "left aside, for it began at" in run.said
    before.assert_serves("1.0.0")
    assert before.lock() is None


# --- The whole way: Alertmanager, ansible-rulebook, the playbook


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def answers(url: str) -> bool:
    """Whether anything answers there, whatever it says."""
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@contextlib.contextmanager
def running(command: list[str], log: Path, **options: Any) -> Iterator[None]:
    """A program and all that it starts, until the body ends."""
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **options,
        )
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_rulebook_brings_what_alertmanager_says(before: World, tmp_path: Path) -> None:
    missing = [name for name in ("java", "ansible-rulebook", "prometheus-alertmanager") if not shutil.which(name)]
    if missing:
        pytest.skip(f"the rulebook is tried where {', '.join(missing)} is installed; together they take 400 MB")
    run = before.deploy("1.1.0")
    assert run.status == 0, run.output
    # The rulebook copies the inventory, so nothing in it may be relative to where it lies.
    profile = {**before.hostvars(), "ansible_python_interpreter": sys.executable, "rollback_triggers": BY_ALERT}
    inventory, variables, config = tmp_path / "inventory.yml", tmp_path / "vars.yml", tmp_path / "alertmanager.yml"
    inventory.write_text(yaml.safe_dump({"sluice": {"hosts": {"lab-app": profile}}}))
    hook, manager = free_port(), free_port()
    variables.write_text(yaml.safe_dump({"sluice_alert_port": hook}))
    receiver = {"url": f"http://127.0.0.1:{hook}/alerts", "http_config": {"authorization": {"credentials": "word"}}}
    config.write_text(
        yaml.safe_dump(
            {
                "route": {"receiver": "sluice", "group_wait": "0s"},
                "receivers": [{"name": "sluice", "webhook_configs": [receiver]}],
            }
        )
    )
    env = before.environment(SLUICE_ALERT_TOKEN="word", ANSIBLE_CONFIG=str(before.project / "ansible.cfg"))
    rulebook = ["ansible-rulebook", "-r", "extensions/eda/rulebooks/alertmanager.yml", "-i", str(inventory)]
    rulebook += ["-E", "SLUICE_ALERT_TOKEN", "-e", str(variables)]
    alertmanager = ["prometheus-alertmanager", f"--config.file={config}", f"--storage.path={tmp_path / 'data'}"]
    alertmanager += [f"--web.listen-address=127.0.0.1:{manager}", "--cluster.listen-address="]
    with (
        running(rulebook, tmp_path / "rulebook.log", cwd=before.project, env=env),
        running(alertmanager, tmp_path / "alertmanager.log"),
    ):
        assert wait_for(lambda: answers(f"http://127.0.0.1:{hook}/alerts"), 300), (
            tmp_path / "rulebook.log"
        ).read_text()
        assert wait_for(lambda: answers(f"http://127.0.0.1:{manager}/-/ready"), 300)
        alert = [
            {"labels": {"alertname": "HighErrorRate"}, "annotations": {"summary": "{{ 7 * 7 }} % of requests fail"}}
        ]
        request = urllib.request.Request(
            f"http://127.0.0.1:{manager}/api/v2/alerts",
            json.dumps(alert).encode(),
            {"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=30).close()
        gone_back = wait_for(lambda: before.serving() == "1.0.0" and before.lock() is None, 600)
        assert gone_back, (tmp_path / "rulebook.log").read_text() + (tmp_path / "alertmanager.log").read_text()
    before.assert_serves("1.0.0")
    began = [entry for entry in before.entries() if entry["event"] == "opened"][-1]
    assert began["reason"] == "errors: alert HighErrorRate: { { 7 * 7 }} % of requests fail"

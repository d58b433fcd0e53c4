# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pm2_info and a gate see of the workers."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from pm2_site import Site, wait

from ansible_collections.sluice.release.plugins.module_utils.switch._pm2 import Pm2
from ansible_collections.sluice.release.plugins.modules import health_gate, pm2_info


def test_pm2_info_counts_restarts(site: Site) -> None:
    def told() -> list[dict[str, Any]]:
        place = {"pm2": "pm2", "pm2_home": str(site.home), "path_prepend": [str(site.pm2.parent)]}
        found: list[dict[str, Any]] = pm2_info.look({"name": site.name, **place})["processes"]
        return found

    assert told() == []
    release = site.release("1.0.0")
    assert not site.switch(release, instances=2).failed
    first, second = told()
    assert {one["release"] for one in (first, second)} == {release.name}
    assert [(one["status"], one["restarts"]) for one in (first, second)] == [("online", 0), ("online", 0)]
    os.kill(first["pid"], signal.SIGKILL)
    wait(lambda: [one["restarts"] for one in told()] == [1, 0], "PM2 restarts the worker")
    assert (told()[0]["id"], told()[1]) == (first["id"], second)


def test_lists_and_ends_take_no_program(site: Site) -> None:
    def refuse(argv: Sequence[str], **_options: Any) -> NoReturn:
        raise AssertionError(f"the socket did not do for {argv}")

    assert not site.switch(site.release("1.0.0"), instances=2).failed
    pm2 = Pm2(refuse, home=str(site.home), user_home="/", path=str(site.pm2.parent))
    stopped, deleted = pm2.processes(site.name)
    assert [(one["pm_id"], one["pid"]) for one in site.listed()] == [(it.id, it.pid) for it in (stopped, deleted)]
    pm2.stop(stopped)
    pm2.delete(deleted)
    assert [(it.id, it.status) for it in pm2.processes(site.name)] == [(stopped.id, "stopped")]
    assert not any(os.path.exists(f"/proc/{it.pid}") for it in (stopped, deleted))


def test_a_gate_sees_the_workers_and_what_restarts_them(site: Site, run_module: Callable[..., dict[str, Any]]) -> None:
    assert not site.switch(site.release("1.0.0"), instances=2).failed
    place = {"type": "process", "process": site.name, "pm2_home": str(site.home), "timeout": 20}
    place["path_prepend"] = [str(site.pm2.parent)]
    checks = [
        {**place, "name": "running", "value": "running"},
        {**place, "name": "instances", "value": "instances", "expect": 2},
        {**place, "name": "memory", "value": "memory_mb", "crit": 2000},
        {**place, "name": "cpu", "value": "cpu_pct", "crit": 1000},
        {**place, "name": "restarts_total", "value": "restarts_total", "crit": 1},
        {**place, "name": "restarts", "value": "restarts", "crit": 1},
    ]
    # The first look asks PM2, which may take a second or two; the others only see that nothing has changed.
    done = run_module(health_gate.main, checks=checks, duration=3, interval=0.2, fail_on_red=False)
    assert done["verdict"] == "green", [gate["reason"] for gate in done["gates"]]
    values = {gate["check"]: gate["value"] for gate in done["gates"]}
    assert (values["running"], values["instances"], values["restarts"], values["restarts_total"]) == (
        "running",
        "2",
        0,
        0,
    )
    assert 20 < values["memory"] < 1000

    progress = site.root / "progress.json"

    def crash() -> None:
        wait(lambda: progress.exists() and "restarts 0" in progress.read_text(), "two looks", 20)
        for entry in site.listed():
            os.kill(entry["pid"], signal.SIGKILL)

    crasher = threading.Thread(target=crash)
    crasher.start()
    done = run_module(health_gate.main, checks=checks[-1:], duration=30, interval=0.1, progress=str(progress))
    crasher.join()
    assert done["failed"]
    assert re.search(r"restarts was [12], critical at or above 1, \d", done["msg"]), done["msg"]
    wait(lambda: len([entry for entry in site.state() if entry[2] == "online"]) == 2, "the workers that PM2 restarts")
    done = run_module(health_gate.main, checks=[{**checks[4], "crit": 3}])
    assert done["gates"][0]["value"] == 2, "and none of them since"

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the module's options to what the switch works with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.switch import _options
from ansible_collections.sluice.release.plugins.module_utils.switch._options import Kind
from ansible_collections.sluice.release.plugins.module_utils.switch._pm2_fork import Upness

PROXY = {"type": "nginx", "path": "/u", "content": "{port}", "reload": ["true"]}
FORK = {"exec_mode": "fork", "instances": 1, "ports": [1, 11], "proxy": PROXY}
NOTHING = dict.fromkeys(
    ("config", "ports", "proxy", "kill_timeout", "link", "up", "processes", "ecosystem", "ecosystem_env")
)


def params(tmp_path: Path, **changed: Any) -> dict[str, Any]:
    (tmp_path / "app.js").touch()
    ready = {"url": "http://127.0.0.1:1/", "version": "1", "status": [200], "version_url": None}
    return {
        **NOTHING, "name": "shop", "release": "1-a", "path": str(tmp_path), "script": "app.js", "exec_mode": "cluster",
        "instances": 2, "ready": ready, "port_variable": "PORT", "node_args": [], "args": [], "wait_ready": True,
        "listen_timeout": 10.0, "drain_timeout": 8.0, "log_dir": None, "out_file": None, "error_file": None,
        "merge_logs": False, "path_prepend": [], **changed,
    }  # fmt: skip


def kind(tmp_path: Path, **changed: Any) -> Kind:
    [only] = _options.kinds(params(tmp_path, **changed))
    return only


def test_the_kill_timeout_leaves_room_for_the_drain(tmp_path: Path) -> None:
    assert kind(tmp_path).worker.kill_timeout == 10
    assert kind(tmp_path, kill_timeout=8.0).worker.kill_timeout == 8


def test_the_mark_is_the_same_for_any_number_of_workers(tmp_path: Path) -> None:
    marks = [kind(tmp_path, instances=number).worker.mark for number in (2, 3)]
    assert len(set(marks)) == 1
    others = ({"node_args": ["--x"]}, {"args": ["x"]}, {"log_dir": "/var/log/shop"}, {"merge_logs": True})
    assert len({*marks, *(kind(tmp_path, **changed).worker.mark for changed in others)}) == 5


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"instances": 0}, "instances is 0; use state stopped to run none"),
        ({"kill_timeout": 7.0}, "kill_timeout (7 s) is shorter than drain_timeout (8 s)"),
        ({**FORK, "instances": 11}, "overlap"),
        ({**FORK, "ports": [1, 1]}, "two different ports"),
        ({**FORK, "proxy": {**PROXY, "content": "x"}}, "has neither {port} nor {servers}"),
        ({**FORK, "proxy": None}, "fork mode needs proxy"),
        ({"script": "gone.js"}, "there is no such file"),
        ({"script": None}, "script of shop is empty"),
        ({"out_file": "logs/out.log"}, "out_file is not an absolute path"),
        ({"processes": [{"name": "all"}]}, "PM2 reads that as a selection"),
    ],
)
def test_what_can_never_work(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(SluiceError, match=re.escape(message)):
        _options.kinds(params(tmp_path, **changed))


def test_several_processes_have_of_their_own_what_they_say(tmp_path: Path) -> None:
    (tmp_path / "jobs.js").touch()
    up = {"seconds": 5.0, "log": "waiting"}
    processes = [{"name": "api"}, {"name": "jobs", "script": "jobs.js", "exec_mode": "fork", "instances": 1, "up": up}]
    api, jobs = _options.kinds(params(tmp_path, processes=processes, log_dir="/var/log/shop"))
    assert (api.worker.name, api.instances, api.worker.wait_ready, api.upness) == ("api", 2, True, None)
    assert (jobs.worker.name, jobs.instances, jobs.worker.wait_ready) == ("jobs", 1, False)
    assert jobs.upness == Upness(5.0, "waiting")
    assert (jobs.slots, jobs.route, jobs.ready.timeout) == (None, None, 35.0)
    assert jobs.worker.entry == str(tmp_path / "jobs.js")
    assert (api.worker.out_file, jobs.worker.error_file) == (
        "/var/log/shop/api-out.log",
        "/var/log/shop/jobs-error.log",
    )
    assert {api.worker.application, jobs.worker.application} == {"shop"}
    assert _options.names(params(tmp_path, processes=processes)) == ["api", "jobs"]


def test_check_mode_may_ask_about_a_release_that_is_still_to_be_built(tmp_path: Path) -> None:
    still_to_come = params(
        tmp_path, path=str(tmp_path / "releases" / "1"), config=str(tmp_path / "config" / "env.json")
    )
    [only] = _options.kinds(still_to_come, check_mode=True)
    assert only.worker.environment == {}
    with pytest.raises(SluiceError, match="Cannot read the configuration"):
        _options.kinds(still_to_come)

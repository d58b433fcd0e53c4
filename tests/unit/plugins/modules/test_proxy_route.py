# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module takes, and what it says of a move; the proxies themselves are in the integration test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.sluice.release.plugins.modules import proxy_route

HAPROXY = {"type": "haproxy", "socket": "/nonexistent/admin.sock", "backend": "shop"}
FLAG = {"type": "nginx", "flag": "/nonexistent/second"}
SERVICE = {"name": "web", "kubeconfig": "/nonexistent/kubeconfig"}
SLOTS = {"ports": [3001, 3011], "to": "3011"}


def call(capsys: pytest.CaptureFixture[str], **arguments: Any) -> dict[str, Any]:
    with patch_module_args({"_ansible_diff": True, **arguments}), pytest.raises(SystemExit):
        proxy_route.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"proxy": HAPROXY}, "one of the following is required: to, server"),
        ({"proxy": HAPROXY, **SLOTS, "server": ["app1"], "state": "drained"}, "parameters are mutually exclusive: to|"),
        ({"proxy": HAPROXY, "to": "3011"}, "Cannot move traffic to 3011: ports is missing"),
        ({"to": "green"}, "one of the following is required: proxy, service"),
        ({"proxy": FLAG, "service": SERVICE, "to": "green"}, "parameters are mutually exclusive: proxy|service"),
        ({"service": SERVICE, "server": ["a"], "state": "drained"}, "are mutually exclusive: service|server"),
        (
            {"service": SERVICE, "to": "green", "weight": 10},
            "Cannot send 10 % to green: a selector takes all or nothing",
        ),
        ({"service": SERVICE, "to": "green"}, "Cannot use the kubeconfig /nonexistent/kubeconfig"),
        ({"proxy": HAPROXY, "server": ["app1"]}, "missing parameter(s) required by 'server': state"),
        ({"proxy": HAPROXY, "server": ["app1"], "state": "drained", "weight": 1}, "required by 'weight': to"),
        ({"proxy": {"type": "haproxy"}, **SLOTS}, "type is haproxy but all of the following are missing: socket, back"),
        ({"proxy": {"type": "nginx"}, **SLOTS}, "type is nginx but any of the following are missing: path, flag"),
        ({"proxy": {"type": "nginx", "path": "/x"}, **SLOTS}, "missing parameter(s) required by 'path': content, rel"),
        ({"proxy": {**FLAG, "path": "/x", "content": "", "reload": []}, **SLOTS}, "mutually exclusive: path|flag"),
        ({"proxy": HAPROXY, "ports": [3001, 3011], "to": "3012"}, "Cannot move traffic to 3012: there are 3001, 3011"),
        ({"proxy": FLAG, "server": ["app1"], "state": "drained"}, "nginx does not know its servers one by one"),
        ({"proxy": HAPROXY, "server": ["a b"], "state": "drained"}, "'a b' is no name of HAProxy's"),
        (
            {"proxy": HAPROXY, "server": ["app1"], "state": "drained"},
            "HAProxy does not answer at /nonexistent/admin.sock",
        ),
        ({"proxy": FLAG, **SLOTS, "weight": 50}, "Cannot weigh the slots: a file is there or not"),
        ({"proxy": FLAG, **SLOTS, "weight": 101}, "101 is no percentage"),
    ],
)
def test_refused(capsys: pytest.CaptureFixture[str], arguments: dict[str, Any], message: str) -> None:
    result = call(capsys, **arguments)
    assert result["failed"]
    assert message in result["msg"]


def test_a_move_and_what_it_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for parent in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(parent.stat().st_mode | 0o001)
    arguments = {"proxy": {"type": "nginx", "flag": str(tmp_path / "second"), "settle": 0}, **SLOTS}
    foreseen = call(capsys, **arguments, _ansible_check_mode=True)
    assert not (tmp_path / "second").exists()
    done = call(capsys, **arguments)
    assert foreseen == done
    assert (done["changed"], done["previous"], done["current"]) == (True, "3001", "3011")
    assert done["servers"][1] == {
        "name": "127.0.0.1:3011",
        "slot": 3011,
        "state": "ready",
        "weight": 100,
        "own_weight": 100,
        "sessions": None,
    }
    assert done["diff"] == {
        "before": {"127.0.0.1:3001": "ready, weight 100", "127.0.0.1:3011": "drain, weight 100"},
        "after": {"127.0.0.1:3001": "drain, weight 100", "127.0.0.1:3011": "ready, weight 100"},
    }
    again = call(capsys, **arguments)
    assert (again["changed"], again["previous"], again["current"]) == (False, "3011", "3011")
    assert again["servers"] == done["servers"]

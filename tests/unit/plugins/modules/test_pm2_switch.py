# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module says without a PM2 daemon: it starts none to look."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.sluice.release.plugins.modules import pm2_switch


def call(capsys: pytest.CaptureFixture[str], **arguments: Any) -> dict[str, Any]:
    with patch_module_args({"_ansible_diff": True, **arguments}), pytest.raises(SystemExit):
        pm2_switch.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def active(tmp_path: Path, **changed: Any) -> dict[str, Any]:
    (tmp_path / "app.js").touch()
    return {
        "name": "shop", "release": "1-a", "path": str(tmp_path), "script": "app.js", "pm2_home": str(tmp_path / "pm2"),
        "ready": {"url": "http://127.0.0.1:1/", "version": "1"}, "instances": 2, **changed,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"release": None}, "release is empty"),
        ({"exec_mode": "fork"}, "ports has to name two different ports"),
        ({"exec_mode": "fork", "ports": [1, 11]}, "fork mode needs proxy"),
        ({"ready": None}, "shop has neither ready nor up"),
        # The version is that of all.
        ({"processes": [{"name": "shop", "ready": {"url": "x"}}]}, "it is no http or https URL"),
        ({"processes": [{"name": "shop", "ready": {"version": "1"}}]}, "missing required arguments: url"),
        ({"processes": [{"name": "a"}, {"name": "a"}]}, "two processes have one name"),
        ({"ready": {"url": "http://127.0.0.1:1/"}}, "missing required arguments: version found in ready"),
        ({"name": "all"}, "Cannot manage the PM2 process 'all'"),
        ({"script": "gone.js"}, "there is no such file"),
    ],
)
def test_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], changed: dict[str, Any], message: str) -> None:
    result = call(capsys, **active(tmp_path, **changed))
    assert result["failed"]
    assert message in result["msg"]


def test_check_mode_says_what_would_be_started(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = call(capsys, **active(tmp_path, link=str(tmp_path / "current")), _ansible_check_mode=True)
    assert (result["changed"], result["previous"], result["current"]) == (True, None, "1-a")
    assert [(worker["id"], worker["ready"]) for worker in result["instances"]] == [(None, False)] * 2
    assert result["diff"] == {
        "before": {"instances": [], "link": None},
        "after": {"instances": ["1-a online"] * 2, "link": str(tmp_path)},
    }
    assert not (tmp_path / "pm2").exists()


@pytest.mark.parametrize("state", ["stopped", "absent"])
def test_nothing_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str], state: str) -> None:
    result = call(capsys, name="shop", state=state, pm2_home=str(tmp_path / "pm2"))
    assert (result["changed"], result["instances"], result["retired"]) == (False, [], [])
    assert not (tmp_path / "pm2").exists()

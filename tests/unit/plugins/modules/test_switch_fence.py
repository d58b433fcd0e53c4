# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module that moves an application, called by a run that has lost the lock after it entered the stage."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.sluice.release.plugins.module_utils.journal import _lock

MIGRATE = {"status": ["false"], "command": ["false"], "pending_pattern": "x", "chdir": "/"}


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("pm2_switch", {"state": "absent"}),
        ("docker_switch", {"state": "absent"}),
        ("compose_switch", {"state": "absent"}),
        ("k8s_switch", {"state": "absent"}),
        ("process_switch", {"state": "absent", "manager": "direct"}),
        ("static_switch", {"state": "absent", "target": "link", "link": "/nowhere/current"}),
        ("release_migrate", MIGRATE),
    ],
)
def test_it_moves_nothing(
    module: str, options: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    claim = _lock.Claim("theirs", "bob@laptop", reason="rollback: errors")
    _lock.write_lock(str(tmp_path), _lock.hold(claim, None, 1_800_000_000))
    name = {} if module == "release_migrate" else {"name": "shop"}
    imported = importlib.import_module(f"ansible_collections.sluice.release.plugins.modules.{module}")
    with (
        patch_module_args({**name, "state_dir": str(tmp_path), "token": "mine", **options}),
        pytest.raises(SystemExit),
    ):
        imported.main()
    result = json.loads(capsys.readouterr().out)
    assert (result.get("failed"), result.get("fenced")) == (True, True), result
    assert "the lock was taken over by bob@laptop at" in result["msg"]
    assert result["msg"].endswith("(rollback: errors). The other run decides about this release now.")

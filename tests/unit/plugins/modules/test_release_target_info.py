# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module release_target_info on a journal that release_journal wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.sluice.release.plugins.modules import release_journal, release_target_info


def call(capsys: pytest.CaptureFixture[str], module: Any, **options: Any) -> dict[str, Any]:
    with patch_module_args(options), pytest.raises(SystemExit):
        module.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


@pytest.fixture
def state(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """A host that went from 1.0.0 to 1.1.0."""
    path = str(tmp_path)
    for number, version in enumerate(["1.0.0", "1.1.0"], start=1):
        target = {"artifact": {"id": f"{version}-abc", "path": f"/srv/{version}"}, "config": {"version": number}}
        same = {"path": path, "release": f"20260101T00000{number}Z-{version}"}
        call(capsys, release_journal, state="opened", data={"kind": "deploy", "version": version}, **same)
        call(capsys, release_journal, state="entered", stage="switch", data=target | {"version": version}, **same)
        call(capsys, release_journal, state="closed", outcome="succeeded", **same)
    return path


def test_the_code_goes_back_to_the_release_before(state: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = call(capsys, release_target_info, path=state, level=2)
    assert (found["changed"], found["target"]["version"], found["leaves"]["version"]) == (False, "1.0.0", "1.1.0")
    assert found["backup_id"] is None


def test_a_version_that_never_ran_is_no_target(state: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = call(capsys, release_target_info, path=state, level=2, version="9.9.9")
    assert found["failed"]
    assert "9.9.9" in found["msg"]


def test_nothing_to_go_back_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = call(capsys, release_target_info, path=str(tmp_path), level=2)
    assert found["failed"]
    assert found["msg"].startswith("Cannot ")

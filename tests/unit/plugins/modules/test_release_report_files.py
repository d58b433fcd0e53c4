# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module release_report_files as Ansible runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.sluice.release.plugins.modules import release_report_files


def call(capsys: pytest.CaptureFixture[str], path: Path, **more: Any) -> dict[str, Any]:
    options = {"path": str(path), "release": "R1", "report": {"release_id": "R1"}, "markdown": "# R1", "html": "<p>"}
    with patch_module_args({**options, **more}), pytest.raises(SystemExit):
        release_report_files.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_check_do_repeat_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reports = tmp_path / "reports"
    checked = call(capsys, reports, _ansible_check_mode=True)
    assert checked["changed"] is True
    assert not reports.exists()
    done = call(capsys, reports)
    assert done == checked
    assert sorted(path.name for path in reports.iterdir()) == ["R1.html", "R1.json", "R1.md"]
    assert json.loads(Path(done["files"]["json"]).read_text()) == {"release_id": "R1"}
    assert Path(done["files"]["html"]).stat().st_mode & 0o777 == 0o600
    assert call(capsys, reports)["changed"] is False
    assert list(call(capsys, reports, html="<b>")["diff"]["after"]) == [f"{reports}/R1.html"]


def test_a_post_mortem_belongs_to_the_people_who_write_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = call(capsys, tmp_path, post_mortem="# Begun")
    file = Path(begun["files"]["post_mortem"])
    assert (file.name, file.read_text()) == ("R1.post-mortem.md", "# Begun")
    file.write_text("# Begun, and gone on with")
    assert call(capsys, tmp_path, post_mortem="# Begun otherwise")["changed"] is False
    assert file.read_text() == "# Begun, and gone on with"

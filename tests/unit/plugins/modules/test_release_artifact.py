# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module release_artifact as Ansible runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.sluice.release.plugins.modules import release_artifact


def call(capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    with patch_module_args(options), pytest.raises(SystemExit):
        release_artifact.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def options(tmp_path: Path, **more: Any) -> dict[str, Any]:
    source = tmp_path / "source"
    source.mkdir(exist_ok=True)
    (source / "main.js").write_text("// main")
    return {
        "version": "1.0.0",
        "root": str(tmp_path / "root"),
        "state_dir": str(tmp_path / "state"),
        "source": {"type": "directory", "path": str(source)},
        "build": ["sh", "-c", "echo $GREETING > built"],
        "environment": {"GREETING": "hello"},
        **more,
    }


def test_check_do_repeat(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checked = call(capsys, **options(tmp_path), _ansible_check_mode=True)
    assert checked["changed"] is True
    assert not (tmp_path / "root").exists()
    done = call(capsys, **options(tmp_path))
    assert done == checked
    assert (Path(done["artifact"]["path"]) / "built").read_text() == "hello\n"
    again = call(capsys, **options(tmp_path))
    assert again["changed"] is False


def test_a_failed_command_says_what_it_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = call(capsys, **options(tmp_path, build=["sh", "-c", "echo the disk is full; exit 1"]))
    assert result["msg"].startswith("Cannot build version 1.0.0: ")
    assert result["output_tail"] == ["the disk is full"]


@pytest.mark.parametrize("source", [{"type": "git"}, {"type": "archive"}, {"type": "tarball", "path": "/x"}])
def test_a_source_without_its_place_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: dict[str, Any]
) -> None:
    result = call(capsys, **options(tmp_path, source=source))
    assert result["failed"] is True
    assert not (tmp_path / "root").exists()

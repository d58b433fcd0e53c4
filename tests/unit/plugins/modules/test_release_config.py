# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module release_config as Ansible runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.sluice.release.plugins.modules import release_config

SECRET = "s3cret-of-the-test"


def call(capsys: pytest.CaptureFixture[str], **options: Any) -> tuple[dict[str, Any], str]:
    with patch_module_args(options), pytest.raises(SystemExit):
        release_config.main()
    text = capsys.readouterr().out
    return json.loads(text), text


def options(tmp_path: Path, **more: Any) -> dict[str, Any]:
    return {"root": str(tmp_path), "variables": {"A": 1}, "secrets": {"TOKEN": SECRET}, **more}


def test_a_version_is_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, _text = call(capsys, **options(tmp_path))
    again, _text = call(capsys, **options(tmp_path))
    assert (first["changed"], again["changed"]) == (True, False)
    assert first["config"] == again["config"]
    assert json.loads(Path(first["config"]["path"]).read_text()) == {"A": "1", "TOKEN": SECRET}


def test_check_mode_returns_the_same_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checked, _text = call(capsys, **options(tmp_path), _ansible_check_mode=True)
    assert list(tmp_path.iterdir()) == []
    real, _text = call(capsys, **options(tmp_path))
    assert checked == real


def test_the_secret_is_in_no_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _result, text = call(capsys, **options(tmp_path), _ansible_diff=True, _ansible_verbosity=4)
    assert SECRET not in text


def test_a_bad_name_is_an_error_before_anything_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result, _text = call(capsys, **options(tmp_path, variables={"A B": 1}))
    assert result["failed"] is True
    assert result["msg"].startswith("Cannot render the configuration: ")
    assert list(tmp_path.iterdir()) == []


def test_variables_are_laid_on_a_version_whose_secrets_stay_secret(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call(capsys, **options(tmp_path, variables={"A": 1, "B": "x"}))
    laid = {"root": str(tmp_path), "base": 1, "compare": 1, "variables": {"A": 2, "TOKEN": ""}, "shown": ["A", "B"]}
    result, text = call(capsys, **laid)
    assert json.loads(Path(result["config"]["path"]).read_text()) == {"A": "2", "B": "x", "TOKEN": ""}
    assert (result["config"]["version"], result["names"], SECRET in text) == (2, ["A", "B", "TOKEN"], False)
    assert result["changes"] == [
        {"name": "A", "was": "1", "is": "2"},
        {"name": "TOKEN", "was": "********", "is": "********"},
    ]
    # Without anything laid on it, it is the version that it was.
    back, _text = call(capsys, **{**laid, "compare": 2, "variables": {}})
    assert (back["changed"], back["config"]["version"]) == (False, 1)
    gone, _text = call(capsys, **{**laid, "base": 9})
    assert gone["msg"].startswith("Cannot render the configuration: config version 9, which the live one was made from")

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module release_migrate with a migration tool of four lines, whose database is a directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.sluice.release.plugins.modules import release_migrate

KEYS = {
    *("changed", "pending_before", "pending_after", "applied", "diff", "reverted", "output", "seconds"),
    *("blocking", "rows"),
}
STATUS = 'for name in one two; do [ -e "$DATABASE/$name" ] || echo "pending $name"; done'
UP = 'touch "$DATABASE/one" "$DATABASE/two"; echo "applied with $PASSWORD"'


class Release:
    """A release directory, its config version and the database that its migrations change."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path, self.capsys = path, capsys
        self.database = path / "database"
        self.database.mkdir()
        self.config = path / "env.json"
        self.config.write_text(json.dumps({"DATABASE": str(self.database), "PASSWORD": "hunter2-hunter2"}))

    def migrate(self, **changed: Any) -> dict[str, Any]:
        options = {
            "status": ["sh", "-c", STATUS],
            "command": ["sh", "-c", UP],
            "pending_pattern": r"^pending\s+(\S+)",
            "chdir": str(self.path),
            "config": str(self.config),
            "budget": 20,
            "state_dir": str(self.path / "state"),
        }
        with patch_module_args(options | changed), pytest.raises(SystemExit):
            release_migrate.main()
        result: dict[str, Any] = json.loads(self.capsys.readouterr().out)
        return {key: value for key, value in result.items() if key != "invocation"}


@pytest.fixture
def release(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Release:
    return Release(tmp_path, capsys)


def test_what_is_pending_is_applied_once(release: Release) -> None:
    first, second = release.migrate(), release.migrate()
    assert (first["changed"], first["pending_before"], first["pending_after"]) == (True, ["one", "two"], [])
    assert first["applied"] == ["one", "two"]
    assert (second["changed"], second["pending_before"], second["applied"]) == (False, [], [])
    assert "hunter2-hunter2" not in json.dumps(first)


def test_check_mode_says_what_is_pending_and_applies_nothing(release: Release) -> None:
    planned = release.migrate(_ansible_check_mode=True)
    assert (planned["changed"], planned["pending_before"]) == (True, ["one", "two"])
    assert list(release.database.iterdir()) == []


def test_check_mode_before_the_release_is_built(release: Release) -> None:
    unknown = release.migrate(
        chdir=str(release.path / "releases" / "1"),
        config=str(release.path / "config" / "env.json"),
        _ansible_check_mode=True,
    )
    assert set(unknown) == KEYS
    assert (unknown["changed"], unknown["pending_before"]) == (False, None)


def test_a_command_that_fails_says_what_is_left(release: Release) -> None:
    failed = release.migrate(command=["sh", "-c", 'touch "$DATABASE/one"; echo broken >&2; exit 3'])
    assert failed["failed"]
    assert failed["msg"].startswith("Cannot ")
    assert (failed["rc"], failed["pending_after"], failed["applied"]) == (3, ["two"], ["one"])

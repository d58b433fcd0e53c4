# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.sluice.release.plugins.module_utils import _progress


def test_the_file_says_how_far_it_is(tmp_path: Path) -> None:
    path = tmp_path / "new/progress"
    _progress.Progress(str(path)).update("dumping", 1, 4)
    assert json.loads(path.read_text()) == {"line": "dumping", "done": 1, "total": 4}
    assert [entry.name for entry in path.parent.iterdir()] == ["progress"]


def test_it_is_written_at_most_twice_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([10.0, 10.2, 10.6])
    monkeypatch.setattr(_progress.time, "monotonic", lambda: next(moments))
    progress = _progress.Progress(str(tmp_path / "progress"))
    seen = []
    for line in ("one", "two", "three"):
        progress.update(line)
        seen.append(json.loads((tmp_path / "progress").read_text())["line"])
    assert seen == ["one", "one", "three"]


@pytest.mark.parametrize("path", [None, "/proc/no/such/place"])
def test_it_never_fails(path: str | None) -> None:
    progress = _progress.Progress(path)
    progress.update("x")
    assert progress.path == path

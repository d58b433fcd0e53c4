# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Retention by a real journal, real directories and a real process in one of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.sluice.release.plugins.module_utils.journal import _advance, _store
from ansible_collections.sluice.release.plugins.modules import release_retention


def record(root: Path, name: str, outcome: str | None, **changed: Any) -> None:
    """Write a release of artifact `name` into the journal; without an outcome it stays open after its switch."""
    state_dir = str(root / "state")
    number = 1 + sum(1 for _ in (root / "state" / "journal").glob("*")) if (root / "state").exists() else 1
    release = f"20261122T01{number:02d}00Z-{name}"
    goal = {"artifact": {"id": name, "path": str(root / "releases" / name)}, "config": {"version": number}}
    steps: list[dict[str, Any]] = [
        {"state": "opened", "data": {"kind": "deploy", "version": name}},
        {"state": "entered", "stage": "switch", "data": goal},
        {"state": "entered", "stage": "verify"},
    ]
    if outcome:
        steps.append({"state": "closed", "outcome": outcome, **changed})
    with _store.writing(state_dir, "test"):
        for step in steps:
            entries = _store.read(state_dir)
            events = _advance.advance(entries, _advance.Request(release=release, **step), _store.now())
            _store.append(state_dir, entries, events)


def lay(root: Path, *names: str, complete: bool = True) -> None:
    for name in names:
        kind, marker = ("config", "env.json") if name.isdigit() else ("releases", ".sluice-artifact.json")
        path = root / kind / name
        path.mkdir(parents=True)
        (path / "content").write_text("x")
        if complete:
            (path / marker).write_text("{}")


def retain(
    root: Path, capsys: pytest.CaptureFixture[str], *, check_mode: bool = False, keep: int = 2
) -> dict[str, Any]:
    arguments = {"root": str(root), "state_dir": str(root / "state"), "keep": keep, "_ansible_check_mode": check_mode}
    with patch_module_args(arguments), pytest.raises(SystemExit):
        release_retention.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def left(root: Path) -> list[str]:
    return sorted(
        path.name for kind in ("releases", "config") for path in (root / kind).glob("*") if not path.is_symlink()
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Five good releases a to e, one that was taken back, one that nobody knows, one half-built; e serves."""
    for name in "abcd":
        record(tmp_path, name, "succeeded")
    restored = {"artifact": {"id": "d"}, "config": {"version": 4}, "release": "r", "version": "d"}
    record(tmp_path, "bad", "rolled_back", data={"restored": restored})
    record(tmp_path, "e", "succeeded")
    lay(tmp_path, *"abcde", "bad", "stray", *"123456")
    lay(tmp_path, "half", complete=False)
    (tmp_path / "current").symlink_to(tmp_path / "releases" / "e")
    return tmp_path


def test_what_a_rollback_can_need_stays(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = left(root)
    foretold = retain(root, capsys, check_mode=True)
    assert (foretold["changed"], left(root)) == (True, before)

    done = retain(root, capsys)
    assert {key: done[key] for key in ("changed", "removed", "kept")} == {
        key: foretold[key] for key in ("changed", "removed", "kept")
    }
    assert left(root) == ["4", "6", "d", "e"]
    reasons = {entry["name"]: entry["why"] for entry in done["removed"]}
    assert reasons["bad"] == "did not pass its gates"
    assert reasons["half"] == "incomplete"
    assert reasons["c"] == "older than the last 2 that were good"
    assert reasons["stray"] == "has never served as a good release"

    again = retain(root, capsys)
    assert (again["changed"], again["removed"]) == (False, [])


def test_more_to_keep(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    retain(root, capsys, keep=4)
    assert left(root) == ["2", "3", "4", "6", "b", "c", "d", "e"]


def test_a_release_under_way_keeps_where_it_goes(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(root, "stray", None)
    lay(root, "7")
    done = retain(root, capsys)
    assert {"stray", "7"} <= set(left(root))
    assert {entry["why"] for entry in done["kept"] if entry["name"] == "stray"} == {"target of the release under way"}


@contextmanager
def process_in(path: Path) -> Iterator[int]:
    program = "print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdout.readline()
        yield process.pid
        process.stdin.close()


def test_a_directory_that_a_process_runs_in_stays(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with process_in(root / "releases" / "bad") as pid:
        done = retain(root, capsys)
    assert (root / "releases" / "bad").exists()
    assert {"kind": "release", "name": "bad", "why": f"process {pid} runs in it"} in done["kept"]


def test_a_journal_that_cannot_be_trusted_removes_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    segment = min((root / "state" / "journal").glob("*.jsonl"))
    segment.write_text(segment.read_text().replace('"a"', '"z"'))
    before = left(root)
    done = retain(root, capsys)
    assert done["failed"]
    assert done["msg"].startswith("Cannot trust the journal")
    assert left(root) == before


def test_at_least_one_is_kept(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "keep is 0" in retain(root, capsys, keep=0)["msg"]

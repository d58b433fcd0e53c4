# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal on a real disk."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.journal import _advance, _store


def record(state_dir: Path, state: str, release: str, **more: Any) -> list[dict[str, Any]]:
    with _store.writing(str(state_dir), "test"):
        entries = _store.read(str(state_dir))
        return _store.append(
            str(state_dir), entries, _advance.advance(entries, _advance.Request(state, release, **more), _store.now())
        )


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A state directory with two releases in its journal."""
    for release in ("r-1", "r-2"):
        record(tmp_path, "opened", release, data={"kind": "deploy", "note": "\u2028 ü"})
        record(tmp_path, "entered", release, stage="preflight")
        record(tmp_path, "closed", release, outcome="succeeded")
    return tmp_path


def segments(state_dir: Path) -> list[Path]:
    return sorted((state_dir / "journal").glob("*.jsonl"))


def test_one_segment_a_release(journal: Path) -> None:
    assert [path.name for path in segments(journal)] == ["000001-r-1.jsonl", "000002-r-2.jsonl"]
    assert sorted(path.name for path in (journal / "journal").iterdir()) == [p.name for p in segments(journal)]
    assert [stat.S_IMODE(path.stat().st_mode) for path in segments(journal)] == [0o600, 0o600]
    assert stat.S_IMODE((journal / "journal").stat().st_mode) == 0o700


def test_the_chain_runs_over_all_segments(journal: Path) -> None:
    entries = _store.read(str(journal))
    assert [entry["seq"] for entry in entries] == list(range(1, 9))
    assert [entry["previous"] for entry in entries] == ["", *(entry["hash"] for entry in entries[:-1])]
    assert [entry["event"] for entry in entries[:4]] == ["opened", "entered", "left", "closed"]


def test_a_missing_journal_is_empty(tmp_path: Path) -> None:
    assert _store.read(str(tmp_path / "nothing")) == []


def test_a_note_after_the_end_goes_into_the_same_segment(journal: Path) -> None:
    record(journal, "noted", "r-2", name="report")
    assert len(segments(journal)) == 2
    assert _store.read(str(journal))[-1]["name"] == "report"


def test_an_older_release_is_not_written_into(journal: Path) -> None:
    with _store.writing(str(journal), "test"), pytest.raises(SluiceError, match="release r-2 has begun since"):
        _store.append(str(journal), _store.read(str(journal)), [{"release": "r-1", "event": "noted"}])


@pytest.mark.parametrize("release", ["", "../up", "a/b", "-x", "a" * 200, "a\nb"])
def test_a_release_must_be_a_file_name(tmp_path: Path, release: str) -> None:
    with pytest.raises(SluiceError, match="its name must be"):
        record(tmp_path, "opened", release)


def _edit(path: Path, number: int, **changes: Any) -> None:
    lines = path.read_text().splitlines()
    lines[number] = _store.canonical({**json.loads(lines[number]), **changes})
    path.write_text("\n".join(lines) + "\n")


def _swap(path: Path) -> None:
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[2], lines[1], *lines[3:]]) + "\n")


@pytest.mark.parametrize(
    ("damage", "cause"),
    [
        (lambda s: _edit(s[0], 1, stage="other"), "line 2 was changed"),
        (lambda s: _edit(s[1], 3, outcome="failed"), "line 4 was changed"),
        (lambda s: _edit(s[1], 4, head="0"), "its end is missing"),
        (lambda s: s[0].write_text(s[0].read_text().replace(":", ": ", 1)), "line 1 is not what was written"),
        (lambda s: s[0].write_text(s[0].read_text() + "{}\n"), "line 5"),
        (lambda s: s[0].write_text(""), "its end is missing"),
        (lambda s: _swap(s[0]), "line 2 does not follow"),
        (lambda s: s[0].unlink(), "segment 000001 is missing"),
        (lambda s: s[0].write_bytes(b"\xff\xfe\n\n\n"), "line 1 is not what was written"),
        (lambda s: s[1].rename(s[1].with_name("000002-other.jsonl")), "line 1 does not belong there"),
        (lambda s: os.replace(s[1], s[0]), "segment 000001|does not follow"),
    ],
)
def test_every_change_is_noticed(journal: Path, damage: Any, cause: str) -> None:
    damage(segments(journal))
    with pytest.raises(SluiceError, match=cause) as error:
        _store.read(str(journal))
    assert str(error.value).startswith("Cannot trust the journal ")


def test_leftovers_are_ignored_and_then_removed(journal: Path) -> None:
    leftover = journal / "journal/.sluice-tmp-abc"
    leftover.write_text("half a")
    assert len(_store.read(str(journal))) == 8
    assert leftover.exists()
    record(journal, "opened", "r-3")
    assert not leftover.exists()


def test_a_disk_that_refuses_leaves_the_journal_as_it_was(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    before = _store.read(str(journal))
    monkeypatch.setattr(_store, "write_atomic", full)
    with pytest.raises(SluiceError, match=r"No space left on device. Nothing was recorded"):
        record(journal, "opened", "r-3")
    assert _store.read(str(journal)) == before

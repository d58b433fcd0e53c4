# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups as directories: only a whole one counts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import host_lock
from ansible_collections.sluice.release.plugins.module_utils.postgres import _store
from ansible_collections.sluice.release.plugins.module_utils.postgres._digest import Inventory
from ansible_collections.sluice.release.plugins.module_utils.postgres._manifest import Manifest, SetFile

MANIFEST = Manifest(
    id="a",
    created="2026-11-20T01:30:00+00:00",
    release="",
    database="shop",
    properties={},
    database_bytes=1,
    server_version="18.6",
    tool_version="18.6",
    format="custom",
    compression="gzip:6",
    files={"database.dump": SetFile(4, "0" * 64)},
    lsn="",
    seconds=1.0,
    inventory=Inventory(tables={}),
)


def put(root: Path, backup_id: str, day: int = 20, sorted_as: str | None = None) -> Path:
    path = root / backup_id
    path.mkdir()
    (path / "database.dump").write_bytes(b"dump")
    manifest = replace(MANIFEST, id=backup_id, created=f"2026-11-{day}T01:30:00+00:00", sorted_as=sorted_as)
    (path / "manifest.json").write_bytes(manifest.render())
    return path


def get(root: Path, backup_id: str) -> _store.Backup:
    found = _store.find_backup(str(root), backup_id)
    assert found is not None
    return found


def test_latest_is_by_time_and_passes_over_what_cannot_be_trusted(tmp_path: Path) -> None:
    put(tmp_path, "b", 20)
    put(tmp_path, "a", 21)
    (put(tmp_path, "c", 22) / "manifest.json").write_text("{}")
    (tmp_path / "d").mkdir()
    (tmp_path / ".e.partial").mkdir()
    warnings: list[str] = []
    assert _store.resolve(str(tmp_path), "latest", warnings.append).id == "a"
    assert [backup.id for backup in _store.list_backups(str(tmp_path))] == ["a", "b"]
    assert sorted(warning.split(":")[0] for warning in warnings) == ["Cannot trust backup c", "Cannot trust backup d"]


def test_the_newest_is_the_one_that_was_made_last_whatever_the_clock_said(tmp_path: Path) -> None:
    root = str(tmp_path)
    assert _store.sorted_as(root, "2026-11-20T01:30:00+00:00") is None
    put(tmp_path, "before", 20)
    assert _store.sorted_as(root, "2026-11-20T01:30:01+00:00") is None
    # Of one second, as with names that a person gives.
    assert _store.sorted_as(root, "2026-11-20T01:30:00+00:00") == "2026-11-20T01:30:01+00:00"
    put(tmp_path, "from-the-future", 25)
    for number in (1, 2):
        after = _store.sorted_as(root, "2026-11-21T01:30:00+00:00")
        assert after == f"2026-11-25T01:30:0{number}+00:00"
        put(tmp_path, f"after-{number}", 21, after)
    put(tmp_path, "when-that-time-has-come", 26)
    assert [backup.id for backup in _store.list_backups(root)] == [
        *("when-that-time-has-come", "after-2", "after-1", "from-the-future", "before")
    ]
    # How old one is, its own time says.
    assert get(tmp_path, "after-1").created == datetime(2026, 11, 21, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("latest", "Cannot find the latest backup: there is none in"),
        ("x", "Cannot find backup x: it is not in"),
        ("../x", "is not a backup id"),
        (".a.partial", "is not a backup id"),
    ],
)
def test_what_is_not_there_is_said(tmp_path: Path, wanted: str, message: str) -> None:
    with pytest.raises(SluiceError, match=r"^Cannot ") as failed:
        _store.resolve(str(tmp_path), wanted, lambda warning: None)
    assert message in str(failed.value)


def test_new_ids_sort_by_time_and_do_not_collide(tmp_path: Path) -> None:
    now = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)
    names = []
    for _index in range(3):
        names.append(_store.new_id(str(tmp_path), now))
        (tmp_path / names[-1]).mkdir()
    assert names == ["20261122T013000Z", "20261122T013000Z-2", "20261122T013000Z-3"]
    assert [_store.check_id(name) for name in names] == names == sorted(names)


def test_publish_and_leftovers(tmp_path: Path) -> None:
    made = [_store.make_partial(str(tmp_path), backup_id) for backup_id in ("a", "a", "b")]
    assert len(set(made)) == 3
    _store.publish(str(tmp_path), "a", made[0])
    Path(_store.partial_path(str(tmp_path), "c")).mkdir()
    _store.publish(str(tmp_path), "c")
    assert _store.list_backups(str(tmp_path)) == []
    _store.remove_leftovers(str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c"]


def test_the_latest_of_a_database(tmp_path: Path) -> None:
    put(tmp_path, "a", 21)
    other = replace(MANIFEST, id="b", database="other", created="2026-11-22T01:30:00+00:00")
    (put(tmp_path, "b") / "manifest.json").write_bytes(other.render())
    for database, expected in ((None, "b"), ("shop", "a"), ("other", "b")):
        assert _store.resolve(str(tmp_path), "latest", print, database).id == expected
    with pytest.raises(SluiceError, match="there is none"):
        _store.resolve(str(tmp_path), "latest", print, "third")


def test_a_verification_counts_for_the_very_manifest_alone(tmp_path: Path) -> None:
    path = put(tmp_path, "a")
    assert get(tmp_path, "a").verified is False
    _store.record_verification(get(tmp_path, "a"), "restore", [], 1.0)
    assert get(tmp_path, "a").verified is True
    (path / "manifest.json").write_bytes(replace(MANIFEST, release="another").render())
    assert get(tmp_path, "a").verified is False


@pytest.mark.parametrize(
    ("runs", "level", "verified"),
    [
        ([("manifest", True)], "manifest", False),  # nobody has read the archive
        ([("archive", True)], "archive", True),
        ([("restore", True), ("manifest", True)], "restore", True),
        ([("archive", True), ("restore", True)], "restore", True),
        ([("restore", True), ("manifest", False)], "manifest", False),
        ([("restore", False), ("archive", True)], "archive", True),
    ],
)
def test_the_rank_of_a_verification(tmp_path: Path, runs: list[tuple[str, bool]], level: str, verified: bool) -> None:
    path = put(tmp_path, "a")
    for run, good in runs:
        _store.record_verification(get(tmp_path, "a"), run, [] if good else [{"kind": "archive"}], 1.0)
    assert get(tmp_path, "a").verified is verified
    assert json.loads((path / "verified.json").read_text())["level"] == level


def test_a_backup_that_is_in_use_is_not_removed(tmp_path: Path) -> None:
    path = put(tmp_path, "a")
    with host_lock(str(path), "verify backup a"):
        assert _store.remove(str(tmp_path), "a") is False
        assert get(tmp_path, "a").id == "a"
    assert _store.remove(str(tmp_path), "a") is True
    assert list(tmp_path.iterdir()) == []

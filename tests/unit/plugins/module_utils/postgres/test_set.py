# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a set: each is known by size and checksum, and none may come in."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.sluice.release.plugins.module_utils.postgres._manifest import SetFile
from ansible_collections.sluice.release.plugins.module_utils.postgres._set import bytes_below, faults, settle

CONTENT = {"database/3501.dat.gz": b"rows", "database/toc.dat": b"contents", "globals.sql": b""}


def lay(root: Path) -> dict[str, SetFile]:
    (root / "database").mkdir(mode=0o755)
    for name, data in CONTENT.items():
        (root / name).write_bytes(data)
    return settle(str(root))


def test_all_files_are_found_and_closed_to_others(tmp_path: Path) -> None:
    assert lay(tmp_path) == {
        name: SetFile(len(data), hashlib.sha256(data).hexdigest()) for name, data in CONTENT.items()
    }
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in CONTENT} == {0o600}
    assert stat.S_IMODE((tmp_path / "database").stat().st_mode) == 0o700
    assert bytes_below(str(tmp_path / "database")) == 12
    assert bytes_below(str(tmp_path / "globals.sql")) == bytes_below(str(tmp_path / "nothing")) == 0


def swap(root: Path) -> None:
    rows, contents = root / "database/3501.dat.gz", root / "database/toc.dat"
    rows.rename(root / "x")
    contents.rename(rows)
    (root / "x").rename(contents)


def link(root: Path) -> None:
    (root / "database/toc.dat").rename(root / "aside")
    (root / "database/toc.dat").symlink_to(root / "aside")


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda root: None, {}),
        (lambda root: (root / "manifest.json").write_text("{}"), {}),  # what lies beside the set
        (lambda root: (root / "globals.sql").unlink(), {"globals.sql": "is missing"}),
        (lambda root: (root / "database/toc.dat").write_bytes(b""), {"database/toc.dat": "has 0 bytes instead of 8"}),
        (lambda root: (root / "database/toc.dat").write_bytes(b"contentz"), {"database/toc.dat": "the checksum of"}),
        # pg_restore prefers it to the compressed one.
        (lambda root: (root / "database/3501.dat").write_bytes(b"x"), {"database/3501.dat": "does not belong to it"}),
        (swap, {"database/3501.dat.gz": "has 8 bytes", "database/toc.dat": "has 4 bytes"}),
        (link, {"database/toc.dat": "is a symbolic link"}),
    ],
)
def test_every_fault_has_the_name_of_its_file(
    tmp_path: Path, damage: Callable[[Path], object], expected: dict[str, str]
) -> None:
    files = lay(tmp_path)
    damage(tmp_path)
    found = dict(faults(str(tmp_path), "database", files))
    assert found.keys() == expected.keys()
    assert all(words in found[name] for name, words in expected.items())

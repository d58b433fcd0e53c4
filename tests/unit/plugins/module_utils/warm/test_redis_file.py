# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of a snapshot: whole or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_file import (
    Entry,
    Writer,
    check_snapshot,
    read_entries,
)
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_load import Counts
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_preload import restored

ENTRIES = [
    Entry(b"a", "string", 0, 50, b"payload\n"),
    Entry(b"\x00\xff", "stream", 1_795_000_000_000, 0, b"\x00" * 3000),
    Entry(b"c", "other", 1, 2**40, b""),
]


def write(path: Path, entries: list[Entry]) -> str:
    with Writer(str(path), {"server": "redis 7"}) as writer:
        for entry in entries:
            writer.add(entry)
        return writer.finish()


@pytest.mark.parametrize("entries", [[], ENTRIES, ENTRIES * 500])
def test_what_is_written_is_read(tmp_path: Path, entries: list[Entry]) -> None:
    path = tmp_path / "cache.snapshot"
    sha256 = write(path, entries)
    found = check_snapshot(str(path), "preload")
    assert (found.keys, found.sha256, found.header) == (len(entries), sha256, {"server": "redis 7"})
    assert found.bytes == path.stat().st_size
    assert list(read_entries(found)) == entries
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_cut_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cache.snapshot"
    write(path, ENTRIES[:1])
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(SluiceError, match=r"Cannot preload: .* is (cut or damaged|no snapshot)"):
            check_snapshot(str(path), "preload")


def test_one_changed_byte_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "cache.snapshot"
    write(path, ENTRIES[:1])
    whole = path.read_bytes()
    for position in range(whole.index(b"\n") + 1, len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        with pytest.raises(SluiceError, match="cut or damaged"):
            check_snapshot(str(path), "preload")


def test_a_file_that_is_not_finished_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "cache.snapshot"
    path.write_text("the one before")
    with Writer(str(path), {}) as writer:
        writer.add(ENTRIES[0])
        assert len(list(tmp_path.iterdir())) == 2
    assert [file.name for file in tmp_path.iterdir()] == ["cache.snapshot"]
    assert path.read_text() == "the one before"


def test_keys_are_restored_with_their_ends() -> None:
    counts = Counts()
    batch = restored(ENTRIES, counts, keep=True, now=lambda: 1000)
    assert batch.keys == [b"a", b"\x00\xff"]
    assert batch.commands[0] == [b"RESTORE", b"a", b"0", b"payload\n", b"ABSTTL"]
    assert batch.commands[1][2] == b"1795000000000"
    assert batch.weights == [50, 3000]
    assert (batch.harmless, counts.expired) == (True, 1)
    assert restored(ENTRIES[:1], counts, keep=False).commands[0][-2:] == [b"ABSTTL", b"REPLACE"]

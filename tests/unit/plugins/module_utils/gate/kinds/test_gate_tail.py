# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way in which log files grow, move and begin anew."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._tail import Follower, LostError


def new(follower: Follower, seconds: float = 60) -> list[str]:
    """The lines that a look finds."""
    lines: list[str] = []
    follower.look(lines.append, time.monotonic() + seconds)
    return lines


def write(path: Path, *lines: str, mode: str = "a") -> None:
    with path.open(mode) as stream:
        stream.writelines(f"{line}\n" for line in lines)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "app.log"
    write(path, "2026-11-22T09:00:00Z old 1", "2026-11-22T09:00:01Z old 2")
    return path


def rename(log: Path) -> None:
    """As logrotate does by default: the writer has the old file until it opens the new one."""
    log.rename(log.with_name("app.log.1"))
    write(log)


def rename_and_delete(log: Path) -> None:
    """As with `delaycompress` off: what was rotated is gone under that name at once."""
    log.rename(log.with_name("app.log.1"))
    log.with_name("app.log.1").unlink()
    write(log)


def copytruncate(log: Path) -> None:
    shutil.copy(log, log.with_name("app.log.1"))
    os.truncate(log, 0)


@pytest.mark.parametrize("from_start", [True, False])
@pytest.mark.parametrize("pattern", ["app.log", "app.log*", "*"])
@pytest.mark.parametrize("rotate", [rename, rename_and_delete, copytruncate])
def test_a_rotation_neither_loses_a_line_nor_counts_one_twice(
    log: Path, rotate: Callable[[Path], None], pattern: str, from_start: bool
) -> None:
    follower = Follower([str(log.with_name(pattern))], from_start=from_start)
    assert len(new(follower)) == (2 if from_start else 0)
    for number in range(3):
        write(log, f"before {number}")
        assert new(follower) == [f"before {number}"]
        write(log, f"last {number}")
        rotate(log)
        write(log, f"first {number}")
        assert sorted(new(follower)) == [f"first {number}", f"last {number}"]
        write(log, f"after {number}")
        assert new(follower) == [f"after {number}"]
    assert new(follower) == []


def test_a_writer_that_keeps_the_renamed_file_for_a_while_is_heard(log: Path) -> None:
    follower = Follower([str(log)], from_start=False)
    assert new(follower) == []
    with log.open("a") as writer:
        log.rename(log.with_name("app.log.1"))
        assert new(follower) == [], "between two names there is no file, but nothing is lost"
        writer.write("late\n")
        writer.flush()
        write(log, "early")
        assert sorted(new(follower)) == ["early", "late"]


def test_a_copy_that_is_not_truncated_yet_is_no_news(log: Path) -> None:
    follower = Follower([str(log.with_name("app.log*"))], from_start=True)
    assert len(new(follower)) == 2
    shutil.copy(log, log.with_name("app.log.1"))
    assert new(follower) == []
    write(log, "3")
    assert new(follower) == ["3"]


def test_a_truncated_file_that_has_grown_beyond_its_old_size_is_begun_anew(log: Path) -> None:
    follower = Follower([str(log)], from_start=True)
    assert len(new(follower)) == 2
    write(log, *(f"line {number}" for number in range(100)), mode="w")
    assert len(new(follower)) == 100


def test_another_file_that_begins_alike_is_another_file(tmp_path: Path) -> None:
    follower = Follower([str(tmp_path / "*.log")], from_start=False)
    write(tmp_path / "worker-1.log", "started")
    assert new(follower) == []
    write(tmp_path / "worker-2.log", "started", "error")
    assert new(follower) == ["started", "error"]
    (tmp_path / "worker-1.log").rename(tmp_path / "worker-1.log.1")
    write(tmp_path / "worker-1.log", "started", "error")
    assert new(follower) == ["started", "error"]


def test_only_whole_lines_count(log: Path) -> None:
    with log.open("a") as stream:
        stream.write("half")
    follower = Follower([str(log)], from_start=False)
    assert new(follower) == []
    write(log, " a line\r", "\udcff".encode("utf-8", "surrogateescape").decode("latin-1"))
    assert new(follower) == ["half a line", "ÿ"]


def test_a_line_without_an_end_is_taken_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"x" * (3 << 20) + b"\nend\n")
    lines = new(Follower([str(path)], from_start=True))
    assert sum(map(len, lines)) == (3 << 20) + 3
    assert lines[-1] == "end"
    assert max(map(len, lines)) <= 2 << 20


def test_what_time_is_too_short_for_is_left_for_the_next_look(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    write(path, *("x" * 99 for _ in range(1000)))
    follower = Follower([str(path)], from_start=True)
    lines: list[str] = []
    assert follower.look(lines.append, time.monotonic() - 1) == 100_000
    assert not lines
    assert len(new(follower)) == 1000


def test_files_that_come_later_count_from_their_start(tmp_path: Path) -> None:
    follower = Follower([str(tmp_path / "a.log"), str(tmp_path / "b*.log")], from_start=False)
    with pytest.raises(LostError, match=r"there is no .*a\.log and no .*b\*\.log"):
        new(follower)
    write(tmp_path / "a.log", "seen at the first look")
    assert new(follower) == []
    write(tmp_path / "b1.log", "1")
    write(tmp_path / "b1.log.gz", "compressed")
    (tmp_path / "bd.log").mkdir()
    assert new(follower) == ["1"]


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    for number in range(101):
        write(tmp_path / f"{number}.log")
    with pytest.raises(LostError, match="more than 100 files match"):
        new(Follower([str(tmp_path / "*.log")], from_start=False))


@pytest.mark.parametrize("rotate", [None, rename, copytruncate])
def test_a_position_outlives_the_process(log: Path, rotate: Callable[[Path], None] | None) -> None:
    first = Follower([str(log)], from_start=True)
    assert len(new(first)) == 2
    write(log, "between")
    if rotate:
        rotate(log)
    write(log, "after")
    second = Follower([str(log)], from_start=True)
    second.resume(first.position())
    assert sorted(new(second)) == ["after", "between"]
    third = Follower([str(log)], from_start=True)
    third.resume(second.position())
    assert new(third) == []


def test_files_are_closed_when_they_are_gone(log: Path) -> None:
    follower = Follower([str(log)], from_start=False)
    new(follower)
    before = len(os.listdir("/proc/self/fd"))
    for number in range(5):
        rename_and_delete(log)
        write(log, str(number))
        assert new(follower) == [str(number)]
    assert len(os.listdir("/proc/self/fd")) == before

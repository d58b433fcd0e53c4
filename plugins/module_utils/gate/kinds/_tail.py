# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Log files as one stream of new lines, whatever rotates them: renamed and begun anew, or copied and truncated."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

Identity = tuple[int, int]
"""Device and inode."""

Take = Callable[[str], None]

MAX_FILES = 100
"""Files that are followed at most, each of which is held open."""

_BLOCK = 1 << 20

# Copies that a position remembers.
_COPIES = 10

# A line longer than this is taken in pieces: no memory must hold what a broken program writes without an end.
_LINE = 1 << 20

# Bytes of a file's beginning by which it is known again.
_HEAD = 1024

_COMPRESSED = (".gz", ".bz2", ".xz", ".zst")


class LostError(Exception):
    """The files cannot be followed. Its text says why."""


@dataclass
class _File:
    """A file that is followed, open, with the position of the first byte that is still to be read."""

    path: str
    stream: BinaryIO
    offset: int = 0
    head: str = ""
    """Digest of its first ``head_size`` bytes, which tells it from one that was begun anew under the same inode."""
    head_size: int = 0

    @property
    def status(self) -> os.stat_result:
        return os.fstat(self.stream.fileno())

    @property
    def identity(self) -> Identity:
        status = self.status
        return status.st_dev, status.st_ino

    def begins(self, head: str, size: int) -> bool:
        """Whether its first bytes are these."""
        return not size or (self.status.st_size >= size and self._digest(size) == head)

    def _digest(self, size: int) -> str:
        return hashlib.sha256(os.pread(self.stream.fileno(), size, 0)).hexdigest()

    def mark(self) -> None:
        """Remember the beginning as far as it is known to be final."""
        size = min(self.offset, _HEAD)
        if size != self.head_size:
            self.head, self.head_size = self._digest(size), size

    @property
    def is_cut(self) -> bool:
        """Whether it was truncated since it was read, even if it has grown beyond that again."""
        return self.status.st_size < self.offset or not self.begins(self.head, self.head_size)

    def begin_anew(self) -> None:
        self.offset, self.head, self.head_size = 0, "", 0

    def read(self, take: Take, deadline: float, *, to_the_last: bool = False) -> None:
        """Pass on every whole line that is new, and with ``to_the_last`` what stands at the end without a newline."""
        rest = b""
        while time.monotonic() < deadline:
            block = os.pread(self.stream.fileno(), _BLOCK, self.offset + len(rest))
            if not block:
                break
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                take(line.decode("utf-8", "replace").rstrip("\r"))
                self.offset += len(line) + 1
            if len(rest) >= _LINE:
                take(rest.decode("utf-8", "replace"))
                self.offset += len(rest)
                rest = b""
        else:
            return
        if rest and to_the_last:
            take(rest.decode("utf-8", "replace"))
            self.offset += len(rest)


def _open(path: str) -> _File | None:
    """Open a plain file; None for what is none. LostError when it may not be read."""
    try:
        stream = open(path, "rb", buffering=0)  # noqa: SIM115 - it stays open as long as it is followed
    except (FileNotFoundError, IsADirectoryError):
        return None
    except OSError as error:
        raise LostError(f"{path} cannot be read ({error.strerror})") from error
    if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        return _File(path, stream)
    stream.close()
    return None


class Follower:
    """Follows the files under some paths and patterns from look to look."""

    def __init__(self, paths: Iterable[str], *, from_start: bool) -> None:
        """``from_start``: the lines that are there at the first look count too."""
        self.paths = tuple(paths)
        self.from_start = from_start
        self._files: dict[Identity, _File] = {}
        self._copies: dict[Identity, tuple[str, int]] = {}
        """Beginnings of the copies that rotations have made and that were read to their ends."""
        self._begun = False

    def look(self, take: Take, deadline: float) -> int:
        """Pass on all lines that are new, and return the bytes for which the time was too short.

        Raises LostError when there is no file, or when one may not be read.
        """
        found = self._found()
        if not found and not self._files:
            raise LostError(f"there is no {' and no '.join(self.paths)}")
        self._after_truncation(take, deadline)
        for path in found:
            self._follow(path)
        self._begun = True
        current = {identity for identity in map(_identity_of, found) if identity}
        for identity, file in list(self._files.items()):
            # One that was renamed may still be written until its writer opens the new one, but not once it is gone.
            gone = identity not in current and not file.status.st_nlink
            file.read(take, deadline, to_the_last=gone)
            file.mark()
            if gone:
                file.stream.close()
                del self._files[identity]
        if time.monotonic() < deadline:
            return 0
        return sum(max(0, file.status.st_size - file.offset) for file in self._files.values())

    def _found(self) -> list[str]:
        found: dict[str, None] = {}
        for path in self.paths:
            if glob.has_magic(path):
                matches = (match for match in sorted(glob.glob(path)) if not match.endswith(_COMPRESSED))
                found.update((match, None) for match in matches if os.path.isfile(match))
            elif os.path.lexists(path):
                found[path] = None
        if len(found) > MAX_FILES:
            raise LostError(f"more than {MAX_FILES} files match")
        return list(found)

    def _follow(self, path: str) -> None:
        identity = _identity_of(path)
        if identity in self._files:
            self._files[identity].path = path
            return
        file = _open(path)
        if file is None:
            return
        if not self._begun and not self.from_start:
            file.offset = file.status.st_size
            self._to_line_start(file)
        elif self._is_copy(file):
            file.stream.close()
            return
        file.mark()
        self._files[file.identity] = file

    def _is_copy(self, file: _File) -> bool:
        """Whether a rotation has made it of a file that is followed, and all in it was or will be read there."""
        if file.identity in self._copies and file.begins(*self._copies[file.identity]):
            return True
        return any(
            known.head_size > 0
            and file.path.startswith(known.path)
            and _identity_of(known.path) == known.identity
            and file.begins(known.head, known.head_size)
            for known in self._files.values()
        )

    @staticmethod
    def _to_line_start(file: _File) -> None:
        """Step back to the start of a line that is being written: as a whole it will be new."""
        reach = min(file.offset, 64 * 1024)
        before = os.pread(file.stream.fileno(), reach, file.offset - reach)
        newline = before.rfind(b"\n")
        if newline >= 0 or reach == file.offset:
            file.offset -= len(before) - newline - 1

    def _after_truncation(self, take: Take, deadline: float) -> None:
        """Begin files anew that were truncated, after what their copy holds beyond what was read of them."""
        for file in list(self._files.values()):
            if not file.is_cut:
                continue
            copy = self._copy_of(file)
            if copy is not None:
                copy.offset = file.offset
                copy.read(take, deadline, to_the_last=True)
                self._copies[copy.identity] = (file.head, file.head_size)
                copy.stream.close()
            file.begin_anew()

    def _copy_of(self, file: _File) -> _File | None:
        """The newest file beside it that begins as it did and is no shorter."""
        if not file.head_size:
            return None
        copies = [copy for copy in self._beside(file.path) if copy.begins(file.head, file.head_size)]
        copies = [copy for copy in copies if copy.status.st_size >= file.offset]
        best = max(copies, key=lambda copy: copy.status.st_mtime, default=None)
        for copy in copies:
            if copy is not best:
                copy.stream.close()
        return best

    def _beside(self, path: str) -> list[_File]:
        """The other files whose names begin as this one's, and which are not followed."""
        found = []
        for other in sorted(glob.glob(f"{glob.escape(path)}*"))[:MAX_FILES]:
            if not other.endswith(_COMPRESSED) and _identity_of(other) not in self._files:
                with contextlib.suppress(LostError):
                    file = _open(other)
                    if file is not None:
                        found.append(file)
        return found

    def position(self) -> list[dict[str, Any]]:
        """How far everything has been read, for ``resume``."""
        copies = [
            {"device": device, "inode": inode, "head": head, "head_size": size}
            for (device, inode), (head, size) in list(self._copies.items())[-_COPIES:]
        ]
        return copies + [
            {
                "path": file.path,
                "device": identity[0],
                "inode": identity[1],
                "offset": file.offset,
                "head": file.head,
                "head_size": file.head_size,
            }
            for identity, file in self._files.items()
        ]

    def resume(self, position: Sequence[Mapping[str, Any]]) -> None:
        """Go on from a position. What is gone since then is forgotten; every file that is not in it is new."""
        self._begun = True
        for entry in position:
            identity = (int(entry["device"]), int(entry["inode"]))
            if "path" not in entry:
                self._copies[identity] = (str(entry["head"]), int(entry["head_size"]))
                continue
            candidates = [str(entry["path"]), *sorted(glob.glob(f"{glob.escape(str(entry['path']))}*"))]
            path = next((path for path in candidates if _identity_of(path) == identity), None)
            file = _open(path) if path else None
            if file is not None:
                file.path = str(entry["path"])
                file.offset, file.head = int(entry["offset"]), str(entry["head"])
                file.head_size = int(entry["head_size"])
                self._files[identity] = file


def _identity_of(path: str) -> Identity | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino

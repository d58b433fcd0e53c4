# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The file of a snapshot: keys with their payloads, as a stream.

A line with the name and version of the format, a line of JSON about where it comes from, the records, an end record
with their number, and the SHA-256 of all before. A file that was cut, or changed, is known before anything is loaded.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Any, NamedTuple

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import TEMPORARY_PREFIX, fsync_directory

NAME = b"sluice-redis-snapshot"
VERSION = 1

_KINDS = ("", "string", "list", "set", "zset", "hash", "stream", "other")
_NUMBERS = {kind: number for number, kind in enumerate(_KINDS)}

# Kind (0: the end), length of the key, length of the payload, moment of its end, size in memory.
_RECORD = struct.Struct("<BIQQQ")
_HEAD = struct.calcsize("<BIQQQ")
_DIGEST = 32
_BLOCK = 1 << 20


class Entry(NamedTuple):
    """A key as a snapshot has it."""

    key: bytes
    kind: str
    expires: int
    """When it ends, in milliseconds since 1970; 0 for never."""
    size: int
    """Bytes that it takes in memory, as the server says; 0 when it does not."""
    payload: bytes


@dataclass(frozen=True)
class Snapshot:
    """What a whole file says about itself."""

    path: str
    header: Mapping[str, Any]
    keys: int
    bytes: int
    begin: int
    """Where the records begin."""
    sha256: str


class Writer:
    """Writes a snapshot under another name and, when all is there, gives it its own. Only its owner may read it."""

    def __init__(self, path: str, header: Mapping[str, Any]) -> None:
        self.path = os.path.abspath(path)
        self.keys = 0
        self.bytes = 0
        self._digest = hashlib.sha256()
        self._header = header
        self._stream: IO[bytes]
        self._temporary = ""

    def __enter__(self) -> Writer:  # noqa: PYI034 - there is no Self in Python 3.9
        descriptor, self._temporary = tempfile.mkstemp(prefix=TEMPORARY_PREFIX, dir=os.path.dirname(self.path))
        os.fchmod(descriptor, 0o600)
        self._stream = os.fdopen(descriptor, "wb", buffering=_BLOCK)
        self._write(b"%s %d\n%s\n" % (NAME, VERSION, json.dumps(self._header, sort_keys=True).encode()))
        return self

    def add(self, entry: Entry) -> None:
        kind = _NUMBERS.get(entry.kind, _NUMBERS["other"])
        head = _RECORD.pack(kind, len(entry.key), len(entry.payload), entry.expires, entry.size)
        self._write(head + entry.key + entry.payload)
        self.keys += 1

    def finish(self) -> str:
        """Give the file its name; its checksum."""
        self._write(_RECORD.pack(0, 0, 0, 0, self.keys))
        digest = self._digest.digest()
        self._stream.write(digest)
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self.bytes += _DIGEST
        os.replace(self._temporary, self.path)
        fsync_directory(os.path.dirname(self.path))
        return digest.hex()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A full disk can also fail here, at what was still to be written.
        with contextlib.suppress(OSError):
            self._stream.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._temporary)

    def _write(self, data: bytes) -> None:
        self._digest.update(data)
        self._stream.write(data)
        self.bytes += len(data)


def check_snapshot(path: str, doing: str) -> Snapshot:
    """Read a file to its end and see that it is whole. SluiceError that begins with what was to be done."""
    remedy = "Take another snapshot"
    try:
        with open(path, "rb") as stream:
            first = stream.readline(256).split()
            if len(first) != 2 or first[0] != NAME:
                raise SluiceError(doing, f"{path} is no snapshot of redis_snapshot", "Give the path of one")
            if first[1] != str(VERSION).encode():
                text = first[1].decode(errors="replace")
                raise SluiceError(doing, f"{path} has format {text}, this release reads {VERSION}", remedy)
            header = json.loads(stream.readline(1 << 16))
            begin, size = stream.tell(), os.fstat(stream.fileno()).st_size
            digest, count = _read_end(stream, begin, size)
    except OSError as error:
        raise SluiceError(doing, f"{path}: {error.strerror or error}", "Give the path of a snapshot") from error
    except ValueError as error:
        raise SluiceError(doing, f"{path} is cut or damaged", remedy) from error
    return Snapshot(path, header, count, size, begin, digest)


def _read_end(stream: IO[bytes], begin: int, size: int) -> tuple[str, int]:
    """The checksum and the number of keys; ValueError when they are not those of what stands before."""
    if size < begin + _HEAD + _DIGEST:
        raise ValueError
    stream.seek(0)
    digest = hashlib.sha256()
    left = size - _DIGEST
    block = b""
    while left:
        tail, block = block[-_HEAD:], stream.read(min(_BLOCK, left))
        if not block:
            raise ValueError
        digest.update(block)
        left -= len(block)
    kind, _key, _payload, _expires, count = _RECORD.unpack((tail + block)[-_HEAD:])
    if kind or stream.read(_DIGEST) != digest.digest():
        raise ValueError
    return digest.hexdigest(), int(count)


def read_entries(snapshot: Snapshot) -> Iterator[Entry]:
    """The keys of a checked file, one after the other."""
    with open(snapshot.path, "rb", buffering=_BLOCK) as stream:
        stream.seek(snapshot.begin)
        while True:
            kind, key, payload, expires, size = _RECORD.unpack(stream.read(_HEAD))
            if not kind:
                return
            yield Entry(stream.read(key), _KINDS[kind], expires, size, stream.read(payload))

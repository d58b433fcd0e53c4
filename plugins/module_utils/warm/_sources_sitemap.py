# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The pages of a site by its own sitemap."""

from __future__ import annotations

import tempfile
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import IO, Optional, cast
from xml.parsers import expat

from ansible_collections.sluice.release.plugins.module_utils.warm._http_paths import BAD, LONGEST, Refused
from ansible_collections.sluice.release.plugins.module_utils.warm._model import ELSEWHERE, Request
from ansible_collections.sluice.release.plugins.module_utils.warm._sources_common import (
    AGAIN,
    READ_BEFORE,
    Door,
    Item,
    Notes,
    SourceError,
    World,
)

LARGEST = 50 * 1024 * 1024
"""Bytes of a sitemap, unpacked: the protocol allows no more."""

MOST_SITEMAPS = 500
DEEPEST = 3
"""Indexes of indexes are not allowed by the protocol, and exist."""

_CHUNK = 64 * 1024


class Reader:
    """Takes a sitemap piece by piece, and keeps nothing of it. SourceError for what is none."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        # Without a DOCTYPE there is no entity: nothing that grows, and nothing that leads to a file or another host.
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.EntityDeclHandler = self._refuse
        self._depth: list[str] = []
        self._loc: list[str] = []
        self._length = 0
        self.is_index = False
        self.found: list[str] = []

    def _refuse(self, *_arguments: object) -> None:
        raise SourceError("it has a DOCTYPE, which a sitemap must not have")

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        if not self._depth:
            if local not in ("urlset", "sitemapindex"):
                raise SourceError(f"it begins with <{local[:40]}>, a sitemap with <urlset> or <sitemapindex>")
            self.is_index = local == "sitemapindex"
        if len(self._depth) > 20:
            raise SourceError("its elements lie too deep in each other")
        self._depth.append(local)
        self._loc, self._length = [], 0

    def _is_location(self) -> bool:
        # Images and videos of a page have locations of their own.
        return self._depth[1:] == [("sitemap" if self.is_index else "url"), "loc"]

    def _text(self, text: str) -> None:
        if self._length <= LONGEST and self._is_location():
            self._loc.append(text)
            self._length += len(text)

    def _end(self, _name: str) -> None:
        if self._is_location():
            self.found.append("".join(self._loc).strip())
        self._depth.pop()

    def feed(self, chunk: bytes, *, last: bool = False) -> list[str]:
        """The locations that have become whole with this piece."""
        try:
            self._parser.Parse(chunk, last)
        except expat.ExpatError as error:
            raise SourceError(f"it is no XML ({error})") from error
        found, self.found = self.found, []
        return found


def pieces(stream: IO[bytes]) -> Iterator[bytes]:
    """What a file holds, unpacked where it is packed, and never more than is allowed."""
    first = stream.read(_CHUNK)
    unpack = zlib.decompressobj(wbits=31) if first[:2] == b"\x1f\x8b" else None
    size, block = 0, first
    while block:
        while block:
            try:
                piece = unpack.decompress(block, _CHUNK) if unpack else block
            except zlib.error as error:
                raise SourceError(f"it cannot be unpacked ({error})") from error
            block = unpack.unconsumed_tail if unpack else b""
            size += len(piece)
            if size > LARGEST:
                raise SourceError(f"it is larger than {LARGEST // 1024**2} MB")
            if piece:
                yield piece
        block = stream.read(_CHUNK)
    if unpack and not unpack.eof:
        raise SourceError("it ends in the middle")


@dataclass(frozen=True)
class Sitemap:
    """A sitemap below the origin, and those that it names."""

    path: str
    is_remote = True

    @property
    def name(self) -> str:
        return f"sitemap {self.path}"

    def size(self) -> Optional[int]:
        return None

    def read(self, world: World, notes: Notes) -> Iterator[Item]:
        if world.fetch is None:
            raise SourceError("nothing is sent in check mode")
        queue = _Queue(world.door, notes)
        queue.add(world.door.document(self.path), 0)
        while queue.waiting:
            path, depth = queue.waiting.popleft()
            yield READ_BEFORE
            try:
                with world.fetch(path, LARGEST) as stream:
                    yield from _pages(stream, path, depth, queue)
            except SourceError as error:
                # The others of an index are still worth it.
                if depth == 0:
                    raise
                notes.leave_out(BAD, path, str(error))


class _Queue:
    """The sitemaps that are still to be read, each once."""

    def __init__(self, door: Door, notes: Notes) -> None:
        self.door, self.notes = door, notes
        self.waiting: deque[tuple[str, int]] = deque()
        self._known: set[str] = set()

    def add(self, path: str, depth: int) -> None:
        if path in self._known or depth > DEEPEST:
            return
        if len(self._known) >= MOST_SITEMAPS:
            self.notes.cut = f"it names more than {MOST_SITEMAPS} sitemaps"
            return
        self._known.add(path)
        self.waiting.append((path, depth))

    def follow(self, text: str, depth: int, where: str) -> None:
        """Take up what an index names."""
        try:
            self.add(self.door.document(text), depth)
        except SourceError:
            self.notes.leave_out(ELSEWHERE, where, text)


def _pages(stream: IO[bytes], path: str, depth: int, queue: _Queue) -> Iterator[Item]:
    reader, number = Reader(), 0
    for piece in chain(pieces(stream), [None]):
        for text in reader.feed(piece or b"", last=piece is None):
            number += 1
            where = f"{path} number {number}"
            if reader.is_index:
                queue.follow(text, depth + 1, where)
                continue
            found = queue.door.admit(text)
            if not isinstance(found, Refused):
                yield Request(found)
            elif queue.notes.leave_out(found, where, text):
                yield AGAIN
        yield AGAIN


def spooled() -> IO[bytes]:
    """A file for a document that is fetched."""
    return cast("IO[bytes]", tempfile.TemporaryFile(prefix="sluice-"))

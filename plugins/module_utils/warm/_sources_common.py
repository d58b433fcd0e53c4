# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What every source of URLs shares: what it may yield, what it leaves out, and how lines are read."""

from __future__ import annotations

import gzip
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Optional, Protocol, Union, cast

from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._log import conceal
from ansible_collections.sluice.release.plugins.module_utils.warm._http_paths import (
    Refused,
    has_secret,
    is_unsafe,
    path_of,
    shown,
)
from ansible_collections.sluice.release.plugins.module_utils.warm._model import ELSEWHERE, EXCLUDED, Request

LONGEST_LINE = 64 * 1024
"""Bytes of a line; a longer one is bad, and is not kept."""

SHOWN = 10
"""How many of what is left out are named."""

SECRET, METHOD, STATUS, NO_EXAMPLE = "secret", "method", "status", "no_example"
"""Why something is left out, beside bad, elsewhere and excluded."""

_UNNAMED = (METHOD, STATUS)
"""What every access log is full of is counted and not named."""

READ_BEFORE = "read before"
"""What a source yields before it does something that takes long: requests under way have to end first."""

AGAIN = "again"
"""What a source yields when it has worked for a while without finding anything: the clock may want a look."""

Item = Union[Request, str]
"""A request, READ_BEFORE or AGAIN."""

_CHEAP = 64 * 1024 * 1024
"""Bytes of a file whose lines are counted only to show how far the reading has come."""

_EVERY = 200
"""Lines without a URL after which AGAIN is said."""


class SourceError(Exception):
    """A source cannot be read; the text says why."""


class Fetched(Protocol):
    """Fetches a document of the origin into a file, at most so many bytes of it. SourceError."""

    def __call__(self, path: str, limit: int) -> IO[bytes]: ...


@dataclass(frozen=True)
class Door:
    """Decides whether what a source names may be asked for."""

    origin: str
    exclude: tuple[re.Pattern[str], ...] = ()
    exclude_unsafe: bool = True

    def excludes(self, path: str) -> bool:
        """Whether the path is one that nobody may ask for."""
        return (self.exclude_unsafe and is_unsafe(path)) or any(rule.search(path) for rule in self.exclude)

    def document(self, text: str) -> str:
        """The path of a document about the site: no rule for pages holds for it. SourceError when it lies elsewhere."""
        path = path_of(text, self.origin)
        if isinstance(path, Refused):
            raise SourceError("it belongs to another origin" if path == ELSEWHERE else "its address is no path or URL")
        return path

    def admit(self, text: str, *, recorded: bool = False) -> Union[str, Refused]:
        """The path of a URL that may be asked for, or why it may not.

        ``recorded``: somebody else has asked for it before, and what belonged to them is not sent again.
        """
        path = path_of(text, self.origin)
        if isinstance(path, Refused):
            return path
        if recorded and has_secret(path):
            return Refused(SECRET)
        return Refused(EXCLUDED) if self.excludes(path) else path


@dataclass
class Notes:
    """What one source had to say beside URLs; bounded, however long it is."""

    source: str
    urls: int = 0
    """Requests that it gave, but for those that an earlier one had given."""
    duplicates: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    first: list[dict[str, str]] = field(default_factory=list)
    cut: Optional[str] = None
    """Why it was not read to its end."""
    problem: Optional[str] = None
    """Why it could not be read."""
    _since: int = 0

    def leave_out(self, why: str, where: str, text: str) -> bool:
        """Count what is left out, and name the first ones. Whether it is time to say AGAIN."""
        self.left_out[why] = self.left_out.get(why, 0) + 1
        if len(self.first) < SHOWN and why not in _UNNAMED:
            self.first.append({"source": self.source, "where": where, "text": conceal(shown(text)), "why": why})
        self._since += 1
        return self._since % _EVERY == 0


@dataclass(frozen=True)
class World:
    """What a source needs of the world."""

    door: Door
    fetch: Optional[Fetched]
    """None: nothing may be sent."""
    overdue: Callable[[float], bool] = lambda _part: False
    """Whether this part (0 to 1) of the time is over."""


class Source(Protocol):
    """Where URLs come from."""

    @property
    def name(self) -> str:
        """As a person knows it."""

    @property
    def is_remote(self) -> bool:
        """Whether the instance has to be asked for it."""

    def size(self) -> Optional[int]:
        """How many URLs it holds at most, where that is cheap to know. SourceError."""

    def read(self, world: World, notes: Notes) -> Iterator[Item]:
        """Requests in order of weight. SourceError."""


def open_lines(path: str) -> IO[bytes]:
    """Open a file of lines; one that ends in .gz is unpacked. SourceError."""
    try:
        # A pipe or a terminal (a log that leads to /dev/stdout) could keep everybody waiting.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise SourceError(f"{path}: it is no regular file")
        # Whatever its name says, a file that was rotated by hand may be packed or not.
        with open(path, "rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        return cast("IO[bytes]", gzip.open(path, "rb")) if packed else open(path, "rb")
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}") from error


def count_lines(path: str) -> Optional[int]:
    """The lines of a file that is neither packed nor very large."""
    try:
        if path.endswith(".gz") or not os.path.isfile(path) or os.path.getsize(path) > _CHEAP:
            return None
        with open(path, "rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1024 * 1024), b""))
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}") from error


def lines(stream: IO[bytes]) -> Iterator[tuple[int, Optional[str]]]:
    """Number and text of every line; None for one that is too long or no UTF-8. SourceError for a broken file."""
    number = 0
    try:
        while True:
            raw = stream.readline(LONGEST_LINE)
            if not raw:
                return
            number += 1
            if len(raw) == LONGEST_LINE and not raw.endswith(b"\n"):
                while raw and not raw.endswith(b"\n"):
                    raw = stream.readline(LONGEST_LINE)
                yield number, None
                continue
            try:
                yield number, raw.decode().strip()
            except UnicodeDecodeError:
                yield number, None
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(str(error)) from error

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""URLs that somebody has written down: in the task, in a file of lines, as a recorded set."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union

from ansible_collections.sluice.release.plugins.module_utils.warm._http_paths import BAD, Refused
from ansible_collections.sluice.release.plugins.module_utils.warm._model import Headers, Request
from ansible_collections.sluice.release.plugins.module_utils.warm._sources_common import (
    AGAIN,
    Item,
    Notes,
    World,
    count_lines,
    lines,
    open_lines,
)

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")

OWN = frozenset({"host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "expect"})
"""Headers that belong to the connection or to the URL."""

_MOST_HEADERS = 20


def headers_of(given: Optional[Mapping[str, Any]]) -> Headers:
    """The headers as they are sent. ValueError names one that cannot be, without its value."""
    found = []
    for name, value in (given or {}).items():
        text = "" if value is None else str(value)
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"{str(name)[:40]!r} is no name of a header")
        if name.lower() in OWN:
            raise ValueError(f"the header {name} is not for a request to set")
        if not _VALUE.fullmatch(text):
            raise ValueError(f"the value of the header {name} has characters that no header can have")
        found.append((name, text))
    if len(found) > _MOST_HEADERS:
        raise ValueError(f"there are more than {_MOST_HEADERS} headers")
    return tuple(found)


@dataclass(frozen=True)
class UrlList:
    """Paths and URLs in the task itself."""

    urls: Sequence[str]
    is_remote = False
    name = "urls"

    def size(self) -> Optional[int]:
        return len(self.urls)

    def read(self, world: World, notes: Notes) -> Iterator[Item]:
        for number, text in enumerate(self.urls, 1):
            path = world.door.admit(text.strip())
            if not isinstance(path, Refused):
                yield Request(path)
            elif notes.leave_out(path, f"entry {number}", text):
                yield AGAIN


@dataclass(frozen=True)
class LineFile:
    """A path or URL in each line; empty lines and comments (#) are passed over."""

    path: str
    is_remote = False

    @property
    def name(self) -> str:
        return f"file {self.path}"

    def size(self) -> Optional[int]:
        return count_lines(self.path)

    def read(self, world: World, notes: Notes) -> Iterator[Item]:
        with open_lines(self.path) as stream:
            for number, text in lines(stream):
                if text == "" or (text and text.startswith("#")):
                    continue
                path: Union[str, Refused] = Refused(BAD) if text is None else world.door.admit(text)
                if not isinstance(path, Refused):
                    yield Request(path)
                elif notes.leave_out(path, f"line {number}", text or "too long, or no UTF-8"):
                    yield AGAIN


@dataclass(frozen=True)
class KeyFile:
    """A recorded set: in each line a JSON object with ``path`` and, where the answer depends on them, ``headers``."""

    path: str
    is_remote = False

    @property
    def name(self) -> str:
        return f"keys {self.path}"

    def size(self) -> Optional[int]:
        return count_lines(self.path)

    def read(self, world: World, notes: Notes) -> Iterator[Item]:
        with open_lines(self.path) as stream:
            for number, text in lines(stream):
                if text == "":
                    continue
                request = parse_key(text, world)
                if isinstance(request, Request):
                    yield request
                # Headers of a line that makes no sense may be secrets.
                elif notes.leave_out(request, f"line {number}", "not shown"):
                    yield AGAIN


def parse_key(text: Optional[str], world: World) -> Union[Request, Refused]:
    """The request of a line."""
    try:
        entry = json.loads(text or "")
        if not isinstance(entry, dict) or str(entry.get("method") or "GET").upper() != "GET":
            return Refused(BAD)
        path = world.door.admit(str(entry["path"]))
        return path if isinstance(path, Refused) else Request(path, headers_of(entry.get("headers")))
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return Refused(BAD)

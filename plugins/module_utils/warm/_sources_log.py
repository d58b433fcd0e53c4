# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What people ask for most, by an access log."""

from __future__ import annotations

import glob
import heapq
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional

from ansible_collections.sluice.release.plugins.module_utils.warm._http_paths import BAD, Refused, endpoint_of
from ansible_collections.sluice.release.plugins.module_utils.warm._model import Request
from ansible_collections.sluice.release.plugins.module_utils.warm._sources_common import (
    METHOD,
    READ_BEFORE,
    STATUS,
    Item,
    Notes,
    SourceError,
    World,
    lines,
    open_lines,
)

KEPT = 100_000
"""Different paths that are counted exactly. Beyond twice as many the rarest are forgotten: what is frequent stays."""

PART = 0.25
"""Part of the time that reading may take: of a longer log the rest is not read."""

_LOOK = 1000
"""Lines between two looks at the clock."""

_COMBINED = re.compile(r'\S+ \S+ .{0,256}?\[[^\]]{1,64}\] "([A-Z]{1,16}) (\S+)(?: HTTP/[\d.]{1,4})?" (\d{3})(?: |$)')

_FIELDS: Mapping[str, tuple[str, ...]] = {
    "method": ("request_method", "method", "request.method", "http.request.method"),
    "path": ("request_uri", "uri", "path", "url", "request.uri", "url.original"),
    "status": ("status", "status_code", "statusCode", "response.status", "http.response.status_code"),
}
"""Where logs of JSON have them: nginx, Caddy, pino, ECS."""


class Entry(NamedTuple):
    """A request that somebody has sent."""

    method: str
    path: str
    status: int
    """0: unknown."""


Parse = Callable[[str], Optional[Entry]]


def parse_combined(line: str) -> Optional[Entry]:
    """A line of the common or the combined format. None when it is none."""
    found = _COMBINED.match(line)
    return Entry(found[1], found[2], int(found[3])) if found else None


def json_parser(fields: Optional[Mapping[str, str]] = None) -> Parse:
    """For lines of JSON. ``fields`` names where method, path and status are, with dots for what lies inside."""
    own = {name: (field_,) for name, field_ in (fields or {}).items() if field_}

    def look(entry: Mapping[str, Any], name: str) -> Any:
        for place in own.get(name, _FIELDS[name]):
            found: Any = entry.get(place)
            if found is None and "." in place:
                found = entry
                for part in place.split("."):
                    found = found.get(part) if isinstance(found, dict) else None
            if isinstance(found, (str, int)) and not isinstance(found, bool):
                return found
        return None

    def parse(line: str) -> Optional[Entry]:
        try:
            entry = json.loads(line)
            if not isinstance(entry, dict):
                return None
            method, path, status = look(entry, "method"), look(entry, "path"), look(entry, "status")
            if path is None and isinstance(entry.get("request"), str):
                # nginx's $request: GET /path HTTP/1.1
                method, path = (*entry["request"].split(" "), "")[:2]
            if method is None or not path:
                return None
            return Entry(str(method).upper(), str(path), int(status or 0))
        except (ValueError, RecursionError):
            return None

    return parse


def regex_parser(pattern: re.Pattern[str]) -> Parse:
    """By an expression with the groups method and path, and status where there is one."""

    def parse(line: str) -> Optional[Entry]:
        found = pattern.search(line)
        if not found:
            return None
        groups = found.groupdict()
        status = groups.get("status") or "0"
        if not groups.get("path") or not status.isdecimal():
            return None
        return Entry((groups.get("method") or "").upper(), groups["path"], int(status))

    return parse


@dataclass
class Counts:
    """How often each path was asked for, in bounded memory."""

    kept: int = KEPT
    by_path: dict[str, int] = field(default_factory=dict)
    forgotten: int = 0
    """Paths that were too rare to be kept."""

    def add(self, path: str) -> None:
        counts = self.by_path
        counts[path] = counts.get(path, 0) + 1
        if len(counts) > 2 * self.kept:
            self.by_path = dict(heapq.nlargest(self.kept, counts.items(), key=lambda item: item[1]))
            self.forgotten += len(counts) - len(self.by_path)

    def top(self, number: int, per_endpoint: int = 0) -> list[str]:
        """The most frequent paths, the most frequent first; equals in the order of the alphabet.

        With ``per_endpoint`` paths that differ only in identifiers count as one: the endpoints in the order of all
        their requests together, of each at most so many paths.
        """
        ordered = sorted(self.by_path.items(), key=lambda item: (-item[1], item[0]))
        if not per_endpoint:
            return [path for path, _count in ordered[:number]]
        totals: dict[str, int] = {}
        members: dict[str, list[str]] = {}
        for path, count in ordered:
            endpoint = endpoint_of(path)
            totals[endpoint] = totals.get(endpoint, 0) + count
            own = members.setdefault(endpoint, [])
            if len(own) < per_endpoint:
                own.append(path)
        endpoints = sorted(totals, key=lambda endpoint: (-totals[endpoint], endpoint))
        return [path for endpoint in endpoints for path in members[endpoint]][:number]


@dataclass(frozen=True)
class AccessLog:
    """Paths that were asked for by GET and answered well, the most frequent first."""

    path: str
    """A path, or a pattern of the shell for a log with its rotated ones."""
    parse: Parse
    top: int
    keep_query: bool = True
    per_endpoint: int = 0
    is_remote = False

    @property
    def name(self) -> str:
        return f"access_log {self.path}"

    def size(self) -> Optional[int]:
        return None

    def read(self, world: World, notes: Notes) -> Iterator[Item]:
        yield READ_BEFORE
        counts = Counts()
        for path in self._files():
            if not self._count(path, world, notes, counts):
                notes.cut = f"a quarter of the time was over before {path} was read"
                break
        for found in counts.top(self.top, self.per_endpoint):
            yield Request(found)

    def _files(self) -> list[str]:
        """The newest first."""
        if os.path.exists(self.path):
            return [self.path]
        found = [path for path in glob.glob(self.path) if os.path.isfile(path)]
        if not found:
            raise SourceError(f"{self.path}: there is no such file")
        return sorted(found, key=lambda path: -os.path.getmtime(path))

    def _count(self, path: str, world: World, notes: Notes, counts: Counts) -> bool:
        """Whether it was read to its end."""
        with open_lines(path) as stream:
            for number, line in lines(stream):
                if number % _LOOK == 0 and world.overdue(PART):
                    return False
                if line == "":
                    continue
                entry = self.parse(line) if line else None
                why, text = self._judge(entry, world)
                if why:
                    # A line of a log holds who has asked, too.
                    notes.leave_out(why, f"{os.path.basename(path)} line {number}", text or "no line of this format")
                else:
                    counts.add(text)
        return True

    def _judge(self, entry: Optional[Entry], world: World) -> tuple[str, str]:
        """Why it is left out, empty when it is not, and the path."""
        if entry is None:
            return BAD, ""
        if entry.method != "GET":
            return METHOD, entry.path
        if entry.status and not 200 <= entry.status < 400:
            return STATUS, entry.path
        text = entry.path if self.keep_query else entry.path.partition("?")[0]
        path = world.door.admit(text, recorded=True)
        return (str(path), text) if isinstance(path, Refused) else ("", path)

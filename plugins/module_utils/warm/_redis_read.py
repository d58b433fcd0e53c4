# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Reads the keys of a running Redis with their payloads, the hottest ones where not all are wanted.

Memory does not grow with the number of keys: what is hot is found in two passes over SCAN. The first counts how many
keys, and how many bytes, are how hot; the second takes those that are hot enough.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_file import Entry
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_info import cause_of
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_link import Link, Store

# Keys that SCAN looks at in one step, and that are asked about in one round trip.
_COUNT = 1000

# Bytes of payloads that may come in one round trip.
_PAYLOADS = 4 * 2**20


@dataclass(frozen=True)
class Selection:
    """Which keys are wanted."""

    patterns: Sequence[str] = ("*",)
    exclude: Sequence[str] = ()
    keys: Sequence[str] = ()
    """These alone, without a look at others."""
    max_keys: int | None = None
    max_bytes: int | None = None
    """Of memory, as the server says."""
    max_value_bytes: int | None = None
    """A larger key is left out."""

    @property
    def is_limited(self) -> bool:
        return self.max_keys is not None or self.max_bytes is not None


@dataclass
class Found:
    """What reading has come to."""

    order: str = "none"
    """By what the hottest are found: ``freq``, ``idle`` or ``none``."""
    stopped: str = "complete"
    keys: int = 0
    bytes: int = 0
    large: int = 0
    kinds: dict[str, int] = field(default_factory=dict)


def glob_expression(pattern: str) -> str:
    """The regular expression of a pattern as SCAN knows them."""
    found, position = "", 0
    while position < len(pattern):
        sign = pattern[position]
        position += 1
        if sign == "*":
            found += ".*"
        elif sign == "?":
            found += "."
        elif sign == "\\" and position < len(pattern):
            found += re.escape(pattern[position])
            position += 1
        elif sign == "[":
            piece, position = _bracket(pattern, position)
            found += piece
        else:
            found += re.escape(sign)
    return found


def _bracket(pattern: str, position: int) -> tuple[str, int]:
    """What stands in brackets, from behind the first one; without a last one it reaches to the end."""
    negated = pattern[position : position + 1] == "^"
    position += negated
    signs: list[str] = []
    while position < len(pattern) and pattern[position] != "]":
        if pattern[position] == "\\" and position + 1 < len(pattern):
            position += 1
            signs.append(re.escape(pattern[position]))
        elif pattern[position + 1 : position + 2] == "-" and position + 2 < len(pattern):
            first, last = sorted((pattern[position], pattern[position + 2]))
            signs.append(f"{re.escape(first)}-{re.escape(last)}")
            position += 2
        else:
            signs.append(re.escape(pattern[position]))
        position += 1
    if not signs:
        return ("." if negated else "(?!)"), position + 1
    return f"[{'^' if negated else ''}{''.join(signs)}]", position + 1


def matcher(selection: Selection) -> Callable[[bytes], bool]:
    """Whether a key is wanted by its name."""
    include, exclude = (
        re.compile("|".join(f"(?:{glob_expression(one)})" for one in patterns).encode(), re.DOTALL)
        for patterns in (selection.patterns, selection.exclude)
    )
    everything = "*" in selection.patterns
    if not selection.exclude:
        return lambda key: everything or include.fullmatch(key) is not None
    return lambda key: (everything or include.fullmatch(key) is not None) and exclude.fullmatch(key) is None


def level_of_idle(seconds: int) -> int:
    """How cold a key is: a step for each second at first, later 64 for each doubling, so that there are few steps."""
    seconds = max(seconds, 0)
    shift = max(seconds.bit_length() - 7, 0)
    return 64 * shift + (seconds >> shift)


@dataclass(frozen=True)
class Cut:
    """The coldest level from which keys are taken, and how many of it: all of the hotter ones are."""

    level: int
    keys: int
    bytes: int


def cut_at(levels: Mapping[int, tuple[int, int]], max_keys: int | None, max_bytes: int | None) -> Cut | None:
    """Where to cut, by the numbers of keys and bytes of each level (the smallest is the hottest); None: nowhere."""
    keys_left = float("inf") if max_keys is None else max_keys
    bytes_left = float("inf") if max_bytes is None else max_bytes
    for level in sorted(levels):
        keys, size = levels[level]
        if keys > keys_left or size > bytes_left:
            room = [int(left) if left != float("inf") else 2**62 for left in (keys_left, bytes_left)]
            return Cut(level, *room)
        keys_left -= keys
        bytes_left -= size
    return None


class Reader:
    """Reads keys, and keeps in ``found`` what it has come to. GoneError when the server goes."""

    def __init__(self, store: Store, selection: Selection, deadline: float, doing: str) -> None:
        self.store = store
        self.selection = selection
        self.deadline = deadline
        self.doing = doing
        self.found = Found()
        self.begun = time.monotonic()
        self._wanted = matcher(selection)
        self._absolute = int(store.info.get("redis_version", "0").partition(".")[0]) >= 7
        self._sizes = True
        # Keys and bytes that were taken of the level at which is cut.
        self._edge = [0, 0]

    def count(self) -> int:
        """How many keys there are to take."""
        most = self.selection.max_keys
        total = 0
        for link, names in self._names():
            if self.selection.keys:
                # Of names that were given, not each is there.
                names = [name for name, there in zip(names, self._ask(link, names, b"EXISTS")) if there]
            total += len(names)
            if most is not None and total >= most:
                return most
            if self._is_late():
                break
        return total

    def entries(self) -> Iterator[list[Entry]]:
        """The keys, some at a time."""
        for link in self.store.links:
            # Reading does not make a key hot, where the server knows how (7.2).
            link.ask(b"CLIENT", b"NO-TOUCH", b"ON")
        cut = self._survey() if self.selection.is_limited else None
        for link, names in self._names():
            if self._is_late():
                return
            for entries in self._fetch(link, self._weighed(link, names, cut)):
                taken = self._take(entries)
                if taken:
                    yield taken
                if self.found.stopped != "complete":
                    return
                if self._is_late():
                    return

    def _is_late(self) -> bool:
        if time.monotonic() < self.deadline:
            return False
        self.found.stopped = "budget"
        return True

    def _take(self, entries: Iterable[Entry]) -> list[Entry]:
        """Those for which there is still room."""
        found, most, bytes_most = self.found, self.selection.max_keys, self.selection.max_bytes
        taken = []
        for entry in entries:
            if most is not None and found.keys >= most:
                found.stopped = "max_keys"
                break
            size = entry.size or len(entry.payload)
            if bytes_most is not None and found.bytes + size > bytes_most:
                found.stopped = "max_bytes"
                break
            found.keys += 1
            found.bytes += size
            found.kinds[entry.kind] = found.kinds.get(entry.kind, 0) + 1
            taken.append(entry)
        return taken

    def _names(self) -> Iterator[tuple[Link, list[bytes]]]:
        """The wanted keys, some at a time, and the link that has them."""
        if self.selection.keys:
            places: dict[int, list[bytes]] = {}
            for name in dict.fromkeys(key.encode() for key in self.selection.keys):
                places.setdefault(self.store.place_of(name), []).append(name)
            for place, names in places.items():
                for start in range(0, len(names), _COUNT):
                    yield self.store.links[place], names[start : start + _COUNT]
            return
        # The server leaves out what one pattern does not match; of several it knows nothing.
        match = self.selection.patterns[0] if len(self.selection.patterns) == 1 else "*"
        for link in self.store.links:
            cursor: bytes = b"0"
            while True:
                answer = link.ask(b"SCAN", cursor, b"MATCH", match, b"COUNT", _COUNT)
                if link.is_error(answer):
                    raise self._refused(b"SCAN", answer)
                cursor, names = answer
                wanted = [name for name in dict.fromkeys(names) if self._wanted(name)]
                if wanted:
                    yield link, wanted
                if cursor == b"0":
                    break

    def _refused(self, command: bytes, answer: Any) -> SluiceError:
        return SluiceError(
            self.doing,
            f"{command.decode()} is refused, {cause_of(str(answer)).text}",
            "Allow the user SCAN, TYPE, DUMP, TIME, PTTL and PEXPIRETIME, on these keys",
        )

    def _ask(self, link: Link, names: Sequence[bytes], *command: bytes) -> list[Any]:
        return link.ask_all([[*command, name] for name in names])

    def _sizes_of(self, link: Link, names: Sequence[bytes]) -> list[int]:
        """Bytes that keys take; 0 for all when the server does not tell."""
        if not self._sizes:
            return [0] * len(names)
        answers = self._ask(link, names, b"MEMORY", b"USAGE")
        self._sizes = not all(map(link.is_error, answers))
        return [answer if isinstance(answer, int) else 0 for answer in answers]

    def _levels_of(self, link: Link, names: Sequence[bytes]) -> list[int] | None:
        """How cold keys are; None when the server does not tell. Times count from the beginning of the first pass."""
        if self.found.order == "none":
            return None
        word = b"FREQ" if self.found.order == "freq" else b"IDLETIME"
        answers = self._ask(link, names, b"OBJECT", word)
        if all(map(link.is_error, answers)):
            return None
        if word == b"FREQ":
            return [255 - answer if isinstance(answer, int) else 255 for answer in answers]
        elapsed = int(time.monotonic() - self.begun)
        return [level_of_idle(answer - elapsed) if isinstance(answer, int) else 10**6 for answer in answers]

    def _survey(self) -> Cut | None:
        """Count how many keys are how hot, in half of the time that there is."""
        self.found.order = "freq" if "lfu" in self.store.info.get("maxmemory_policy", "") else "idle"
        middle = (self.begun + self.deadline) / 2
        levels: dict[int, tuple[int, int]] = {}
        for link, names in self._names():
            found = self._levels_of(link, names)
            if found is None:
                self.found.order = "none"
                return None
            sizes = self._sizes_of(link, names) if self.selection.max_bytes is not None else [0] * len(names)
            for level, size in zip(found, sizes):
                keys, total = levels.get(level, (0, 0))
                levels[level] = keys + 1, total + size
            if time.monotonic() > middle:
                break
        return cut_at(levels, self.selection.max_keys, self.selection.max_bytes)

    def _weighed(self, link: Link, names: list[bytes], cut: Cut | None) -> list[tuple[bytes, int]]:
        """The keys that are hot enough, with their sizes."""
        levels = self._levels_of(link, names) if cut else None
        sizes = self._sizes_of(link, names)
        if cut is None or levels is None:
            chosen = list(zip(names, sizes))
        else:
            chosen = []
            for name, size, level in zip(names, sizes, levels):
                if level < cut.level:
                    chosen.append((name, size))
                elif level == cut.level and self._edge[0] < cut.keys and self._edge[1] + size <= cut.bytes:
                    self._edge[0] += 1
                    self._edge[1] += size
                    chosen.append((name, size))
        largest = self.selection.max_value_bytes
        if largest is None:
            return chosen
        small = [(name, size) for name, size in chosen if size <= largest]
        self.found.large += len(chosen) - len(small)
        return small

    def _fetch(self, link: Link, sized: Sequence[tuple[bytes, int]]) -> Iterator[list[Entry]]:
        """The entries of keys, a few megabytes at a time."""
        start = 0
        while start < len(sized):
            end, total = start, 0
            while end < len(sized) and (end == start or total + sized[end][1] <= _PAYLOADS):
                total += sized[end][1] or _PAYLOADS // 64
                end += 1
            yield self._read(link, sized[start:end])
            start = end

    def _read(self, link: Link, sized: Sequence[tuple[bytes, int]]) -> list[Entry]:
        moment = b"PEXPIRETIME" if self._absolute else b"PTTL"
        commands: list[Sequence[bytes]] = [(b"TIME",)]
        for name, _size in sized:
            commands += (b"TYPE", name), (moment, name), (b"DUMP", name)
        clock, *answers = link.ask_all(commands)
        for number, answer in enumerate(answers):
            if link.is_error(answer):
                raise self._refused((b"TYPE", moment, b"DUMP")[number % 3], answer)
        now = 0
        if not self._absolute:
            if link.is_error(clock):
                raise self._refused(b"TIME", clock)
            now = int(clock[0]) * 1000 + int(clock[1]) // 1000
        entries = []
        for number, (name, size) in enumerate(sized):
            kind, end, payload = answers[3 * number : 3 * number + 3]
            # A key that has ended meanwhile, or that is of a type that cannot be written down.
            if isinstance(payload, bytes) and isinstance(end, int) and end != -2:
                entries.append(Entry(name, kind.decode(), now + end if end >= 0 else 0, size, payload))
        return entries

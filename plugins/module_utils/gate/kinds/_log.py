# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Checks that count the lines of log files, or of the journal of a systemd unit, which match a pattern."""

from __future__ import annotations

import json
import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import write_atomic
from ansible_collections.sluice.release.plugins.module_utils._runner import REDACTED, SubprocessRunner, redact, tail
from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Sample
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._kind import (
    VALUE,
    WINDOW,
    Begin,
    Kind,
    Raw,
    one_line,
    value_problems,
)
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._tail import Follower, LostError

_VALUES = ("count", "window_count", "rate_per_minute")

_PRIORITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")

# Of a line no more is looked at: it bounds what an expression can cost.
_REACH = 16 * 1024

# Of a line no more is shown.
_SHOWN = 120

# Bytes that journalctl may write at one look.
_MAX_OUTPUT = 64 * 1024 * 1024

# How journalctl tells where it has ended.
_CURSOR = "-- cursor: "

# What journalctl says when it does not see the journal, though it ends well.
_UNREADABLE = ("insufficient permissions", "not seeing messages", "No journal files")

# What stands behind these words in a log line is nobody's business.
_SECRET = re.compile(
    r"""(?ix) ( (?: pass(?:word|wd|phrase)? | pwd | secret | token | api[_-]?key | access[_-]?key | private[_-]?key
    | authorization | cookie | session(?:_?id)? | credentials? ) ["']? \s* [:=] \s* (?: (?:bearer|basic) \s+ )? ["']? )
    [^\s"',;&]+"""
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.+/=~-]{6,}|\beyJ[\w-]+\.[\w-]+\.[\w-]*")


def conceal(line: str) -> str:
    """A line as it may be shown: what looks like a secret is replaced, and it is shortened to 120 characters."""
    text = _SECRET.sub(rf"\g<1>{REDACTED}", redact(line))
    text = " ".join(_BEARER.sub(REDACTED, text).split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


@dataclass(frozen=True)
class Pattern:
    """Which lines count: those that the expression matches anywhere, but none that ``exclude`` matches."""

    pattern: str
    exclude: str | None = None

    def counter(self) -> Callable[[str], bool]:
        """What says whether a line counts."""
        matches = re.compile(self.pattern).search
        if self.exclude is None:
            return lambda line: matches(line) is not None
        excluded = re.compile(self.exclude).search
        return lambda line: matches(line) is not None and excluded(line) is None


@dataclass(frozen=True)
class Answer:
    """What the new lines of a look hold, or why they could not be read."""

    counts: Mapping[Pattern, int] = field(default_factory=dict)
    first: Mapping[Pattern, str] = field(default_factory=dict, repr=False)
    """The first line that matched, as it may be shown."""
    unread: int = 0
    """Bytes for which the time was too short. The next look goes on with them."""
    error: str = ""


class _Tally:
    """Counts the lines of one look."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._counters = [(pattern, pattern.counter()) for pattern in patterns]
        self.counts = dict.fromkeys(patterns, 0)
        self.first: dict[Pattern, str] = {}

    def take(self, line: str) -> None:
        line = line[:_REACH]
        for pattern, counts in self._counters:
            if counts(line):
                self.counts[pattern] += 1
                if pattern not in self.first:
                    self.first[pattern] = conceal(line)


class _Source(Protocol):
    """Where lines come from, and how far they have been read."""

    def read(self, take: Callable[[str], None], deadline: float) -> int:
        """Pass on what is new, and return the bytes that are left. LostError when it cannot be read."""

    def position(self) -> Any:
        """What a later gate goes on from."""


class _Place:
    """A source that goes on where an earlier gate has ended."""

    def __init__(self, log: Log) -> None:
        self.log = log
        kept = self._kept()
        self.source: _Source = _Files(log, kept) if log.paths else _Journal(log, kept)

    def _kept(self) -> Any:
        path = self.log.position_file
        if not path or not os.path.exists(path):
            return None
        try:
            with open(path, encoding="utf-8") as stream:
                return json.load(stream)["position"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LostError(f"its position cannot be read from {path}") from error

    def keep(self) -> None:
        """Write the position down for the next gate."""
        if not self.log.position_file or self.log.look_only:
            return
        try:
            os.makedirs(os.path.dirname(os.path.abspath(self.log.position_file)), mode=0o700, exist_ok=True)
            write_atomic(self.log.position_file, json.dumps({"position": self.source.position()}))
        except OSError as error:
            raise LostError(f"its position cannot be kept in {self.log.position_file} ({error.strerror})") from error


class _Files:
    def __init__(self, log: Log, kept: Any) -> None:
        self._follower = Follower(log.paths, from_start=log.since == "start")
        if kept is not None:
            try:
                self._follower.resume(kept)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise LostError(f"{log.position_file} holds no position of files") from error

    def read(self, take: Callable[[str], None], deadline: float) -> int:
        try:
            return self._follower.look(take, deadline)
        except OSError as error:  # it has gone, or its disk has, under our hands
            raise LostError(f"{error.filename or 'a file'} cannot be read ({error.strerror})") from error

    def position(self) -> Any:
        return self._follower.position()


class _Journal:
    def __init__(self, log: Log, kept: Any) -> None:
        self.log = log
        self._cursor = kept if isinstance(kept, str) else None
        self._since: list[str] = []
        if kept is not None and self._cursor is None:
            raise LostError(f"{log.position_file} holds no position of the journal")
        self._begun = False

    def read(self, take: Callable[[str], None], deadline: float) -> int:
        if not self._begun:
            self._begin(deadline)
            self._begun = True
        after = [f"--after-cursor={self._cursor}"] if self._cursor else self._since
        words = ["--output=json", "--output-fields=MESSAGE", f"--unit={self.log.unit}", *after]
        if self.log.priority:
            words.append(f"--priority={self.log.priority}")
        for line in self._ask(words, deadline).splitlines():
            try:
                entry = json.loads(line)
                self._cursor = str(entry["__CURSOR"])
            except (ValueError, KeyError, TypeError) as error:
                raise LostError("journalctl wrote something that is no entry") from error
            for text in message_of(entry).splitlines() or [""]:
                take(text)
        return 0

    def _begin(self, deadline: float) -> None:
        """Make sure that the journal may be read, and find where to begin: after the last entry, whosever that is."""
        begun = time.time()
        # With JSON journalctl keeps to itself that it sees no journal.
        told = self._ask(["--lines=1", "--show-cursor"], deadline)
        if self._cursor is not None:
            return
        last = next((line for line in told.splitlines() if line.startswith(_CURSOR)), None)
        if self.log.since == "start":
            self._since = ["--boot"]
        elif last is not None:
            self._cursor = last[len(_CURSOR) :].strip()
        else:
            self._since = [f"--since=@{begun:.0f}"]

    def _ask(self, words: list[str], deadline: float) -> str:
        runner = SubprocessRunner(max_output=_MAX_OUTPUT)
        try:
            done = runner(
                ["journalctl", "--no-pager", *words],
                env={"LC_ALL": "C"},
                timeout=max(0.1, deadline - time.monotonic()),
            )
        except SluiceError as error:
            raise LostError(f"journalctl cannot be asked: {error.cause}") from error
        said = one_line(tail(done.stderr, 2))
        # To somebody who may not read it the journal is empty, which is not the same as a journal without errors.
        if done.rc != 0 or any(words in done.stderr for words in _UNREADABLE):
            raise LostError(f"journalctl says: {said or f'status {done.rc}'}")
        return done.stdout

    def position(self) -> Any:
        return self._cursor


def message_of(entry: Mapping[str, Any]) -> str:
    """The text of an entry of the journal, which spells what is no UTF-8 as a list of bytes."""
    message = entry.get("MESSAGE")
    if isinstance(message, list):
        return bytes(message).decode("utf-8", "replace")
    return message if isinstance(message, str) else ""


@dataclass
class _Reader:
    """What a log keeps between two looks."""

    place: _Place | None = None


@dataclass(frozen=True)
class Log:
    """The new lines of some files or of a unit. Checks of the same lines share a look at them."""

    paths: tuple[str, ...] = ()
    unit: str | None = None
    priority: str | None = None
    since: str = "begin"
    position_file: str | None = None
    patterns: tuple[Pattern, ...] = ()
    """Of all checks that share it."""
    timeout: float = 5.0
    look_only: bool = False
    """Check mode: no position is written."""
    _reader: _Reader = field(default_factory=_Reader, compare=False, repr=False)

    def ask(self) -> Answer:
        """Read on, for ``timeout`` seconds at most. Never raises for what the files and the journal are."""
        deadline = time.monotonic() + self.timeout
        tally = _Tally(self.patterns)
        try:
            if self._reader.place is None:
                self._reader.place = _Place(self)
            place = self._reader.place
            unread = place.source.read(tally.take, deadline)
            place.keep()
        except LostError as error:
            # What was read before that is counted all the same.
            return Answer(tally.counts, tally.first, error=one_line(str(error)))
        return Answer(tally.counts, tally.first, unread)


class _Log:
    def __init__(self, check: Check, value: str, pattern: Pattern, show: bool) -> None:
        self.check, self.value, self.pattern, self.show = check, value, pattern, show
        self._total = 0
        self._first = ""
        self._warm = False
        self._since: float | None = None
        self._seen: deque[tuple[float, int]] = deque()

    def sample(self, t: float, answer: Answer) -> Sample | None:
        new = answer.counts.get(self.pattern, 0)
        self._count(t, new, answer.first.get(self.pattern, ""))
        if answer.error:
            return Sample(t, None, answer.error)
        if answer.unread:
            left = f"{answer.unread / 1024**2:.0f} MB"
            return Sample(t, None, f"{left} are still to be read; a longer timeout reads more at once")
        value = self._value(t)
        if value is None:
            return None
        note = f"the first was: {self._first}" if self.show and self._first and self._total else ""
        return Sample(t, value * self.check.scale, note)

    def _count(self, t: float, new: int, first: str) -> None:
        grace = self.check.limits.grace
        if not self._warm and t >= grace:
            self._warm = True
            if grace:
                # What was written in the warm-up is not to be judged.
                self._total, self._first, new = 0, "", 0
                self._seen.clear()
                self._since = None
        self._total += new
        self._first = self._first or first
        if self._since is None:
            # What the first look finds may be of any age, so it has no part in what is counted by time.
            self._since = t
        elif new:
            self._seen.append((t, new))
        while self._seen and self._seen[0][0] <= t - self.check.window:
            self._seen.popleft()

    def _value(self, t: float) -> float | None:
        if self.value == "count":
            return float(self._total)
        span = min(self.check.window, t - (self._since or 0.0))
        if span <= 0:
            return None
        recent = sum(new for _t, new in self._seen)
        return float(recent) if self.value == "window_count" else 60.0 * recent / span


def _expression_problems(raw: Raw) -> Iterator[str]:
    for option in ("pattern", "exclude"):
        try:
            re.compile(raw[option] or "")
        except re.error as error:
            yield f"{option} is no regular expression ({error})"


_WHERE = ("paths", "systemd_unit", "priority", "since", "position_file", "timeout")


def _problems(raw: Raw, gate: Raw) -> Iterator[str]:
    if bool(raw["paths"]) == bool(raw["systemd_unit"]):
        yield "it needs either paths or systemd_unit"
    if any(not os.path.isabs(os.path.expanduser(path)) for path in raw["paths"]):
        yield "its paths must be absolute"
    if raw["value"]:
        yield from value_problems(raw, _VALUES)
    if raw["pattern"] is None and not raw["priority"]:
        yield "it has no pattern"
    yield from _expression_problems(raw)
    if raw["priority"] and not raw["systemd_unit"]:
        yield "priority goes with systemd_unit; lines of files have none, so put it into the pattern"
    for other in gate["checks"]:
        same = raw["position_file"] is not None and other["position_file"] == raw["position_file"]
        if same and any(other[option] != raw[option] for option in _WHERE):
            yield f"its position_file is that of {other['name']}, which reads something else"


def _pattern(raw: Raw) -> Pattern:
    return Pattern(raw["pattern"] or "", raw["exclude"])


def _target(raw: Raw, gate: Raw) -> Log:
    same = [check for check in gate["checks"] if all(check[option] == raw[option] for option in ("type", *_WHERE))]
    return Log(
        paths=tuple(os.path.expanduser(path) for path in raw["paths"]),
        unit=raw["systemd_unit"],
        priority=raw["priority"],
        since=raw["since"],
        position_file=raw["position_file"],
        patterns=tuple(dict.fromkeys(map(_pattern, same))),
        timeout=raw["timeout"],
        look_only=bool(gate.get("check_mode")),
    )


def _begin(raw: Raw) -> Begin:
    value, pattern, show = raw["value"] or "count", _pattern(raw), raw["show"]
    return lambda check, _begun: _Log(check, value, pattern, show)


def _two_looks(raw: Raw) -> str:
    if raw["value"] in ("window_count", "rate_per_minute"):
        return str(raw["value"])
    return "a count since the gate began" if raw["since"] == "begin" and not raw["position_file"] else ""


KIND = Kind(
    options={
        **VALUE,
        **WINDOW,
        "paths": {"type": "list", "elements": "str", "default": []},
        "systemd_unit": {"type": "str"},
        "priority": {"type": "str", "choices": list(_PRIORITIES)},
        "pattern": {"type": "str"},
        "exclude": {"type": "str"},
        "since": {"type": "str", "default": "begin", "choices": ["begin", "start"]},
        "position_file": {"type": "path"},
        "show": {"type": "bool", "default": False},
    },
    target=_target,
    begin=_begin,
    problems=_problems,
    unit=lambda raw: "/min" if raw["value"] == "rate_per_minute" else "",
    two_looks=_two_looks,
)

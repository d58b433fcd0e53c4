# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Files of JSON lines, one key on each: {"key": ..., "value": ..., "type": ..., "ttl": ...}."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Union

from ansible_collections.sluice.release.plugins.module_utils.warm._redis_commands import Checked, Command, read_lines

TYPES = ("string", "list", "set", "zset", "hash")

_FIELDS = {"key", "value", "type", "ttl", "expires_at"}


class KeyLine(NamedTuple):
    """One line."""

    key: bytes
    kind: str
    words: list[bytes]
    """What the command that writes it takes."""
    ttl: int | None
    """Milliseconds that it lives from now on."""
    expires: int | None
    """When it ends, in milliseconds since 1970."""


def read_key(line: bytes) -> KeyLine | str:
    """Read a line; what is wrong with it, without a word of what it holds."""
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError):
        return "it is not JSON"
    if not isinstance(raw, dict) or not isinstance(raw.get("key"), str) or "value" not in raw:
        return "it is no object with a key and a value"
    if set(raw) - _FIELDS:
        return "it has more than key, value, type, ttl and expires_at"
    kind = raw.get("type", "string")
    if kind not in TYPES:
        return f"its type is none of {', '.join(TYPES)}"
    words = _words(kind, raw["value"])
    if isinstance(words, str):
        return words
    ttl, expires = raw.get("ttl"), raw.get("expires_at")
    if ttl is not None and (not _is_number(ttl) or ttl <= 0):
        return "its ttl is not a number of seconds above 0"
    if expires is not None and (not _is_number(expires) or expires <= 0 or ttl is not None):
        return "its expires_at is not a Unix time in seconds, or stands beside a ttl"
    try:
        key = raw["key"].encode()
    except UnicodeEncodeError:
        return "its key is not text"
    return KeyLine(key, kind, words, _milliseconds(ttl), _milliseconds(expires))


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else max(1, round(seconds * 1000))


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    # More than a Redis counts milliseconds.
    return math.isfinite(value) and abs(value) < 9e15


def _words(kind: str, value: Any) -> list[bytes] | str:
    parts: list[Any]
    if kind == "string":
        parts = [value]
    elif kind in ("list", "set"):
        if not isinstance(value, list) or not value:
            return f"the value of a {kind} is an array that is not empty"
        parts = value
    elif not isinstance(value, Mapping) or not value:
        return f"the value of a {kind} is an object that is not empty"
    elif kind == "hash":
        parts = [word for pair in value.items() for word in pair]
    elif not all(map(_is_number, value.values())):
        return "a score of a zset is no number"
    else:
        parts = [word for member, score in value.items() for word in (score, member)]
    words = list(map(_word, parts))
    if None in words:
        return f"the value of a {kind} holds what is neither text nor number"
    return [word for word in words if word is not None]


def _word(value: Any) -> Union[bytes, None]:
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError:
            return None
    return json.dumps(value).encode() if _is_number(value) else None


_COMMANDS = {"list": b"RPUSH", "set": b"SADD", "zset": b"ZADD", "hash": b"HSET"}


def commands_of(line: KeyLine, keep: bool) -> list[list[bytes]]:
    """What writes a key, as a whole or not at all. Without ``keep`` it takes the place of one that is there."""
    if line.kind == "string":
        command = [b"SET", line.key, *line.words]
        if line.ttl is not None:
            command += [b"PX", b"%d" % line.ttl]
        if line.expires is not None:
            # Also for servers older than PXAT.
            return _together([command, [b"PEXPIREAT", line.key, b"%d" % line.expires]])
        return [command]
    commands = [] if keep else [[b"UNLINK", line.key]]
    commands.append([_COMMANDS[line.kind], line.key, *line.words])
    if line.ttl is not None:
        commands.append([b"PEXPIRE", line.key, b"%d" % line.ttl])
    if line.expires is not None:
        commands.append([b"PEXPIREAT", line.key, b"%d" % line.expires])
    return _together(commands)


def _together(commands: list[list[bytes]]) -> list[list[bytes]]:
    return [[b"MULTI"], *commands, [b"EXEC"]] if len(commands) > 1 else commands


def check_keys(path: str, go_on: Callable[[], None], named: int) -> Checked:
    """Read a file to its end, and count the lines that are none. BadSourceError when it cannot be read to its end."""
    count, bad, first, number = 0, 0, list[str](), 0
    for lines in read_lines(path):
        go_on()
        for line in lines:
            number += 1
            if not line.strip():
                continue
            count += 1
            found = read_key(line)
            if isinstance(found, str):
                bad += 1
                if len(first) < named:
                    first.append(f"line {number}: {found}")
    return Checked(count, bad, first)


def read_keys(path: str, batch: int, keep: bool, now: Callable[[], int]) -> Iterator[tuple[list[KeyGroup], int]]:
    """The keys of a checked file, some at a time, with the number of those that have ended (``now`` in ms)."""
    for lines in read_lines(path):
        for start in range(0, len(lines), batch):
            groups: list[KeyGroup] = []
            ended = 0
            for line in lines[start : start + batch]:
                found = read_key(line) if line.strip() else ""
                if isinstance(found, KeyLine):
                    if found.expires is not None and found.expires <= now():
                        ended += 1
                    else:
                        groups.append((found.key, commands_of(found, keep)))
            yield groups, ended


KeyGroup = tuple[bytes, Sequence[Command]]

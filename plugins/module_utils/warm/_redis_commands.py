# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Files of commands, as `redis-cli --pipe` takes them: which may be sent, and how they are read.

Only writes that do the same when they come twice are sent, for a preload can be run again. All else is refused by its
line before anything was sent. What a line holds is never told.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple, Union, cast

Command = Sequence[bytes]

MAX_COMMAND = 64 * 2**20
"""Bytes of one command: a longer one is a file that is none of commands."""

HEADS = {b"*3\r\n$3\r\nSET\r\n": 3, b"*5\r\n$3\r\nSET\r\n": 5}
"""How the commands begin of which most files consist, and their words: a SET, and one with a time to live."""

ENDS = {b"EX", b"PX", b"EXAT", b"PXAT"}
"""Words of a SET behind which the end of its key stands."""

# Bytes that are read at once, and that the reader is fed: it moves what it still has after each command.
_BLOCK = 1 << 19
_FEED = 1 << 14

# Bytes of a file that two processes check more quickly than one: starting the second costs as much as some of them.
_LARGE = 16 * 2**20

_NOTHING = object()

# The smallest and largest number of words of each command; None for any number.
_ALLOWED: dict[bytes, tuple[int, Union[int, None]]] = {
    b"SET": (3, None),
    b"SETNX": (3, 3),
    b"SETEX": (4, 4),
    b"PSETEX": (4, 4),
    b"SETRANGE": (4, 4),
    b"SETBIT": (4, 4),
    b"HSET": (4, None),
    b"HMSET": (4, None),
    b"HSETNX": (4, 4),
    b"HEXPIREAT": (6, None),
    b"HPEXPIREAT": (6, None),
    b"SADD": (3, None),
    b"ZADD": (4, None),
    b"GEOADD": (5, None),
    b"PFADD": (2, None),
    b"RESTORE": (4, None),
    b"EXPIRE": (3, 4),
    b"PEXPIRE": (3, 4),
    b"EXPIREAT": (3, 4),
    b"PEXPIREAT": (3, 4),
    b"PERSIST": (2, 2),
}

# Words that change what an allowed command is.
_FORBIDDEN = {b"SET": {b"GET", b"IFEQ"}, b"ZADD": {b"INCR"}}

# Commands whose name a message may tell. Any other first word may be a piece of somebody's data.
_KNOWN = frozenset(
    b"APPEND AUTH BITFIELD BITOP CLIENT CLUSTER CONFIG COPY DEBUG DECR DECRBY DEL DISCARD ECHO EVAL EVALSHA EXEC "
    b"FCALL FLUSHALL FLUSHDB GET GETDEL GETEX GETSET HDEL HELLO HGET HGETALL HINCRBY HINCRBYFLOAT INCR INCRBY "
    b"INCRBYFLOAT INFO KEYS LINSERT LPOP LPUSH LPUSHX LREM LSET LTRIM MGET MIGRATE MODULE MONITOR MOVE MSET MSETNX "
    b"MULTI PFMERGE PING PUBLISH QUIT RENAME RENAMENX RPOP RPOPLPUSH RPUSH RPUSHX SAVE SCRIPT SDIFFSTORE SELECT "
    b"SHUTDOWN SINTERSTORE SMOVE SORT SPOP SREM SUBSCRIBE SUNIONSTORE SWAPDB UNLINK UNWATCH WATCH XADD XDEL XGROUP "
    b"XTRIM ZINCRBY ZPOPMAX ZPOPMIN ZRANGESTORE ZREM ZUNIONSTORE".split()
)

_TOKEN = re.compile(rb"""\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s"']+))(?=\s|$)""", re.DOTALL)
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}


class BadSourceError(Exception):
    """A file cannot be read any further. Its text says where and why."""


class Checked(NamedTuple):
    """What a file holds that was read to its end."""

    commands: int
    bad: int
    named: list[str]
    """The first bad lines, and what is wrong with each."""
    head: bytes | None = None
    """How every command begins, when all begin alike with one of HEADS: then they need not be read a second time."""


def refusal_of(command: Sequence[Any]) -> str | None:
    """Why a command is not sent; None when it is."""
    if not isinstance(command, list) or not command or not all(isinstance(word, bytes) for word in command):
        return "it is no command"
    name = command[0].upper()
    if name not in _ALLOWED:
        told = name.decode() if name in _KNOWN else "this"
        return f"{told} is not among the commands that a preload sends"
    least, most = _ALLOWED[name]
    if len(command) < least or (most is not None and len(command) > most):
        return f"{name.decode()} has the wrong number of words"
    forbidden = _FORBIDDEN.get(name)
    if forbidden and name == b"SET" and any(word.upper() in forbidden for word in command[3:]):
        return "SET with GET or IFEQ is not among the commands that a preload sends"
    # The options of ZADD stand before the first score, which is a number.
    if forbidden and name == b"ZADD" and any(word.upper() in forbidden for word in command[2:6]):
        return "ZADD with INCR does not do the same twice"
    return None


def split_line(line: bytes) -> list[bytes] | None:
    """The words of a line, as a Redis splits it; None when its quotes do not fit."""
    if b'"' not in line and b"'" not in line:
        return line.split()
    words, end = [], 0
    for match in _TOKEN.finditer(line):
        if match.start() != end:
            return None
        end = match.end()
        double, single, plain = match.groups()
        if double is not None:
            words.append(_ESCAPE.sub(_unescape, double) if b"\\" in double else double)
        elif single is not None:
            words.append(single.replace(b"\\'", b"'") if b"\\" in single else single)
        else:
            words.append(plain)
    return words if not line[end:].strip() else None


def _unescape(match: re.Match[bytes]) -> bytes:
    word = match[1]
    return bytes.fromhex(word[1:].decode()) if len(word) > 1 else _ESCAPED.get(word, word)


def once(command: Command) -> list[bytes] | None:
    """The same command so that it leaves a key alone that is there; None when it has no such form."""
    name = command[0].upper()
    if name == b"SET":
        words = {word.upper() for word in command[3:]}
        return None if words & {b"NX", b"XX", b"KEEPTTL"} else [*command, b"NX"]
    if name == b"SETNX":
        return [b"SET", command[1], command[2], b"NX"]
    if name in (b"SETEX", b"PSETEX"):
        return [b"SET", command[1], command[3], b"EX" if name == b"SETEX" else b"PX", command[2], b"NX"]
    if name == b"RESTORE":
        return [word for number, word in enumerate(command) if number < 4 or word.upper() != b"REPLACE"]
    return None


def anew(command: Command) -> Command:
    """The same command so that it takes the place of a key that is there."""
    if command[0].upper() == b"RESTORE" and not any(word.upper() == b"REPLACE" for word in command[4:]):
        return [*command, b"REPLACE"]
    return command


def is_protocol(path: str) -> bool:
    """Whether a file has the commands in the protocol of Redis, and not one on each line."""
    with open(path, "rb") as stream:
        return stream.read(1) == b"*"


def read_commands(path: str, batch: int) -> Iterator[list[Command]]:
    """The commands of a checked file, some at a time. BadSourceError when it is not the file that was checked."""
    read = (commands for commands, _head in _protocol(path)) if is_protocol(path) else _words(path)
    for commands in read:
        for start in range(0, len(commands), batch):
            yield commands[start : start + batch]


def read_bodies(path: str, head: bytes, batch: int) -> Iterator[list[bytes]]:
    """What stands behind each head of a file that was checked and has no other heads, some at a time."""
    rest = b""
    with open(path, "rb", buffering=0) as stream:
        while True:
            block = stream.read(_BLOCK)
            data = rest + block
            cut = data.rfind(head) if block else len(data)
            data, rest = data[:cut], data[cut:]
            bodies = data.split(head)[1:]
            for start in range(0, len(bodies), batch):
                yield bodies[start : start + batch]
            if not block:
                return


def parse_bodies(head: bytes, bodies: Sequence[bytes]) -> list[Command]:
    """The commands that they are."""
    import hiredis

    reader = hiredis.Reader(notEnoughData=_NOTHING)
    reader.feed(head + head.join(bodies))
    return list(iter(reader.gets, _NOTHING))


def check_commands(path: str, go_on: Callable[[], None], named: int) -> Checked:
    """Read a file to its end, and count what may not be sent. BadSourceError when it cannot be read to its end.

    ``go_on`` is called now and then, and may raise what ends the reading.
    """
    check = _check_protocol if is_protocol(path) else _check_lines
    return check(path, go_on, named)


def _check_protocol(path: str, go_on: Callable[[], None], named: int) -> Checked:
    """Check a file in the protocol of Redis; one that is large by two processes, for reading it costs the most.

    A border that lies within a value is found: one of the parts does not end where a command does then.
    """
    border = _border(path)
    if border is not None:
        second_part = _beside(lambda: _check_part(path, go_on, named, border, None))
        with second_part as second, contextlib.suppress(BadSourceError):
            first, rest = _check_part(path, go_on, named, 0, border), second()
            if rest is not None and not (first.bad or rest.bad):
                head = first.head if first.head == rest.head else None
                return Checked(first.commands + rest.commands, 0, [], head)
    # From its beginning, so that what is wrong is named by its number.
    return _check_part(path, go_on, named, 0, None)


def _border(path: str) -> int | None:
    """Where a command begins, as far as one can see, in the middle of a large file; None where two are no quicker."""
    size = os.path.getsize(path)
    if size < _LARGE or len(os.sched_getaffinity(0)) < 2:
        return None
    with open(path, "rb") as stream:
        head = _head_of(stream.read(_BLOCK))
        stream.seek(size // 2)
        found = stream.read(_BLOCK).find(head) if head else -1
    return size // 2 + found if found >= 0 else None


@contextlib.contextmanager
def _beside(work: Callable[[], Checked]) -> Iterator[Callable[[], Checked | None]]:
    """Do the work in a process of its own; what is yielded waits for its result, which is None when it has failed."""
    processes = multiprocessing.get_context("fork")
    ours, its = processes.Pipe(duplex=False)

    def run() -> None:
        with contextlib.suppress(Exception):
            its.send(work())

    def result() -> Checked | None:
        try:
            return cast("Checked", ours.recv())
        except EOFError:
            return None

    process = processes.Process(target=run, daemon=True)
    process.start()
    its.close()
    try:
        yield result
    finally:
        process.kill()
        process.join()
        ours.close()


def _check_part(path: str, go_on: Callable[[], None], named: int, start: int, end: int | None) -> Checked:
    count, bad, first = 0, 0, list[str]()
    # Of thousands of commands few differ in name and number of words, and those two are all that most need.
    passed: set[tuple[bytes, int]] = set()
    heads: set[bytes | None] = set()
    for commands, head in _protocol(path, start, end):
        go_on()
        heads.add(head)
        # What is alike has been looked at.
        if head is None and not _all_passed(commands, passed):
            for number, command in enumerate(commands, count + 1):
                why = refusal_of(command)
                if why is not None:
                    bad += 1
                    if len(first) < named:
                        first.append(f"command {number}: {why}")
                elif command[0] not in _FORBIDDEN or len(command) == 3:
                    passed.add((command[0], len(command)))
        count += len(commands)
    return Checked(count, bad, first, heads.pop() if len(heads) == 1 and not bad else None)


def _all_passed(commands: Sequence[Command], passed: set[tuple[bytes, int]]) -> bool:
    try:
        names, lengths = {command[0] for command in commands}, set(map(len, commands))
    except (IndexError, TypeError):
        return False
    return all((name, length) in passed for name in names for length in lengths) and _are_words(commands)


def _are_words(commands: Sequence[Command]) -> bool:
    """Whether these are lists of words, and nothing else that the protocol knows."""
    return set(map(type, commands)) == {list} and set(map(type, chain.from_iterable(commands))) == {bytes}


def _check_lines(path: str, go_on: Callable[[], None], named: int) -> Checked:
    count, bad, first, number = 0, 0, list[str](), 0
    passed: set[tuple[bytes, int]] = set()
    for lines in read_lines(path):
        go_on()
        for line in lines:
            number += 1
            words = split_line(line)
            if words:
                count += 1
                shape = (words[0], len(words))
                if shape in passed:
                    continue
                why = refusal_of(words)
                if why is None:
                    if words[0] not in _FORBIDDEN or len(words) == 3:
                        passed.add(shape)
                    continue
            elif words is None:
                count += 1
                why = "its quotes do not fit"
            else:
                continue
            bad += 1
            if len(first) < named:
                first.append(f"line {number}: {why}")
    return Checked(count, bad, first)


def read_lines(path: str) -> Iterator[list[bytes]]:
    """The lines of a file, some at a time. BadSourceError for one that does not end."""
    rest, number = b"", 0
    with open(path, "rb", buffering=0) as stream:
        while True:
            block = stream.read(_BLOCK)
            if not block:
                break
            lines = (rest + block).split(b"\n")
            rest = lines.pop()
            number += len(lines)
            if len(rest) > MAX_COMMAND:
                raise BadSourceError(f"line {number + 1} is longer than {MAX_COMMAND // 2**20} MiB")
            if lines:
                yield lines
    if rest:
        yield [rest]


def _words(path: str) -> Iterator[list[Command]]:
    for lines in read_lines(path):
        yield [words for words in map(split_line, lines) if words]


def _head_of(block: bytes) -> bytes | None:
    """The head of the first command, when it is one of those that are known."""
    return next((head for head in HEADS if block.startswith(head)), None)


def _is_alike(block: bytes, head: bytes, commands: list[Command]) -> bool:
    """Whether a block holds just these commands, each behind that head, and none of their words in an odd spelling."""
    return (
        block.count(head) == len(commands)
        and _are_words(commands)
        and set(map(len, commands)) == {HEADS[head]}
        and {command[0] for command in commands} == {b"SET"}
        and (HEADS[head] == 3 or {command[3].upper() for command in commands} <= ENDS)
        and block.startswith(_written(commands[0]))
        and block.endswith(_written(commands[-1]))
        and block.count(b"\r\n$") >= HEADS[head] * len(commands)
    )


def _written(command: Command) -> bytes:
    return b"*%d\r\n" % len(command) + b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in command])


def _protocol(path: str, start: int = 0, end: int | None = None) -> Iterator[tuple[list[Command], bytes | None]]:
    """The commands of a file in the protocol of Redis, and the head of all of them when they are alike.

    ``start`` and ``end`` are the bytes of a part of it. BadSourceError where it is none.
    """
    import hiredis

    reader = hiredis.Reader(notEnoughData=_NOTHING)
    count, waiting, rest = 0, 0, b""
    with open(path, "rb", buffering=0) as stream:
        stream.seek(start)
        while True:
            block = stream.read(_BLOCK if end is None else min(_BLOCK, end - stream.tell()))
            if not block and not rest:
                break
            # What is fed ends where, as far as one can see, a command ends.
            head = _head_of(rest or block)
            cut = block.rfind(head) if head else -1
            rest, block = (block[cut:], rest + block[:cut]) if cut > 0 else (b"", rest + block)
            commands: list[Command] = []
            try:
                for fed in range(0, len(block), _FEED):
                    reader.feed(block, fed, min(_FEED, len(block) - fed))
                    commands += iter(reader.gets, _NOTHING)
            except hiredis.ProtocolError as error:
                where = f"after command {count + len(commands)}"
                raise BadSourceError(f"{where} it is not in the protocol of Redis") from error
            waiting = 0 if commands else waiting + len(block)
            if waiting > MAX_COMMAND:
                raise BadSourceError(f"command {count + 1} is longer than {MAX_COMMAND // 2**20} MiB, or cut")
            count += len(commands)
            if commands:
                yield commands, head if head and _is_alike(block, head, commands) else None
    # A command of which some words are missing is not told from none: the next word tells.
    reader.feed(b"+end\r\n")
    if reader.gets() != b"end":
        raise BadSourceError(f"command {count + 1} is cut")

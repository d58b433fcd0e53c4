# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which commands a preload sends, and how files of them are read."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.warm import _redis_commands
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_batch import pack
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_commands import (
    BadSourceError,
    Checked,
    anew,
    check_commands,
    once,
    parse_bodies,
    read_bodies,
    read_commands,
    refusal_of,
    split_line,
)


def words(text: str) -> list[bytes]:
    return text.encode().split()


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("SET a 1", None),
        ("set a 1 ex 5", None),
        ("SET a 1 KEEPTTL", None),
        ("SET a 1 EX 5 get", "SET with GET or IFEQ"),
        ("SET GET GET", None),
        ("SET a", "SET has the wrong number of words"),
        ("SETEX a 5", "SETEX has the wrong number of words"),
        ("HSET a f v g w", None),
        ("SADD a b", None),
        ("ZADD a 1 b", None),
        ("ZADD a NX CH 1 b", None),
        ("ZADD a incr 1 b", "ZADD with INCR"),
        ("RESTORE a 0 x REPLACE", None),
        ("EXPIREAT a 99", None),
        ("PEXPIREAT a 99 GT", None),
        ("PERSIST a b", "PERSIST has the wrong number"),
        ("INCR a", "INCR is not among"),
        ("rpush a b", "RPUSH is not among"),
        ("EVAL x 0", "EVAL is not among"),
        ("FLUSHALL", "FLUSHALL is not among"),
        ("SELECT 1", "SELECT is not among"),
        ("p4ssword: x", "this is not among"),
    ],
)
def test_only_what_does_the_same_twice_is_sent(command: str, why: str | None) -> None:
    found = refusal_of(words(command))
    assert found == why if why is None else found is not None and found.startswith(why)


@pytest.mark.parametrize("command", [None, [], b"OK", 5, [b"SET", b"a", None], [b"SET", b"a", 5], [[b"SET"]]])
def test_what_is_no_command_is_refused(command: Any) -> None:
    assert refusal_of(command) == "it is no command"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"SET a 1", [b"SET", b"a", b"1"]),
        (b"  SET\ta  1 \r", [b"SET", b"a", b"1"]),
        (b"", []),
        (rb'SET "a b" "c\"d\x00\n\\"', [b"SET", b"a b", b'c"d\x00\n\\']),
        (rb"SET 'a b' 'it\'s \n'", [b"SET", b"a b", rb"it's \n"]),
        (b"SET a ''", [b"SET", b"a", b""]),
        (b'SET a "', None),
        (b'SET a "b"c', None),
        (b'SET a b"c"', None),
        (b"SET a 'b' ' ", None),
    ],
)
def test_a_line_is_split_as_a_server_splits_it(line: bytes, expected: list[bytes] | None) -> None:
    assert split_line(line) == expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("SET a 1", "SET a 1 NX"),
        ("SET a 1 EX 5", "SET a 1 EX 5 NX"),
        ("SET a 1 XX", None),
        ("SET a 1 nx", None),
        ("SETNX a 1", "SET a 1 NX"),
        ("SETEX a 5 1", "SET a 1 EX 5 NX"),
        ("psetex a 5 1", "SET a 1 PX 5 NX"),
        ("RESTORE a 0 x ABSTTL replace", "RESTORE a 0 x ABSTTL"),
        ("RESTORE REPLACE 0 REPLACE", "RESTORE REPLACE 0 REPLACE"),
        ("HSET a f v", None),
        ("EXPIRE a 5", None),
    ],
)
def test_the_form_that_leaves_a_key_alone(command: str, expected: str | None) -> None:
    found = once(words(command))
    assert found == (None if expected is None else words(expected))


def test_the_form_that_replaces() -> None:
    assert anew(words("RESTORE a 0 x")) == words("RESTORE a 0 x REPLACE")
    assert anew(words("RESTORE a 0 x replace")) == words("RESTORE a 0 x replace")
    assert anew(words("SET a 1")) == words("SET a 1")


def wire(*commands: str) -> bytes:
    return pack([words(command) for command in commands])


HEAD = "*3\r\n$3\r\nSET\r\n"


@pytest.mark.parametrize(
    ("commands", "alike"),
    [
        ([["SET", "a", "1"]] * 40, True),
        ([["SET", "a", "1", "EX", "5"]] * 40, True),
        ([["SET", "a", "1"]] * 40 + [["SET", "a", "1", "EX", "5"]], False),
        ([["SET", "a", "1", "GT", "5"]] * 40, False),
        ([["set", "a", "1"]] * 40, False),
        # Values that look like the beginning of a command.
        ([["SET", "a", f"x{HEAD}"]] * 40, False),
        ([["SET", "a", f"{HEAD}$1\r\nb\r\n$1\r\n1\r\n"]] * 40, False),
        ([["SET", "a", "1\n+"]] * 40, True),
        ([["SADD", "a", HEAD]] * 40, False),
    ],
)
@pytest.mark.parametrize("block", [60, 333, 2**20])
def test_what_stands_in_a_file_is_sent_as_it_is(
    tmp_path: Path, commands: list[list[str]], alike: bool, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_redis_commands, "_BLOCK", block)
    path = tmp_path / "commands"
    split = [[word.encode() for word in command] for command in commands]
    path.write_bytes(pack(split))
    found = check_commands(str(path), lambda: None, 5)
    assert (found.commands, found.bad) == (len(split), 0)
    assert [command for part in read_commands(str(path), 7) for command in part] == split
    if block == 2**20 or not alike:
        assert (found.head is not None) is alike
    if found.head is not None:
        bodies = list(read_bodies(str(path), found.head, 7))
        assert max(map(len, bodies)) <= 7
        assert [command for part in bodies for command in parse_bodies(found.head, part)] == split
        assert found.head.join([b"", *(body for part in bodies for body in part)]) == path.read_bytes()


@pytest.mark.parametrize("form", ["protocol", "lines"])
def test_a_file_is_checked_and_read_in_batches(tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Blocks so small that commands lie across their edges.
    monkeypatch.setattr(_redis_commands, "_BLOCK", 37)
    monkeypatch.setattr(_redis_commands, "_FEED", 11)
    commands = [f"SET key:{number} {'v' * number}v" for number in range(50)]
    path = tmp_path / "commands"
    path.write_bytes(wire(*commands) if form == "protocol" else "\n\n".join(commands).encode())
    asked: list[int] = []
    assert check_commands(str(path), lambda: asked.append(1), 5)[:3] == (50, 0, [])
    assert asked
    batches = list(read_commands(str(path), 3))
    assert max(map(len, batches)) <= 3
    assert [b" ".join(command).decode() for part in batches for command in part] == commands


def test_bad_commands_are_counted_and_the_first_ones_named(tmp_path: Path) -> None:
    path = tmp_path / "commands"
    path.write_bytes(wire("SET a 1", "INCR b", "SET a 1 GET", "SET a 1", "GET b", "DEL c"))
    incr, get = ("is not among the commands that a preload sends",) * 2
    assert check_commands(str(path), lambda: None, 2) == Checked(
        6, 4, [f"command 2: INCR {incr}", f"command 3: SET with GET or IFEQ {get}"]
    )


SET = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\nvv\r\n"
SET_WITH_END = b"*5\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\nvv\r\n$2\r\nEX\r\n$2\r\n60\r\n"
DELETE = b"*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n"
# A value that holds what looks like a hundred commands.
DECEIVER = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%b\r\n" % (100 * len(SET), 100 * SET)


@pytest.mark.parametrize(
    ("content", "in_parts"),
    [
        pytest.param(100 * SET, True, id="alike"),
        pytest.param(100 * SET_WITH_END, True, id="alike with an end"),
        pytest.param(60 * SET_WITH_END + 60 * SET, True, id="two forms"),
        pytest.param(DELETE + 100 * SET, False, id="bad at the beginning"),
        pytest.param(100 * SET + DELETE, True, id="bad at the end"),
        pytest.param(30 * SET + DELETE + 70 * SET, True, id="bad in the first part"),
        pytest.param(100 * SET + b"*3\r\n", True, id="cut"),
        pytest.param(100 * SET + b"+OK\r\n", True, id="no command"),
        pytest.param(100 * SET + b"!?\r\n", True, id="no protocol"),
        pytest.param(SET + DECEIVER + SET, True, id="a border within a value"),
        pytest.param(100 * DELETE, False, id="none of the heads"),
    ],
)
def test_two_processes_find_what_one_finds(
    tmp_path: Path, content: bytes, in_parts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "commands"
    path.write_bytes(content)

    def found() -> Checked | str:
        try:
            return check_commands(str(path), lambda: None, 5)
        except BadSourceError as error:
            return str(error)

    expected = found()
    monkeypatch.setattr(_redis_commands, "_LARGE", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
    asked = []
    whole = _redis_commands._check_part
    monkeypatch.setattr(_redis_commands, "_check_part", lambda *args: asked.append(args[3:]) or whole(*args))
    assert found() == expected
    assert (asked[0] != (0, None)) == in_parts


def test_the_end_of_the_time_ends_both_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "commands"
    path.write_bytes(100 * SET)
    monkeypatch.setattr(_redis_commands, "_LARGE", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})

    def too_late() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        check_commands(str(path), too_late, 5)
    assert multiprocessing.active_children() == []


def test_a_line_without_an_end_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_redis_commands, "MAX_COMMAND", 2**20)
    path = tmp_path / "commands"
    path.write_bytes(b"SET a 1\n" + b"x" * 2**22)
    with pytest.raises(BadSourceError, match="line 2 is longer than 1 MiB"):
        check_commands(str(path), lambda: None, 5)
    path.write_bytes(wire("SET a 1") + b"*3\r\n$3\r\nSET\r\n$99999999\r\n" + b"x" * 2**22)
    with pytest.raises(BadSourceError, match="command 2 is longer than 1 MiB, or cut"):
        check_commands(str(path), lambda: None, 5)

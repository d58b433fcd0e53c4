# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a loader makes of the answers of a server: counts, second attempts, and the word with which it stops."""

from __future__ import annotations

import time
from typing import Any

import hiredis
import pytest

from ansible_collections.sluice.release.plugins.module_utils.warm._redis_batch import Batch
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_link import Access, Store
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_load import Loader, Remembered, StopError

OOM = "OOM command not allowed when used memory > 'maxmemory'."


def info(used: int = 50, evicted: int = 0) -> list[bytes]:
    return [b"used_memory:%d\r\nmaxmemory:100000000\r\n" % used, b"evicted_keys:%d\r\n" % evicted]


class Link:
    """A server that gives the answers that it was told, and remembers what it was sent."""

    name = "127.0.0.1:6379"

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.sent: list[bytes] = []

    def ask(self, *words: Any) -> Any:
        return b"".join(info())

    def ask_all(self, commands: Any) -> list[Any]:
        """Of all keys that are asked for only this one is there."""
        assert {command for command, _name in commands} == {b"EXISTS"}
        return [int(name == b"hot") for _command, name in commands]

    def send(self, data: bytes) -> None:
        self.sent.append(data.partition(b"*2\r\n$4\r\nINFO")[0])

    def receive(self, count: int) -> list[Any]:
        taken, self.answers = self.answers[:count], self.answers[count:]
        assert len(taken) == count
        return taken

    def is_error(self, answer: Any) -> bool:
        return isinstance(answer, hiredis.ReplyError)


def loader(link: Any, *, keep: bool = True, errors_max: int = 100) -> Loader:
    store = Store(Access("redis://127.0.0.1"), [link], {}, None)
    made = Loader(store, keep=keep, share=90, deadline=time.monotonic() + 600, errors_max=errors_max)
    made.begin()
    return made


def restores(*keys: bytes) -> Batch:
    return Batch(list(keys), [[b"RESTORE", key, b"0", b"x"] for key in keys], None, harmless=True)


def sets(*keys: bytes) -> Batch:
    return Batch(list(keys), [[b"SET", key, b"1"] for key in keys])


@pytest.mark.parametrize(
    ("answers", "written", "kept", "failed", "word"),
    [
        ([b"OK", b"OK", *info()], 2, 0, 0, None),
        ([b"OK", "BUSYKEY Target key name already exists.", *info()], 1, 1, 0, None),
        ([b"OK", "ERR DUMP payload version or checksum are wrong", *info()], 1, 0, 1, None),
        ([b"OK", OOM, *info()], 1, 0, 1, "refused"),
        ([OOM, OOM, *info(evicted=1)], 0, 0, 2, "refused"),
        ([b"OK", "READONLY You can't write against a read only replica.", *info()], 1, 0, 1, "errors"),
        ([b"OK", b"OK", *info(evicted=1)], 2, 0, 0, "evictions"),
        ([b"OK", b"OK", *info(used=90_000_000)], 2, 0, 0, "memory"),
        (["ERR value is not an integer", "WRONGTYPE Operation", *info()], 0, 0, 2, "errors"),
        ([b"OK", b"OK", "NOPERM this user has no permissions", b""], 2, 0, 0, "errors"),
    ],
)
def test_answers_are_counted(answers: list[Any], written: int, kept: int, failed: int, word: str | None) -> None:
    link = Link(*(hiredis.ReplyError(answer) if isinstance(answer, str) else answer for answer in answers))
    one = loader(link, errors_max=2)
    one.load(restores(b"a", b"b"))
    stopped = None
    try:
        one.drain()
    except StopError as stop:
        stopped = stop.word
    assert stopped == word
    assert (one.counts.written, one.counts.kept, one.counts.failed) == (written, kept, failed)


def test_a_group_that_is_not_written_is_sent_key_by_key() -> None:
    link = Link(0, *info(), b"OK", None, *info())
    one = loader(link)
    one.load(sets(b"a", b"b"))
    one.drain()
    assert (one.counts.written, one.counts.kept) == (1, 1)
    assert [data.count(word) for data, word in zip(link.sent, (b"MSETNX", b"NX"), strict=True)] == [1, 2]
    # Where much is there, groups are no longer tried.
    link.answers = [b"OK", b"OK", *info()]
    one.load(sets(b"c", b"d"))
    one.drain()
    assert b"MSETNX" not in link.sent[-1]


def test_a_group_that_is_refused_for_its_command_is_sent_key_by_key() -> None:
    link = Link(hiredis.ReplyError("NOPERM this user has no permissions to run 'mset'"), *info(), b"OK", b"OK", *info())
    one = loader(link, keep=False)
    one.load(sets(b"a", b"b"))
    one.drain()
    assert (one.counts.written, one.counts.failed) == (2, 0)


def test_what_comes_later_of_a_key_goes_where_the_first_went() -> None:
    commands = [[b"HSET", b"mine", b"f", b"1"], [b"HSET", b"hot", b"f", b"1"], [b"EXPIRE", b"mine", b"5"]]
    link = Link(1, 1, *info(), 1, *info())
    one = loader(link)
    one.load(Batch([command[1] for command in commands], commands))
    later = [[b"HSET", b"hot", b"g", b"1"], [b"HSET", b"mine", b"g", b"1"]]
    one.load(Batch([command[1] for command in later], later))
    one.drain()
    assert (one.counts.written, one.counts.kept, link.answers) == (1, 1, [])
    assert b"hot" not in b"".join(link.sent)
    assert [data.count(b"mine") for data in link.sent] == [2, 1]


def test_what_an_update_in_one_piece_says_counts_for_its_key() -> None:
    refused = hiredis.ReplyError("ERR value is not a valid float")
    aborted = hiredis.ReplyError("EXECABORT Transaction discarded because of previous errors.")
    commands = [[b"MULTI"], [b"ZADD", b"a", b"x", b"m"], [b"EXEC"], [b"MULTI"], [b"SADD", b"b", b"m"], [b"EXEC"]]
    link = Link(b"OK", refused, aborted, b"OK", b"QUEUED", [1], *info())
    one = loader(link, keep=False)
    one.load(Batch([b"a"] * 3 + [b"b"] * 3, commands))
    one.drain()
    assert (one.counts.written, one.counts.failed) == (1, 1)
    assert [cause.name for cause in one.counts.causes] == ["value"]


def test_time_and_memory_are_looked_at_before_anything_is_sent() -> None:
    link = Link()
    one = loader(link)
    one.deadline = time.monotonic()
    with pytest.raises(StopError, match="the time is over"):
        one.load(sets(b"a"))
    one.deadline += 600
    big = Batch([b"a"], [[b"SET", b"a", b"x" * 60_000_000]])
    with pytest.raises(StopError, match="more would cross 90 % of maxmemory") as stop:
        one.load(big)
    assert (stop.value.word, link.sent) == ("memory", [])


def test_keys_are_remembered_for_a_while() -> None:
    remembered = Remembered(most=4)
    assert remembered.unknown([b"a", b"b", b"a"]) == {b"a", b"b"}
    remembered.note([b"a", b"b"], there=True)
    remembered.note([b"c"], there=False)
    assert remembered.unknown([b"a", b"c", b"d"]) == {b"d"}
    assert (remembered.was_there(b"a"), remembered.was_there(b"c")) == (True, False)
    for number in range(20):
        remembered.note([b"%d" % number], there=False)
    assert remembered.unknown([b"a", b"19"]) == {b"a"}

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches of commands, and the forms in which they go over the wire."""

from __future__ import annotations

import pytest

from ansible_collections.sluice.release.plugins.module_utils.warm._redis_batch import (
    Alike,
    Batch,
    pack,
    pack_groups,
    pack_once,
    pack_plain,
)


def words(text: str) -> list[bytes]:
    return text.encode().split()


def wire(*commands: str) -> bytes:
    return pack([words(command) for command in commands])


def batch(*commands: str, raw: bool = False) -> Batch | Alike:
    split = [words(command) for command in commands]
    if raw:
        head = b"*%d\r\n$3\r\nSET\r\n" % len(split[0])
        return Alike(head, pack(split).split(head)[1:])
    return Batch([command[1] for command in split], split)


@pytest.mark.parametrize("raw", [False, True])
def test_commands_go_over_the_wire(raw: bool) -> None:
    sets = batch("SET a 1", "SET bb 22", raw=raw)
    assert pack_plain(sets) == wire("SET a 1") + b"*3\r\n$3\r\nSET\r\n$2\r\nbb\r\n$2\r\n22\r\n"
    assert pack_once(sets) == wire("SET a 1 NX", "SET bb 22 NX")
    assert pack_once(batch("SET a 1 EX 5", "SET b 1 px 5", raw=raw)) == wire("SET a 1 EX 5 NX", "SET b 1 px 5 NX")
    assert pack_once(batch("SETEX a 5 1")) == wire("SET a 1 EX 5 NX")
    assert pack_once(batch("SET a 1 EX 5", "SET a 1 KEEPTTL NX")) is None
    assert pack_once(batch("SET a 1", "SADD a 1")) is None
    assert pack_groups(sets, b"MSETNX") == wire("MSETNX a 1 bb 22")
    many = batch(*(f"SET k{number} v" for number in range(40)), raw=raw)
    first, rest = (" ".join(f"k{number} v" for number in part) for part in (range(32), range(32, 40)))
    assert pack_groups(many, b"MSET") == wire(f"MSET {first}", f"MSET {rest}")
    assert pack_groups(batch("SET a 1 NX"), b"MSET") is None
    assert pack_groups(batch("SADD a 1"), b"MSET") is None


@pytest.mark.parametrize(
    ("keys", "sizes"),
    [("abcd", [2, 2]), ("aabb", [2, 2]), ("aaab", [3, 1]), ("abbb", [1, 3]), ("aaaa", [4]), ("a", [1])],
)
def test_a_batch_is_halved_between_two_keys(keys: str, sizes: list[int]) -> None:
    names = [key.encode() for key in keys]
    batch = Batch(names, [[b"SADD", name, b"x"] for name in names], list(range(len(names))))
    halves = batch.halves()
    assert [len(half.keys) for half in halves] == sizes
    assert [weight for half in halves for weight in half.weights or []] == list(range(len(names)))

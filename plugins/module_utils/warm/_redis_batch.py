# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Batches of commands, and the forms in which they go over the wire. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ansible_collections.sluice.release.plugins.module_utils.warm._redis_commands import (
    HEADS,
    Command,
    once,
    parse_bodies,
)
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_link import pack_words

# Keys that are written by one MSETNX or MSET: a server takes them nearly twice as quickly as one by one.
GROUP = 32

_NX = b"$2\r\nNX\r\n"


class Batch(NamedTuple):
    """Commands, each with the key that it is for; those of one key stand together."""

    keys: list[bytes]
    commands: Sequence[Command]
    weights: list[int] | None = None
    """Bytes that each takes in memory, where that is known."""
    harmless: bool = False
    """Whether each command by itself leaves a key alone that is to be kept."""

    @property
    def size(self) -> int:
        return len(self.keys)

    def part(self, start: int, end: int) -> Batch:
        weights = self.weights[start:end] if self.weights is not None else None
        return Batch(self.keys[start:end], self.commands[start:end], weights, self.harmless)

    def halves(self) -> list[Batch]:
        """Two batches, between two keys; one when it holds a single key."""
        middle = len(self.keys) // 2
        for split in (*range(middle, 0, -1), *range(middle + 1, len(self.keys))):
            if self.keys[split] != self.keys[split - 1]:
                return [self.part(0, split), self.part(split, len(self.keys))]
        return [self]


class Alike:
    """SETs of a file that all begin alike, as they stand there: what they hold is only read when something is wrong."""

    weights = None
    harmless = False

    def __init__(self, head: bytes, bodies: list[bytes]) -> None:
        self.head = head
        self.bodies = bodies

    @property
    def size(self) -> int:
        return len(self.bodies)

    @property
    def words(self) -> int:
        return HEADS[self.head]

    def part(self, start: int, end: int) -> Alike:
        return Alike(self.head, self.bodies[start:end])

    def halves(self) -> list[Alike]:
        middle = self.size // 2
        return [self.part(0, middle), self.part(middle, self.size)] if middle else [self]

    def parsed(self) -> Batch:
        commands = parse_bodies(self.head, self.bodies)
        return Batch([command[1] for command in commands], commands)

    @property
    def keys(self) -> list[bytes]:
        return self.parsed().keys


def picked(batch: Batch, numbers: Sequence[int]) -> Batch:
    """The commands of a batch at these places."""
    weights = None if batch.weights is None else [batch.weights[number] for number in numbers]
    return batch._replace(
        keys=[batch.keys[number] for number in numbers],
        commands=[batch.commands[number] for number in numbers],
        weights=weights,
    )


def pack(commands: Sequence[Command]) -> bytes:
    """Commands as they go over the wire."""
    if set(map(len, commands)) == {3}:
        return b"".join(
            [
                b"*3\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(name), name, len(key), key, len(value), value)
                for name, key, value in commands
            ]
        )
    return pack_words(commands)


def pack_once(batch: Batch | Alike) -> bytes | None:
    """A batch so that each command leaves a key alone that is there; None when one of them has no such form."""
    if isinstance(batch, Alike):
        head = b"*%d\r\n$3\r\nSET\r\n" % (batch.words + 1)
        return head + (_NX + head).join(batch.bodies) + _NX
    found = []
    for command in batch.commands:
        form = once(command)
        if form is None:
            return None
        found.append(form)
    return pack(found)


def pack_groups(batch: Batch | Alike, name: bytes) -> bytes | None:
    """SETs as MSETNX or MSET, which write several keys; None when there are other commands, or SETs with options."""
    if isinstance(batch, Alike):
        if batch.words != 3:
            return None
        # Key and value stand in the file as they are sent.
        pairs = batch.bodies
    else:
        commands = batch.commands
        if set(map(len, commands)) != {3} or {command[0] for command in commands} != {b"SET"}:
            return None
        pairs = [b"$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(key), key, len(value), value) for _set, key, value in commands]
    pieces = []
    for start in range(0, len(pairs), GROUP):
        group = pairs[start : start + GROUP]
        pieces.append(b"*%d\r\n$%d\r\n%b\r\n" % (2 * len(group) + 1, len(name), name))
        pieces += group
    return b"".join(pieces)


def pack_plain(batch: Batch | Alike) -> bytes:
    """A batch as it is."""
    return batch.head + batch.head.join(batch.bodies) if isinstance(batch, Alike) else pack(batch.commands)

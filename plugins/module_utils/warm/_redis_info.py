# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a Redis says about itself, and whether more may be written: pure decisions over the text of INFO."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

STOPS = ("complete", "budget", "memory", "evictions", "refused", "gone", "errors")
"""Why a preload has ended. All but the first leave the cache less warm than it was to be."""

_USED = re.compile(rb"^used_memory:(\d+)", re.MULTILINE)
_MAXIMUM = re.compile(rb"^maxmemory:(\d+)", re.MULTILINE)
_EVICTED = re.compile(rb"^evicted_keys:(\d+)", re.MULTILINE)

# What an entry takes in memory for each byte that is sent, until it was measured.
_FIRST_RATIO = 2.0

# Above what was measured, for the next keys need not be like the last ones.
_MARGIN = 1.25

# Bytes that must have been written before a measurement says anything: a server allocates in steps.
_ENOUGH = 256 * 1024

# The words of an error answer by which a cause is known, in the order in which they are looked for.
_CAUSES = (
    ("version", "DUMP payload version or checksum", "the payload is of a newer or another server, or damaged"),
    ("busy", "BUSYKEY", "the key is there"),
    ("memory", "OOM", "its memory is full"),
    ("readonly", "READONLY", "it is a replica that only reads"),
    ("permission", "NOPERM", "the user may not do this"),
    ("authentication", "NOAUTH", "it wants a password"),
    ("type", "WRONGTYPE", "the key is there with another type"),
    ("moved", "MOVED", "another node of the cluster has the key"),
    ("moved", "ASK ", "the key is moving to another node of the cluster"),
    ("moved", "TRYAGAIN", "the key is moving to another node of the cluster"),
    ("crossslot", "CROSSSLOT", "its keys lie on several nodes of the cluster"),
    ("cluster", "CLUSTERDOWN", "the cluster is down"),
    ("loading", "LOADING", "it still loads its data"),
    ("disk", "MISCONF", "it cannot save to its disk and takes no writes"),
    ("replicas", "NOREPLICAS", "too few replicas are there"),
    ("transaction", "EXECABORT", "a command was not taken"),
    ("unknown", "unknown command", "it does not know the command"),
    ("unknown", "unknown subcommand", "it does not know the command"),
    ("syntax", "syntax error", "it does not understand the arguments"),
    ("syntax", "wrong number of arguments", "it does not understand the arguments"),
    ("value", "not an integer", "a number is none"),
    ("value", "not a valid float", "a number is none"),
    ("expiry", "invalid expire", "the time to live is none"),
)
_MEANINGS = {
    "memory": "refused",
    "readonly": "errors",
    "authentication": "errors",
    "cluster": "errors",
    "loading": "errors",
    "disk": "errors",
    "replicas": "errors",
}


class Cause(NamedTuple):
    """Why a command was not done, without a word of what it held."""

    name: str
    text: str

    @property
    def stop(self) -> str | None:
        """The stop that it means at once, because every further command would fail like it."""
        return _MEANINGS.get(self.name)


def cause_of(answer: str) -> Cause:
    """Read the text of an error answer, which may quote keys and values."""
    for name, words, text in _CAUSES:
        if words in answer:
            return Cause(name, text)
    code = answer.partition(" ")[0]
    return Cause("other", f"it answers {code}" if re.fullmatch(r"[A-Z]{2,20}", code) else "it answers with an error")


class Reading(NamedTuple):
    """What INFO says of memory. ``maximum`` 0: there is none."""

    used: int
    maximum: int
    evicted: int


def parse_info(text: bytes) -> dict[str, str]:
    """INFO as a mapping."""
    lines = (line.partition(":") for line in text.decode(errors="replace").splitlines() if ":" in line)
    return {name: value.strip() for name, _colon, value in lines}


def read_memory(text: bytes) -> Reading:
    """Read the parts ``memory`` and ``stats`` of INFO; ValueError when they do not say it."""
    used, maximum, evicted = _USED.search(text), _MAXIMUM.search(text), _EVICTED.search(text)
    if not used or not evicted:
        raise ValueError("INFO shows no used_memory and evicted_keys")
    return Reading(int(used[1]), int(maximum[1]) if maximum else 0, int(evicted[1]))


def count_keys(info: Mapping[str, str]) -> int:
    """Keys in all databases."""
    spaces = (value for name, value in info.items() if re.fullmatch(r"db\d+", name))
    return sum(int(match[1]) for match in (re.search(r"keys=(\d+)", space) for space in spaces) if match)


def table_growth(before: int, after: int) -> int:
    """Bytes that the table of all keys takes at once, when their number grows so that it must be twice as large."""
    size = 1 << max(before - 1, 3).bit_length()
    return 16 * (1 << (after - 1).bit_length()) if after > size else 0


@dataclass
class Guard:
    """Keeps a preload from what would push hot keys out: it stops before the limit, and at the first eviction."""

    first: Reading
    share: float
    """Percent of the maximum that may be used."""
    system: int = 0
    """Bytes of memory of the machine, which count where the server has no maximum."""
    keys: int = 0

    def __post_init__(self) -> None:
        self.last = self.first
        self.ratio = _FIRST_RATIO
        self.pending = 0
        self.pending_keys = 0
        self._acknowledged = 0

    @property
    def limit(self) -> int:
        """Bytes that may be used; 0 when nobody can tell."""
        return int((self.last.maximum or self.system) * self.share / 100)

    def fits(self, weight: int, keys: int) -> bool:
        """Whether so much more stays below the limit, together with what is on its way."""
        if not self.limit:
            return True
        count = self.pending_keys + keys
        growth = (self.pending + weight) * self.ratio + table_growth(self.keys, self.keys + count)
        return self.last.used + growth <= self.limit

    def sent(self, weight: int, keys: int) -> None:
        self.pending += weight
        self.pending_keys += keys

    def seen(self, reading: Reading, weight: int, keys: int) -> None:
        """Note what the server says after so much of what was sent has been answered."""
        self.pending -= weight
        self.pending_keys -= keys
        self.keys += keys
        self._acknowledged += weight
        self.last = reading
        if self._acknowledged >= _ENOUGH:
            grown = reading.used - self.first.used
            self.ratio = max(1.0, _MARGIN * grown / self._acknowledged)

    def stop(self) -> tuple[str, str] | None:
        """Why nothing more may be written: the word, and a sentence."""
        evicted = self.last.evicted - self.first.evicted
        if evicted > 0:
            keys = "1 key" if evicted == 1 else f"{evicted} keys"
            return "evictions", f"the server has evicted {keys} since the preload began"
        return self.full() if self.limit and self.last.used >= self.limit else None

    def full(self) -> tuple[str, str]:
        """The stop for memory."""
        what = "maxmemory" if self.last.maximum else "the machine's memory"
        return "memory", (
            f"{_mib(self.last.used)} of {_mib(self.last.maximum or self.system)} are used, and more would cross "
            f"{self.share:g} % of {what}"
        )


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a preload stops, and what the answers of a server mean."""

from __future__ import annotations

import pytest

from ansible_collections.sluice.release.plugins.module_utils.warm._redis_info import (
    STOPS,
    Guard,
    Reading,
    cause_of,
    count_keys,
    parse_info,
    read_memory,
    table_growth,
)

MIB = 2**20


def guard(used: int, maximum: int = 100, share: float = 90, system: int = 0) -> Guard:
    return Guard(Reading(used * MIB, maximum * MIB, 7), share, system * MIB)


@pytest.mark.parametrize(
    ("one", "weight", "expected"),
    [
        # At first each byte that is sent is taken for two.
        (guard(50), 19, True),
        (guard(50), 21, False),
        (guard(89), 1, False),
        (guard(95), 0, False),
        (guard(50, maximum=0, system=100), 21, False),
        (guard(50, maximum=0), 10_000, True),
        (guard(50, share=60), 6, False),
    ],
)
def test_what_still_fits(one: Guard, weight: int, expected: bool) -> None:
    assert one.fits(weight * MIB, 1) is expected


def test_what_is_on_its_way_counts() -> None:
    one = guard(50)
    one.sent(15 * MIB, 10)
    assert not one.fits(10 * MIB, 1)
    # It took no more than was sent, so that the next will hardly take twice as much.
    one.seen(Reading(65 * MIB, 100 * MIB, 7), 15 * MIB, 10)
    assert one.ratio == 1.25
    assert one.fits(19 * MIB, 1)
    assert not one.fits(21 * MIB, 1)


@pytest.mark.parametrize(
    ("reading", "word"),
    [
        (Reading(60 * MIB, 100 * MIB, 7), None),
        (Reading(90 * MIB, 100 * MIB, 7), "memory"),
        (Reading(60 * MIB, 100 * MIB, 8), "evictions"),
        (Reading(99 * MIB, 100 * MIB, 9), "evictions"),
        # Somebody has given it less, or more.
        (Reading(60 * MIB, 50 * MIB, 7), "memory"),
        (Reading(99 * MIB, 200 * MIB, 7), None),
    ],
)
def test_it_stops(reading: Reading, word: str | None) -> None:
    one = guard(50)
    one.seen(reading, 0, 0)
    stop = one.stop()
    assert (stop and stop[0]) == word
    assert word is None or word in STOPS


def test_a_stop_is_told() -> None:
    one = guard(95)
    assert one.stop() == ("memory", "95.0 MiB of 100.0 MiB are used, and more would cross 90 % of maxmemory")
    one.seen(Reading(95 * MIB, 100 * MIB, 8), 0, 0)
    assert one.stop() == ("evictions", "the server has evicted 1 key since the preload began")


@pytest.mark.parametrize(
    ("before", "after", "size"),
    [
        (0, 1, 0),
        (1000, 1024, 0),
        (1000, 1025, 16 * 2048),
        (1024, 1025, 16 * 2048),
        (1000, 5000, 16 * 8192),
        (1025, 2048, 0),
    ],
)
def test_the_table_of_all_keys_grows_at_once(before: int, after: int, size: int) -> None:
    assert table_growth(before, after) == size


@pytest.mark.parametrize(
    ("answer", "name", "stop"),
    [
        ("OOM command not allowed when used memory > 'maxmemory'.", "memory", "refused"),
        ("ERR DUMP payload version or checksum are wrong", "version", None),
        ("BUSYKEY Target key name already exists.", "busy", None),
        ("READONLY You can't write against a read only replica.", "readonly", "errors"),
        ("MOVED 3999 127.0.0.1:6381", "moved", None),
        ("NOPERM this user has no permissions to run the 'restore' command", "permission", None),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", "type", None),
        ("CLUSTERDOWN Hash slot not served", "cluster", "errors"),
        ("MISCONF Redis is configured to save RDB snapshots", "disk", "errors"),
        ("ERR unknown command 'FOO', with args beginning with: 'geheim'", "unknown", None),
        ("ERR something about geheim", "other", None),
        ("geheim", "other", None),
    ],
)
def test_an_answer_is_understood_and_not_quoted(answer: str, name: str, stop: str | None) -> None:
    cause = cause_of(answer)
    assert (cause.name, cause.stop) == (name, stop)
    assert "geheim" not in cause.text
    assert cause.stop is None or cause.stop in STOPS


def test_info_is_read() -> None:
    text = b"# Memory\r\nused_memory:1024\r\nmaxmemory:4096\r\nmaxmemory_human:4K\r\n# Stats\r\nevicted_keys:3\r\n"
    assert read_memory(text) == Reading(1024, 4096, 3)
    assert read_memory(text.replace(b"maxmemory:4096", b"")) == Reading(1024, 0, 3)
    with pytest.raises(ValueError, match="shows no used_memory"):
        read_memory(b"# Memory\r\n")
    info = parse_info(b"role:master\r\ndb0:keys=5,expires=1\r\ndb11:keys=7,expires=0\r\ndbx:keys=9\r\n")
    assert (info["role"], count_keys(info)) == ("master", 12)

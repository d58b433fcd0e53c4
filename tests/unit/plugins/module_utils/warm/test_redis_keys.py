# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of JSON lines: how they are read, and what writes them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.warm._redis_keys import KeyLine, commands_of, read_key


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"key": "a", "value": "x"}, KeyLine(b"a", "string", [b"x"], None, None)),
        ({"key": "é", "value": 1.5, "ttl": 2.5}, KeyLine("é".encode(), "string", [b"1.5"], 2500, None)),
        ({"key": "a", "value": ["x", 1], "type": "list"}, KeyLine(b"a", "list", [b"x", b"1"], None, None)),
        ({"key": "a", "value": {"m": 2}, "type": "zset"}, KeyLine(b"a", "zset", [b"2", b"m"], None, None)),
        (
            {"key": "a", "value": {"f": "v"}, "type": "hash", "expires_at": 9},
            KeyLine(b"a", "hash", [b"f", b"v"], None, 9000),
        ),
    ],
)
def test_a_line_is_read(raw: dict[str, Any], expected: KeyLine) -> None:
    assert read_key(json.dumps(raw).encode()) == expected


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("geheim", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ('["geheim"]', "no object with a key and a value"),
        ('{"key": 5, "value": 1}', "no object with a key and a value"),
        ('{"key": "geheim"}', "no object with a key and a value"),
        ('{"key": "a", "value": 1, "geheim": 2}', "it has more than key"),
        ('{"key": "a", "value": 1, "type": "stream"}', "its type is none of"),
        ('{"key": "a", "value": {"geheim": 1}}', "the value of a string holds what is neither"),
        ('{"key": "a", "value": true}', "the value of a string holds what is neither"),
        ('{"key": "a", "value": "\\ud800"}', "the value of a string holds what is neither"),
        ('{"key": "\\ud800", "value": "x"}', "its key is not text"),
        ('{"key": "a", "value": [], "type": "set"}', "an array that is not empty"),
        ('{"key": "a", "value": ["x"], "type": "hash"}', "an object that is not empty"),
        ('{"key": "a", "value": {"x": "geheim"}, "type": "zset"}', "a score of a zset is no number"),
        ('{"key": "a", "value": {"x": NaN}, "type": "zset"}', "a score of a zset is no number"),
        ('{"key": "a", "value": "x", "ttl": 0}', "its ttl is not"),
        ('{"key": "a", "value": "x", "ttl": "5"}', "its ttl is not"),
        ('{"key": "a", "value": "x", "ttl": 5, "expires_at": 5}', "stands beside a ttl"),
    ],
)
def test_what_is_wrong_with_a_line_is_told_without_it(line: str, why: str) -> None:
    found = read_key(line.encode())
    assert isinstance(found, str)
    assert why in found
    assert "geheim" not in found


@pytest.mark.parametrize(
    ("raw", "keep", "expected"),
    [
        ({"value": "x"}, True, ["SET a x"]),
        ({"value": "x", "ttl": 5}, False, ["SET a x PX 5000"]),
        ({"value": "x", "expires_at": 5}, True, ["MULTI", "SET a x", "PEXPIREAT a 5000", "EXEC"]),
        ({"value": ["x", "y"], "type": "set"}, True, ["SADD a x y"]),
        ({"value": ["x"], "type": "list"}, False, ["MULTI", "UNLINK a", "RPUSH a x", "EXEC"]),
        (
            {"value": {"f": 1}, "type": "hash", "ttl": 5},
            False,
            ["MULTI", "UNLINK a", "HSET a f 1", "PEXPIRE a 5000", "EXEC"],
        ),
    ],
)
def test_a_key_is_written_as_a_whole(raw: dict[str, Any], keep: bool, expected: list[str]) -> None:
    line = read_key(json.dumps({"key": "a", **raw}).encode())
    assert isinstance(line, KeyLine)
    assert [b" ".join(words).decode() for words in commands_of(line, keep)] == expected

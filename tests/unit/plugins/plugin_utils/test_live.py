# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.plugin_utils._live import fitted, pack, spark, table, unpack


@pytest.mark.parametrize(
    ("values", "unicode", "expected"),
    [
        ([], True, ""),
        ([0, 1, 2, 3, 4, 5, 6, 7], True, "▁▂▃▄▅▆▇█"),
        ([0, 7], False, "_#"),
        ([5, 5, 5], True, "▁▁▁"),
        ([1, None, 2], True, "▁·█"),
        ([None, float("nan"), float("inf")], True, "···"),
        ([None, 1], False, " _"),
        ([9.0] * 5 + [1.0] * 19 + [2.0], True, "▁" * 19 + "█"),
    ],
)
def test_a_spark_line_spans_its_newest_values(values: list[float | None], unicode: bool, expected: str) -> None:
    assert spark(values, unicode=unicode) == expected


GREEN = {"check": "ready", "verdict": "green", "value": "200", "limit": "expected 200", "series": [1.0, 1.0]}
RED: dict[str, Any] = {
    "check": "p95",
    "verdict": "pending",
    "value": "1200 ms",
    "limit": "critical at or above 1000 ms",
    "series": [100.0, 1200.0],
    "remains": "red in 7 s",
}


def paint(text: str, verdict: str) -> str:
    return f"<{verdict}>{text}</>"


def test_a_table_has_a_line_for_each_check_in_columns() -> None:
    assert table([GREEN, RED], width=100, unicode=True, paint=paint) == [
        "<green>    ✔  </>ready      200  expected 200                  ▁▁",
        "<pending>    ▸  </>p95    1200 ms  critical at or above 1000 ms  ▁█  red in 7 s",
    ]


def test_a_table_is_never_wider_than_the_terminal() -> None:
    plain = table([GREEN, RED], width=30, unicode=False, paint=lambda text, _verdict: text)
    assert [len(line) for line in plain] == [30, 30]
    assert plain[1] == "    ..  p95    1200 ms  critic"


def test_what_an_older_host_does_not_say_is_left_empty() -> None:
    assert table([{"check": "x"}], width=80, unicode=True, paint=lambda text, _verdict: text) == ["       x"]


def test_a_block_travels_as_one_message() -> None:
    message = pack("app1", ["a", "b\nc"])
    assert message.startswith("\r")
    assert "\n" not in message
    assert unpack(message) == ("app1", ["a", "b\nc"])
    assert unpack("\rsomething else") is None


@pytest.mark.parametrize(
    ("height", "expected"),
    [(4, ["one", "  a", "  b", "two"]), (3, ["one", "two"]), (1, ["one"]), (0, ["one"])],
)
def test_where_not_all_fits_each_host_keeps_its_first_line(height: int, expected: list[str]) -> None:
    assert fitted({"app1": ["one", "  a", "  b"], "app2": ["two"]}, height) == expected

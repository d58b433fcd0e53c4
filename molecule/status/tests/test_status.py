# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two hosts that run different versions: each has its line, and the difference is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def test_every_host_has_its_line(evidence: Callable[[str], Any]) -> None:
    rows = evidence("status")["hosts"]
    assert [(row["host"], row["version"], row["last"]["outcome"]) for row in rows] == [
        ("app1", "1.1.0", "succeeded"),
        ("app2", "1.0.0", "succeeded"),
    ]


def test_the_difference_is_named(evidence: Callable[[str], Any]) -> None:
    assert len(evidence("status")["differences"]) == 1
    assert "where others run" in evidence("status")["differences"][0]


def test_only_the_journal_was_read(journal: list[list[dict[str, Any]]]) -> None:
    assert [[entry["event"] for entry in release] for release in journal] == [["opened", "entered", "left", "closed"]]

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the demo calls going as told."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from sluice_lab.demo import STORY, Result
from sluice_lab.load import Tally

UPGRADE, BAD = STORY[1], STORY[2]
GOOD = Result(UPGRADE, 0, 10.0, {"outcome": "succeeded"}, None, Tally(sent=500), "1.1.0")
BACK = Result(BAD, 2, 10.0, {"outcome": "rolled_back"}, None, Tally(sent=500), "1.1.0")

SURPRISES = {
    "upgrade as told": (GOOD, []),
    "taken back as told": (BACK, []),
    "the bad version's own errors": (replace(BACK, tally=Tally(500, 9, Counter({"http 500": 9}))), []),
    "upgrade failed": (replace(GOOD, status=2), ["exit status 2"]),
    "upgrade lost a request": (replace(GOOD, tally=Tally(500, 1, Counter({"TimeoutError": 1}))), ["1 requests got no"]),
    "upgrade answered badly": (
        replace(GOOD, tally=Tally(500, 1, Counter({"http 502": 1}))),
        ["answered with an error"],
    ),
    "bad release got through": (
        replace(BACK, status=0, report={"outcome": "succeeded"}, serves="1.2.0"),
        ["exit status 0", "the outcome of 1.2.0 is succeeded", "serves 1.2.0, not 1.1.0"],
    ),
    "no report": (replace(BACK, report={}), ["the outcome of 1.2.0 is failed"]),
    "application down": (replace(GOOD, serves=None), ["serves None"]),
}


@pytest.mark.parametrize(("result", "expected"), SURPRISES.values(), ids=SURPRISES.keys())
def test_surprises(result: Result, expected: list[str]) -> None:
    found = result.surprises()
    assert len(found) == len(expected)
    assert all(part in surprise for part, surprise in zip(expected, found, strict=True))

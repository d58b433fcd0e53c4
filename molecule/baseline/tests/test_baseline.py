# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was usual before is measured before, and the gate compares with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Evidence = Callable[[str], Any]


def test_before_the_first_release_there_is_nothing_to_measure(evidence: Evidence) -> None:
    assert evidence("first")["skipped"]


def test_the_baseline_has_statistics(evidence: Evidence) -> None:
    [check] = evidence("usual")["gates"]
    assert check["statistics"]["samples"] >= 5
    assert check["statistics"]["mean"] > 0
    assert "a baseline is being taken" in check["reason"]


def test_what_is_as_usual_is_green(evidence: Evidence) -> None:
    gate = evidence("as_usual")
    assert (gate["verdict"], gate["gates"][0]["crit"]) == ("green", 2000)
    assert "from a baseline of" in gate["gates"][0]["reason"]


def test_what_is_slower_than_it_was_is_red(evidence: Evidence) -> None:
    gate = evidence("slower")
    assert gate["failed"]
    assert gate["verdict"] == "red"
    mean = evidence("usual")["gates"][0]["statistics"]["mean"]
    assert gate["gates"][0]["crit"] >= 2 * mean
    assert "from a baseline of" in gate["msg"]


def test_too_few_samples_are_told_before_the_release(evidence: Evidence) -> None:
    few = evidence("few")
    assert few["failed"]
    assert "Cannot take a baseline: answers_in_ms: its baseline has" in few["msg"]
    assert "of at least 50 samples" in few["msg"]

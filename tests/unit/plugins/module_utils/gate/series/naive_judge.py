# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second evaluator of a check, written from the documentation of health_gate alone.

It looks at the whole series again for every question, in whole milliseconds, and shares no code with the gate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class Seen(NamedTuple):
    """A sample: milliseconds since the gate began, value or None."""

    ms: int
    value: float | None


class Opinion(NamedTuple):
    """What is right for a series."""

    verdict: str
    red_at: int | None
    """Milliseconds of the sample that made it red."""
    breaches: list[tuple[int, int, int | None]]
    """Of each breach its first and last sample, and the first good one after which it stayed good."""


def has_data(sample: Seen) -> bool:
    """`No data is ... a value that is no number.`"""
    return sample.value is not None and math.isfinite(sample.value)


def past(direction: str, value: float, limit: float | None, *, at: bool) -> bool:
    """Whether a value is past a limit, or exactly at it where that counts. A limit left out does not exist."""
    if limit is None:
        return False
    if direction == "equals":
        return value == limit
    return (value > limit if direction == "above" else value < limit) or (at and value == limit)


def kind(sample: Seen, limits: Mapping[str, Any]) -> str:
    """`bad`, `yellow` or `good`, or `nothing` for what changes nothing."""
    if not has_data(sample):
        return {"fail": "bad", "hold": "nothing", "pass": "good"}[limits["on_no_data"]]
    assert sample.value is not None
    direction, inclusive = limits["direction"], limits["inclusive"]
    if past(direction, sample.value, limits["crit"], at=inclusive is not False):
        return "bad"
    if past(direction, sample.value, limits["warn"], at=inclusive is True):
        return "yellow"
    # A target cannot go with equals.
    return "yellow" if past(direction, sample.value, limits["target"], at=False) else "good"


def ready_after(judged: Sequence[Seen], limits: Mapping[str, Any]) -> int | None:
    """How many samples it took until `successes` in a row were not critical; None: never."""
    for end in range(len(judged) + 1):
        # What proves nothing neither counts nor breaks the row: no data, but where it is as bad as bad.
        told = [kind(one, limits) for one in judged[:end] if has_data(one) or limits["on_no_data"] == "fail"]
        row = told[len(told) - limits["successes"] :] if len(told) >= limits["successes"] else None
        if row is not None and "bad" not in row:
            return end
    return None


def end_of_breach(begin: int, rest: Sequence[Seen], limits: Mapping[str, Any]) -> tuple[int, int | None]:
    """The last sample of the breach that sample `begin` of `rest` begins, and the one at which it was over."""
    kinds = [kind(one, limits) for one in rest]
    for first in range(begin + 1, len(rest)):
        for last in range(first, len(rest)):
            stretch = kinds[first : last + 1]
            if kinds[first] in ("bad", "nothing") or kinds[last] in ("bad", "nothing") or "bad" in stretch:
                continue
            if rest[last].ms - rest[first].ms >= limits["recover"]:
                return max(i for i in range(begin, first) if kinds[i] == "bad"), first
    return max(i for i in range(begin, len(rest)) if kinds[i] == "bad"), None


def opinion(samples: Sequence[Seen], limits: Mapping[str, Any]) -> Opinion:
    """Judge a series whose window is over."""
    judged = [one for one in samples if one.ms >= limits["grace"]]
    taken = ready_after(judged, limits)
    rest = judged[taken:] if taken is not None else []
    kinds = [kind(one, limits) for one in rest]
    breaches: list[tuple[int, int, int | None]] = []
    red: list[int] = []
    covered = -1
    for begin in range(len(rest)):
        if kinds[begin] != "bad" or begin <= covered:
            continue
        last, over = end_of_breach(begin, rest, limits)
        covered = last
        breaches.append((rest[begin].ms, rest[last].ms, None if over is None else rest[over].ms))
        bad = [one.ms for one, what in list(zip(rest, kinds, strict=True))[begin : last + 1] if what == "bad"]
        red += [ms for ms in bad if ms - rest[begin].ms >= limits["sustained"]]
    return Opinion(verdict(judged, taken, breaches, kinds, limits, bool(red)), min(red, default=None), breaches)


def verdict(
    judged: Sequence[Seen],
    taken: int | None,
    breaches: Sequence[tuple[int, int, int | None]],
    kinds: Sequence[str],
    limits: Mapping[str, Any],
    red: bool,
) -> str:
    """The verdict at the end, from the worst."""
    policy = limits["on_no_data"]
    if red or taken is None:
        return "red"
    if sum(map(has_data, judged)) < limits["min_samples"] and policy != "pass":
        return "red" if policy == "fail" else "pending"
    if breaches and breaches[-1][2] is None:
        return "pending"
    return "yellow" if breaches or "yellow" in kinds else "green"

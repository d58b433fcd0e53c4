# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""From samples to verdicts. Nothing here measures, waits or looks at a clock."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils.gate._baseline import describe
from ansible_collections.sluice.release.plugins.module_utils.gate._model import (
    SAME_TIME,
    Check,
    Sample,
    Value,
    seconds,
    show,
)

GREEN, YELLOW, PENDING, RED = "green", "yellow", "pending", "red"

SEVERITY = {GREEN: 0, YELLOW: 1, PENDING: 2, RED: 3}

CREDIT = {GREEN: 1.0, YELLOW: 0.5, PENDING: 0.5, RED: 0.0}
"""The share of its weight that a check adds to the score."""

GLANCE_POINTS = 20
"""Newest points of a series that a glance carries."""

MAX_POINTS = 300
"""Points of a series that a result carries at most, for each check."""


@dataclass
class Breach:
    """One stretch of time in which a check was on the bad side of its critical limit, or without data."""

    started: float
    last: float
    """Time of the last bad sample."""
    sample: Sample
    """The worst of it; any sample with a value outweighs those without."""
    ended: float | None = None
    """Time of the first good sample after which it stayed good."""
    red: bool = False

    @property
    def lasted(self) -> float:
        return self.last - self.started

    @property
    def kind(self) -> str:
        return "no_data" if self.sample.value is None else "value"


class Judge:
    """Follows one check, sample by sample, and can say at any moment what its verdict is."""

    def __init__(self, check: Check) -> None:
        self.check = check
        self.limits = check.limits
        self.samples: list[Sample] = []
        self.breaches: list[Breach] = []
        self.red: Breach | None = None
        self.ready = self.limits.successes == 0
        self._open: Breach | None = None
        self._back: float | None = None
        self._streak = 0
        self._judged = 0
        self._missing = 0
        self._yellow = 0
        self._worst_yellow: Sample | None = None
        self._last: Sample | None = None
        self._last_bad: Sample | None = None
        self._worst: Sample | None = None
        self._target_missed = False

    def add(self, sample: Sample) -> None:
        """Take in the next sample; times never go back."""
        sample = _with_number(sample)
        self.samples.append(sample)
        if not self._is_judged(sample):
            return
        self._judged += 1
        if sample.value is None and not sample.good:
            self._missing += 1
            self._last_bad = sample
            if self.limits.on_no_data == "hold":
                return
            level = RED if self.limits.on_no_data == "fail" else GREEN
        else:
            self._last = sample
            level = self.level(sample)
            if level == RED:
                self._last_bad = sample
        if not self.ready:
            self._prove(sample, level)
            return
        if sample.value is not None:
            self._worst = sample if self._worst is None else self._worse(self._worst, sample)
            self._target_missed = self._target_missed or _past(self.limits.direction, sample.value, self.limits.target)
        if level == RED:
            self._breached(sample)
        else:
            self._inside(sample.t)
            if level == YELLOW:
                self._yellow += 1
                self._worst_yellow = sample if self._worst_yellow is None else self._worse(self._worst_yellow, sample)

    def _is_judged(self, sample: Sample) -> bool:
        return sample.t >= self.limits.grace - SAME_TIME

    def level(self, sample: Sample) -> str:
        """What the limits say of one sample with data, whatever came before it."""
        if self.check.is_state:
            return GREEN if sample.good else RED
        limits = self.limits
        if _past(limits.direction, sample.value, limits.crit, inclusive=limits.at_crit):
            return RED
        if _past(limits.direction, sample.value, limits.warn, inclusive=limits.at_warn):
            return YELLOW
        return YELLOW if _past(limits.direction, sample.value, limits.target) else GREEN

    def _prove(self, sample: Sample, level: str) -> None:
        """Before readiness: bad samples are expected, and only good ones in a row count."""
        if sample.value is None and self.limits.on_no_data == "pass":
            return
        self._streak = self._streak + 1 if level != RED else 0
        self.ready = self._streak >= self.limits.successes

    def _breached(self, sample: Sample) -> None:
        self._back = None
        if self._open is None:
            self._open = Breach(started=sample.t, last=sample.t, sample=sample)
            self.breaches.append(self._open)
        breach = self._open
        breach.last = sample.t
        breach.sample = self._worse(breach.sample, sample)
        if breach.lasted >= self.limits.sustained - SAME_TIME:
            breach.red = True
            self.red = self.red or breach

    def _inside(self, t: float) -> None:
        if self._open is None:
            return
        self._back = t if self._back is None else self._back
        if t - self._back >= self.limits.recover - SAME_TIME:
            self._open.ended = self._back
            self._open = self._back = None

    def _worse(self, one: Sample, other: Sample) -> Sample:
        """The sample that lies further on the bad side; of equal ones the later, which is better known."""
        if one.value is None or other.value is None:
            return one if other.value is None and one.value is not None else other
        if self.check.is_state:
            return one if other.good and not one.good else other
        if self.limits.direction == "equals":
            return max((other, one), key=lambda sample: SEVERITY[self.level(sample)])
        sign = -1 if self.limits.direction == "below" else 1
        return max((other, one), key=lambda sample: sign * float(sample.value or 0))

    def undecided_until(self, end: float) -> float | None:
        """The time up to which a breach that began within the window, until ``end``, is worth waiting for.

        A sample with data at that time or later decides it: it is red then, or over. None: nothing is undecided.
        """
        breach, limits = self._open, self.limits
        if breach is None or self.red or breach.started > end + SAME_TIME:
            return None
        by = breach.started + limits.sustained if self._back is None else self._back + limits.recover
        return max(by, end + limits.sustained + limits.recover)

    @property
    def is_proven(self) -> bool:
        """Whether readiness has been shown and nothing has gone wrong since."""
        return self.ready and not self.breaches and self.with_data >= self.limits.min_samples

    @property
    def with_data(self) -> int:
        return self._judged - self._missing

    def verdict(self, *, complete: bool) -> tuple[str, str]:
        """The verdict and its reason in one line.

        ``complete``: the window has been observed to its end. Before that, what is still missing (samples, successes)
        makes a check pending, not red.
        """
        name = self.check.name
        if self.red:
            return RED, self._story(self.red)
        if not self.ready:
            times = "time" if self._streak == 1 else "times"
            text = f"{name} was good {self._streak} {times} in a row, {self.limits.successes} are needed"
            if self._last_bad:
                text += f"; the last bad answer: {self._fault(self._last_bad)}"
            return (RED if complete else PENDING), text
        if self.with_data < self.limits.min_samples and self.limits.on_no_data != "pass":
            text = f"{name} had {self.with_data} of at least {self.limits.min_samples} samples with data"
            if self._last_bad and self._last_bad.value is None:
                text += f": {self._last_bad.note}"
            return (RED if complete and self.limits.on_no_data == "fail" else PENDING), text
        if self._open:
            return PENDING, self._story(self._open)
        if self.breaches:
            return YELLOW, self._story(max(self.breaches, key=lambda breach: breach.lasted))
        if self._worst_yellow:
            return YELLOW, self._warning(self._worst_yellow)
        return GREEN, self._calm()

    def _fault(self, sample: Sample) -> str:
        if sample.note and (sample.value is None or self.check.is_state):
            return sample.note
        return f"{show(sample.value, self.check.unit)}, {self._limit_text()}"

    def _limit_text(self) -> str:
        """The critical limit in words, or the one that stands in for it."""
        limits, unit = self.limits, self.check.unit
        if self.check.is_state:
            return f"expected {self.threshold()}"
        known = ("crit", "critical", limits.crit, limits.at_crit), ("warn", "warning", limits.warn, limits.at_warn)
        for name, word, limit, at in known:
            if limit is not None:
                origin = f" ({limits.origin})" if limits.banded == name else ""
                return f"{word} {_side(limits.direction, at)} {show(limit, unit)}{origin}"
        if limits.target is None:
            return f"no limit: {limits.origin}"
        return f"target {_side(limits.direction, False)} {show(limits.target, unit)} is missed"

    def _story(self, breach: Breach) -> str:
        """What happened in a breach, as one line that needs no other."""
        limits, unit = self.limits, self.check.unit
        over = breach.ended is not None
        if breach.kind == "no_data":
            what = "had no data"
        elif self.check.is_state:
            what = breach.sample.note or f"was {show(breach.sample.value)} instead of {self.threshold()}"
        else:
            what = f"was {show(breach.sample.value, unit)}, {self._limit_text()},"
        if breach.red and not limits.sustained:
            soon = breach.started < 0.05
            when = "at the first look" if soon else f"{seconds(breach.started)} after the gate began"
        else:
            when = f"for {seconds(breach.lasted)}"
            when += "" if breach.red or over else " so far"
            when += f" (sustained limit {seconds(limits.sustained)})"
        text = f"{self.check.name} {what} {when}"
        if over and not breach.red:
            text += " and recovered"
        note = breach.sample.note if breach.kind == "no_data" or not self.check.is_state else ""
        return f"{text}: {note}" if note else text

    def _warning(self, worst: Sample) -> str:
        unit = self.check.unit
        limit, word = self._passed(worst)
        side = _side(self.limits.direction, word == "warning" and self.limits.at_warn)
        text = f"{self.check.name} was {show(worst.value, unit)}, {word} {side} {show(limit, unit)}"
        last = self._last.value if self._last else None
        text += f", in {self._yellow} of {self.with_data} samples; the last was {show(last, unit)}"
        return f"{text}: {worst.note}" if worst.note else text

    def _passed(self, sample: Sample) -> tuple[float | None, str]:
        limits = self.limits
        if _past(limits.direction, sample.value, limits.warn, inclusive=limits.at_warn):
            return limits.warn, "warning"
        return limits.target, "off target"

    def _calm(self) -> str:
        if self._last is None:
            note = f": {self._last_bad.note}" if self._last_bad else ""
            return f"{self.check.name} had no data, which on_no_data=pass allows{note}"
        if self._last.value is None:
            return f"{self.check.name} is well: {self._last.note}"
        if self.check.is_state:
            return f"{self.check.name} was {show(self._last.value)} in all of {self.with_data} samples"
        unit = self.check.unit
        worst = show((self._worst or self._last).value, unit)
        return f"{self.check.name} was {show(self._last.value, unit)} (worst {worst}, {self._limit_text()})"

    def glance(self) -> dict[str, Any]:
        """How it stands in the middle of the window, in the few words that a line of a table has room for."""
        newest = self.samples[-1] if self.samples else None
        return {
            "check": self.check.name,
            "verdict": self.verdict(complete=False)[0],
            "value": "waiting" if newest is None else show(newest.value, self.check.unit),
            # Where it comes from has room in the reason.
            "limit": self._limit_text().partition(" (")[0],
            "remains": self._remains(),
            "series": [self._number(sample) for sample in self.samples[-GLANCE_POINTS:]],
        }

    def _remains(self) -> str:
        """What is still to be seen before it is decided."""
        if self.red:
            return ""
        if not self.ready:
            return f"{self._streak} of {self.limits.successes} good in a row"
        if self._open:
            left = max(0.0, self.limits.sustained - self._open.lasted)
            return f"red in {seconds(left)}"
        if self.samples and self.samples[-1].t < self.limits.grace:
            return f"judged in {seconds(self.limits.grace - self.samples[-1].t)}"
        return ""

    def threshold(self) -> Value:
        """The limit that a green or red check is measured against."""
        limits = self.limits
        if self.check.state is not None:
            return self.check.state
        return next((limit for limit in (limits.crit, limits.warn, limits.target) if limit is not None), None)

    def result(self, *, complete: bool) -> dict[str, Any]:
        """The check with its verdict and all its evidence, in plain data."""
        verdict, reason = self.verdict(complete=complete)
        threshold, value = self.threshold(), self._last.value if self._last else None
        if verdict in (RED, PENDING) and (self.red or self._open):
            value = (self.red or self._open).sample.value  # type: ignore[union-attr]
        elif verdict == YELLOW and self.breaches:
            value = max(self.breaches, key=lambda breach: breach.lasted).sample.value
        elif verdict == YELLOW and self._worst_yellow:
            worst = self._worst_yellow
            value, threshold = worst.value, self._passed(worst)[0]
        return {
            "check": self.check.name,
            "type": self.check.type,
            "verdict": verdict,
            "reason": reason,
            "value": value,
            "threshold": threshold,
            "unit": self.check.unit,
            "direction": "state" if self.check.is_state else self.limits.direction,
            "target": self.limits.target,
            "warn": self.limits.warn,
            "crit": self.limits.crit,
            "target_met": None if self.limits.target is None or not self.with_data else not self._target_missed,
            "sustained": self.limits.sustained,
            "grace": self.limits.grace,
            "weight": self.check.weight,
            "samples": self.with_data,
            "no_data": self._missing,
            "last": self._last.value if self._last else None,
            "worst": self._worst.value if self._worst else None,
            "statistics": describe(self._quantities()).as_dict(),
            "series": self.series(),
        }

    def _quantities(self) -> list[float]:
        """The judged values of a check that is no state."""
        if self.check.is_state:
            return []
        return [float(one.value) for one in self.samples if one.value is not None and self._is_judged(one)]

    def series(self) -> list[list[float | None]]:
        """All samples, grace included, as [seconds, value] with at most 300 points; the worst of each slice stays."""
        size = -(-len(self.samples) // MAX_POINTS) or 1
        points: list[list[float | None]] = []
        for start in range(0, len(self.samples), size):
            worst = self.samples[start]
            for sample in self.samples[start + 1 : start + size]:
                worst = self._worse(worst, sample)
            points.append([round(worst.t, 3), self._number(worst)])
        return points

    def _number(self, sample: Sample) -> float | None:
        """States are drawn as 1 (as expected) and 0, so that every series is a line of numbers."""
        if sample.value is None:
            return None
        if self.check.is_state:
            return 1.0 if sample.good else 0.0
        return float(sample.value)


def _with_number(sample: Sample) -> Sample:
    """A value that is no finite number is no data, whatever measured it: NaN would pass every limit."""
    if not isinstance(sample.value, float) or math.isfinite(sample.value):
        return sample
    return replace(sample, value=None, note=sample.note or f"its value is {sample.value}", good=None)


def _past(direction: str, value: Value, limit: float | None, *, inclusive: bool = False) -> bool:
    if limit is None or not isinstance(value, (int, float)):
        return False
    if value == limit:
        return inclusive
    if direction == "equals":
        return False
    return value > limit if direction == "above" else value < limit


def _side(direction: str, inclusive: bool) -> str:
    if direction == "equals":
        return "at"
    return f"at or {direction}" if inclusive else direction


def worst_of(verdicts: Sequence[str]) -> str:
    """The verdict of a set: its worst, where pending is worse than yellow because it may yet turn red."""
    return max(verdicts, key=SEVERITY.__getitem__)


def summary(judges: Sequence[Judge], *, elapsed: float, complete: bool) -> dict[str, Any]:
    """The result of the whole gate."""
    gates = [judge.result(complete=complete) for judge in judges]
    weight = sum(gate["weight"] for gate in gates)
    earned = sum(gate["weight"] * CREDIT[gate["verdict"]] for gate in gates)
    breaches = [
        {
            "check": judge.check.name,
            "kind": breach.kind,
            "started": round(breach.started, 3),
            "ended": None if breach.ended is None else round(breach.ended, 3),
            "seconds": round(breach.lasted, 3),
            "value": breach.sample.value,
            "threshold": judge.threshold(),
            "unit": judge.check.unit,
            "red": breach.red,
            "reason": judge._story(breach),
        }
        for judge in judges
        for breach in judge.breaches
    ]
    return {
        "verdict": worst_of([gate["verdict"] for gate in gates]),
        "score": round(100 * earned / weight, 1),
        "gates": gates,
        "breaches": sorted(breaches, key=lambda breach: breach["started"]),
        "samples": sum(gate["samples"] for gate in gates),
        "seconds": round(elapsed, 3),
    }

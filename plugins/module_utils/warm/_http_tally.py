# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Counts what became of the requests, and decides when to stop. Nothing here sends or waits, and nothing grows."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional

from ansible_collections.sluice.release.plugins.module_utils.warm._http_paths import shown
from ansible_collections.sluice.release.plugins.module_utils.warm._model import (
    BUDGET,
    COMPLETE,
    FAILING,
    GONE,
    NOTHING,
    REFUSED,
    RESET,
    TARGET,
    Limits,
    Outcome,
    Wanted,
)

MAX_POINTS = 200
"""Rows of the series that a result carries at most."""

_FIRST_WIDTH = 0.25
"""Seconds that one row stands for at first."""

_SMALLEST_MS = 0.01
_STEP = math.log(1.02)
_BUCKETS = 1200
"""Buckets of a histogram grow by 2 %, from 0.01 ms to some 50 hours."""

_SHOWN = 10
"""Failures that are named."""


def bucket_of(ms: float) -> int:
    """The bucket of a time."""
    return 0 if ms <= _SMALLEST_MS else min(_BUCKETS - 1, int(math.log(ms / _SMALLEST_MS) / _STEP) + 1)


def time_of(bucket: int) -> float:
    """The middle of a bucket, ms: no time in it lies further from it than 1 %."""
    return _SMALLEST_MS if bucket == 0 else _SMALLEST_MS * math.exp((bucket - 0.5) * _STEP)


def quantile(q: float, counts: Mapping[int, int]) -> Optional[float]:
    """The nearest rank of a quantile (0 to 1) in counts by bucket, ms. None without any."""
    total = sum(counts.values())
    rank = max(1, math.ceil(q * total))
    below = 0
    for bucket in sorted(counts):
        below += counts[bucket]
        if below >= rank:
            return time_of(bucket)
    return None


class Times:
    """Answer times in a histogram of a fixed size: percentiles are exact to 1 %, mean and maximum are exact."""

    def __init__(self) -> None:
        self._counts = array("Q", bytes(8 * _BUCKETS))
        self.count = 0
        self._sum = self._most = 0.0

    def add(self, ms: float, bucket: int) -> None:
        self._counts[bucket] += 1
        self.count += 1
        self._sum += ms
        if ms > self._most:
            self._most = ms

    def percentile(self, percent: float) -> Optional[float]:
        """None without any. Never more than the maximum, which is exact."""
        found = quantile(percent / 100, {bucket: count for bucket, count in enumerate(self._counts) if count})
        return None if found is None else min(found, self._most)

    def summary(self) -> dict[str, Any]:
        """What a result says of them."""
        found = {f"p{percent}_ms": self.percentile(percent) for percent in (50, 95, 99)}
        found["mean_ms"] = self._sum / self.count if self.count else None
        found["max_ms"] = self._most if self.count else None
        return {"requests": self.count, **{name: _rounded(value) for name, value in found.items()}}


def _rounded(value: Optional[float], digits: int = 3) -> Optional[float]:
    return None if value is None else round(value, digits)


class Seen:
    """Which keys have been there, as 8 bytes of a hash each: some 16 to 32 bytes a key, and no key itself.

    Two different keys are taken for one with a chance of about n²/2**65: 3 in 100,000,000 for a million of them.
    """

    def __init__(self) -> None:
        self._table = array("Q", bytes(8 * 1024))
        self._mask = 1023
        self.count = 0

    def _find(self, key: object) -> tuple[int, int]:
        """The mark of a key, and the place where it is or belongs."""
        # Zero marks a free place.
        mark = (hash(key) & 0xFFFFFFFFFFFFFFFF) or 1
        table, mask = self._table, self._mask
        place = mark & mask
        while table[place] and table[place] != mark:
            place = (place + 1) & mask
        return mark, place

    def holds(self, key: object) -> bool:
        return self._table[self._find(key)[1]] != 0

    def add(self, key: object) -> bool:
        """Whether it is new."""
        mark, place = self._find(key)
        if self._table[place]:
            return False
        self._table[place] = mark
        self.count += 1
        if self.count * 2 > self._mask:
            self._grow()
        return True

    def _grow(self) -> None:
        known = self._table
        self._mask = 2 * self._mask + 1
        table = array("Q", bytes(8 * (self._mask + 1)))
        for mark in known:
            if mark:
                place = mark & self._mask
                while table[place]:
                    place = (place + 1) & self._mask
                table[place] = mark
        self._table = table


class Ring:
    """The share of the last outcomes for which something held."""

    def __init__(self, size: int) -> None:
        self._marks = bytearray(size)
        self._next = 0
        self.seen = self.held = 0

    def add(self, held: bool) -> None:
        place = self._next
        self.held += held - self._marks[place]
        self._marks[place] = held
        self._next = place + 1 if place + 1 < len(self._marks) else 0
        self.seen += 1

    @property
    def is_full(self) -> bool:
        return self.seen >= len(self._marks)

    @property
    def pct(self) -> Optional[float]:
        """None without any outcome."""
        known = min(self.seen, len(self._marks))
        return 100.0 * self.held / known if known else None


@dataclass
class _Row:
    """One stretch of time."""

    times: Counter[int]
    done: int = 0
    failed: int = 0
    hits: int = 0
    told: int = 0


class Series:
    """How it went over time, in at most 200 rows: when there are more, two become one."""

    def __init__(self) -> None:
        self.width = _FIRST_WIDTH
        self._rows: list[_Row] = [_Row(Counter())]

    def at(self, second: float) -> _Row:
        """The row of a moment, which is never before the last one."""
        while int(second / self.width) >= MAX_POINTS:
            self._halve()
        while len(self._rows) <= int(second / self.width):
            self._rows.append(_Row(Counter()))
        return self._rows[-1]

    def _halve(self) -> None:
        self.width *= 2
        pairs = [self._rows[number : number + 2] for number in range(0, len(self._rows), 2)]
        self._rows = [
            _Row(
                sum((row.times for row in pair), Counter()),
                sum(row.done for row in pair),
                sum(row.failed for row in pair),
                sum(row.hits for row in pair),
                sum(row.told for row in pair),
            )
            for pair in pairs
        ]

    def points(self, elapsed: float) -> list[dict[str, Any]]:
        """The rows as a chart draws them: ``done`` and ``failed`` since the beginning, the rest of that stretch."""
        points, done, failed = [], 0, 0
        for number, row in enumerate(self._rows):
            end = min((number + 1) * self.width, max(elapsed, number * self.width + 1e-3))
            done, failed = done + row.done, failed + row.failed
            points.append(
                {
                    "second": round(end, 2),
                    "done": done,
                    "failed": failed,
                    "rate": round(row.done / (end - number * self.width), 1),
                    "p95_ms": _rounded(quantile(0.95, row.times)),
                    "hit_pct": round(100.0 * row.hits / row.told, 1) if row.told else None,
                }
            )
        return points


class Failure(NamedTuple):
    """One that is named."""

    path: str
    kind: str
    reason: str


class Pass:
    """What a pass over the URLs yields."""

    def __init__(self) -> None:
        self.times = Times()
        self.hits = self.told = 0

    def add(self, outcome: Outcome, bucket: int) -> None:
        """Count an answer that was good: a fast error is no latency."""
        self.times.add(outcome.ms, bucket)
        if outcome.hit is not None:
            self.told += 1
            self.hits += outcome.hit

    @property
    def hit_pct(self) -> Optional[float]:
        """Share of the answers from a cache among those that said so."""
        return 100.0 * self.hits / self.told if self.told else None

    def summary(self) -> dict[str, Any]:
        return {**self.times.summary(), "hit_pct": _rounded(self.hit_pct, 1)}


class Tally:
    """Everything that became of the requests of the first pass, and whether that is reason to stop."""

    def __init__(self, limits: Limits, wanted: Wanted) -> None:
        self.limits, self.wanted = limits, wanted
        self.first = Pass()
        self.series = Series()
        self.done = self.ok = self.bytes = 0
        self.errors: Counter[str] = Counter()
        self.failures: list[Failure] = []
        self._failed = Ring(limits.failed_window)
        self._hits = Ring(limits.failed_window)
        self._gone = 0
        self._tolerated = limits.max_failed_pct / 100 * limits.failed_window

    @property
    def failed(self) -> int:
        return self.done - self.ok

    def add(self, path: str, outcome: Outcome, second: float) -> Optional[str]:
        """Count one that ended ``second`` s after the start; why to stop, None to go on."""
        row = self.series.at(second)
        self.done += 1
        row.done += 1
        self.bytes += outcome.size
        if outcome.kind is None:
            self.ok += 1
            self._gone = 0
            bucket = bucket_of(outcome.ms)
            self.first.add(outcome, bucket)
            row.times[bucket] += 1
            self._failed.add(False)
            if outcome.hit is not None:
                row.told += 1
                row.hits += outcome.hit
                self._hits.add(outcome.hit)
                return self._reached() or self._failing()
            return self._failing()
        row.failed += 1
        self._fail(path, outcome)
        return self._hopeless(outcome.kind)

    def _fail(self, path: str, outcome: Outcome) -> None:
        kind = outcome.kind or ""
        self.errors[kind] += 1
        if len(self.failures) < _SHOWN:
            self.failures.append(Failure(shown(path), kind, outcome.reason))

    def _hopeless(self, kind: str) -> Optional[str]:
        self._failed.add(True)
        if kind not in (REFUSED, RESET):
            self._gone = 0
            return self._failing()
        self._gone += 1
        # As long as nobody is found, the question is whether the instance is gone, and a few requests answer it.
        return GONE if self._gone >= self.limits.gone_after else None

    def _failing(self) -> Optional[str]:
        return FAILING if self._failed.is_full and self._failed.held > self._tolerated else None

    def _reached(self) -> Optional[str]:
        """Whether the cache has turned out to be warm: nothing is to be gained from the rest of the list."""
        if self.wanted.hit_pct is None or self.wanted.second_pass_p95_ms is not None or not self._hits.is_full:
            return None
        return TARGET if (self._hits.pct or 0.0) >= self.wanted.hit_pct else None

    @property
    def failed_pct(self) -> float:
        return 100.0 * self.failed / self.done if self.done else 0.0

    @property
    def recent_hit_pct(self) -> Optional[float]:
        """Of the last answers."""
        return self._hits.pct


class Verdict(NamedTuple):
    """How it ended: why it stopped, in words, and whether the instance is warm."""

    stopped: str
    reason: str
    warm: bool


def verdict(tally: Tally, stopped: Optional[str], again: Optional[Tally], notes: Sequence[str] = ()) -> Verdict:
    """Judge a run. ``stopped``: why it stopped before the end of the list, None when it did not.

    ``again``: the pass over URLs that had been asked for before; None where there was none. ``notes``: what else a
    person has to know.
    """
    limits, wanted = tally.limits, tally.wanted
    more = "".join(f"; {note}" for note in notes)
    counts = _counts(tally) + (f", in the second pass {_counts(again)}" if again and again.failed else "")
    if stopped == TARGET:
        return Verdict(TARGET, f"{_share(tally.recent_hit_pct)} of the last answers came from the cache{more}", True)
    if stopped == GONE:
        return Verdict(GONE, f"{limits.gone_after} requests in a row found no server; {counts}{more}", False)
    if stopped == BUDGET:
        return Verdict(BUDGET, f"the time of {limits.budget:g} s is over; {counts}{more}", False)
    if stopped == NOTHING or tally.done == 0:
        said = counts if tally.done else "its sources name nothing that may be asked for"
        return Verdict(NOTHING, f"{said}{more}", False)
    failed_pct = max(tally.failed_pct, again.failed_pct if again else 0.0)
    if stopped == FAILING or failed_pct > limits.max_failed_pct or not tally.ok:
        return Verdict(FAILING, f"{counts}; at most {limits.max_failed_pct:g} % may fail{more}", False)
    missed = _missed(wanted, again.first if again else None)
    if missed:
        return Verdict(COMPLETE, f"the list is at its end, and {'; '.join(missed)}{more}", False)
    if wanted.any:
        return Verdict(TARGET, f"{counts}, and the second pass has met its target{more}", True)
    return Verdict(COMPLETE, f"{counts}{more}", True)


def _counts(tally: Tally) -> str:
    named = sorted(tally.errors.items(), key=lambda item: (-item[1], item[0]))
    kinds = f" ({', '.join(f'{count} {kind}' for kind, count in named)})" if named else ""
    return f"{tally.ok} of {tally.done} requests were answered well{kinds}"


def _missed(wanted: Wanted, second: Optional[Pass]) -> list[str]:
    """Which targets the second pass has missed."""
    missed = []
    p95 = second.times.percentile(95) if second else None
    share = second.hit_pct if second else None
    if wanted.second_pass_p95_ms is not None and (p95 is None or p95 > wanted.second_pass_p95_ms):
        seen = "has no answer" if p95 is None else f"has a p95 of {p95:.3g} ms"
        missed.append(f"the second pass {seen}, at most {wanted.second_pass_p95_ms:g} ms is wanted")
    if wanted.hit_pct is not None and (share is None or share < wanted.hit_pct):
        seen = "no answer says whether it came" if share is None else f"{_share(share)} of the answers came"
        missed.append(f"in the second pass {seen} from the cache, at least {wanted.hit_pct:g} % is wanted")
    return missed


def _share(share: Optional[float]) -> str:
    return "nothing" if share is None else f"{share:.1f} %"

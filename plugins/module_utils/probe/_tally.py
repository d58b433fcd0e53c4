# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Counts the requests of a prober. Nothing here sends or waits."""

from __future__ import annotations

import math
import threading
from collections import Counter
from typing import Any

MAX_POINTS = 600
"""Rows of the series that a summary carries at most."""


class Tally:
    """What became of the requests. May be used by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: dict[float, bool | None] = {}
        self._errors: Counter[str] = Counter()
        self._slowest = 0.0

    def sent(self, t: float) -> None:
        """A request leaves ``t`` seconds after the start; what becomes of it is not known yet."""
        with self._lock:
            self._sent[t] = None

    def answered(self, t: float, seconds: float, error: str | None) -> None:
        """The request sent at ``t`` came back after ``seconds``; ``error`` is its kind of failure, None for none."""
        with self._lock:
            self._sent[t] = error is None
            self._slowest = max(self._slowest, seconds)
            if error is not None:
                self._errors[error] += 1

    def summary(self, elapsed: float) -> dict[str, Any]:
        """Everything so far, ``elapsed`` seconds after the start. Requests still under way are not counted."""
        with self._lock:
            done = sorted((t, ok) for t, ok in self._sent.items() if ok is not None)
            errors, slowest = dict(sorted(self._errors.items())), self._slowest
        return {
            "sent": len(done),
            "failed": sum(1 for _t, ok in done if not ok),
            "failed_at_first": next((number for number, (_t, ok) in enumerate(done) if ok), 0),
            "longest_gap_ms": round(1000 * longest_gap(done, elapsed)),
            "slowest_ms": round(1000 * slowest, 1),
            "seconds": round(elapsed, 3),
            "errors": errors,
            "series": series(done, elapsed),
        }


def longest_gap(done: list[tuple[float, bool]], elapsed: float) -> float:
    """The longest time without a good answer, in seconds.

    From the first request that failed to the next one that did not, by the times of sending; 0 when none failed. A
    gap that is still open ends now.
    """
    longest, began = 0.0, None
    for t, ok in done:
        if not ok and began is None:
            began = t
        elif ok and began is not None:
            longest, began = max(longest, t - began), None
    return longest if began is None else max(longest, elapsed - began)


def series(done: list[tuple[float, bool]], elapsed: float) -> list[list[int]]:
    """Rows [second, good, failed], one for each second; of a long probe one for every few seconds."""
    width = max(1, math.ceil(elapsed / MAX_POINTS))
    rows: dict[int, list[int]] = {}
    for t, ok in done:
        row = rows.setdefault(int(t / width) * width, [0, 0])
        row[0 if ok else 1] += 1
    return [[second, *row] for second, row in sorted(rows.items())]

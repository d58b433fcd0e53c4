# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of counters, scrape by scrape, with the verdict and the second of red that are right for them.

As in gate_series.py, what is right follows from a formula. The traffic is steady, but for what a family changes at the
second T. x seconds later a window of W seconds holds x seconds of the new and W - x of the old, from W on only the new.
Counters that begin anew at a scrape lose nothing, so the right answer is that of counters that never did.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor
from typing import Any

Counters = dict[str, Fraction]
"""Series, as a page spells it, to value."""

T, DURATION = 16, 40
RATE = 50
"""Requests a second."""

OK, ERRORS = 'r_total{status="200"}', 'r_total{status="500"}'
FAST, SLOW = 'd_seconds_bucket{le="0.1"}', 'd_seconds_bucket{le="1"}'
SLOWER, EVERY = 'd_seconds_bucket{le="2.5"}', 'd_seconds_bucket{le="+Inf"}'

RATIO = {
    "metric": "r_total",
    "labels": {"status": "~5.."},
    "aggregate": "ratio",
    "over": {"metric": "r_total", "labels": {}},
}
COUNT = {"metric": "r_total", "labels": {}, "aggregate": "rate"}
QUANTILE = {"metric": "d_seconds", "aggregate": "quantile", "quantile": 0.95}


@dataclass(frozen=True)
class Paged:
    """One series of pages and what is right for it."""

    name: str
    why: str
    verdict: str
    red_at: Fraction | int | None
    measure: dict[str, Any]
    grown: Callable[[Fraction], Counters]
    """By how much each counter has grown at a second since the gate began."""
    limits: dict[str, Any] = field(default_factory=dict)
    resets: str = "never"
    interval: Fraction = Fraction(1)
    away: Callable[[Fraction], bool] = lambda _t: False
    """When nobody answers."""

    def pages(self) -> list[tuple[float, str | None]]:
        """Time and text of each scrape; None where nobody answers."""
        ticks = [k * self.interval for k in range(int((DURATION + 20) / self.interval) + 1)]
        return [(float(t), None if self.away(t) else self._page(t)) for t in ticks]

    def _page(self, t: Fraction) -> str:
        now = self.grown(t)
        begun, start = self._began(t), Fraction(900)
        if begun is None:
            # Counted for long before the gate.
            values = {name: 12345 + value for name, value in now.items()}
        else:
            values = {name: value - self.grown(begun)[name] for name, value in now.items()}
            start = 1000 + begun
        rows = [f"{name} {float(value)}" for name, value in values.items()]
        if self.resets == "restart":
            rows.append(f"process_start_time_seconds {float(start) + 0.001}")
        return "\n".join(["# TYPE r_total counter", *rows, ""])

    def _began(self, t: Fraction) -> Fraction | None:
        """The scrape at which the process that is asked at t began to count; it says so from the next one on."""
        every = {"never": 0, "once": 19, "often": 5, "restart": 7}[self.resets]
        if not every or t <= every:
            return None
        return Fraction(every) if self.resets in ("once", "restart") else (ceil(t / every) - 1) * Fraction(every)


def up(x: Fraction, interval: Fraction) -> Fraction:
    """The first tick at or after x."""
    return ceil(x / interval) * interval


def requests(bad_share: Fraction, before: Fraction = Fraction(0)) -> Callable[[Fraction], Counters]:
    """A share of errors from T on, and another one before."""

    def grown(t: Fraction) -> Counters:
        bad = RATE * (before * min(t, Fraction(T)) + bad_share * max(t - T, Fraction(0)))
        return {OK: RATE * t - bad, ERRORS: bad}

    return grown


def ratios() -> Iterator[Paged]:
    """The share of errors in the window is p x / W, and reaches 5 % when x = W * 5 % / p."""
    for share, window, resets in itertools.product(
        (Fraction(1, 50), Fraction(1, 10), Fraction(2, 5), Fraction(1)), (4, 10), ("never", "once", "often", "restart")
    ):
        sustained = 3
        name = f"ratio-{float(share * 100):g}-percent-window-{window}-resets-{resets}"
        limits = {"warn": 3.0, "crit": 5.0, "sustained": sustained, "window": window}
        if share < Fraction(5, 100):
            yield Paged(name, "2 % are inside 3 %", "green", None, RATIO, requests(share), limits, resets)
            continue
        x = window * Fraction(5, 100) / share
        critical = T + up(x, Fraction(1))
        why = f"{float(x):g} s of the new are 5 % of {window} s: critical at {float(critical):g} s"
        yield Paged(name, why, "red", critical + sustained, RATIO, requests(share), limits, resets)


def rates() -> Iterator[Paged]:
    """The rate goes from RATE to a new one: (RATE (W - x) + new x) / W."""

    def traffic(new: int) -> Callable[[Fraction], Counters]:
        return lambda t: {OK: RATE * min(t, Fraction(T)) + new * max(t - T, Fraction(0))}

    for new, crit, resets in itertools.product((10, 30, 70, 90), (40, 60), ("never", "once", "often", "restart")):
        window, direction = 8, "below" if crit < RATE else "above"
        limits = {"crit": float(crit), "direction": direction, "sustained": 2, "window": window}
        name = f"rate-to-{new}-crit-{crit}-resets-{resets}"
        if (new < crit) != (direction == "below"):
            yield Paged(name, "the other side is not bad", "green", None, COUNT, traffic(new), limits, resets)
            continue
        x = window * Fraction(crit - RATE, new - RATE)
        critical = T + up(x, Fraction(1))
        why = f"{crit} a second on the average of {window} s after {float(x):g} s: critical at {float(critical):g} s"
        yield Paged(name, why, "red", critical + 2, COUNT, traffic(new), limits, resets)


def quantiles() -> Iterator[Paged]:
    """The 95th percentile leaves the fast bucket when MORE than 5 % of the window are slow, between 1 and 2.5 s."""

    def times(share: Fraction) -> Callable[[Fraction], Counters]:
        def grown(t: Fraction) -> Counters:
            every, slow = RATE * t, RATE * share * max(t - T, Fraction(0))
            return {FAST: every - slow, SLOW: every - slow, SLOWER: every, EVERY: every}

        return grown

    for share, resets in itertools.product(
        (Fraction(1, 25), Fraction(1, 10), Fraction(1, 2), Fraction(1)), ("never", "once", "often", "restart")
    ):
        window, sustained = 8, 4
        limits = {"warn": 0.5, "crit": 1.0, "sustained": sustained, "window": window}
        name = f"p95-{float(share * 100):g}-percent-slow-resets-{resets}"
        if share <= Fraction(5, 100):
            yield Paged(name, "4 % slow are none of the 95", "green", None, QUANTILE, times(share), limits, resets)
            continue
        x = window * Fraction(5, 100) / share
        critical = T + floor(x) + 1
        why = f"5 % after {float(x):g} s, more at {critical} s"
        yield Paged(name, why, "red", critical + sustained, QUANTILE, times(share), limits, resets)


def silence() -> Iterator[Paged]:
    """Traffic that ends at T: the window holds RATE (W - x) requests, too few when x > W - least / RATE."""
    for least, policy, resets in itertools.product((1, 100), ("fail", "hold", "pass"), ("never", "restart")):
        window, sustained = 6, 3
        limits = {"crit": 5.0, "sustained": sustained, "window": window, "min_events": least, "on_no_data": policy}
        x = window - Fraction(least, RATE)
        critical = T + floor(x) + 1
        verdict = "red" if policy == "fail" else "green"
        yield Paged(
            f"no-traffic-least-{least}-{policy}-resets-{resets}",
            f"fewer than {least} after {float(x):g} s: no data from {critical} s on",
            verdict,
            critical + sustained if verdict == "red" else None,
            RATIO,
            lambda t: {OK: RATE * min(t, Fraction(T)), ERRORS: Fraction(0)},
            limits,
            resets,
        )


def absences() -> Iterator[Paged]:
    """Nobody answers from T on for n scrapes, then all is as it would have been."""
    for count, policy in itertools.product((2, 5), ("fail", "hold", "pass")):
        for share in (Fraction(0), Fraction(1, 2)):
            limits = {"crit": 5.0, "sustained": 4, "window": 5, "on_no_data": policy}
            back = T + count
            # The page that comes back has counted on: x seconds of errors of the 5, or of all since T - 1 if that is
            # longer ago. In both cases 50 % of the seconds since T, of at most 6: above 5 % at the first look.
            if policy == "fail" and not share:
                # No data is bad: one breach of count - 1 seconds.
                red = T + 4 if count - 1 >= 4 else None
            else:
                # Bad since T where no data is bad, and else since the page is back.
                begin = T if policy == "fail" else back
                red = begin + 4 if share else None
            verdict = "red" if red else "yellow" if policy == "fail" else "green"
            yield Paged(
                f"away-for-{count}-then-{float(share * 100):g}-percent-{policy}",
                f"back at {back} s",
                verdict,
                red,
                RATIO,
                requests(share),
                limits,
                away=lambda t, b=back: b > t >= T,
            )


def graces() -> Iterator[Paged]:
    """Errors of the warm-up are never in a window; the first look after it is what later ones are compared with."""
    for until, share in itertools.product((T, T - 1, 12), (Fraction(0), Fraction(1, 2))):
        # All bad up to T, then a share. Judged from the scrape after the grace's last.
        limits = {"crit": 5.0, "sustained": 2, "window": 30, "grace": until}
        bad = share or until < T
        yield Paged(
            f"grace-of-{until}-then-{float(share * 100):g}-percent",
            "all bad until 16 s; the first sample is a second after the grace",
            "red" if bad else "green",
            until + 1 + 2 if bad else None,
            RATIO,
            requests(share, before=Fraction(1)),
            limits,
        )


def cases() -> Iterator[Paged]:
    """Every case."""
    for family in (ratios, rates, quantiles, silence, absences, graces):
        yield from family()

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Series of samples with the verdict and the second of red that are right for them.

Nothing here asks the gate. What is right follows, for each family, from the documentation of health_gate by a formula
about its shape: when the first critical sample falls, and which sample is the first that lies `sustained` seconds
after it. All arithmetic is in fractions. `why` puts the formula into words, with the numbers of the case.

Limits, unless a family says otherwise: yellow past 2, critical at or past 5; good is 1, bad is 9.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil
from typing import Any

Value = Fraction | int | float | None

GOOD, BAD = 1, 9
NO_DATA = {"nothing": None, "nan": float("nan")}
"""Two ways to have no data: no answer, and an answer that is no number."""

DURATION = 20
BEYOND = 20
"""Seconds of samples after the window, for gates that go on."""


@dataclass(frozen=True)
class Case:
    """One series and what is right for it. Times in seconds since the gate began."""

    name: str
    why: str
    verdict: str
    at: Callable[[Fraction], Value]
    """The value at every moment, for as long as anybody looks."""
    red_at: Fraction | int | None = None
    """Time of the sample that makes it red; None also when only the end of the window does."""
    interval: Fraction = Fraction(1)
    limits: dict[str, Any] = field(default_factory=dict)
    left_out: Callable[[Fraction], bool] = lambda _t: False
    """Ticks that a slow answer has cost."""
    duration: int = DURATION

    @property
    def all_limits(self) -> dict[str, Any]:
        """All limits, as the gate takes them."""
        limits = {"warn": 2, "crit": 5, **self.limits}
        return {name: float(value) if isinstance(value, Fraction) else value for name, value in limits.items()}

    def samples(self) -> list[tuple[float, float | None]]:
        """Time and value of each sample."""
        ticks = (k * self.interval for k in range(int((self.duration + BEYOND) / self.interval) + 1))
        found = [(float(t), self.at(t)) for t in ticks if not self.left_out(t)]
        return [(t, None if value is None else float(value)) for t, value in found]

    def mirrored(self) -> Case:
        """The same with low values as the bad ones: v becomes 100 - v."""
        limits = {"warn": 2, "crit": 5, **self.limits}
        turned = {key: 100 - limits[key] for key in ("warn", "crit", "target") if limits.get(key) is not None}

        def at(t: Fraction) -> Value:
            value = self.at(t)
            return None if value is None else 100 - value

        limits |= {**turned, "direction": "below"}
        return replace(self, name=f"{self.name}-below", limits=limits, at=at)


def up(x: Fraction | float, interval: Fraction) -> Fraction:
    """The first tick at or after x."""
    return ceil(Fraction(x) / interval) * interval


def steady() -> Iterator[Case]:
    """A value that never changes. It is critical at the first look and has lasted S at the first tick from S on."""
    for value, sustained, interval in itertools.product(
        (1, 2, Fraction(5, 2), 5, 9), (0, 3), (Fraction(1), Fraction(1, 2), Fraction(2))
    ):
        name = f"steady-{float(value):g}-sustained-{sustained}-every-{float(interval):g}"
        limits = {"sustained": sustained}
        if value >= 5:
            red = up(sustained, interval)
            why = f"critical from 0 s on; the first tick from {sustained} s on is {float(red):g} s"
            yield Case(name, why, "red", lambda _t, v=value: v, red, interval, limits=limits)
        else:
            verdict = "yellow" if value > 2 else "green"
            yield Case(name, f"past 2: {value > 2}", verdict, lambda _t, v=value: v, None, interval, limits=limits)


def spike() -> Iterator[Case]:
    """n bad samples in a row last (n - 1) intervals."""
    for count, (sustained, interval) in itertools.product(
        range(1, 6),
        ((3, Fraction(1)), (Fraction(3, 2), Fraction(1, 2)), (3, Fraction(2)), (Fraction(5, 2), Fraction(1))),
    ):
        begin, lasts = 6, (count - 1) * interval
        red = begin + up(sustained, interval) if lasts >= sustained else None
        yield Case(
            f"spike-of-{count}-sustained-{float(sustained):g}-every-{float(interval):g}",
            f"{count} bad samples last {float(lasts):g} s of {float(sustained):g} s",
            "red" if red else "yellow",
            lambda t, b=begin, e=begin + lasts: BAD if b <= t <= e else GOOD,
            red,
            interval,
            limits={"sustained": sustained},
        )


def step() -> Iterator[Case]:
    """Bad for ever from t0 on: seen at the first tick from t0 on, red at the first tick S after that one."""
    for begin, sustained, interval in itertools.product(
        (Fraction(16, 5), Fraction(5), Fraction(79, 10)),
        (0, 2, Fraction(7, 2)),
        (Fraction(1, 2), Fraction(1), Fraction(2)),
    ):
        seen = up(begin, interval)
        red = seen + up(sustained, interval)
        yield Case(
            f"step-at-{float(begin):g}-sustained-{float(sustained):g}-every-{float(interval):g}",
            f"seen at {float(seen):g} s, and {float(up(sustained, interval)):g} s of ticks hold {float(sustained):g} s",
            "red",
            lambda t, b=begin: BAD if t >= b else GOOD,
            red,
            interval,
            limits={"sustained": sustained},
        )


def drift() -> Iterator[Case]:
    """1 + k t reaches 5 at 4 / k and passes 2 after 1 / k."""
    for slope, sustained, interval in itertools.product(
        (Fraction(1, 32), Fraction(1, 16), Fraction(3, 16), Fraction(1, 4), Fraction(5, 8), Fraction(2)),
        (0, 4),
        (Fraction(1), Fraction(2)),
    ):
        critical = up(4 / slope, interval)
        if critical <= DURATION:
            verdict, red = "red", critical + up(sustained, interval)
            why = f"reaches 5 at {float(4 / slope):g} s, seen at {float(critical):g} s"
        else:
            # Not seen within the window; the last look is at 20 s.
            red, verdict = None, "yellow" if 1 + slope * DURATION > 2 else "green"
            why = f"reaches 5 at {float(4 / slope):g} s, after the window; is {float(1 + slope * 20):g} at its end"
        name = f"drift-{float(slope):g}-a-second-sustained-{sustained}-every-{float(interval):g}"
        limits = {"sustained": sustained}
        yield Case(name, why, verdict, lambda t, k=slope: float(1 + k * t), red, interval, limits=limits)


def oscillation() -> Iterator[Case]:
    """b bad and g good samples by turns, from a bad one on.

    g good samples last g - 1 seconds. When that is less than `recover` all is one breach, red at the first bad sample
    from S on; else every breach is over after b - 1 seconds.
    """
    for bad, good, recover, sustained in itertools.product((1, 2), (1, 2, 3), (0, 1, 3), (1, 5)):
        if good - 1 < recover:
            position = sustained % (bad + good)
            red = sustained if position < bad else sustained - position + bad + good
            verdict, why = "red", f"one breach; the first bad sample from {sustained} s on is at {red} s"
        elif bad - 1 >= sustained:
            red, verdict, why = sustained, "red", f"the first bad stretch lasts {bad - 1} s"
        else:
            red, verdict, why = None, "yellow", f"each breach lasts {bad - 1} s and is over"
        yield Case(
            f"oscillation-{bad}-bad-{good}-good-recover-{recover}-sustained-{sustained}",
            why,
            verdict,
            lambda t, b=bad, g=good: BAD if t % (b + g) < b else GOOD,
            red,
            limits={"recover": recover, "sustained": sustained},
        )


def recovery() -> Iterator[Case]:
    """Bad from 4 s to 4 + L, then good up to a relapse g seconds after the last bad sample."""
    for lasts, gap, recover in itertools.product((0, 2), (1, 3, 5), (0, 2, 4)):
        sustained, last = 6, 4 + lasts
        relapse = last + gap
        # Good samples from last + 1 to relapse - 1.
        over = gap >= 2 and gap - 2 >= recover
        begin = relapse if over else 4
        red = max(begin + sustained, relapse)
        yield Case(
            f"relapse-after-{gap}-lasted-{lasts}-recover-{recover}",
            f"{'a new breach begins at' if over else 'it is one breach since'} {begin} s",
            "red",
            lambda t, e=last, r=relapse: BAD if 4 <= t <= e or t >= r else GOOD,
            red,
            limits={"recover": recover, "sustained": sustained},
        )
    for lasts, recover in itertools.product((0, 3, 5), (0, 2, 30)):
        # Good to the end of all samples. With 30 s to prove, the samples (to 40 s) hold 40 - (5 + lasts) >= 30.
        yield Case(
            f"recovery-lasted-{lasts}-recover-{recover}",
            f"bad for {lasts} of 6 s, then good for as long as anybody looks",
            "yellow",
            lambda t, e=4 + lasts: BAD if 4 <= t <= e else GOOD,
            limits={"recover": recover, "sustained": 6},
        )


def late() -> Iterator[Case]:
    """A breach that begins shortly before the window's end, at 20 s, is followed past it."""
    for begin, sustained, interval in itertools.product(
        (17, 20), (0, 4, Fraction(9, 2)), (Fraction(1), Fraction(1, 2))
    ):
        red = begin + up(sustained, interval)
        yield Case(
            f"late-at-{begin}-sustained-{float(sustained):g}-every-{float(interval):g}",
            f"begins at {begin} s, {float(red - 20):g} s from the window's end on it has lasted",
            "red",
            lambda t, b=begin: BAD if t >= b else GOOD,
            red,
            interval,
            limits={"sustained": sustained},
        )
        if sustained:
            yield Case(
                f"late-at-{begin}-heals-sustained-{float(sustained):g}-every-{float(interval):g}",
                f"begins at {begin} s and lasts 3 s of {float(sustained):g} s",
                "yellow",
                lambda t, b=begin: BAD if b <= t <= b + 3 else GOOD,
                None,
                interval,
                limits={"sustained": sustained},
            )
    yield Case("late-after-the-end", "begins at 21 s, after the window", "green", lambda t: BAD if t >= 21 else GOOD)
    yield Case(
        "late-while-another-is-pending",
        "pending from 19 s, over at 21 s; what begins at 24 s is not looked at any more",
        "yellow",
        lambda t: BAD if 19 <= t < 21 or t >= 24 else GOOD,
        limits={"sustained": 5},
    )


def no_data() -> Iterator[Case]:
    """No data for a while or for ever, by each policy: with `fail` it is as bad as bad, with `pass` as good as good."""
    for (what, nothing), policy in itertools.product(NO_DATA.items(), ("fail", "hold", "pass")):
        limits = {"sustained": 4, "on_no_data": policy}

        def case(
            name: str,
            why: str,
            right: dict[str, tuple[str, int | None]],
            at: Callable[[Fraction], Value],
            own: tuple[str, str, dict[str, Any]] = (what, policy, limits),
            **more: Any,
        ) -> Case:
            what, policy, limits = own
            verdict, red = right[policy]
            return Case(f"{what}-{name}-{policy}", why, verdict, at, red, limits={**limits, **more})

        yield case("ever", "not one sample with data",
                   {"fail": ("red", 4), "hold": ("pending", None), "pass": ("green", None)},
                   lambda _t, n=nothing: n)  # fmt: skip
        yield case("from-6", "the data end at 6 s, and 6 + 4 = 10",
                   {"fail": ("red", 10), "hold": ("green", None), "pass": ("green", None)},
                   lambda t, n=nothing: n if t >= 6 else GOOD)  # fmt: skip
        for count in (1, 4, 5):
            yield case(f"for-{count}", f"{count} samples last {count - 1} s of 4 s",
                       {"fail": ("red", 10) if count == 5 else ("yellow", None), "hold": ("green", None),
                        "pass": ("green", None)},
                       lambda t, n=nothing, c=count: n if 6 <= t < 6 + c else GOOD)  # fmt: skip
        for count in (1, 4):
            again = 8 + count
            yield case(f"for-{count}-in-a-breach", f"bad at 6 and 7 s and from {again} s on; only pass ends it at 8 s",
                       {"fail": ("red", 10), "hold": ("red", max(10, again)), "pass": ("red", again + 4)},
                       lambda t, n=nothing, a=again: n if 8 <= t < a else BAD if t >= 6 else GOOD)  # fmt: skip
        yield case("after-a-breach-began", "bad at 6 and 7 s, then no data for ever; 6 + 4 = 10",
                   {"fail": ("red", 10), "hold": ("pending", None), "pass": ("yellow", None)},
                   lambda t, n=nothing: n if t >= 8 else BAD if t >= 6 else GOOD)  # fmt: skip
        # Where no data is bad, each odd second undoes the recovery; the first of them 4 s after 6 s is 11 s.
        yield case("in-a-recovery", "bad at 6 and 7 s, good at 8, 10, 12 s and so on, no data between",
                   {"fail": ("red", 11), "hold": ("yellow", None), "pass": ("yellow", None)},
                   lambda t, n=nothing: n if t >= 8 and t % 2 else BAD if 6 <= t < 8 else GOOD, recover=3)  # fmt: skip


def samples_needed() -> Iterator[Case]:
    """With data at 0, 5, 10, 15 and 20 s only: five samples."""
    for needed, policy in itertools.product((4, 5, 6), ("fail", "hold", "pass")):
        short = {"fail": "red", "hold": "pending", "pass": "green"}[policy]
        # Four samples without data in a row last 3 s, healed each time.
        enough = "yellow" if policy == "fail" else "green"
        yield Case(
            f"five-samples-of-{needed}-{policy}",
            f"5 of at least {needed}",
            short if needed > 5 else enough,
            lambda t: None if t % 5 else GOOD,
            limits={"sustained": 4, "min_samples": needed, "on_no_data": policy},
        )


def skipped() -> Iterator[Case]:
    """Ticks that nobody sampled. A breach is followed by the clock: 6 s and the next bad sample are one breach."""
    for next_one, sustained in itertools.product((8, 9, 12), (2, 3, 5)):
        red = max(6 + sustained, next_one)
        yield Case(
            f"skipped-to-{next_one}-sustained-{sustained}",
            f"bad at 6 s, then not asked until {next_one} s; the first bad sample from {6 + sustained} s on",
            "red",
            lambda t: BAD if t >= 6 else GOOD,
            red,
            limits={"sustained": sustained},
            left_out=lambda t, n=next_one: 6 < t < n,
        )
        yield Case(
            f"skipped-to-{next_one}-good-sustained-{sustained}",
            "one bad sample lasts 0 s, whatever happened unseen",
            "yellow",
            lambda t: BAD if t == 6 else GOOD,
            limits={"sustained": sustained},
            left_out=lambda t, n=next_one: 6 < t < n,
        )


def grace() -> Iterator[Case]:
    """A breach in the grace is not judged; one that goes on begins at the first tick after it."""
    for warm_up, sustained, interval in itertools.product(
        (3, Fraction(7, 2)), (0, 2), (Fraction(1), Fraction(2), Fraction(1, 2))
    ):
        limits = {"grace": warm_up, "sustained": sustained}
        name = f"grace-{float(warm_up):g}-sustained-{sustained}-every-{float(interval):g}"
        first = up(warm_up, interval)
        yield Case(f"{name}-excused", "bad in the grace alone", "green", lambda t, g=warm_up: BAD if t < g else GOOD,
                   None, interval, limits=limits)  # fmt: skip
        yield Case(f"{name}-goes-on", f"judged from {float(first):g} s on", "red", lambda _t: BAD,
                   first + up(sustained, interval), interval, limits=limits)  # fmt: skip
        yield Case(f"{name}-no-data-in-it", "no data in the grace costs nothing", "green",
                   lambda t, g=warm_up: None if t < g else GOOD, None, interval, limits=limits)  # fmt: skip


def readiness() -> Iterator[Case]:
    """`successes` good samples in a row; what was bad before costs nothing, what is bad after is a breach."""
    for needed, bad in itertools.product((1, 3), (0, 4)):
        limits = {"successes": needed, "sustained": 2}
        ready = bad + needed - 1
        yield Case(f"ready-after-{bad}-bad-needs-{needed}", f"ready at {ready} s", "green",
                   lambda t, b=bad: BAD if t < b else GOOD, limits=limits)  # fmt: skip
        yield Case(f"ready-and-then-bad-after-{bad}-needs-{needed}", f"ready at {ready} s, bad from {ready + 3} s on",
                   "red", lambda t, b=bad, r=ready: BAD if t < b or t >= r + 3 else GOOD, ready + 5,
                   limits=limits)  # fmt: skip
    flaky = {"fail": "red", "hold": "green", "pass": "green"}
    for policy, verdict in flaky.items():
        # Good, good, no data, and so on: never three in a row where no data is bad. Red only when the window is over.
        yield Case(f"ready-flaky-{policy}", "two good ones and one without data, by turns", verdict,
                   lambda t: None if t % 3 == 2 else GOOD, limits={"successes": 3, "on_no_data": policy})  # fmt: skip
    yield Case("ready-never", "no good sample", "red", lambda _t: BAD, limits={"successes": 1})
    yield Case("ready-by-nothing", "no data prove nothing", "red", lambda _t: None,
               limits={"successes": 1, "on_no_data": "pass"})  # fmt: skip


def borders() -> Iterator[Case]:
    """Values exactly at limits, and limits that are not there."""
    for inclusive, verdicts in ((None, "green red"), (True, "yellow red"), (False, "green yellow")):
        for value, verdict in zip((2, 5), verdicts.split(), strict=True):
            yield Case(f"at-{value}-inclusive-{inclusive}", f"inclusive is {inclusive}", verdict, lambda _t, v=value: v,
                       0 if verdict == "red" else None, limits={"inclusive": inclusive})  # fmt: skip
    yield Case("no-crit", "without crit never red", "yellow", lambda _t: BAD, limits={"crit": None})
    yield Case("no-crit-no-data", "no data is a breach all the same", "red", lambda t: None if t >= 5 else GOOD, 8,
               limits={"crit": None, "sustained": 3})  # fmt: skip
    yield Case("target-missed", "past the target once", "yellow", lambda t: Fraction(3, 2) if t == 7 else GOOD,
               limits={"target": Fraction(5, 4), "warn": None})  # fmt: skip
    yield Case("red-stays-red", "red at 2 s, good ever after", "red", lambda t: BAD if t < 3 else GOOD, 2,
               limits={"sustained": 2})  # fmt: skip
    for infinite in (float("inf"), -float("inf")):
        yield Case(f"{infinite}-is-no-number", "no data from 4 s on", "red",
                   lambda t, v=infinite: v if t >= 4 else GOOD, 7, limits={"sustained": 3})  # fmt: skip


FAMILIES = (steady, spike, step, drift, oscillation, recovery, late, no_data, samples_needed, skipped, grace, readiness,
            borders)  # fmt: skip


def cases() -> Iterator[Case]:
    """Every case, the plain ones in both directions."""
    for family in FAMILIES:
        for case in family():
            yield case
            # No data has no direction.
            if family not in (no_data, borders):
                yield case.mirrored()

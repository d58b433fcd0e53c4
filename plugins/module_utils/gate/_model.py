# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The words of a gate as values: what is asked, what is measured, what is allowed, what was seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional, Protocol, Union, runtime_checkable

Value = Optional[Union[float, str]]

SAME_TIME = 1e-6
"""Seconds by which two times may differ and still be the same: they are products of floats."""


class Target(Protocol):
    """What is asked. Checks with equal targets share its answers, and so speak of the same moment."""

    def ask(self) -> Any:
        """Ask once and return the answer, or why there is none, in bounded time. Never raises for what it asks."""


@runtime_checkable
class Keeper(Target, Protocol):
    """A target that keeps something open from one look to the next."""

    def end(self) -> None:
        """Let go of it: there is no next look. One that is going on lets go of it when it is done."""


class Measure(Protocol):
    """Turns the answers of one target into samples of one check. It sends nothing and waits for nothing."""

    def sample(self, t: float, answer: Any) -> Sample | None:
        """The sample of the answer to what was asked at ``t``. None: it only prepares the next (a first scrape)."""


@dataclass(frozen=True)
class Series:
    """Which series of a Prometheus exposition are meant: a metric and matchers of its labels."""

    metric: str
    labels: Mapping[str, str] = field(default_factory=dict)
    """Label name to value; `~re` matches a whole-value expression, `!x` anything but x, `!~re` neither."""


@dataclass(frozen=True)
class Limits:
    """What is allowed, and how long a breach must last before it counts."""

    direction: str = "above"
    """The side that is bad: above, below, equals."""
    target: float | None = None
    warn: float | None = None
    crit: float | None = None
    inclusive: bool | None = None
    """Whether a value exactly at `warn` or `crit` is past it. None: at `crit` it is, at `warn` it is not."""
    expect: str | None = None
    """A state: every other value is a breach."""
    sustained: float = 0.0
    """Seconds that a breach lasts before it is red."""
    recover: float = 0.0
    """Seconds that values must be back inside before the breach is over (hysteresis)."""
    on_no_data: str = "fail"
    min_samples: int = 1
    successes: int = 0
    """Good samples in a row that readiness needs; 0: the check is no readiness check."""
    grace: float = 0.0
    """Seconds at the start that are measured but not judged."""

    @property
    def at_crit(self) -> bool:
        """Whether a value exactly at `crit` is critical."""
        # Red at or past `crit`, yellow past `warn` or `target`: the decision X-01 of the requirements.
        return self.inclusive is not False

    @property
    def at_warn(self) -> bool:
        """Whether a value exactly at `warn` is yellow."""
        return self.direction == "equals" or self.inclusive is True

    banded: str = ""
    """Which limit comes from a baseline: warn or crit."""
    origin: str = ""
    """Of which baseline, or why there is no such limit."""


@dataclass(frozen=True)
class Check:
    """One measurement with its limits."""

    name: str
    type: str
    target: Target
    limits: Limits
    begin: Callable[[Check, float], Measure] = field(repr=False)
    """Makes what turns answers into samples; called with the Unix time (s) at which the gate begins."""
    state: str | None = None
    """In words, the one right state, for a check that knows only right and wrong."""
    unit: str = ""
    weight: float = 1.0
    scale: float = 1.0
    """Factor from what is measured to what the limits are written in."""
    window: float = 10.0
    """Seconds that a rate, a ratio, a quantile, a percentile or an availability looks back."""
    min_events: int = 1
    """Events that this window must hold for its value to mean anything."""

    @property
    def is_state(self) -> bool:
        """Whether its values are states (as expected or not) and not quantities."""
        return self.state is not None


@dataclass(frozen=True)
class Sample:
    """What one look at a check yielded."""

    t: float
    """Seconds since the gate began."""
    value: Value = None
    """None: no data."""
    note: str = ""
    """Why there is no data, or what was wrong."""
    good: bool | None = None
    """For states: whether it was the expected one. True without a value: there was nothing to measure, as is right.
    None: the limits decide."""


def show(value: Value, unit: str = "") -> str:
    """A value as a person reads it: three significant digits, with its unit."""
    if value is None:
        return "no data"
    if isinstance(value, str):
        return value or "empty"
    text = f"{value:.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"
    return f"{text} {unit}".rstrip()


def seconds(duration: float) -> str:
    """A duration as a person reads it."""
    return f"{duration:.0f} s" if duration >= 10 else f"{round(duration, 1):g} s"

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Limits that are relative to what was usual before: a band around the baseline of a check."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils.gate._model import show

OPTIONS: dict[str, Any] = {
    "limit": {"type": "str", "default": "crit", "choices": ["warn", "crit"]},
    "factor": {"type": "float", "default": 2.0},
    "deviations": {"type": "float", "default": 3.0},
    "floor": {"type": "float"},
    "min_samples": {"type": "int", "default": 10},
    "on_missing": {"type": "str", "default": "fail", "choices": ["fail", "ignore"]},
}


@dataclass(frozen=True)
class Statistics:
    """What the samples of a check were like."""

    samples: int = 0
    mean: float = 0.0
    deviation: float = 0.0
    """Standard deviation of the samples; 0 with fewer than two."""

    def as_dict(self) -> dict[str, Any]:
        return {"samples": self.samples, "mean": self.mean, "deviation": self.deviation}


def describe(values: Sequence[float]) -> Statistics:
    """Summarise samples."""
    if not values:
        return Statistics()
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return Statistics(len(values), statistics.fmean(values), deviation)


def statistics_of(baseline: Mapping[str, Any] | None, check: str) -> Statistics:
    """Find a check in the result of an earlier gate. Raises ValueError when that is no such result."""
    for gate in (baseline or {}).get("gates", []):
        if gate.get("check") == check:
            found = gate.get("statistics") or {}
            return Statistics(int(found["samples"]), float(found["mean"]), float(found["deviation"]))
    return Statistics()


@dataclass(frozen=True)
class Band:
    """How far a value may lie from its baseline.

    By the larger of two distances, so that neither a quiet nor a noisy baseline makes alarms: ``factor`` times the
    mean, and ``deviations`` standard deviations from it.
    """

    limit: str = "crit"
    """Which limit it is: warn or crit."""
    factor: float = 2.0
    deviations: float = 3.0
    floor: float | None = None
    """The limit is never closer to the good side than this."""
    min_samples: int = 10
    on_missing: str = "fail"

    def at(self, usual: Statistics, direction: str) -> float:
        """Return the limit."""
        if direction == "below":
            limit = min(usual.mean / self.factor, usual.mean - self.deviations * usual.deviation)
            return limit if self.floor is None else min(limit, self.floor)
        limit = max(usual.mean * self.factor, usual.mean + self.deviations * usual.deviation)
        return limit if self.floor is None else max(limit, self.floor)

    def missing(self, usual: Statistics, direction: str, unit: str) -> str:
        """Say why a baseline is none; empty when it is one."""
        if usual.samples < self.min_samples:
            return f"its baseline has {usual.samples} of at least {self.min_samples} samples"
        if self.at(usual, direction) == usual.mean:
            value = show(usual.mean, unit)
            return f"its baseline is {value} in all samples, so a band around it has no width; give it a floor"
        return ""

    def origin(self, usual: Statistics, unit: str) -> str:
        """Where the limit comes from, for a person."""
        spread = show(usual.deviation, unit)
        return f"from a baseline of {show(usual.mean, unit)}, deviation {spread}, {usual.samples} samples"


def band_of(raw: Mapping[str, Any] | None) -> Band | None:
    """The band that a check asks for."""
    return Band(**{name: raw[name] for name in OPTIONS}) if raw else None


def problems(raw: Mapping[str, Any], direction: str) -> Iterator[str]:
    """Yield what makes no sense about the band of a check."""
    band = raw["baseline"]
    if not band:
        return
    for option, least in (("factor", 1.0), ("deviations", 0.0)):
        if not (math.isfinite(band[option]) and band[option] >= least):
            yield f"baseline.{option} is {band[option]:g}, it must be {least:g} or more"
    if band["min_samples"] < 1:
        yield f"baseline.min_samples is {band['min_samples']}, it must be 1 or more"
    if raw[band["limit"]] is not None:
        yield f"{band['limit']} cannot go with a baseline that gives it; give the other one, or set baseline.floor"
    if direction == "equals":
        yield "baseline cannot go with direction=equals"

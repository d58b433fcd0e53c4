# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Counters, ratios and quantiles straight from an application's own /metrics, without a Prometheus server."""

from __future__ import annotations

import functools
import math
import re
from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ansible_collections.sluice.release.plugins.module_utils.gate._model import SAME_TIME, Series

START_TIME = "process_start_time_seconds"

Labels = tuple[tuple[str, str], ...]
Key = tuple[str, Labels]
Process = tuple[float, ...]
"""Start times that identify a process; empty where the application does not tell them."""


class UnreadableError(Exception):
    """The text is no Prometheus exposition."""


def parse(text: str, metrics: Iterable[str]) -> dict[Key, float]:
    """Return the samples of the named metrics (of histograms: their buckets, sums and counts too).

    Only their lines are read: an application may expose thousands of others. Raises UnreadableError when one of them
    is malformed.
    """
    wanted = tuple(metrics)
    if not wanted:
        return {}
    names = "|".join(map(re.escape, wanted))
    samples: dict[Key, float] = {}
    try:
        # Its name and labels end with the last brace of a line, or with its first blank.
        for line in re.findall(rf"^[ \t]*((?:{names})(?:_bucket|_sum|_count|_total)?[{{ \t].*)", text, re.MULTILINE):
            series, _blank, value = line.rpartition(" ")
            # As nearly all lines are: no timestamp, one blank.
            if not (value and (series.endswith("}") or series.isidentifier())):
                end = line.rfind("}") + 1 or len(line.split(None, 1)[0])
                series = line[:end]
                value, *timestamp = line[end:].split()
                if len(timestamp) > 1:
                    raise ValueError(f"too much in {line}")
            samples[_key(series)] = float(value)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise UnreadableError(str(error)) from error
    return samples


@functools.lru_cache(maxsize=16384)
def _key(series: str) -> Key:
    """Read name and labels. They are the same at every scrape, and to read them is nine tenths of the work."""
    # Imported late: this file is imported on hosts that judge no Prometheus check and lack the library.
    from prometheus_client.parser import text_string_to_metric_families

    [sample] = [sample for family in text_string_to_metric_families(f"{series} 0\n") for sample in family.samples]
    return sample.name, tuple(sorted(sample.labels.items()))


def looks_like_exposition(text: str) -> bool:
    """Whether the text may be an exposition at all: not a page, not JSON, not empty."""
    return bool(re.search(r"^(# (HELP|TYPE) |[a-zA-Z_:][a-zA-Z0-9_:]*(\{.*\})?[ \t]+[-+.0-9NI])", text, re.MULTILINE))


def exposes(text: str, metric: str) -> bool:
    """Whether the application knows the metric, be it without any series yet (no error has happened so far)."""
    return bool(
        re.search(
            rf"^(?:# (?:TYPE|HELP) {re.escape(metric)}\s|{re.escape(metric)}(?:_bucket)?[{{\s])", text, re.MULTILINE
        )
    )


def matches(labels: Mapping[str, str], matchers: Mapping[str, str]) -> bool:
    """Whether the labels satisfy every matcher. A label that is absent counts as empty, as in PromQL."""
    for name, wanted in matchers.items():
        value = labels.get(name, "")
        if wanted.startswith("!~"):
            hit = not re.fullmatch(wanted[2:], value)
        elif wanted.startswith("~"):
            hit = bool(re.fullmatch(wanted[1:], value))
        elif wanted.startswith("!"):
            hit = value != wanted[1:]
        else:
            hit = value == wanted
        if not hit:
            return False
    return True


def gauge(samples: Mapping[Key, float], series: Series) -> float | None:
    """The sum of the series that match. None: there is none, or one is not a number."""
    values = [
        v for (name, labels), v in samples.items() if name == series.metric and matches(dict(labels), series.labels)
    ]
    if not values or any(math.isnan(value) for value in values):
        return None
    return sum(values)


class Increase(NamedTuple):
    """By how much series grew in a window."""

    by_le: dict[str, float]
    """Increase by the label `le`; plain counters are under the empty string."""
    seconds: float
    """Time between the first and the last scrape that it was seen in."""

    @property
    def total(self) -> float:
        return sum(self.by_le.values())


class CounterLog:
    """Remembers by how much counters grew from scrape to scrape.

    Safe against resets: a value that fell began anew from zero. Safe against several processes behind one URL: the
    process of a series is known by the process_start_time_seconds that carries a part of its labels, and a series is
    compared only with itself in the same process. A series that such a process did not show before began at zero: the
    first error of a release is an increase, not a new normal.
    """

    def __init__(self, series: Series, *, suffix: str = "") -> None:
        self.series = Series(series.metric + suffix, series.labels)
        self._values: dict[tuple[Process, Key], float] = {}
        self._processes: set[float] = set()
        self._starts: list[tuple[Labels, float]] = []
        self._mine: dict[Key, tuple[str, Process] | None] = {}
        """What was found out about a series: it is the same at every scrape, until a process is another."""
        self._steps: deque[tuple[float, dict[str, float]]] = deque()
        self._scrapes: deque[float] = deque()

    def add(self, t: float, samples: Mapping[Key, float], *, begun: float | None = None) -> None:
        """Take in one scrape at time ``t`` (s).

        ``begun``: the time of the gate's beginning on the clock of process_start_time_seconds. A process that was
        started later has counted from zero within the gate, so its first scrape counts in full.
        """
        starts = [(labels, value) for (name, labels), value in samples.items() if name == START_TIME]
        if starts != self._starts:
            self._starts, self._mine = starts, {}
        comparable: dict[Process, bool] = {}
        step: dict[str, float] = {}
        compared = found = False
        for key, value in samples.items():
            if key[0] != self.series.metric:
                continue
            if key not in self._mine:
                self._mine[key] = self._look_at(key)
            mine = self._mine[key]
            if mine is None:
                continue
            found = True
            if not math.isfinite(value):
                continue
            le, process = mine
            if process not in comparable:
                comparable[process] = self._is_comparable(process, begun)
            if comparable[process]:
                compared = True
                before = self._values.get((process, key), 0.0)
                step[le] = step.get(le, 0.0) + (value - before if value >= before else value)
            self._values[process, key] = value
        everyone = tuple(sorted(start for _labels, start in starts))
        # A page without the series, in a process that was seen before, says that none of it has happened.
        if compared or (not found and self._is_comparable(everyone, begun)):
            self._steps.append((t, step))
        self._processes.update(everyone)
        self._scrapes.append(t)

    def _look_at(self, key: Key) -> tuple[str, Process] | None:
        """The label `le` and the process of a series that is meant; None of another."""
        labels = dict(key[1])
        if not matches(labels, self.series.labels):
            return None
        own = set(key[1])
        return labels.get("le", ""), tuple(sorted(start for labels, start in self._starts if own.issuperset(labels)))

    def _is_comparable(self, process: Process, begun: float | None) -> bool:
        """Whether it is known from where the counters of a process have grown."""
        newborn = begun is not None and bool(process) and min(process) > begun
        return newborn or (bool(self._scrapes) and self._processes.issuperset(process))

    def increase(self, now: float, window: float, since: float = 0.0) -> Increase | None:
        """Growth within the last ``window`` seconds, but not before ``since``. None: there is nothing to compare."""
        # The scrape at or before the window's beginning is what the first step in it is measured from.
        while len(self._scrapes) > 1 and self._scrapes[1] <= now - window + SAME_TIME:
            self._scrapes.popleft()
        while len(self._scrapes) > 1 and self._scrapes[0] < since - SAME_TIME:
            self._scrapes.popleft()
        while self._steps and self._steps[0][0] <= self._scrapes[0]:
            self._steps.popleft()
        if not self._steps:
            return None
        by_le: dict[str, float] = {}
        for _t, step in self._steps:
            for le, grown in step.items():
                by_le[le] = by_le.get(le, 0.0) + grown
        return Increase(by_le, self._steps[-1][0] - self._scrapes[0])


class Quantile(NamedTuple):
    """A quantile of a histogram. ``beyond``: it lies somewhere above ``value``, the last finite bound."""

    value: float
    beyond: bool


def quantile(q: float, by_le: Mapping[str, float]) -> Quantile | None:
    """Interpolate the quantile ``q`` (0 to 1) from cumulative bucket counts, as histogram_quantile() does.

    None: nothing was observed, or there is no +Inf bucket.
    """
    buckets = sorted((float(le), count) for le, count in by_le.items() if le)
    if not buckets or not math.isinf(buckets[-1][0]) or buckets[-1][1] <= 0:
        return None
    # Scrapes are not atomic: a bucket may lag behind a lower one by an observation.
    counts: list[tuple[float, float]] = []
    for bound, count in buckets:
        counts.append((bound, max(count, counts[-1][1]) if counts else count))
    rank = q * counts[-1][1]
    lower, below = 0.0, 0.0
    for bound, count in counts:
        if count >= rank and count > below:
            if math.isinf(bound):
                return Quantile(lower, beyond=True)
            if bound <= 0:
                return Quantile(bound, beyond=False)
            return Quantile(lower + (bound - lower) * (rank - below) / (count - below), beyond=False)
        lower, below = (lower if math.isinf(bound) else bound), count
    return None

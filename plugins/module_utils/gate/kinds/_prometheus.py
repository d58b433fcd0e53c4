# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Checks of metrics in the text that an application itself exposes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._http import Response
from ansible_collections.sluice.release.plugins.module_utils.gate import _prometheus
from ansible_collections.sluice.release.plugins.module_utils.gate._model import (
    SAME_TIME,
    Check,
    Sample,
    Series,
    seconds,
)
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._kind import (
    WINDOW,
    Begin,
    Kind,
    Raw,
    short,
    word,
)
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._request import (
    OPTIONS,
    misanswered,
    request_of,
    request_problems,
)

_SERIES: dict[str, dict[str, Any]] = {
    "metric": {"type": "str", "required": True},
    "labels": {"type": "dict", "default": {}},
}

# Those that compare two scrapes.
_COUNTED = ("rate", "ratio", "quantile")

_UNITS = {"ratio": "%", "rate": "/s"}


@dataclass(frozen=True)
class _Wanted:
    """Which series are read, and what is made of them."""

    series: Series
    statuses: tuple[int, ...]
    aggregate: str = "value"
    over: Series | None = None
    quantile: float = 0.95

    @property
    def names(self) -> list[str]:
        """The metrics that must be there."""
        return [self.series.metric] + ([self.over.metric] if self.over else [])


class _Prometheus:
    def __init__(self, check: Check, wanted: _Wanted, begun: float) -> None:
        self.check, self.wanted, self.begun = check, wanted, begun
        suffix = "_bucket" if wanted.aggregate == "quantile" else ""
        self._log = _prometheus.CounterLog(wanted.series, suffix=suffix)
        self._over = _prometheus.CounterLog(wanted.over) if wanted.over else None
        self._warm = False
        self._since = 0.0

    def sample(self, t: float, answer: Response) -> Sample | None:
        wanted = self.wanted
        fault = misanswered(answer, wanted.statuses)
        if fault:
            return Sample(t, None, fault)
        text = answer.body.decode("utf-8", "replace")
        if not _prometheus.looks_like_exposition(text):
            return Sample(t, None, "answered without Prometheus metrics")
        try:
            samples = _prometheus.parse(text, [*wanted.names, _prometheus.START_TIME])
        except _prometheus.UnreadableError as error:
            return Sample(t, None, f"its metrics cannot be read ({short(str(error))})")
        if wanted.aggregate == "value":
            value = _prometheus.gauge(samples, wanted.series)
            if value is None or not math.isfinite(value):
                return Sample(t, None, f"its answer has no number for {wanted.series.metric}")
            return Sample(t, value * self.check.scale)
        # A typing error must not read as zero. The label value of an error that has not occurred yet may.
        for name in wanted.names:
            if not _prometheus.exposes(text, name):
                return Sample(t, None, f"its answer has no metric {name}")
        return self._counted(t, samples)

    def _counted(self, t: float, samples: dict[_prometheus.Key, float]) -> Sample | None:
        self._log.add(t, samples, begun=self.begun)
        if self._over:
            self._over.add(t, samples, begun=self.begun)
        check = self.check
        # A window never reaches back into the warm-up that is not to be judged: what is judged begins anew.
        since = check.limits.grace if t >= check.limits.grace - SAME_TIME else 0.0
        if since != self._since:
            self._since, self._warm = since, False
        grown = self._log.increase(t, check.window, since)
        if grown is None:
            # The first scrape is what later ones are compared with. It says nothing by itself, so it is no sample.
            if not self._warm:
                return None
            return Sample(t, None, f"nothing to compare in the last {seconds(check.window)}")
        self._warm = True
        if self.wanted.aggregate == "rate":
            return Sample(t, grown.total / grown.seconds * check.scale)
        if self.wanted.aggregate == "quantile":
            return self._quantile(t, grown)
        whole = self._over.increase(t, check.window, since) if self._over else None
        events = whole.total if whole else 0.0
        if events < check.min_events:
            return self._too_few(t, events)
        return Sample(t, 100.0 * grown.total / events * check.scale)

    def _quantile(self, t: float, grown: _prometheus.Increase) -> Sample:
        metric, limits = self.wanted.series.metric, self.check.limits
        events = grown.by_le.get("+Inf", 0.0)
        if events < self.check.min_events:
            return self._too_few(t, events)
        found = _prometheus.quantile(self.wanted.quantile, grown.by_le)
        if found is None:
            return Sample(t, None, f"{metric} is no histogram")
        value = found.value * self.check.scale
        if found.beyond and any(x is not None and x > value for x in (limits.target, limits.warn, limits.crit)):
            # Reporting the last bound, as PromQL does, would let any slowness pass a limit above that bound.
            note = f"the quantile lies beyond the highest bucket ({value:g}) of {metric}"
            return Sample(t, None, f"{note}, which cannot be compared with a limit above it")
        return Sample(t, value)

    def _too_few(self, t: float, events: float) -> Sample:
        least, window = self.check.min_events, seconds(self.check.window)
        return Sample(t, None, f"{events:g} of at least {least} requests in the last {window}")


def _problems(raw: Raw, _gate: Raw) -> Iterator[str]:
    yield from request_problems(raw)
    if not raw["metric"]:
        # A threshold without a query is an error, never a pass.
        yield "it names no metric"
    if raw["aggregate"] == "ratio" and not raw["over"]:
        yield "a ratio needs over, the series that it is a share of"
    if raw["aggregate"] != "ratio" and raw["over"]:
        yield "over belongs to aggregate=ratio"
    if not 0 < raw["quantile"] <= 1:
        yield f"quantile is {raw['quantile']:g}, it must be above 0 and at most 1"
    for series in filter(None, (raw, raw["over"])):
        yield from _series_problems(series)


def _series_problems(series: Raw) -> Iterator[str]:
    if series["metric"] and not re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", series["metric"]):
        yield f"{series['metric']} is no name of a metric; labels go into labels"
    for label, matcher in (series["labels"] or {}).items():
        expression = str(matcher).lstrip("!")
        if expression.startswith("~"):
            try:
                re.compile(expression[1:])
            except re.error as error:
                yield f"the expression of label {label} is not valid ({error})"


def _series(raw: Raw) -> Series:
    return Series(raw["metric"], {str(name): word(value) for name, value in (raw["labels"] or {}).items()})


def _begin(raw: Raw) -> Begin:
    wanted = _Wanted(
        series=_series(raw),
        statuses=tuple(raw["expect_status"]),
        aggregate=raw["aggregate"],
        over=_series(raw["over"]) if raw["over"] else None,
        quantile=raw["quantile"],
    )
    return lambda check, begun: _Prometheus(check, wanted, begun)


KIND = Kind(
    options={
        **OPTIONS,
        **WINDOW,
        "metric": {"type": "str"},
        "labels": _SERIES["labels"],
        "aggregate": {"type": "str", "default": "value", "choices": ["value", *_COUNTED]},
        "over": {"type": "dict", "options": _SERIES},
        "quantile": {"type": "float", "default": 0.95},
    },
    target=lambda raw, _gate: request_of(raw),
    begin=_begin,
    problems=_problems,
    unit=lambda raw: _UNITS.get(raw["aggregate"], ""),
    libraries=lambda _raw: {"prometheus_client"},
    two_looks=lambda raw: f"a {raw['aggregate']}" if raw["aggregate"] in _COUNTED else "",
)

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""From answers to samples: one small machine for each type of check. Nothing here sends or waits."""

from __future__ import annotations

import json
import math
from collections import deque
from typing import Any, Protocol

from ansible_collections.sluice.release.plugins.module_utils._http import Response
from ansible_collections.sluice.release.plugins.module_utils.gate import _prometheus
from ansible_collections.sluice.release.plugins.module_utils.gate._database import DatabaseMeasure
from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Sample, Value, seconds


class Measure(Protocol):
    """Turns the answers to one check into samples."""

    def sample(self, t: float, response: Response) -> Sample | None:
        """The sample of the answer to the request sent at ``t``. None: it only prepares the next (a first scrape)."""


def measure_of(check: Check, begun: float) -> Measure:
    """The machine for a check; ``begun`` is the wall-clock time (Unix, s) at which the gate began."""
    if check.type == "http":
        return _Http(check)
    if check.type == "postgres":
        return DatabaseMeasure(check)
    return _Prometheus(check, begun) if check.type == "prometheus" else _Json(check)


def _unanswered(response: Response) -> str:
    return f"got no usable answer ({response.error})"


def _document(response: Response) -> Any:
    """The JSON of an answer. Raises _NotFoundError when it is none."""
    try:
        return json.loads(response.body.decode("utf-8", "strict"))
    except (ValueError, RecursionError) as error:
        raise _NotFoundError("its answer is no JSON") from error


def _search(expression: str, response: Response) -> Any:
    """What the expression finds in an answer. Raises _NotFoundError, with the reason, when it cannot be evaluated."""
    import jmespath  # the module has made sure that it is there
    from jmespath.exceptions import JMESPathError

    try:
        return jmespath.search(expression, _document(response))
    except JMESPathError as error:
        raise _NotFoundError(f"{expression} cannot be evaluated ({_short(str(error))})") from error


class _NotFoundError(Exception):
    """An answer does not hold what a check looks for."""


def _text(value: Any) -> str:
    """A JSON value in the words that a profile would use for it."""
    return value if isinstance(value, str) else json.dumps(value)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


class _Http:
    def __init__(self, check: Check) -> None:
        self.check = check
        self._seen: deque[tuple[float, bool, float]] = deque()

    def sample(self, t: float, response: Response) -> Sample | None:
        fault = self._fault(response)
        check = self.check
        if check.measure == "status":
            return Sample(t, float(response.status), fault, good=not fault)
        milliseconds = response.seconds * 1000 * check.scale
        if check.measure == "latency_ms":
            # A fast error is no latency, and neither is the time until giving up.
            return Sample(t, None, fault) if fault else Sample(t, milliseconds)
        # A window never reaches back into the warm-up that is not to be judged.
        if t >= check.limits.grace:
            while self._seen and self._seen[0][0] < check.limits.grace:
                self._seen.popleft()
        self._seen.append((t, not fault, milliseconds))
        while self._seen[0][0] <= t - check.window:
            self._seen.popleft()
        if check.measure == "availability_pct":
            good = sum(1 for _t, ok, _ms in self._seen if ok)
            return self._enough(t, len(self._seen), 100.0 * good / len(self._seen), fault)
        times = sorted(ms for _t, ok, ms in self._seen if ok)
        rank = math.ceil(int(check.measure[1:]) / 100 * len(times))
        return self._enough(t, len(times), times[rank - 1] if times else None, fault)

    def _enough(self, t: float, events: int, value: Value, fault: str) -> Sample:
        if events >= self.check.min_events:
            return Sample(t, value)
        note = f"{events} of at least {self.check.min_events} requests in the last {seconds(self.check.window)}"
        return Sample(t, None, f"{note}; {fault}" if fault else note)

    def _fault(self, response: Response) -> str:
        """What is wrong with an answer; empty when it is the expected one."""
        if response.error:
            return _unanswered(response)
        if response.status not in self.check.expect_status:
            return f"answered {response.status} instead of {', '.join(map(str, self.check.expect_status))}"
        if self.check.expect_body:
            query, wanted = self.check.expect_body
            try:
                found = _text(_search(query, response))
            except _NotFoundError as error:
                return f"answered {response.status}, but {error}"
            if found != wanted:
                return f"answered {response.status}, but {query} was {_short(found)} instead of {wanted}"
        return ""


class _Json:
    def __init__(self, check: Check) -> None:
        self.check = check

    def sample(self, t: float, response: Response) -> Sample | None:
        check = self.check
        if response.error:
            return Sample(t, None, _unanswered(response))
        # A health page that answers 503 still says in its body what is wrong: the status is for expect_status.
        if response.status not in check.expect_status:
            return Sample(t, None, f"answered {response.status} instead of {', '.join(map(str, check.expect_status))}")
        query = check.query or ""
        try:
            found = _search(query, response)
        except _NotFoundError as error:
            return Sample(t, None, str(error))
        if found is None:
            return Sample(t, None, f"its answer has no {query}")
        if check.limits.expect is not None:
            text = _text(found)
            good = text == check.limits.expect
            return Sample(t, text, "" if good else f"was {_short(text)} instead of {check.limits.expect}", good)
        number = _number(found)
        if number is None:
            return Sample(t, None, f"{query} is {_short(_text(found))}, which is no number")
        return Sample(t, number * check.scale)


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


class _Prometheus:
    def __init__(self, check: Check, begun: float) -> None:
        if check.series is None:
            raise TypeError(f"the Prometheus check {check.name} names no series")
        self.check = check
        self.series = check.series
        self.begun = begun
        suffix = "_bucket" if check.aggregate == "quantile" else ""
        self._log = _prometheus.CounterLog(self.series, suffix=suffix)
        self._over = _prometheus.CounterLog(check.over) if check.over else None
        self._warm = False

    def sample(self, t: float, response: Response) -> Sample | None:
        check = self.check
        if response.error:
            return Sample(t, None, _unanswered(response))
        if response.status not in check.expect_status:
            return Sample(t, None, f"answered {response.status} instead of {', '.join(map(str, check.expect_status))}")
        text = response.body.decode("utf-8", "replace")
        names = [self.series.metric, _prometheus.START_TIME] + ([check.over.metric] if check.over else [])
        if not _prometheus.looks_like_exposition(text):
            return Sample(t, None, "answered without Prometheus metrics")
        try:
            samples = _prometheus.parse(text, names)
        except _prometheus.UnreadableError as error:
            return Sample(t, None, f"its metrics cannot be read ({_short(str(error))})")
        if check.aggregate == "value":
            value = _prometheus.gauge(samples, self.series)
            if value is None or not math.isfinite(value):
                return Sample(t, None, f"its answer has no number for {self.series.metric}")
            return Sample(t, value * check.scale)
        # A typing error must not read as zero. The label value of an error that has not occurred yet may.
        for name in (self.series.metric, check.over.metric if check.over else self.series.metric):
            if not _prometheus.exposes(text, name):
                return Sample(t, None, f"its answer has no metric {name}")
        return self._counted(t, samples)

    def _counted(self, t: float, samples: dict[_prometheus.Key, float]) -> Sample | None:
        self._log.add(t, samples, begun=self.begun)
        if self._over:
            self._over.add(t, samples, begun=self.begun)
        # A window never reaches back into the warm-up that is not to be judged.
        since = self.check.limits.grace if t >= self.check.limits.grace else 0.0
        grown = self._log.increase(t, self.check.window, since)
        if grown is None:
            # The first scrape is what later ones are compared with. It says nothing by itself, so it is no sample.
            if not self._warm or t <= since:
                return None
            return Sample(t, None, f"nothing to compare in the last {seconds(self.check.window)}")
        self._warm = True
        if self.check.aggregate == "rate":
            return Sample(t, grown.total / grown.seconds * self.check.scale)
        if self.check.aggregate == "quantile":
            return self._quantile(t, grown)
        whole = self._over.increase(t, self.check.window, since) if self._over else None
        events = whole.total if whole else 0.0
        if events < self.check.min_events:
            return self._too_few(t, events)
        return Sample(t, 100.0 * grown.total / events * self.check.scale)

    def _quantile(self, t: float, grown: _prometheus.Increase) -> Sample:
        events = grown.by_le.get("+Inf", 0.0)
        if events < self.check.min_events:
            return self._too_few(t, events)
        found = _prometheus.quantile(self.check.quantile, grown.by_le)
        if found is None:
            return Sample(t, None, f"{self.series.metric} is no histogram")
        value = found.value * self.check.scale
        limits = self.check.limits
        if found.beyond and any(x is not None and x > value for x in (limits.target, limits.warn, limits.crit)):
            # Reporting the last bound, as PromQL does, would let any slowness pass a limit above that bound.
            note = f"the quantile lies beyond the highest bucket ({value:g}) of {self.series.metric}"
            return Sample(t, None, f"{note}, which cannot be compared with a limit above it")
        return Sample(t, value)

    def _too_few(self, t: float, events: float) -> Sample:
        least, window = self.check.min_events, seconds(self.check.window)
        return Sample(t, None, f"{events:g} of at least {least} requests in the last {window}")

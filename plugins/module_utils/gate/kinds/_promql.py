# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Checks of a query that a Prometheus server evaluates."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from urllib.parse import urlencode

from ansible_collections.sluice.release.plugins.module_utils._http import Response
from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Limits, Sample
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._kind import (
    EXPECT,
    Begin,
    Kind,
    NotFoundError,
    Raw,
    document_of,
    short,
)
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._request import (
    OPTIONS,
    Request,
    request_of,
    request_problems,
    unanswered,
)

EMPTY = "empty"
"""The one state that a check may expect: a query that finds nothing, as an alert that does not fire."""

MAX_SKEW = 60.0
"""Seconds between the moment that a result is of and now. Beyond that it comes from a cache, or a clock is wrong."""

_LONGEST_GET = 4000
"""Characters of a query in a URL; proxies cut longer ones off."""


class _Found(NamedTuple):
    """One series of a result."""

    labels: Mapping[str, str]
    value: float

    def __str__(self) -> str:
        pairs = ", ".join(f'{name}="{text}"' for name, text in sorted(self.labels.items()) if name != "__name__")
        return f"{self.labels.get('__name__', '')}{{{pairs}}} {self.value:g}"


@dataclass(frozen=True)
class _Wanted:
    """What is made of several series, and of none."""

    series: str = "worst"
    empty_is_good: bool = False


class _Promql:
    def __init__(self, check: Check, wanted: _Wanted, begun: float) -> None:
        self.check, self.wanted, self.begun = check, wanted, begun

    def sample(self, t: float, answer: Response) -> Sample:
        try:
            found = _result(answer, self.begun + t)
        except NotFoundError as error:
            return Sample(t, None, str(error))
        if self.check.is_state:
            return self._state(t, found)
        if self.wanted.series == "count":
            return Sample(t, float(len(found)))
        values = [series.value * self.check.scale for series in found]
        if self.wanted.empty_is_good:
            # What a comparison in Prometheus would leave out: it is past no limit, and no alert.
            values = [value for value in values if not _never_past(value, self.check.limits)]
        if not values:
            return Sample(t, None, "its query has no result", good=True if self.wanted.empty_is_good else None)
        value = sum(values) if self.wanted.series == "sum" else _worst(values, self.check.limits)
        if not math.isfinite(value):
            return Sample(t, None, f"its query yields {value:g}, which is no finite number")
        return Sample(t, value)

    def _state(self, t: float, found: list[_Found]) -> Sample:
        if not found:
            return Sample(t, EMPTY, good=True)
        others = f" and {len(found) - 1} more" if len(found) > 1 else ""
        return Sample(t, f"{len(found)} series", f"found {short(str(found[0]))}{others}", good=False)


def _result(answer: Response, now: float) -> list[_Found]:
    """The series of an answer to an instant query. Raises NotFoundError, in the server's words where it has some."""
    if answer.error:
        raise NotFoundError(unanswered(answer))
    try:
        document = document_of(answer.body)
    except NotFoundError as error:
        raise NotFoundError(f"answered {answer.status}, and {error}") from error
    if not isinstance(document, dict) or document.get("status") != "success":
        said = document.get("error") if isinstance(document, dict) else None
        raise NotFoundError(f"answered {answer.status}" + (f": {said}" if said else ", and not as Prometheus does"))
    if document.get("warnings"):
        # Part of the data was not there: what was computed from the rest is no measurement.
        raise NotFoundError(f"warned: {'; '.join(map(str, document['warnings']))}")
    try:
        moments, found = _series(document["data"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise NotFoundError("did not answer as Prometheus does") from error
    skew = max((abs(now - moment) for moment in moments), default=0.0)
    if skew > MAX_SKEW:
        raise NotFoundError(f"answered with a result of {skew:.0f} s away from now")
    return found


def _series(data: Mapping[str, Any]) -> tuple[list[float], list[_Found]]:
    """The moments that the samples are of, and the series. Raises NotFoundError for a result of no use."""
    kind, result = data["resultType"], data["result"]
    if kind == "scalar":
        return [float(result[0])], [_Found({}, float(result[1]))]
    if kind != "vector":
        raise NotFoundError(f"its query yields a {kind}; a check needs an instant vector or a scalar")
    for one in result:
        if "histogram" in one:
            raise NotFoundError("its query yields a histogram; let histogram_quantile() make a number of it")
    found = [_Found(one["metric"], float(one["value"][1])) for one in result]
    return [float(one["value"][0]) for one in result], found


def _never_past(value: float, limits: Limits) -> bool:
    """Whether a value cannot be past any limit, whatever it is: not a number, or infinite on the good side."""
    if limits.direction == "equals":
        return not math.isfinite(value)
    return math.isnan(value) or value == (-math.inf if limits.direction == "above" else math.inf)


def _worst(values: list[float], limits: Limits) -> float:
    """The value that lies furthest on the bad side. Of several series those without a number do not count."""
    numbers = [value for value in values if not math.isnan(value)] or values
    if limits.direction == "equals":
        return next((value for limit in (limits.crit, limits.warn) for value in numbers if value == limit), numbers[0])
    return min(numbers) if limits.direction == "below" else max(numbers)


def _target(raw: Raw) -> Request:
    request = request_of({**raw, "method": "GET", "body": None})
    address = f"{request.url.rstrip('/')}/api/v1/query"
    form = urlencode({"query": raw["query"], "timeout": f"{raw['timeout']:g}"})
    if len(form) <= _LONGEST_GET:
        return replace(request, url=f"{address}?{form}")
    headers = (*request.headers, ("Content-Type", "application/x-www-form-urlencoded"))
    return replace(request, url=address, method="POST", headers=headers, body=form)


def _problems(raw: Raw, _gate: Raw) -> Iterator[str]:
    yield from request_problems(raw)
    if any(sign in (raw["url"] or "") for sign in "?#"):
        yield "its url must be that of the server alone; the query goes into query"
    if not (raw["query"] or "").strip():
        yield "it has no query (PromQL)"
    if raw["expect"] not in (None, EMPTY):
        yield f"expect is {raw['expect']}, it can only be {EMPTY}; numbers have limits"
    if raw["expect"] is not None and (raw["series"] != "worst" or raw["empty"] != "no_data"):
        yield "series and empty cannot go with expect"
    if raw["series"] == "count" and raw["empty"] != "no_data":
        yield "empty cannot go with series=count, for which no series is 0"


def _begin(raw: Raw) -> Begin:
    wanted = _Wanted(series=raw["series"], empty_is_good=raw["empty"] == "good")
    return lambda check, begun: _Promql(check, wanted, begun)


KIND = Kind(
    options={
        **{name: OPTIONS[name] for name in ("url", "headers", "secret_headers", "validate_certs")},
        **EXPECT,
        "query": {"type": "str"},
        "series": {"type": "str", "default": "worst", "choices": ["worst", "sum", "count"]},
        "empty": {"type": "str", "default": "no_data", "choices": ["no_data", "good"]},
    },
    target=lambda raw, _gate: _target(raw),
    begin=_begin,
    problems=_problems,
)

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Checks that measure requests of their own."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.sluice.release.plugins.module_utils._http import Response
from ansible_collections.sluice.release.plugins.module_utils.gate._model import (
    SAME_TIME,
    Check,
    Sample,
    Value,
    seconds,
)
from ansible_collections.sluice.release.plugins.module_utils.gate._prometheus import matches
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._kind import (
    WINDOW,
    Begin,
    Kind,
    NotFoundError,
    Raw,
    jmespath_problems,
    search,
    short,
    text_of,
    word,
)
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._request import (
    OPTIONS,
    misanswered,
    request_of,
    request_problems,
)

_PERCENTILES = {"p50": 50, "p95": 95, "p99": 99}

_UNITS = {"status": "", "availability_pct": "%"}


@dataclass(frozen=True)
class _Wanted:
    """What is measured, and which answers are expected ones."""

    measure: str
    statuses: tuple[int, ...]
    body: tuple[str, str] | None = None
    """JMESPath expression and the text it must yield."""
    headers: tuple[tuple[str, str], ...] = ()
    """Names, and matchers in the words of labels; a header that is not there is empty."""

    def fault(self, response: Response) -> str:
        """What is wrong with an answer; empty when it is the expected one."""
        fault = misanswered(response, self.statuses) or self._header_fault(response)
        if fault or not self.body:
            return fault
        query, wanted = self.body
        try:
            found = text_of(search(query, response.body))
        except NotFoundError as error:
            return f"answered {response.status}, but {error}"
        if found != wanted:
            return f"answered {response.status}, but {query} was {short(found)} instead of {wanted}"
        return ""

    def _header_fault(self, response: Response) -> str:
        for name, matcher in self.headers:
            key = name.lower()
            # A header may come more than once. Each must be no bad one, and one must be the good one.
            values = [value for other, value in response.pairs if other == key] or [response.headers.get(key, "")]
            judged = [matches({key: value}, {key: matcher}) for value in values]
            if not (all(judged) if matcher.startswith("!") else any(judged)):
                # Of a cookie the name would do, but its value opens somebody's session.
                shown = "another" if key == "set-cookie" else short(", ".join(values)) or "missing"
                return (
                    f"answered {response.status}, but its header {name} was {shown} instead of {matcher or 'missing'}"
                )
        return ""


class _OneByOne:
    """A sample from each answer: its status, or its time."""

    def __init__(self, check: Check, wanted: _Wanted) -> None:
        self.check, self.wanted = check, wanted

    def sample(self, t: float, answer: Response) -> Sample:
        fault = self.wanted.fault(answer)
        if self.wanted.measure == "status":
            return Sample(t, float(answer.status), fault, good=not fault)
        # A fast error is no latency, and neither is the time until giving up.
        return Sample(t, None, fault) if fault else Sample(t, answer.seconds * 1000 * self.check.scale)


class _Windowed:
    """Samples that look back: a percentile, or the share of expected answers."""

    def __init__(self, check: Check, wanted: _Wanted) -> None:
        self.check, self.wanted = check, wanted
        self._seen: deque[tuple[float, bool, float]] = deque()

    def sample(self, t: float, answer: Response) -> Sample:
        fault, check = self.wanted.fault(answer), self.check
        # A window never reaches back into the warm-up that is not to be judged.
        grace = check.limits.grace - SAME_TIME
        if t >= grace:
            while self._seen and self._seen[0][0] < grace:
                self._seen.popleft()
        self._seen.append((t, not fault, answer.seconds * 1000 * check.scale))
        while self._seen[0][0] <= t - check.window + SAME_TIME:
            self._seen.popleft()
        if self.wanted.measure == "availability_pct":
            good = sum(1 for _t, ok, _ms in self._seen if ok)
            return self._enough(t, len(self._seen), 100.0 * good / len(self._seen), fault)
        times = sorted(ms for _t, ok, ms in self._seen if ok)
        rank = math.ceil(_PERCENTILES[self.wanted.measure] / 100 * len(times))
        return self._enough(t, len(times), times[rank - 1] if times else None, fault)

    def _enough(self, t: float, events: int, value: Value, fault: str) -> Sample:
        if events >= self.check.min_events:
            return Sample(t, value)
        note = f"{events} of at least {self.check.min_events} requests in the last {seconds(self.check.window)}"
        return Sample(t, None, f"{note}; {fault}" if fault else note)


def _problems(raw: Raw, _gate: Raw) -> Iterator[str]:
    yield from request_problems(raw)
    if raw["expect_body"]:
        yield from jmespath_problems("expect_body.query", raw["expect_body"]["query"])
    for name, matcher in raw["expect_headers"].items():
        expression = str(matcher).lstrip("!")
        if expression.startswith("~"):
            try:
                re.compile(expression[1:])
            except re.error as error:
                yield f"the expression of header {name} is not valid ({error})"


def _begin(raw: Raw) -> Begin:
    body = raw["expect_body"]
    wanted = _Wanted(
        raw["measure"],
        tuple(raw["expect_status"]),
        (body["query"], word(body["equals"])) if body else None,
        tuple((str(name), word(matcher)) for name, matcher in raw["expect_headers"].items()),
    )
    if wanted.measure in ("status", "latency_ms"):
        return lambda check, _begun: _OneByOne(check, wanted)
    return lambda check, _begun: _Windowed(check, wanted)


KIND = Kind(
    options={
        **OPTIONS,
        **WINDOW,
        "expect_headers": {"type": "dict", "default": {}},
        "expect_body": {
            "type": "dict",
            "options": {"query": {"type": "str", "required": True}, "equals": {"type": "str", "required": True}},
        },
        "measure": {
            "type": "str",
            "default": "status",
            "choices": ["status", "latency_ms", "availability_pct", *_PERCENTILES],
        },
    },
    # Each sends its own request, for that is what it measures.
    target=lambda raw, _gate: request_of(raw, alone=True),
    begin=_begin,
    problems=_problems,
    unit=lambda raw: _UNITS.get(raw["measure"], "ms"),
    direction=lambda raw: "below" if raw["measure"] == "availability_pct" else "above",
    state=lambda raw: ", ".join(map(str, raw["expect_status"])) if raw["measure"] == "status" else None,
    stated_by="measure=status",
    libraries=lambda raw: {"jmespath"} if raw["expect_body"] else set(),
)

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a check may say: its options, and what makes sense of them together."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.gate._database import UNITS, VALUES, subject_of
from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Limits, Look, Request, Series
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import parse_url

WINDOWED = ("availability_pct", "p50", "p95", "p99")
"""HTTP measures that look back over a window."""

COUNTED = ("rate", "ratio", "quantile")
"""Aggregates that compare two scrapes."""

SERIES_SPEC: dict[str, Any] = {
    "metric": {"type": "str", "required": True},
    "labels": {"type": "dict", "default": {}},
}

CHECK_SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "type": {"type": "str", "required": True, "choices": ["http", "prometheus", "json", "postgres"]},
    "url": {"type": "str"},
    "database_url": {"type": "str", "no_log": True},
    "value": {"type": "str"},
    "method": {"type": "str", "default": "GET"},
    "headers": {"type": "dict", "default": {}},
    "secret_headers": {"type": "dict", "no_log": True},
    "body": {"type": "str"},
    "timeout": {"type": "float", "default": 5.0},
    "validate_certs": {"type": "bool", "default": True},
    "expect_status": {"type": "list", "elements": "int", "default": [200]},
    "expect_body": {
        "type": "dict",
        "options": {"query": {"type": "str", "required": True}, "equals": {"type": "str", "required": True}},
    },
    "measure": {
        "type": "str",
        "default": "status",
        "choices": ["status", "latency_ms", "availability_pct", "p50", "p95", "p99"],
    },
    "metric": {"type": "str"},
    "labels": {"type": "dict", "default": {}},
    "aggregate": {"type": "str", "default": "value", "choices": ["value", "rate", "ratio", "quantile"]},
    "over": {"type": "dict", "options": SERIES_SPEC},
    "quantile": {"type": "float", "default": 0.95},
    "query": {"type": "str"},
    "scale": {"type": "float", "default": 1.0},
    "window": {"type": "float", "default": 10.0},
    "min_events": {"type": "int", "default": 1},
    "direction": {"type": "str", "choices": ["above", "below", "equals"]},
    "target": {"type": "float"},
    "warn": {"type": "float"},
    "crit": {"type": "float"},
    "expect": {"type": "str"},
    "sustained": {"type": "float", "default": 0.0},
    "recover": {"type": "float", "default": 0.0},
    "grace": {"type": "float"},
    "on_no_data": {"type": "str", "default": "fail", "choices": ["fail", "hold", "pass"]},
    "min_samples": {"type": "int", "default": 1},
    "successes": {"type": "int", "default": 0},
    "unit": {"type": "str"},
    "weight": {"type": "float", "default": 1.0},
}

GATE_SPEC: dict[str, Any] = {
    "checks": {"type": "list", "elements": "dict", "required": True, "options": CHECK_SPEC},
    "duration": {"type": "float", "default": 0.0},
    "interval": {"type": "float", "default": 1.0},
    "grace": {"type": "float", "default": 0.0},
    "stop_on_red": {"type": "bool", "default": True},
    "fail_on_red": {"type": "bool", "default": True},
}


@dataclass(frozen=True)
class Settings:
    """How long and how often a gate looks. All times in seconds."""

    duration: float = 0.0
    """0: one look at each check."""
    interval: float = 1.0
    stop_on_red: bool = True


def needs(params: Mapping[str, Any]) -> set[str]:
    """The libraries beyond the standard one that these checks need."""
    libraries: set[str] = set()
    for check in params["checks"]:
        if check["type"] == "prometheus":
            libraries.add("prometheus_client")
        if check["type"] == "json" or check["expect_body"]:
            libraries.add("jmespath")
        if check["type"] == "postgres":
            libraries.add("psycopg2")
    return libraries


def read(params: Mapping[str, Any]) -> tuple[list[Check], Settings]:
    """Turn the module's parameters into checks. Raises SluiceError that lists everything that makes no sense."""
    settings = Settings(params["duration"], params["interval"], params["stop_on_red"])
    problems = list(_gate_problems(params))
    checks: list[Check] = []
    for raw in params["checks"]:
        found = [f"{raw['name']}: {problem}" for problem in _problems(raw, params)]
        problems += found
        if not found:
            checks.append(_check(raw, params))
    if problems:
        raise SluiceError("use the checks of this gate", "; ".join(problems), "Correct them in the profile")
    return checks, settings


def _gate_problems(params: Mapping[str, Any]) -> Iterator[str]:
    names = [check["name"] for check in params["checks"]]
    if not names:
        # A gate that asks nothing would let everything through.
        yield "there is none, so nothing would be judged"
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"the name {name} is used more than once"
    for option in ("duration", "grace"):
        if not _finite(params[option]) or params[option] < 0:
            yield f"{option} is {params[option]:g}, it must be 0 or more"
    if not _finite(params["interval"]) or params["interval"] < 0.05:
        yield f"interval is {params['interval']:g}, it must be at least 0.05 (s)"
    if names and not any(check["weight"] > 0 for check in params["checks"]):
        yield "no check has a weight above 0"


def _problems(raw: Mapping[str, Any], gate: Mapping[str, Any]) -> Iterator[str]:
    yield from _number_problems(raw)
    if raw["type"] == "postgres":
        yield from _postgres_problems(raw)
    else:
        yield from _foreign(raw, "database_url", "value")
        yield from _request_problems(raw)
        kinds = {"http": _http_problems, "prometheus": _prometheus_problems, "json": _json_problems}
        yield from kinds[raw["type"]](raw)
    yield from _limit_problems(raw)
    yield from _time_problems(raw, gate)


def _finite(number: float | None) -> bool:
    return number is None or math.isfinite(number)


def _number_problems(raw: Mapping[str, Any]) -> Iterator[str]:
    for option in ("target", "warn", "crit", "scale"):
        if not _finite(raw[option]):
            yield f"{option} is no finite number"
    for option, least in (("sustained", 0), ("recover", 0), ("grace", 0), ("weight", 0), ("successes", 0),
                          ("min_samples", 1), ("min_events", 1)):  # fmt: skip
        value = raw[option]
        if value is not None and not (_finite(value) and value >= least):
            yield f"{option} is {value:g}, it must be {least} or more"
    for option in ("timeout", "window"):
        if not (_finite(raw[option]) and raw[option] > 0):
            yield f"{option} is {raw[option]:g}, it must be above 0"


def _request_problems(raw: Mapping[str, Any]) -> Iterator[str]:
    try:
        parts = urlsplit(raw["url"] or "")
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
        parts = None
    if not valid or parts is None:
        yield "its url must be http://host... or https://host..."
    elif parts.password is not None:
        yield "its url holds a password; put it into secret_headers (Authorization)"


def _http_problems(raw: Mapping[str, Any]) -> Iterator[str]:
    yield from _foreign(raw, "metric", "labels", "over", "query", "expect")
    if not raw["expect_status"]:
        yield "expect_status is empty"
    if raw["expect_body"]:
        yield from _jmespath_problems("expect_body.query", raw["expect_body"]["query"])


def _prometheus_problems(raw: Mapping[str, Any]) -> Iterator[str]:
    yield from _foreign(raw, "query", "expect_body", "expect")
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
        if series["metric"] and not re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", series["metric"]):
            yield f"{series['metric']} is no name of a metric; labels go into labels"
        for label, matcher in (series["labels"] or {}).items():
            expression = str(matcher).lstrip("!")
            if expression.startswith("~"):
                try:
                    re.compile(expression[1:])
                except re.error as error:
                    yield f"the expression of label {label} is not valid ({error})"


def _json_problems(raw: Mapping[str, Any]) -> Iterator[str]:
    yield from _foreign(raw, "metric", "labels", "over", "expect_body")
    if raw["query"]:
        yield from _jmespath_problems("query", raw["query"])
    else:
        yield "it has no query (JMESPath)"


def _postgres_problems(raw: Mapping[str, Any]) -> Iterator[str]:
    yield from _foreign(
        raw, "url", "body", "headers", "secret_headers", "metric", "labels", "over", "query", "expect_body"
    )
    if not raw["database_url"]:
        yield "it has no database_url"
    else:
        try:
            parse_url(raw["database_url"])
        except SluiceError as error:
            yield f"its database_url cannot be read: {error.cause}"
    if not raw["value"]:
        yield "it has no value, a key of pg_info"
    elif raw["value"] not in VALUES:
        near = difflib.get_close_matches(raw["value"], VALUES, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        yield f"its value is {raw['value']}, which is no key of pg_info that a check can read{hint}"


def _foreign(raw: Mapping[str, Any], *options: str) -> Iterator[str]:
    for option in options:
        if raw[option]:
            yield f"{option} does not belong to type {raw['type']}"


def _jmespath_problems(option: str, expression: str) -> Iterator[str]:
    import jmespath  # the module has made sure that it is there
    from jmespath.exceptions import JMESPathError

    try:
        jmespath.compile(expression)
    except JMESPathError as error:
        yield f"{option} is no JMESPath expression ({str(error).splitlines()[0]})"


def _limit_problems(raw: Mapping[str, Any]) -> Iterator[str]:
    given = {option: raw[option] for option in ("target", "warn", "crit") if raw[option] is not None}
    state = raw["type"] == "http" and raw["measure"] == "status"
    if state or raw["expect"] is not None:
        what = "measure=status" if state else "expect"
        if given:
            yield f"{', '.join(given)} cannot go with {what}, which knows only right and wrong"
        return
    if not given:
        yield "it has no limit (target, warn, crit or expect)"
    direction = _direction(raw)
    if direction == "equals":
        if "target" in given:
            yield "target cannot go with direction=equals"
        return
    for option in ("target", "warn"):
        if "crit" in given and option in given:
            beyond = given[option] > given["crit"] if direction == "above" else given[option] < given["crit"]
            if beyond:
                yield f"{option} {given[option]:g} lies past crit {given['crit']:g} (the bad side is {direction})"


def _time_problems(raw: Mapping[str, Any], gate: Mapping[str, Any]) -> Iterator[str]:
    duration, interval = gate["duration"], gate["interval"]
    grace = gate["grace"] if raw["grace"] is None else raw["grace"]
    if not all(map(_finite, (duration, interval, grace))) or interval <= 0:
        return
    if duration == 0:
        if raw["type"] == "prometheus" and raw["aggregate"] in COUNTED:
            yield f"a {raw['aggregate']} needs two scrapes; set duration"
        if raw["successes"] > 1 or raw["min_samples"] > 1:
            yield "more than one sample needs time; set duration"
        return
    if grace >= duration:
        yield f"its grace of {grace:g} s leaves nothing of {duration:g} s to judge"
        return
    possible = int((duration - grace) / interval) + 1
    for option in ("successes", "min_samples"):
        if raw[option] > possible:
            yield f"{option} is {raw[option]}, but {duration:g} s hold only {possible} samples"


def _direction(raw: Mapping[str, Any]) -> str:
    if raw["direction"]:
        return str(raw["direction"])
    return "below" if raw["type"] == "http" and raw["measure"] == "availability_pct" else "above"


def _unit(raw: Mapping[str, Any]) -> str:
    if raw["unit"] is not None:
        return str(raw["unit"])
    if raw["type"] == "http":
        return {"status": "", "availability_pct": "%"}.get(raw["measure"], "ms")
    if raw["type"] == "prometheus":
        return {"ratio": "%", "rate": "/s"}.get(raw["aggregate"], "")
    if raw["type"] == "postgres":
        return next((unit for ending, unit in UNITS.items() if raw["value"].endswith(ending)), "")
    return ""


def _series(raw: Mapping[str, Any] | None) -> Series | None:
    if not raw or not raw["metric"]:
        return None
    return Series(raw["metric"], {str(name): _word(value) for name, value in (raw["labels"] or {}).items()})


def _word(value: object) -> str:
    """YAML's true and false as JSON and Prometheus spell them."""
    text = str(value)
    return text.lower() if text in ("True", "False") else text


def _pairs(*headers: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...]:
    return tuple((str(name), str(value)) for some in headers for name, value in (some or {}).items())


def _request(raw: Mapping[str, Any], gate: Mapping[str, Any]) -> Request | Look:
    if raw["type"] == "postgres":
        # One look serves every check of the same database: they then speak of the same moment.
        same = [
            other["value"]
            for other in gate["checks"]
            if all(other[option] == raw[option] for option in ("type", "database_url", "timeout"))
        ]
        subjects = {subject_of(value) for value in same if value in VALUES}
        return Look(raw["database_url"], tuple(sorted(subjects)), raw["timeout"])
    return Request(
        url=raw["url"],
        method=raw["method"].upper(),
        headers=_pairs(raw["headers"], raw["secret_headers"]),
        body=raw["body"],
        timeout=raw["timeout"],
        validate_certs=raw["validate_certs"],
    )


def _check(raw: Mapping[str, Any], gate: Mapping[str, Any]) -> Check:
    body = raw["expect_body"]
    statuses: Sequence[int] = raw["expect_status"]
    return Check(
        name=raw["name"],
        type=raw["type"],
        request=_request(raw, gate),
        limits=Limits(
            direction=_direction(raw),
            target=raw["target"],
            warn=raw["warn"],
            crit=raw["crit"],
            expect=None if raw["expect"] is None else _word(raw["expect"]),
            sustained=raw["sustained"],
            recover=raw["recover"],
            on_no_data=raw["on_no_data"],
            min_samples=raw["min_samples"],
            successes=raw["successes"],
            grace=gate["grace"] if raw["grace"] is None else raw["grace"],
        ),
        unit=_unit(raw),
        weight=raw["weight"],
        scale=raw["scale"],
        window=raw["window"],
        min_events=raw["min_events"],
        measure=raw["measure"],
        expect_status=tuple(statuses),
        expect_body=(body["query"], _word(body["equals"])) if body else None,
        series=_series(raw if raw["type"] == "prometheus" else None),
        over=_series(raw["over"]),
        aggregate=raw["aggregate"],
        quantile=raw["quantile"],
        query=raw["value"] if raw["type"] == "postgres" else raw["query"],
    )

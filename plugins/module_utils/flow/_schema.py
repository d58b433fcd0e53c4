# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a flow may say: its options, and what makes sense of them together. Nothing is sent from here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.flow import _security
from ansible_collections.sluice.release.plugins.module_utils.flow._expect import STATUS_WORD
from ansible_collections.sluice.release.plugins.module_utils.flow._model import Capture, Flow, Step
from ansible_collections.sluice.release.plugins.module_utils.flow._template import names_in

Raw = Mapping[str, Any]

SOURCES = ("query", "header", "cookie", "regex")
"""Where a capture can come from."""

BUILT_IN = frozenset({"unique"})
"""Variables that every flow has."""

MOST_REPEATS = 10000

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VARIABLE = re.compile(r"[A-Za-z_]\w*")
_WORDS: dict[str, Any] = {"type": "list", "elements": "str"}

EXPECT_SPEC: dict[str, Any] = {
    "status": _WORDS,
    "last_status": _WORDS,
    "counts": {
        "type": "list",
        "elements": "dict",
        "options": {
            "status": {"type": "list", "elements": "str", "required": True},
            "min": {"type": "int"},
            "max": {"type": "int"},
        },
    },
    "json": {
        "type": "list",
        "elements": "dict",
        "options": {
            "query": {"type": "str", "required": True},
            "equals": {"type": "raw"},
            "matches": {"type": "str"},
            "min": {"type": "float"},
            "max": {"type": "float"},
            "count": {"type": "int"},
            "exists": {"type": "bool"},
        },
    },
    "headers": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "equals": {"type": "str"},
            "matches": {"type": "str"},
            "not_matches": {"type": "str"},
            "min": {"type": "float"},
            "max": {"type": "float"},
            "absent": {"type": "bool", "default": False},
            "optional": {"type": "bool", "default": False},
        },
    },
    "contains": _WORDS,
    "not_contains": _WORDS,
    "not_contains_unless_json": _WORDS,
    "cookies": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "secure": {"type": "bool"},
            "http_only": {"type": "bool"},
            "same_site": _WORDS,
            "absent": {"type": "bool", "default": False},
        },
    },
    "max_ms": {"type": "float"},
}

STEP_SPEC: dict[str, Any] = {
    "name": {"type": "str"},
    **_security.REQUEST_SPEC,
    "follow": {"type": "bool", "default": False},
    "expect": {"type": "dict", "options": EXPECT_SPEC},
    "capture": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "query": {"type": "str"},
            "header": {"type": "str"},
            "cookie": {"type": "str"},
            "regex": {"type": "str"},
            "secret": {"type": "bool", "default": True},
        },
    },
    "repeat": {"type": "int", "default": 1},
    "within": {"type": "float", "default": 0.0},
    "interval": {"type": "float", "default": 1.0},
    "always": {"type": "bool", "default": False},
    "timeout": {"type": "float"},
}

FLOW_SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "tags": _WORDS,
    "base_url": {"type": "str"},
    "headers": {"type": "dict"},
    "secret_headers": {"type": "dict", "no_log": True},
    "variables": {"type": "dict"},
    "secret_variables": {"type": "dict", "no_log": True},
    "steps": {"type": "list", "elements": "dict", "required": True, "options": STEP_SPEC},
    "weight": {"type": "float", "default": 1.0},
    "optional": {"type": "bool", "default": False},
    "alone": {"type": "bool", "default": False},
    "deadline": {"type": "float"},
    "validate_certs": {"type": "bool", "default": True},
}

CHECK_SPEC: dict[str, Any] = {
    "base_url": {"type": "str"},
    "flows": {"type": "list", "elements": "dict", "default": [], "options": FLOW_SPEC},
    "security": {"type": "list", "elements": "dict", "default": [], "options": _security.SECURITY_SPEC},
    "tags": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "float", "default": 5.0},
    "deadline": {"type": "float", "default": 60.0},
    "min_score": {"type": "float", "default": 0.0},
    "fail_on_red": {"type": "bool", "default": True},
}


def read(params: Raw) -> list[Flow]:
    """Turn the module's parameters into flows. Raises SluiceError that lists everything that makes no sense."""
    found = list(_own_problems(params))
    raws: list[Raw] = list(params["flows"])
    for given in params["security"]:
        wrong = list(_security.problems(given))
        found += [f"{given.get('name') or given['set']}: {problem}" for problem in wrong]
        if not wrong:
            raws.append(_security.expand(given))
    names = [raw["name"] for raw in raws]
    found += [f"the name {name} is used more than once" for name in sorted({n for n in names if names.count(n) > 1})]
    for raw in raws:
        found += [f"{raw['name']}: {problem}" for problem in _flow_problems(raw, params)]
    if found:
        raise SluiceError("use the flows", "; ".join(found), "Correct them in the profile; nothing was sent")
    flows = [_flow(raw, params) for raw in raws]
    wanted = set(params["tags"])
    chosen = [flow for flow in flows if not wanted or wanted & set(flow.tags)]
    if not chosen:
        raise SluiceError(
            "use the flows", f"none of them has the tag {' or '.join(sorted(wanted))}", "Correct tags; nothing was sent"
        )
    return chosen


def _own_problems(params: Raw) -> Iterator[str]:
    if not params["flows"] and not params["security"]:
        # A verification that asks nothing would let everything through.
        yield "there is none, so nothing would be proven"
    for option in ("timeout", "deadline"):
        yield from _above_zero(option, params[option])
    if not 0 <= params["min_score"] <= 100:
        yield f"min_score is {params['min_score']:g}, it must be from 0 to 100"


def _above_zero(option: str, value: float | None) -> Iterator[str]:
    if value is not None and not (math.isfinite(value) and value > 0):
        yield f"{option} is {value:g}, it must be above 0"


def _flow_problems(raw: Raw, params: Raw) -> Iterator[str]:
    base = raw.get("base_url") or params["base_url"]
    if base:
        yield from (f"its base_url {problem}" for problem in _url_problems(base))
    yield from _above_zero("deadline", raw.get("deadline"))
    weight = raw.get("weight", 1.0)
    if not (math.isfinite(weight) and weight >= 0):
        yield f"weight is {weight:g}, it must be 0 or more"
    steps = raw["steps"]
    if not steps:
        yield "it has no step"
    known = set(BUILT_IN)
    for option in ("variables", "secret_variables"):
        for name in raw.get(option) or {}:
            yield from _name_problems(str(name))
            known.add(str(name))
    for option in ("headers", "secret_headers"):
        yield from _header_problems(raw.get(option), option)
        yield from _unknown(raw.get(option), known, option)
    titles = [title(step) for step in steps]
    for step, name in zip(steps, titles):
        if titles.count(name) > 1 and step.get("name"):
            yield f"the step name {name} is used more than once"
            break
    for step in steps:
        for problem in _step_problems(step, base, known):
            yield f"step {title(step)}: {problem}"
        # Only what an earlier step takes can be used: known grows from step to step.
        known |= {capture["name"] for capture in step.get("capture") or ()}


def _step_problems(step: Raw, base: str | None, known: set[str]) -> Iterator[str]:
    if not _TOKEN.fullmatch(method_of(step)):
        yield f"{step['method']} is no HTTP method"
    path = step["path"]
    if "://" in path.partition("?")[0]:
        yield from (f"its path {problem}" for problem in _url_problems(path))
    elif not base:
        yield "its path is no whole URL, and there is no base_url"
    elif not path.startswith(("/", "{")):
        yield f"its path {path} must begin with / or be a whole URL"
    if len([key for key in ("json", "form", "body") if step.get(key) is not None]) > 1:
        yield "json, form and body cannot go together"
    for option in ("headers", "secret_headers"):
        yield from _header_problems(step.get(option), option)
        yield from _unknown(step.get(option), known, option)
    for option in ("path", "json", "form", "body"):
        yield from _unknown(step.get(option), known, option)
    yield from _repeat_problems(step)
    yield from _expect_problems(step.get("expect") or {}, known, step.get("repeat", 1))
    taken = [capture["name"] for capture in step.get("capture") or ()]
    for name in sorted({name for name in taken if taken.count(name) > 1}):
        yield f"it captures {name} more than once"
    for capture in step.get("capture") or ():
        yield from _capture_problems(capture, known)


def _repeat_problems(step: Raw) -> Iterator[str]:
    repeat, within, interval = step.get("repeat", 1), step.get("within", 0.0), step.get("interval", 1.0)
    if not 1 <= repeat <= MOST_REPEATS:
        yield f"repeat is {repeat}, it must be from 1 to {MOST_REPEATS}"
    if not (math.isfinite(within) and within >= 0):
        yield f"within is {within:g}, it must be 0 or more"
    if repeat > 1 and within > 0:
        yield "repeat and within cannot go together"
    if not (math.isfinite(interval) and interval >= 0.05):
        yield f"interval is {interval:g}, it must be at least 0.05 (s)"
    yield from _above_zero("timeout", step.get("timeout"))


def _expect_problems(expect: Raw, known: set[str], repeat: int) -> Iterator[str]:
    for option in ("status", "last_status"):
        yield from _status_problems(option, expect.get(option))
    for option in ("last_status", "counts"):
        if expect.get(option) and repeat == 1:
            yield f"{option} needs repeat"
    for count in expect.get("counts") or ():
        yield from _status_problems("counts.status", count["status"])
        if count.get("min") is None and count.get("max") is None:
            yield "counts has neither min nor max"
    yield from _above_zero("max_ms", expect.get("max_ms"))
    for item in expect.get("json") or ():
        yield from _json_problems(item, known)
    for item in expect.get("headers") or ():
        yield from _header_condition_problems(item, known)
    for option in ("contains", "not_contains", "not_contains_unless_json"):
        for pattern in expect.get(option) or ():
            yield from _pattern_problems(option, pattern, known)
    for item in expect.get("cookies") or ():
        yield from _cookie_problems(item)


def _status_problems(option: str, words: Iterable[str] | None) -> Iterator[str]:
    for word in words or ():
        if not STATUS_WORD.fullmatch(word):
            yield f"{option} {word} is neither a status, nor one like 4xx, nor any, nor refused"


def _json_problems(item: Raw, known: set[str]) -> Iterator[str]:
    yield from _query_problems("json.query", item["query"], known)
    yield from _pattern_problems(f"matches of {item['query']}", item.get("matches"), known)
    yield from _unknown(item.get("equals"), known, f"equals of {item['query']}")
    if item.get("exists") is False:
        yield from _apart(item["query"], item, "exists=false", "equals", "matches", "min", "max", "count")
    yield from _order_problems(item["query"], item)


def _header_condition_problems(item: Raw, known: set[str]) -> Iterator[str]:
    if not _TOKEN.fullmatch(item["name"]):
        yield f"{item['name']} is no name of a header"
    yield from _unknown(item.get("equals"), known, f"equals of {item['name']}")
    for option in ("matches", "not_matches"):
        yield from _pattern_problems(f"{option} of {item['name']}", item.get(option), known)
    if item.get("absent"):
        yield from _apart(item["name"], item, "absent", "equals", "matches", "not_matches", "min", "max")
    yield from _order_problems(item["name"], item)


def _cookie_problems(item: Raw) -> Iterator[str]:
    for word in item.get("same_site") or ():
        if word.lower() not in ("strict", "lax", "none"):
            yield f"same_site {word} of cookie {item['name']} is neither strict, lax nor none"
    if item.get("absent"):
        yield from _apart(f"cookie {item['name']}", item, "absent", "secure", "http_only", "same_site")


def _apart(what: str, item: Raw, reason: str, *options: str) -> Iterator[str]:
    given = [option for option in options if item.get(option) is not None]
    if given:
        yield f"{what}: {', '.join(given)} cannot go with {reason}"


def _capture_problems(capture: Raw, known: set[str]) -> Iterator[str]:
    yield from _name_problems(capture["name"])
    given = [source for source in SOURCES if capture.get(source) is not None]
    if len(given) != 1:
        yield f"capture {capture['name']} needs exactly one of {', '.join(SOURCES)}"
    for source in given:
        if source == "query":
            yield from _query_problems(f"capture {capture['name']}", capture[source], known)
        elif source == "regex":
            yield from _pattern_problems(f"capture {capture['name']}", capture[source], known)
        elif not capture[source]:
            yield f"capture {capture['name']}: {source} is empty"


def _name_problems(name: str) -> Iterator[str]:
    if not _VARIABLE.fullmatch(name):
        yield f"{name} is no name of a variable (letters, digits and _)"
    elif name in BUILT_IN:
        yield f"the variable {name} is there already"


def _header_problems(headers: Raw | None, option: str) -> Iterator[str]:
    for name, value in (headers or {}).items():
        if not _TOKEN.fullmatch(str(name)):
            yield f"{option}: {name} is no name of a header"
        if any(sign in str(value) for sign in "\r\n\0"):
            yield f"{option}: the value of {name} has more than one line"


def _unknown(value: Any, known: set[str], where: str) -> Iterator[str]:
    for name in sorted(names_in(value) - known):
        yield f"{where} uses {{{name}}}, which no variable and no earlier capture sets"


def _order_problems(what: str, item: Raw) -> Iterator[str]:
    low, high = item.get("min"), item.get("max")
    if low is not None and high is not None and low > high:
        yield f"{what}: min {low:g} is above max {high:g}"


def _pattern_problems(where: str, pattern: str | None, known: set[str]) -> Iterator[str]:
    if pattern is None:
        return
    yield from _unknown(pattern, known, where)
    try:
        re.compile(pattern)
    except re.error as error:
        yield f"{where} is no regular expression ({error}): {pattern}"


def _query_problems(where: str, query: str, known: set[str]) -> Iterator[str]:
    import jmespath  # the module has made sure that it is there
    from jmespath.exceptions import JMESPathError

    yield from _unknown(query, known, where)
    try:
        jmespath.compile(query)
    except JMESPathError as error:
        yield f"{where} is no JMESPath expression ({str(error).splitlines()[0]})"


def _url_problems(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        yield "is no URL"
        return
    if not valid:
        yield "must be http://host... or https://host..."
    elif parts.password is not None:
        yield "holds a password; put it into secret_headers (Authorization)"


def method_of(step: Raw) -> str:
    """The method of a step, in capitals."""
    return str(step.get("method") or "GET").upper()


def title(step: Raw) -> str:
    """The name that a step goes by: its own, or what it asks."""
    return str(step.get("name") or f"{method_of(step)} {step['path']}")


def _texts(headers: Raw | None) -> dict[str, str]:
    return {str(name): str(value) for name, value in (headers or {}).items()}


def _flow(raw: Raw, params: Raw) -> Flow:
    return Flow(
        name=raw["name"],
        steps=tuple(_step(step, params["timeout"]) for step in raw["steps"]),
        base_url=(raw.get("base_url") or params["base_url"] or "").rstrip("/"),
        headers=_texts(raw.get("headers")),
        secret_headers=_texts(raw.get("secret_headers")),
        variables=dict(raw.get("variables") or {}),
        secret_variables=dict(raw.get("secret_variables") or {}),
        tags=tuple(raw.get("tags") or ()),
        kind=raw.get("kind", "flow"),
        weight=raw.get("weight", 1.0),
        optional=raw.get("optional", False),
        alone=raw.get("alone", False),
        validate_certs=raw.get("validate_certs", True),
        deadline=min(raw.get("deadline") or params["deadline"], params["deadline"]),
    )


def _step(raw: Raw, timeout: float) -> Step:
    kind = next((key for key in ("json", "form", "body") if raw.get(key) is not None), "none")
    return Step(
        name=title(raw),
        method=method_of(raw),
        path=raw["path"],
        headers=_texts(raw.get("headers")),
        secret_headers=_texts(raw.get("secret_headers")),
        body=raw.get(kind),
        body_type=kind,
        follow=raw.get("follow", False),
        expect=raw.get("expect") or {},
        captures=tuple(_capture(capture) for capture in raw.get("capture") or ()),
        repeat=raw.get("repeat", 1),
        within=raw.get("within", 0.0),
        interval=raw.get("interval", 1.0),
        always=raw.get("always", False),
        timeout=raw.get("timeout") or timeout,
    )


def _capture(raw: Raw) -> Capture:
    source = next(source for source in SOURCES if raw.get(source) is not None)
    return Capture(raw["name"], source, raw[source], raw.get("secret", True))

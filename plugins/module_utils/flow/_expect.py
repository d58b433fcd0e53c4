# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Holds an answer against what a step expects of it, and takes out of it what the step captures. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._http import Response
from ansible_collections.sluice.release.plugins.module_utils.flow._cookies import Flags
from ansible_collections.sluice.release.plugins.module_utils.flow._model import Capture
from ansible_collections.sluice.release.plugins.module_utils.flow._template import fill, fill_text, text_of

STATUS_WORD = re.compile(r"[1-5]\d\d|[1-5]xx|any|refused")
"""How an expected status is spelled: 404, 4xx, any, or refused for a connection that nobody takes."""

# A regular expression may begin with a comment, which is what findings call it.
_LABEL = re.compile(r"\(\?#([^)]*)\)")


@dataclass(frozen=True)
class Finding:
    """One expectation that did not hold."""

    expected: str
    """From the profile, with its variables unresolved: it may be shown."""
    found: str
    """May quote the server: it has to be cleaned before it is shown."""


@dataclass(frozen=True)
class Answer:
    """The last response of a step, and the cookies that came with it."""

    response: Response
    set_cookies: Mapping[str, Flags]
    cookie: Callable[[str], str | None]
    """The value of a cookie that the flow holds now."""

    @cached_property
    def text(self) -> str:
        declared = re.search(r"charset=[\"']?([\w.-]+)", self.response.headers.get("content-type", ""))
        try:
            return self.response.body.decode(declared.group(1) if declared else "utf-8", "replace")
        except LookupError:  # a character set that nobody knows
            return self.response.body.decode("utf-8", "replace")

    @cached_property
    def json(self) -> Any:
        """ValueError when the body is no JSON."""
        try:
            return json.loads(self.text)
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error

    @property
    def is_json(self) -> bool:
        kind = self.response.headers.get("content-type", "").partition(";")[0].strip().lower()
        return kind == "application/json" or kind.endswith("+json")

    def header(self, name: str) -> str | None:
        values = [value for given, value in self.response.pairs if given == name.lower()]
        return ", ".join(values) if values else None


def status_fits(words: Sequence[str], response: Response) -> bool:
    """Whether the response has one of these statuses. None given means any of 200 to 299."""
    if response.error:
        return "refused" in words and response.kind == "refused"
    status = str(response.status)
    return any(word in ("any", status, f"{status[0]}xx") for word in words or ("2xx",))


def check(expect: Mapping[str, Any], answer: Answer, variables: Mapping[str, Any]) -> list[Finding]:
    """Everything that the answer has not, but should have. Without an answer nothing else is looked at."""
    response, words = answer.response, expect.get("status") or ()
    if not status_fits(words, response):
        wanted = f"status {' or '.join(words) or '2xx'}"
        if response.error:
            # A redirect that was not followed is an answer, if not one that anybody wants.
            why = response.error if response.kind == "redirect" else f"no answer: {response.error}"
            return [Finding(wanted, why)]
        return [Finding(wanted, f"{response.status}{_excerpt(answer)}"), *_all(expect, answer, variables)]
    return [] if response.error else list(_all(expect, answer, variables))


def _all(expect: Mapping[str, Any], answer: Answer, variables: Mapping[str, Any]) -> Iterator[Finding]:
    for item in expect.get("json") or ():
        yield from _json(item, answer, variables)
    for item in expect.get("headers") or ():
        yield from _header(item, answer, variables)
    yield from _body(expect, answer, variables)
    for item in expect.get("cookies") or ():
        yield from _cookie(item, answer)
    most = expect.get("max_ms")
    took = answer.response.seconds * 1000
    if most is not None and took > most:
        yield Finding(f"an answer within {most:g} ms", f"one after {took:.0f} ms")


def _json(item: Mapping[str, Any], answer: Answer, variables: Mapping[str, Any]) -> Iterator[Finding]:
    query = item["query"]
    try:
        value = _search(fill_text(query, variables), answer.json)
    except ValueError as error:
        yield Finding(f"JSON with {query}", f"{_reason(error)}{_excerpt(answer)}")
        return
    bounds = {key: item.get(key) for key in ("equals", "matches", "min", "max", "count", "exists")}
    if all(bound is None for bound in bounds.values()):
        bounds["exists"] = True
    shown = "nothing" if value is None else text_of(value)
    if bounds["exists"] is not None and (value is not None) != bounds["exists"]:
        yield Finding(f"{query} to be {'there' if bounds['exists'] else 'absent'}", shown)
        return
    if bounds["equals"] is not None and not same(value, fill(bounds["equals"], variables)):
        yield Finding(f"{query} to be {text_of(bounds['equals'])}", shown)
    if bounds["matches"] is not None and not _matches(bounds["matches"], text_of(value), variables):
        yield Finding(f"{query} to match {label(bounds['matches'])}", shown)
    if bounds["count"] is not None and not (isinstance(value, (list, dict, str)) and len(value) == bounds["count"]):
        amount = f"{len(value)}" if isinstance(value, (list, dict, str)) else shown
        yield Finding(f"{bounds['count']} of {query}", amount)
    yield from _range(query, bounds, value, shown)


def _range(what: str, bounds: Mapping[str, Any], value: Any, shown: str) -> Iterator[Finding]:
    for key, word in (("min", "at least"), ("max", "at most")):
        bound = bounds.get(key)
        if bound is None:
            continue
        number = number_of(value)
        if number is None or (number < bound if key == "min" else number > bound):
            yield Finding(f"{what} to be {word} {bound:g}", shown)


def _header(item: Mapping[str, Any], answer: Answer, variables: Mapping[str, Any]) -> Iterator[Finding]:
    name, value = item["name"], answer.header(item["name"])
    what = f"header {name}"
    if item.get("absent"):
        if value is not None:
            yield Finding(f"no {what}", value)
        return
    if value is None:
        if not item.get("optional"):
            yield Finding(what, "none")
        return
    equals, matches, unlike = item.get("equals"), item.get("matches"), item.get("not_matches")
    if equals is not None and value != fill_text(equals, variables):
        yield Finding(f"{what} to be {equals}", value)
    if matches is not None and not _matches(matches, value, variables):
        yield Finding(f"{what} to match {label(matches)}", value)
    if unlike is not None and _matches(unlike, value, variables):
        yield Finding(f"{what} not to match {label(unlike)}", value)
    if item.get("min") is not None or item.get("max") is not None:
        found = re.search(r"-?\d+(?:\.\d+)?", value) if matches is None else _find(matches, value, variables)
        number = None if found is None else found.group(found.lastindex or 0)
        yield from _range(f"the number in {what}", item, number, value)


def _body(expect: Mapping[str, Any], answer: Answer, variables: Mapping[str, Any]) -> Iterator[Finding]:
    for pattern in expect.get("contains") or ():
        if not _matches(pattern, answer.text, variables):
            yield Finding(f"a body with {label(pattern)}", f"none{_excerpt(answer)}")
    for pattern in expect.get("not_contains") or ():
        if _matches(pattern, answer.text, variables):
            # What should not be there may be a secret: it is named and not quoted.
            yield Finding(f"a body without {label(pattern)}", "it")
    if answer.is_json:
        return
    for pattern in expect.get("not_contains_unless_json") or ():
        if _matches(pattern, answer.text, variables):
            yield Finding(f"a body without {label(pattern)}", "it")


def _cookie(item: Mapping[str, Any], answer: Answer) -> Iterator[Finding]:
    name = item["name"]
    if item.get("absent"):
        if answer.cookie(name) is not None:
            yield Finding(f"no cookie {name} any more", "it")
        return
    flags = answer.set_cookies.get(name)
    if flags is None:
        yield Finding(f"cookie {name} to be set", "none")
        return
    for key, word, has in (("secure", "Secure", flags.secure), ("http_only", "HttpOnly", flags.http_only)):
        if item.get(key) is not None and item[key] != has:
            yield Finding(
                f"cookie {name} {'with' if item[key] else 'without'} {word}", "it with" if has else "it without"
            )
    wanted = [word.lower() for word in item.get("same_site") or ()]
    if wanted and (flags.same_site or "") not in wanted:
        yield Finding(f"cookie {name} with SameSite={' or '.join(wanted)}", f"SameSite={flags.same_site or 'not set'}")


def take(capture: Capture, answer: Answer, variables: Mapping[str, Any]) -> Any:
    """What the capture finds in the answer; None when it is not there."""
    if capture.source == "cookie":
        return answer.cookie(capture.expression)
    if capture.source == "header":
        return answer.header(capture.expression)
    if capture.source == "regex":
        found = _find(capture.expression, answer.text, variables)
        return None if found is None else found.group(found.lastindex or 0)
    try:
        return _search(fill_text(capture.expression, variables), answer.json)
    except ValueError:
        return None


def same(value: Any, expected: Any) -> bool:
    """Whether two values are the same to JSON; a profile may spell a number or a boolean as a text."""
    if isinstance(expected, str) and not isinstance(value, (str, list, dict)) and value is not None:
        return text_of(value) == (expected.lower() if isinstance(value, bool) else expected)
    if isinstance(value, bool) is not isinstance(expected, bool):
        return False
    return bool(value == expected)


def number_of(value: Any) -> float | None:
    """The value as a finite number, where it is or spells one."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def label(pattern: str) -> str:
    """What a finding calls a regular expression: its leading comment, else the expression."""
    named = _LABEL.match(pattern)
    return named.group(1) if named else pattern


def _search(query: str, document: Any) -> Any:
    import jmespath  # the module has made sure that it is there
    from jmespath.exceptions import JMESPathError

    try:
        return jmespath.search(query, document)
    except JMESPathError as error:
        raise ValueError(f"a value that the expression does not fit ({_reason(error)})") from error


def _find(pattern: str, text: str, variables: Mapping[str, Any]) -> re.Match[str] | None:
    return re.search(fill_text(pattern, variables, re.escape), text)


def _matches(pattern: str, text: str, variables: Mapping[str, Any]) -> bool:
    return _find(pattern, text, variables) is not None


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return "a body that is no JSON"
    return (str(error).splitlines() or [type(error).__name__])[0]


def _excerpt(answer: Answer) -> str:
    text = answer.text.strip()
    return f" ({text})" if text else ""

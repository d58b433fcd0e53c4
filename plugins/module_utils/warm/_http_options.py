# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a task of cache_warm may say, and what makes sense of it together. Nothing is sent or read from here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Optional
from urllib.parse import urlsplit

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.warm import _sources_log
from ansible_collections.sluice.release.plugins.module_utils.warm._http_transport import MOST_CONNECTIONS
from ansible_collections.sluice.release.plugins.module_utils.warm._model import Cache, Instance, Limits, Plan, Wanted
from ansible_collections.sluice.release.plugins.module_utils.warm._sources_common import Door, Source
from ansible_collections.sluice.release.plugins.module_utils.warm._sources_lists import (
    KeyFile,
    LineFile,
    UrlList,
    headers_of,
)
from ansible_collections.sluice.release.plugins.module_utils.warm._sources_openapi import OpenApi
from ansible_collections.sluice.release.plugins.module_utils.warm._sources_sitemap import Sitemap

KINDS = ("urls", "file", "sitemap", "access_log", "openapi", "openapi_file", "keys")
"""What a source can be; one of them each."""

_LOG_OPTIONS: dict[str, Any] = {
    "format": {"type": "str", "default": "combined", "choices": ["combined", "json", "regex"]},
    "fields": {
        "type": "dict",
        "options": {"method": {"type": "str"}, "path": {"type": "str"}, "status": {"type": "str"}},
    },
    "pattern": {"type": "str"},
    "top": {"type": "int", "default": 1000},
    "query": {"type": "str", "default": "keep", "choices": ["keep", "drop"]},
    "per_endpoint": {"type": "int", "default": 0},
}

SOURCE_SPEC: dict[str, Any] = {
    "urls": {"type": "list", "elements": "str"},
    "file": {"type": "path"},
    "sitemap": {"type": "str"},
    "access_log": {"type": "path"},
    "openapi": {"type": "str"},
    "openapi_file": {"type": "path"},
    # The names of what is cached, no secrets.
    "keys": {"type": "path", "no_log": False},
    **_LOG_OPTIONS,
}

WARM_SPEC: dict[str, Any] = {
    "url": {"type": "str", "required": True},
    "address": {"type": "str"},
    "validate_certs": {"type": "bool", "default": True},
    "ca_file": {"type": "path"},
    "headers": {"type": "dict"},
    "secret_headers": {"type": "dict", "no_log": True},
    "sources": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": SOURCE_SPEC,
        "mutually_exclusive": [list(KINDS)],
        "required_one_of": [list(KINDS)],
    },
    "exclude": {"type": "list", "elements": "str", "default": []},
    "exclude_unsafe": {"type": "bool", "default": True},
    "max_urls": {"type": "int", "default": 100_000},
    "concurrency": {"type": "int", "default": 8},
    "rate": {"type": "float", "default": 0.0},
    "timeout": {"type": "float", "default": 10.0},
    "budget": {"type": "float", "default": 120.0},
    "max_body": {"type": "int", "default": 8 * 1024 * 1024},
    "hit_header": {"type": "str"},
    "hit_pattern": {"type": "str", "default": r"(?i)\b(hit|stale|updating|revalidated)\b"},
    "second_pass": {"type": "int", "default": 100, "no_log": False},
    "until": {
        "type": "dict",
        "options": {"hit_pct": {"type": "float"}, "second_pass_p95_ms": {"type": "float", "no_log": False}},
    },
    "max_failed_pct": {"type": "float", "default": 20.0},
    "failed_window": {"type": "int", "default": 50},
    "gone_after": {"type": "int", "default": 10},
    "policy": {"type": "str", "default": "required", "choices": ["required", "best_effort"]},
}

_BOUNDS: Mapping[str, tuple[float, float]] = {
    "max_urls": (1, 10_000_000),
    "concurrency": (1, MOST_CONNECTIONS),
    "rate": (0, math.inf),
    "max_body": (1, math.inf),
    "second_pass": (0, 10_000),
    "max_failed_pct": (0, 100),
    "failed_window": (1, 100_000),
    "gone_after": (1, 100_000),
}

_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/@\[\]]+))(?::(\d{1,5}))?")


class Task(NamedTuple):
    """What a task asks for, checked."""

    plan: Plan
    sources: list[Source]
    door: Door


def read(params: Mapping[str, Any]) -> Task:
    """Turn the module's parameters into a task. Raises SluiceError that lists everything that makes no sense."""
    problems = [
        *_url_problems(params),
        *_number_problems(params),
        *_pattern_problems(params),
        *_target_problems(params),
    ]
    for number, raw in enumerate(params["sources"], 1):
        problems += [f"source {number}: {problem}" for problem in _source_problems(raw)]
    if problems:
        raise SluiceError(f"warm {_shown(params['url'])}", "; ".join(problems), "Correct them in the profile")
    exclude = tuple(re.compile(pattern) for pattern in params["exclude"])
    plan = Plan(
        instance=_instance(params),
        limits=Limits(
            budget=params["budget"],
            timeout=min(params["timeout"], params["budget"]),
            concurrency=params["concurrency"],
            rate=params["rate"],
            max_body=params["max_body"],
            max_failed_pct=params["max_failed_pct"],
            failed_window=params["failed_window"],
            gone_after=params["gone_after"],
            max_urls=params["max_urls"],
        ),
        wanted=Wanted(second_pass=params["second_pass"], **_given(params["until"])),
        cache=Cache(params["hit_header"], re.compile(params["hit_pattern"])) if params["hit_header"] else None,
        required=params["policy"] == "required",
    )
    door = Door(plan.instance.origin, exclude, params["exclude_unsafe"])
    return Task(plan, [_source(raw) for raw in params["sources"]], door)


def _given(options: Optional[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in (options or {}).items() if value is not None}


def _shown(url: str) -> str:
    """The URL as an error may show it."""
    return url if "@" not in url else "the instance"


def _url_problems(params: Mapping[str, Any]) -> Iterator[str]:
    try:
        parts = urlsplit(params["url"])
        known = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        yield "url is no URL"
        return
    if not known or not parts.netloc.isascii():
        yield "url must be http://host or https://host, with a port where it is not the usual one"
    elif parts.username is not None:
        yield "url holds a user; put the password into secret_headers (Authorization)"
    elif parts.path not in ("", "/") or parts.query or parts.fragment:
        yield "url is an origin and has no path; the sources name the paths"
    if params["address"] is not None and _address(params["address"]) is None:
        yield "address must be host:port, with brackets around an IPv6 address"
    try:
        headers_of({**(params["headers"] or {}), **(params["secret_headers"] or {})})
    except ValueError as error:
        yield str(error)
    if params["hit_header"] is not None and not re.fullmatch(r"[A-Za-z0-9_-]+", params["hit_header"]):
        yield "hit_header is no name of a header"


def _number_problems(params: Mapping[str, Any]) -> Iterator[str]:
    for option in ("timeout", "budget"):
        if not (math.isfinite(params[option]) and params[option] > 0):
            yield f"{option} is {params[option]:g}, it must be above 0"
    for option, (least, most) in _BOUNDS.items():
        if not least <= params[option] <= most or math.isinf(params[option]):
            beyond = "" if math.isinf(most) else f" and at most {most:g}"
            yield f"{option} is {params[option]:g}, it must be at least {least:g}{beyond}"


def _pattern_problems(params: Mapping[str, Any]) -> Iterator[str]:
    for option, patterns in (("exclude", params["exclude"]), ("hit_pattern", [params["hit_pattern"]])):
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                yield f"{option}: {pattern!r} is no regular expression ({error})"


def _target_problems(params: Mapping[str, Any]) -> Iterator[str]:
    until = _given(params["until"])
    if until and params["second_pass"] < 1:
        yield "until needs a second pass; let second_pass be above 0"
    if "hit_pct" in until:
        if not params["hit_header"]:
            yield "until.hit_pct needs hit_header, which says whether an answer came from the cache"
        if not 0 < until["hit_pct"] <= 100:
            yield f"until.hit_pct is {until['hit_pct']:g}, it must be above 0 and at most 100"
    if "second_pass_p95_ms" in until and not until["second_pass_p95_ms"] > 0:
        yield f"until.second_pass_p95_ms is {until['second_pass_p95_ms']:g}, it must be above 0"


def _source_problems(raw: Mapping[str, Any]) -> Iterator[str]:
    if raw["access_log"] is None:
        # What has its default counts as not given: nobody can tell the two apart.
        foreign = [option for option, spec in _LOG_OPTIONS.items() if raw[option] != spec.get("default")]
        if foreign:
            yield f"{', '.join(foreign)} belongs to access_log"
        return
    if not 1 <= raw["top"] <= _sources_log.KEPT:
        yield f"top is {raw['top']}, it must be at least 1 and at most {_sources_log.KEPT}"
    if raw["per_endpoint"] < 0:
        yield f"per_endpoint is {raw['per_endpoint']}, it must be 0 or more"
    if raw["fields"] and raw["format"] != "json":
        yield "fields belongs to format=json"
    if (raw["pattern"] is None) == (raw["format"] == "regex"):
        yield "pattern belongs to format=regex, and is needed there"
    elif raw["pattern"] is not None:
        try:
            missing = {"method", "path"} - set(re.compile(raw["pattern"]).groupindex)
        except re.error as error:
            yield f"pattern is no regular expression ({error})"
            return
        if missing:
            yield f"pattern lacks the group {' and the group '.join(sorted(missing))}"


def _address(text: str) -> Optional[tuple[str, Optional[int]]]:
    found = _ADDRESS.fullmatch(text)
    port = int(found[3]) if found and found[3] else None
    if not found or (port is not None and not 0 < port < 65536):
        return None
    return found[1] or found[2], port


def _instance(params: Mapping[str, Any]) -> Instance:
    parts = urlsplit(params["url"])
    usual = parts.port or {"http": 80, "https": 443}[parts.scheme]
    host, port = (_address(params["address"]) if params["address"] else None) or (str(parts.hostname), None)
    return Instance(
        origin=f"{parts.scheme}://{parts.netloc}",
        host=host,
        port=port or usual,
        validate_certs=params["validate_certs"],
        ca_file=params["ca_file"],
        headers=headers_of({**(params["headers"] or {}), **(params["secret_headers"] or {})}),
    )


def _source(raw: Mapping[str, Any]) -> Source:
    if raw["urls"] is not None:
        return UrlList(raw["urls"])
    if raw["file"] is not None:
        return LineFile(raw["file"])
    if raw["keys"] is not None:
        return KeyFile(raw["keys"])
    if raw["sitemap"] is not None:
        return Sitemap(raw["sitemap"])
    if raw["access_log"] is not None:
        return _sources_log.AccessLog(
            raw["access_log"], _parser(raw), raw["top"], raw["query"] == "keep", raw["per_endpoint"]
        )
    return OpenApi(raw["openapi"] or raw["openapi_file"], is_remote=raw["openapi"] is not None)


def _parser(raw: Mapping[str, Any]) -> _sources_log.Parse:
    if raw["format"] == "json":
        return _sources_log.json_parser(raw["fields"])
    if raw["format"] == "regex":
        return _sources_log.regex_parser(re.compile(raw["pattern"]))
    return _sources_log.parse_combined

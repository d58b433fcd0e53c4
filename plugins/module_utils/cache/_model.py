# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The options of module cache_check, and what makes no sense in them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.flow._common import call_problems

Raw = Mapping[str, Any]

HTTP = ("consistency", "speedup")
REDIS = ("keys", "memory", "hit_ratio")

CHECK_SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "type": {"type": "str", "required": True, "choices": [*HTTP, *REDIS]},
    "paths": {"type": "list", "elements": "str"},
    "bypass_headers": {"type": "dict", "no_log": False},
    "bypass_query": {"type": "dict", "no_log": False},
    "ignore": {"type": "list", "elements": "str"},
    "rounds": {"type": "int"},
    "full_gain_pct": {"type": "float"},
    "min_score": {"type": "float"},
    "pattern": {"type": "str", "no_log": False},
    "kind": {"type": "str"},
    "needs_module": {"type": "str"},
    "min_count": {"type": "int"},
    "max_count": {"type": "int"},
    "min_ttl": {"type": "float"},
    "max_ttl": {"type": "float"},
    "max_without_ttl": {"type": "int"},
    "max_used_pct": {"type": "float"},
    "max_used_mb": {"type": "float"},
    "max_evicted": {"type": "int"},
    "warn_pct": {"type": "float"},
    "crit_pct": {"type": "float"},
    "min_lookups": {"type": "int"},
    "since": {"type": "dict", "options": {"hits": {"type": "int"}, "misses": {"type": "int"}}},
    "weight": {"type": "float", "default": 1.0},
    "optional": {"type": "bool", "default": False},
}

CACHE_SPEC: dict[str, Any] = {
    "base_url": {"type": "str"},
    "redis_url": {"type": "str", "no_log": True},
    "headers": {"type": "dict", "default": {}},
    "secret_headers": {"type": "dict", "no_log": True, "default": {}},
    "checks": {"type": "list", "elements": "dict", "required": True, "options": CHECK_SPEC},
    "observe": {"type": "float", "default": 0.0},
    "timeout": {"type": "float", "default": 5.0},
    "validate_certs": {"type": "bool", "default": True},
    "min_score": {"type": "float", "default": 0.0},
    "fail_on_red": {"type": "bool", "default": True},
}

_BELONG: dict[str, set[str]] = {
    "consistency": {"paths", "bypass_headers", "bypass_query", "ignore"},
    "speedup": {"paths", "bypass_headers", "bypass_query", "rounds", "full_gain_pct", "min_score"},
    "keys": {
        *("pattern", "kind", "needs_module", "min_count", "max_count"),
        *("min_ttl", "max_ttl", "max_without_ttl"),
    },
    "memory": {"max_used_pct", "max_used_mb", "max_evicted"},
    "hit_ratio": {"warn_pct", "crit_pct", "min_lookups", "since"},
}
_OWN = set().union(*_BELONG.values())
_ABOVE_ZERO = ("min_ttl", "max_ttl", "max_used_pct", "max_used_mb", "full_gain_pct")
_PERCENT = ("max_used_pct", "warn_pct", "crit_pct", "min_score")
_PAIRS = (("min_count", "max_count"), ("min_ttl", "max_ttl"), ("crit_pct", "warn_pct"))


def validate(params: Raw) -> None:
    """Raise SluiceError that lists everything that makes no sense, before anything is asked."""
    found = list(_problems(params))
    if found:
        raise SluiceError("use the checks of the cache", "; ".join(found), "Correct them in the profile")


def _problems(params: Raw) -> Iterator[str]:
    yield from call_problems(params)
    kinds = {check["type"] for check in params["checks"]}
    if kinds.intersection(HTTP) and not params["base_url"]:
        yield f"base_url is needed for type {', '.join(sorted(kinds.intersection(HTTP)))}"
    if kinds.intersection(REDIS) and not params["redis_url"]:
        yield f"redis_url is needed for type {', '.join(sorted(kinds.intersection(REDIS)))}"
    for check in params["checks"]:
        for problem in _check_problems(check, params["observe"]):
            yield f"{check['name']}: {problem}"


def _check_problems(check: Raw, observe: float) -> Iterator[str]:
    kind = check["type"]
    for option in sorted(_OWN - _BELONG[kind]):
        if check[option] not in (None, []):
            yield f"{option} does not belong to type {kind}"
    for option in _ABOVE_ZERO:
        value = check[option]
        if value is not None and not (math.isfinite(value) and value > 0):
            yield f"{option} is {value:g}, it must be above 0"
    for option in _PERCENT:
        value = check[option]
        if value is not None and not 0 <= value <= 100:
            yield f"{option} is {value:g}, it must be from 0 to 100"
    for low, high in _PAIRS:
        if check[low] is not None and check[high] is not None and check[low] > check[high]:
            yield f"{low} {check[low]:g} is above {high} {check[high]:g}"
    if not (math.isfinite(check["weight"]) and check["weight"] >= 0):
        yield f"weight is {check['weight']:g}, it must be 0 or more"
    yield from _missing(check, observe)


def _missing(check: Raw, observe: float) -> Iterator[str]:
    kind = check["type"]
    if kind in HTTP:
        yield from _missing_of_answers(check)
    elif kind == "keys":
        if not (check["pattern"] or "").strip("*"):
            yield "its pattern is missing, or matches every key"
    elif kind == "memory":
        if all(check[option] is None for option in _BELONG["memory"]):
            yield "it has no limit"
        if check["max_evicted"] is not None and not observe:
            yield "max_evicted needs two looks; set observe"
    else:
        if check["crit_pct"] is None and check["warn_pct"] is None:
            yield "it has neither warn_pct nor crit_pct"
        if not check["since"] and not observe:
            yield "a ratio needs two looks; set observe or since"


def _missing_of_answers(check: Raw) -> Iterator[str]:
    if not check["paths"]:
        yield "it has no paths"
    if not check["bypass_headers"] and not check["bypass_query"]:
        yield "it has neither bypass_headers nor bypass_query, so the cache would be compared with itself"
    for path in check["paths"] or []:
        if not path.startswith("/"):
            yield f"{path} is no path"
    if check["rounds"] is not None and check["rounds"] < 1:
        yield f"rounds is {check['rounds']}, it must be 1 or more"

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What module cache_check gives back."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._http import Fetch
from ansible_collections.sluice.release.plugins.module_utils._http import fetch as http_fetch
from ansible_collections.sluice.release.plugins.module_utils._redis import LookError, described
from ansible_collections.sluice.release.plugins.module_utils._within import within
from ansible_collections.sluice.release.plugins.module_utils.cache import _answers, _contents
from ansible_collections.sluice.release.plugins.module_utils.cache._model import REDIS
from ansible_collections.sluice.release.plugins.module_utils.cache._verdict import Verdict
from ansible_collections.sluice.release.plugins.module_utils.flow._score import gate, summary

_ASKED = {"consistency": _answers.consistency, "speedup": _answers.speedup}


def judge_cache(params: Mapping[str, Any], *, fetch: Fetch = http_fetch) -> dict[str, Any]:
    """Look at Redis, ask the application in between, look again where that was asked for, and judge every check.

    What the checks themselves ask is part of what Redis counts meanwhile.
    """
    started = time.monotonic()
    checks = params["checks"]
    stored = [check for check in checks if check["type"] in REDIS]
    looks, trouble = _look(params, stored)
    headers = {**(params["headers"] or {}), **(params["secret_headers"] or {})}
    asked = functools.partial(fetch, timeout=params["timeout"], validate_certs=params["validate_certs"])
    verdicts = {
        check["name"]: _ASKED[check["type"]](check, str(params["base_url"]).rstrip("/"), headers, asked)
        for check in checks
        if check["type"] in _ASKED
    }
    if params["observe"] and stored and not trouble:
        time.sleep(max(0.0, params["observe"] - (time.monotonic() - started)))
        again, trouble = _look(params, stored)
        looks += again
    for check in stored:
        verdicts[check["name"]] = Verdict(False, trouble, {}) if trouble else _contents.judge(check, looks)
    gates = [_gate(check, verdicts[check["name"]]) for check in checks]
    return {
        **summary(gates, "checks of the cache", params["min_score"]),
        "samples": sum(one["samples"] for one in gates),
        "seconds": round(time.monotonic() - started, 3),
        "counters": _contents.counters(looks[-1].after) if looks else None,
    }


def _look(params: Mapping[str, Any], checks: list[Mapping[str, Any]]) -> tuple[list[_contents.Look], str]:
    """Return one look, or why there is none."""
    if not checks:
        return [], ""
    import redis  # the module has made sure that it is there

    url, timeout = params["redis_url"], params["timeout"]
    try:
        return [within(timeout, lambda: _contents.look(url, checks, timeout))], ""
    except TimeoutError:
        return [], f"Redis gave no answer within {timeout:g} s"
    except (redis.RedisError, OSError, ValueError, LookError) as error:
        return [], f"Redis does not answer: {described(error, url)}"


def _gate(check: Mapping[str, Any], verdict: Verdict) -> dict[str, Any]:
    judged = gate(
        check["name"],
        bool(verdict.passed),
        kind=check["type"],
        reason=f"{check['name']}: {verdict.reason}",
        optional=check["optional"],
        weight=check["weight"],
        samples=verdict.samples,
        found=dict(verdict.found),
    )
    if verdict.passed is None:
        return judged | {"verdict": "pending", "value": None}
    return judged | {"verdict": "yellow"} if verdict.warned else judged

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the cache answers, beside what the application answers when it is asked to go around the cache."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from ansible_collections.sluice.release.plugins.module_utils._http import Fetch, Response
from ansible_collections.sluice.release.plugins.module_utils.cache._verdict import Verdict

Raw = Mapping[str, Any]

ROUNDS = 5
"""Requests of each kind to an endpoint: enough for a mean that one slow answer does not turn."""

FULL_GAIN_PCT = 50.0
"""The gain that earns an endpoint all its points: the cached answer takes half as long."""


def consistency(check: Raw, base_url: str, headers: Mapping[str, str], fetch: Fetch) -> Verdict:
    """Compare the cached answer of each path with a fresh one.

    Between two fresh answers what differs by itself is no fault of the cache; what the application changes with each
    request has to be named in ``ignore``.
    """
    wrong = []
    for path in check["paths"]:
        # The first one may only fill the cache.
        fetch(base_url + path, headers=headers)
        cached = fetch(base_url + path, headers=headers)
        fresh = _fresh(check, base_url, path, headers, fetch)
        reason = difference(cached, fresh, check["ignore"] or [])
        if reason:
            wrong.append(f"{path} {reason}")
    paths = len(check["paths"])
    said = f"{paths} path{'s' * (paths != 1)}: the cached answer equals the fresh one"
    return Verdict(not wrong, "; ".join(wrong) or said, {"paths": paths, "different": len(wrong)}, paths)


def difference(cached: Response, fresh: Response, ignore: Sequence[str]) -> str:
    """Return what is different, '' when nothing is. No body is quoted: it may hold anything."""
    for answer, name in ((cached, "from the cache"), (fresh, "past the cache")):
        if answer.error:
            return f"cannot be read {name}: {answer.error}"
    if cached.status != fresh.status:
        return f"has status {cached.status} from the cache and {fresh.status} past it"
    if cached.status >= 400:
        return f"answers {cached.status}, which proves nothing"
    kinds = [answer.headers.get("content-type", "").split(";")[0].strip() for answer in (cached, fresh)]
    if kinds[0] != kinds[1]:
        return f"is {kinds[0] or 'of no type'} from the cache and {kinds[1] or 'of no type'} past it"
    try:
        first, second = (json.loads(answer.body) for answer in (cached, fresh))
    except ValueError:
        return "" if cached.body == fresh.body else "is another answer from the cache than past it"
    for name in ignore:
        for value in (first, second):
            _drop(value, name.split("."))
    place = _place(first, second, "")
    return f"differs at {place or 'its root'} between cache and application" if place is not None else ""


def _drop(value: Any, names: Sequence[str]) -> None:
    """Remove a key, by the names on its way; `*` stands for each member of a list or a mapping."""
    if names[0] == "*":
        members = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
        for member in members if len(names) > 1 else []:
            _drop(member, names[1:])
    elif isinstance(value, dict):
        if len(names) == 1:
            value.pop(names[0], None)
        elif names[0] in value:
            _drop(value[names[0]], names[1:])


def _place(first: Any, second: Any, at: str) -> str | None:
    """Return where two values differ first, None when nowhere."""
    if isinstance(first, dict) and isinstance(second, dict):
        for name in sorted({*first, *second}):
            here = f"{at}.{name}" if at else name
            if name not in first or name not in second:
                return here
            found = _place(first[name], second[name], here)
            if found is not None:
                return found
        return None
    if isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for number, pair in enumerate(zip(first, second)):
            found = _place(*pair, f"{at}[{number}]")
            if found is not None:
                return found
        return None
    # True equals 1 in Python, and not in JSON.
    return None if first == second and type(first) is type(second) else at


def speedup(check: Raw, base_url: str, headers: Mapping[str, str], fetch: Fetch) -> Verdict:
    """Measure each path past the cache and from it, in turn, and score the gain."""
    endpoints = []
    for path in check["paths"]:
        cold, warm = [], []
        # Fills the cache; what is slow only once, such as a connection to the database, is not counted either.
        answers = [fetch(base_url + path, headers=headers)]
        for _round in range(check["rounds"] or ROUNDS):
            answers += [_fresh(check, base_url, path, headers, fetch), fetch(base_url + path, headers=headers)]
            cold.append(answers[-2].seconds)
            warm.append(answers[-1].seconds)
        bad = [answer for answer in answers if answer.error or answer.status >= 400]
        if bad:
            reason = f"{path} cannot be measured: {bad[0].error or f'status {bad[0].status}'}"
            return Verdict(False, reason, {}, len(answers))
        endpoints.append(gain(path, cold, warm))
    return judge_gains(check, endpoints)


def gain(path: str, cold: Sequence[float], warm: Sequence[float]) -> dict[str, Any]:
    """Return what an endpoint gains by the cache: means in milliseconds, the difference in percent of the cold one."""
    before, after = statistics.fmean(cold) * 1000, statistics.fmean(warm) * 1000
    pct = 100 * (before - after) / before if before else 0.0
    return {"path": path, "cold_ms": round(before, 1), "warm_ms": round(after, 1), "gain_pct": round(pct, 1)}


def judge_gains(check: Raw, endpoints: Sequence[dict[str, Any]]) -> Verdict:
    """Return the verdict on the gains of all endpoints.

    The score is the mean over the endpoints of gain / ``full_gain_pct``, each from 0 to 1, in percent. Profile 001 has
    a cache score of 80 of 100 at a mean gain of 13.5 % and gives no formula; this one is ours, and gives 80 there with
    a ``full_gain_pct`` of 16.9.
    """
    full = check["full_gain_pct"] or FULL_GAIN_PCT
    score = round(statistics.fmean(100 * min(1.0, max(0.0, one["gain_pct"] / full)) for one in endpoints), 1)
    mean = round(statistics.fmean(one["gain_pct"] for one in endpoints), 1)
    least = check["min_score"] or 0.0
    told = ", ".join(f"{one['path']} {one['cold_ms']:g} to {one['warm_ms']:g} ms" for one in endpoints)
    reason = f"score {score:g} of 100, mean gain {mean:g} % ({told})"
    if score < least:
        reason += f", at least {least:g} is needed"
    samples = 2 * (check["rounds"] or ROUNDS) * len(endpoints)
    return Verdict(score >= least, reason, {"score": score, "gain_pct": mean, "endpoints": list(endpoints)}, samples)


def _fresh(check: Raw, base_url: str, path: str, headers: Mapping[str, str], fetch: Fetch) -> Response:
    query = urlencode(check["bypass_query"] or {})
    joint = "&" if "?" in path else "?"
    url = base_url + path + (joint + query if query else "")
    return fetch(url, headers={**headers, **(check["bypass_headers"] or {})})

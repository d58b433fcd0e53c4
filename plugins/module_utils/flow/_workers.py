# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Do the workers of an application get along? Judged by what they keep in Redis: locks, heartbeats, singleton jobs.

All decisions are pure: they compare keys as one look, or two looks some seconds apart, has found them.
"""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.flow._common import call_problems, few

Raw = Mapping[str, Any]

_TOLERANCE = 0.25
"""Seconds by which two readings of one clock may differ: a look takes its time."""


@dataclass(frozen=True)
class Key:
    """One key as a look has found it. Times in seconds."""

    name: str
    ttl: float | None
    """Time to live; None for a key that lives for ever."""
    holders: int = 1
    """One for a text, the number of members for a set, a list, a sorted set or a hash."""
    mark: str = ""
    """A digest of what it holds: who holds a lock, without saying it."""
    age: float | None = None
    """Of a heartbeat; None when it was not asked for, or does not tell."""


@dataclass(frozen=True)
class Verdict:
    """What one check has found, in one line, and with what was counted."""

    passed: bool
    reason: str
    found: Mapping[str, Any]


def judge(check: Raw, looks: Sequence[Sequence[Key]], elapsed: float = 0.0) -> Verdict:
    """Judge what was found under the pattern of a check, in one look or in two that are `elapsed` seconds apart."""
    kinds = {"locks": _locks, "heartbeats": _heartbeats, "singletons": _singletons}
    return kinds[check["type"]](check, looks, elapsed)


def _locks(check: Raw, looks: Sequence[Sequence[Key]], elapsed: float) -> Verdict:
    keys = looks[-1]
    for_ever = [key.name for key in keys if key.ttl is None]
    longest = check["max_ttl"]
    too_long = [key.name for key in keys if longest is not None and key.ttl is not None and key.ttl > longest]
    wrong = [f"{few(for_ever)} will never expire"] if for_ever else []
    if too_long:
        wrong.append(f"{few(too_long)} will not expire within {longest:g} s")
    found: dict[str, Any] = {"keys": len(keys), "without_ttl": len(for_ever), "past_max_ttl": len(too_long)}
    if check["renewed"]:
        held, stuck = _held(looks[0], keys, elapsed)
        found |= {"held": held, "not_renewed": len(stuck)}
        if stuck:
            wrong.append(f"{few(stuck)} was not renewed in {elapsed:.1f} s")
    wrong += _count_words(check, len(keys), "lock")
    count = f"{len(keys)} lock{'s' * (len(keys) != 1)} under {check['pattern']}"
    return Verdict(not wrong, "; ".join(wrong) or f"{count}, each with an end", found)


def _held(before: Sequence[Key], after: Sequence[Key], elapsed: float) -> tuple[int, list[str]]:
    """How many locks the same holder has kept, and which of these nobody has renewed in the meantime."""
    now = {key.name: key for key in after}
    kept = [(key, now[key.name]) for key in before if key.name in now and now[key.name].mark == key.mark]
    stuck = [
        later.name
        for earlier, later in kept
        if earlier.ttl is not None and later.ttl is not None and later.ttl <= earlier.ttl - elapsed + _TOLERANCE
    ]
    return len(kept), stuck


def _heartbeats(check: Raw, looks: Sequence[Sequence[Key]], _elapsed: float) -> Verdict:
    keys = looks[-1]
    ages = {key.name: key.age for key in keys if key.age is not None}
    mute = [key.name for key in keys if key.age is None]
    stale = [name for name, age in ages.items() if age > check["max_age"]]
    oldest = max(ages.values(), default=None)
    wrong = [f"{few(mute)} does not tell when it was written"] if mute else []
    if stale:
        wrong.append(f"{few(stale)} is older than {check['max_age']:g} s, the oldest {oldest:.1f} s")
    wrong += _count_words(check, len(keys), "heartbeat")
    found = {"keys": len(keys), "stale": len(stale), "oldest_seconds": None if oldest is None else round(oldest, 3)}
    words = f"{len(keys)} heartbeat{'s' * (len(keys) != 1)} under {check['pattern']}"
    return Verdict(not wrong, "; ".join(wrong) or f"{words}, none older than {check['max_age']:g} s", found)


def _singletons(check: Raw, looks: Sequence[Sequence[Key]], _elapsed: float) -> Verdict:
    """Every job must have exactly one holder in every look."""
    counts = {}
    for job in check["jobs"]:
        pattern = check["pattern"].replace("{job}", job)
        counts[job] = [sum(key.holders for key in keys if matches(key.name, pattern)) for keys in looks]
    none = [job for job, seen in counts.items() if min(seen) == 0]
    several = [f"{job} ({max(seen)})" for job, seen in counts.items() if max(seen) > 1]
    wrong = [f"nobody holds {few(none)}"] if none else []
    if several:
        wrong.append(f"more than one holds {few(several)}")
    found = {"holders": {job: max(seen) if max(seen) > 1 else min(seen) for job, seen in counts.items()}}
    return Verdict(not wrong, "; ".join(wrong) or f"exactly one holds each of {few(list(counts))}", found)


def _count_words(check: Raw, count: int, what: str) -> list[str]:
    least = check["min_count"]
    if least is None:
        least = 1 if check["type"] == "heartbeats" else 0
    most = check["max_count"]
    if count < least:
        return [f"{count} {what}{'s' * (count != 1)} under {check['pattern']}, at least {least} must be there"]
    if most is not None and count > most:
        return [f"{count} {what}{'s' * (count != 1)} under {check['pattern']}, at most {most} may be there"]
    return []


def matches(name: str, pattern: str) -> bool:
    """Whether Redis would find this key by this pattern."""
    # Redis escapes by a backslash and negates by ^, fnmatch by brackets and !; all other signs are the same to both.
    translated, escaped = "", False
    for sign in pattern:
        if escaped:
            translated += f"[{sign}]" if sign in "*?[" else sign
            escaped = False
        elif sign == "\\":
            escaped = True
        else:
            translated += sign
    return fnmatch.fnmatchcase(name, translated.replace("[^", "[!"))


def search_pattern(check: Raw) -> str:
    """The pattern that finds every key of a check: of singleton jobs, those of all jobs."""
    return str(check["pattern"]).replace("{job}", "*") if check["type"] == "singletons" else str(check["pattern"])


CHECK_SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "type": {"type": "str", "required": True, "choices": ["locks", "heartbeats", "singletons"]},
    "pattern": {"type": "str", "required": True},
    "jobs": {"type": "list", "elements": "str"},
    "min_count": {"type": "int"},
    "max_count": {"type": "int"},
    "max_ttl": {"type": "float"},
    "renewed": {"type": "bool", "default": False},
    "max_age": {"type": "float"},
    "query": {"type": "str"},
    "lifetime": {"type": "float"},
    "weight": {"type": "float", "default": 1.0},
    "optional": {"type": "bool", "default": False},
}

WORKER_SPEC: dict[str, Any] = {
    "url": {"type": "str", "required": True, "no_log": True},
    "checks": {"type": "list", "elements": "dict", "required": True, "options": CHECK_SPEC},
    "observe": {"type": "float", "default": 0.0},
    "timeout": {"type": "float", "default": 5.0},
    "min_score": {"type": "float", "default": 0.0},
    "fail_on_red": {"type": "bool", "default": True},
}

_BELONG = {
    "locks": {"min_count", "max_count", "max_ttl", "renewed"},
    "heartbeats": {"min_count", "max_count", "max_age", "query", "lifetime"},
    "singletons": {"jobs"},
}
_OWN = set().union(*_BELONG.values())


def validate(params: Raw) -> None:
    """Raise SluiceError that lists everything that makes no sense, before Redis is asked."""
    found = list(_problems(params))
    if found:
        raise SluiceError("use the checks of the workers", "; ".join(found), "Correct them in the profile")


def _problems(params: Raw) -> Iterator[str]:
    yield from call_problems(params)
    for check in params["checks"]:
        for problem in _check_problems(check, params["observe"]):
            yield f"{check['name']}: {problem}"


def _check_problems(check: Raw, observe: float) -> Iterator[str]:
    kind = check["type"]
    for option in sorted(_OWN - _BELONG[kind]):
        if check[option] not in (None, False, []):
            yield f"{option} does not belong to type {kind}"
    for option in ("max_ttl", "max_age", "lifetime"):
        value = check[option]
        if value is not None and not (math.isfinite(value) and value > 0):
            yield f"{option} is {value:g}, it must be above 0"
    if not (math.isfinite(check["weight"]) and check["weight"] >= 0):
        yield f"weight is {check['weight']:g}, it must be 0 or more"
    least, most = check["min_count"], check["max_count"]
    if least is not None and most is not None and least > most:
        yield f"min_count {least} is above max_count {most}"
    if not check["pattern"].strip("*"):
        yield "its pattern matches every key"
    if kind == "locks" and check["renewed"] and not observe:
        yield "renewed needs two looks; set observe"
    if kind == "heartbeats":
        yield from _heartbeat_problems(check)
    if kind == "singletons" and not check["jobs"]:
        yield "it has no jobs"
    if kind == "singletons" and "{job}" not in check["pattern"]:
        yield "its pattern has no {job}"


def _heartbeat_problems(check: Raw) -> Iterator[str]:
    if check["max_age"] is None:
        yield "it has no max_age"
    elif check["lifetime"] is not None and check["lifetime"] <= check["max_age"]:
        yield f"no key can be older than its lifetime of {check['lifetime']:g} s, so max_age must be less"
    if check["query"] and check["lifetime"] is not None:
        yield "query and lifetime cannot go together"
    if check["query"]:
        import jmespath  # the module has made sure that it is there
        from jmespath.exceptions import JMESPathError

        try:
            jmespath.compile(check["query"])
        except JMESPathError as error:
            yield f"query is no JMESPath expression ({str(error).splitlines()[0]})"

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What lies in the Redis of a cache: its keys and their end, its memory, and how often what is asked for is there."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._redis import ask_all, client_of, names_of, refusal
from ansible_collections.sluice.release.plugins.module_utils.cache._verdict import Verdict
from ansible_collections.sluice.release.plugins.module_utils.flow._common import few

Raw = Mapping[str, Any]

MIN_LOOKUPS = 50
"""Lookups below which a ratio says nothing; see the default of min_samples of health_gate."""

_MB = 1024 * 1024


@dataclass(frozen=True)
class Key:
    """One key as a look has found it. ``ttl`` in seconds, None for a key that lives for ever."""

    name: str
    kind: str
    ttl: float | None


@dataclass(frozen=True)
class Look:
    """The server at one moment: what INFO says, which modules it has, and the keys of each check.

    ``after`` is INFO again, when everything had been read: to look at keys counts as to look them up.
    """

    info: Mapping[str, Any]
    after: Mapping[str, Any]
    modules: Sequence[str]
    keys: Mapping[str, Sequence[Key]]


def look(url: str, checks: Sequence[Raw], timeout: float) -> Look:
    """Read what the checks are about. Nothing is written; raises what redis-py raises, and LookError."""
    deadline = time.monotonic() + timeout
    with client_of(url, timeout) as client:
        info = client.info()
        modules = [str(name).lower() for name in _modules(client)]
        keys = {check["name"]: _keys(client, check["pattern"], deadline) for check in checks if check["type"] == "keys"}
        after = client.info("stats") if keys else info
    return Look(info, after, modules, keys)


def _modules(client: Any) -> list[str]:
    import redis  # the module has made sure that it is there

    try:
        return [(one.get(b"name") or one.get("name") or b"").decode() for one in client.module_list()]
    except (redis.ResponseError, AttributeError):
        # A server without modules, or one that tells nobody.
        return []


def _keys(client: Any, pattern: str, deadline: float) -> list[Key]:
    names = names_of(client, pattern, deadline)
    answers = [ask_all(client, command, names) for command in ("type", "pttl")]
    for answer in answers:
        refused = refusal(answer)
        if refused:
            raise refused
    return [
        Key(name.decode(errors="replace"), kind.decode(), None if life == -1 else life / 1000)
        for name, kind, life in zip(names, *answers)
        if life != -2
    ]


def judge(check: Raw, looks: Sequence[Look]) -> Verdict:
    """Judge a check by one look, or by two."""
    return {"keys": _judge_keys, "memory": _judge_memory, "hit_ratio": _judge_ratio}[check["type"]](check, looks)


def _judge_keys(check: Raw, looks: Sequence[Look]) -> Verdict:
    needed = check["needs_module"]
    if needed and needed.lower() not in looks[-1].modules:
        return Verdict(True, f"left out, for the server has no {needed}", {"skipped": True})
    keys = looks[-1].keys[check["name"]]
    kind, least, most = check["kind"], check["min_ttl"], check["max_ttl"]
    for_ever = [key.name for key in keys if key.ttl is None]
    allowed = check["max_without_ttl"]
    wrong = []
    if kind:
        others = [key.name for key in keys if key.kind.lower() != kind.lower()]
        wrong += [f"{few(others)} is no {kind}"] if others else []
    if allowed is not None and len(for_ever) > allowed:
        wrong.append(f"{few(for_ever)} will never end, {len(for_ever)} in all, at most {allowed} may")
    if least is not None:
        short = [key.name for key in keys if key.ttl is not None and key.ttl < least]
        wrong += [f"{few(short)} ends within {least:g} s"] if short else []
    if most is not None:
        long = [key.name for key in keys if key.ttl is not None and key.ttl > most]
        wrong += [f"{few(long)} does not end within {most:g} s"] if long else []
    if check["min_count"] is not None and len(keys) < check["min_count"]:
        wrong.append(f"{_count(len(keys))} under {check['pattern']}, at least {check['min_count']} must be there")
    if check["max_count"] is not None and len(keys) > check["max_count"]:
        wrong.append(f"{_count(len(keys))} under {check['pattern']}, at most {check['max_count']} may be there")
    found = {"keys": len(keys), "without_ttl": len(for_ever)}
    return Verdict(not wrong, "; ".join(wrong) or f"{_count(len(keys))} under {check['pattern']}", found, len(keys))


def _judge_memory(check: Raw, looks: Sequence[Look]) -> Verdict:
    used = int(looks[-1].info["used_memory"])
    limit = int(looks[-1].info.get("maxmemory") or 0)
    evicted = [int(one.info.get("evicted_keys") or 0) for one in looks]
    found: dict[str, Any] = {"used_bytes": used, "max_bytes": limit or None, "evicted": evicted[-1] - evicted[0]}
    wrong, told = [], [f"{used / _MB:.1f} MB used"]
    if check["max_used_mb"] is not None and used > check["max_used_mb"] * _MB:
        wrong.append(f"{used / _MB:.1f} MB are used, at most {check['max_used_mb']:g} may be")
    if limit:
        pct = 100 * used / limit
        found["used_pct"] = round(pct, 1)
        told.append(f"{pct:.0f} % of its maxmemory")
        if check["max_used_pct"] is not None and pct > check["max_used_pct"]:
            wrong.append(f"{pct:.0f} % of its maxmemory are used, at most {check['max_used_pct']:g} % may be")
    elif check["max_used_pct"] is not None:
        wrong.append("it has no maxmemory that could be used up by so many percent")
    if check["max_evicted"] is not None and found["evicted"] > check["max_evicted"]:
        wrong.append(f"{_count(found['evicted'])} evicted meanwhile, at most {check['max_evicted']} may be")
    return Verdict(not wrong, "; ".join(wrong) or ", ".join(told), found, len(looks))


def _judge_ratio(check: Raw, looks: Sequence[Look]) -> Verdict:
    before = check["since"] or counters(looks[0].after)
    now = counters(looks[-1].info)
    hits, misses = (now[name] - int(before.get(name) or 0) for name in ("hits", "misses"))
    if hits < 0 or misses < 0:
        return Verdict(None, "the counters of the server were reset meanwhile", {})
    lookups, needed = hits + misses, MIN_LOOKUPS if check["min_lookups"] is None else check["min_lookups"]
    found: dict[str, Any] = {"hits": hits, "misses": misses}
    if lookups < max(1, needed):
        return Verdict(None, f"only {lookups} lookups, at least {max(1, needed)} are needed to judge", found, lookups)
    pct = 100 * hits / lookups
    found["hit_pct"] = round(pct, 1)
    said = f"{pct:.1f} % of {lookups} lookups were hits"
    if check["crit_pct"] is not None and pct < check["crit_pct"]:
        return Verdict(False, f"{said}, below {check['crit_pct']:g} %", found, lookups)
    if check["warn_pct"] is not None and pct < check["warn_pct"]:
        return Verdict(True, f"{said}, below {check['warn_pct']:g} %", found, lookups, warned=True)
    return Verdict(True, said, found, lookups)


def counters(info: Mapping[str, Any]) -> dict[str, int]:
    """Return how many lookups of keys have hit and missed since the server began to count."""
    return {"hits": int(info.get("keyspace_hits") or 0), "misses": int(info.get("keyspace_misses") or 0)}


def _count(number: int) -> str:
    return f"{number} key{'s' * (number != 1)}"

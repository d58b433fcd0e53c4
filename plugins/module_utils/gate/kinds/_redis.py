# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Checks of Redis, or of what speaks its protocol: one look at it, and what each check reads from that look."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.sluice.release.plugins.module_utils._redis import (
    LookError,
    ask_all,
    client_of,
    described,
    moment_of,
    names_of,
    refusal,
)
from ansible_collections.sluice.release.plugins.module_utils._within import within
from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Sample, seconds
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._growth import Growth
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._kind import (
    EXPECT,
    VALUE,
    WINDOW,
    Begin,
    Kind,
    NotFoundError,
    Raw,
    found_sample,
    jmespath_problems,
    search,
    short,
    state_sample,
    value_problems,
)

# The one right state of the checks that need no limit.
_STATES = {"connected": "connected", "authentication": "required", "replication_link": "up"}

# What the server counts since it was started.
_COUNTERS = ("evicted_keys", "rejected_connections")

# Check -> field of INFO.
_FIELDS = {
    "used_memory_bytes": "used_memory",
    "connected_clients": "connected_clients",
    "blocked_clients": "blocked_clients",
    "connected_replicas": "connected_slaves",
    "role": "role",
}

_KEYS = ("keys_count", "keys_without_ttl", "keys_min_ttl_seconds", "heartbeat_age_seconds")

_VALUES = (
    "connected", "authentication", "latency_ms", "used_memory_bytes", "used_memory_pct", "hit_ratio_pct", *_COUNTERS,
    "connected_clients", "blocked_clients", "role", "replication_link", "replication_lag_seconds",
    "replication_lag_bytes", "connected_replicas", *_KEYS,
)  # fmt: skip

_UNITS = {"_ms": "ms", "_seconds": "s", "_bytes": "B", "_pct": "%"}


@dataclass(frozen=True)
class Keys:
    """What the keys under a pattern have in common. Times in seconds."""

    count: int
    without_ttl: int = 0
    min_ttl: float | None = None
    """None: no key expires."""
    oldest: float | None = None
    """Age of the oldest heartbeat. None: there is no key, or ages were not asked for."""
    fault: str = ""
    """Why the ages are not known."""


@dataclass(frozen=True)
class Answer:
    """What a look has seen, or why it has seen nothing."""

    error: str = ""
    latency_ms: float | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    keys: Keys | None = None
    open_to_all: bool | None = None
    """Whether it obeys somebody who has not authenticated."""
    faults: Mapping[str, str] = field(default_factory=dict)
    """Why a part is missing: info, keys, authentication."""


@dataclass(frozen=True)
class Look:
    """One look at a server, on a connection of its own. Checks with equal looks share its answers."""

    url: str = field(repr=False)
    subjects: tuple[str, ...] = ("info",)
    """What is looked at beside PING: info, keys, ages, authentication."""
    pattern: str | None = None
    """Of the keys, as SCAN understands it."""
    age_by: str = "value"
    query: str | None = None
    timeout: float = 5.0
    """Seconds for the whole look."""

    def ask(self) -> Answer:
        """Look once; what the server does never raises."""
        import redis  # the module has made sure that it is there

        deadline = time.monotonic() + self.timeout
        try:
            return within(self.timeout, lambda: self._look(deadline))
        except TimeoutError:
            return Answer(f"no answer within {self.timeout:g} s")
        except (redis.RedisError, OSError, ValueError) as error:
            return Answer(self._describe(error))

    def _client(self, *, anonymous: bool = False) -> Any:
        client = client_of(self.url, self.timeout)
        if anonymous:
            for option in ("username", "password", "credential_provider"):
                client.connection_pool.connection_kwargs.pop(option, None)
        return client

    def _look(self, deadline: float) -> Answer:
        import redis

        info: Mapping[str, Any] = {}
        keys, door = None, None
        faults: dict[str, str] = {}
        with self._client() as client:
            client.ping()  # the first one also connects and authenticates
            started = time.monotonic()
            client.ping()
            latency = (time.monotonic() - started) * 1000
            if "info" in self.subjects:
                try:
                    info = client.info()
                except redis.ResponseError as error:  # a user who may not ask
                    faults["info"] = self._describe(error)
            if "keys" in self.subjects:
                try:
                    keys = self._keys(client, deadline)
                except (redis.ResponseError, LookError) as error:
                    faults["keys"] = self._describe(error)
        if "authentication" in self.subjects:
            door = self._is_open()
        return Answer("", latency, info, keys, door, faults)

    def _is_open(self) -> bool:
        """Whether it answers somebody who brings no password."""
        import redis

        with self._client(anonymous=True) as client:
            try:
                client.ping()
            except (redis.AuthenticationError, redis.ResponseError):
                return False
        return True

    def _keys(self, client: Any, deadline: float) -> Keys:
        names = names_of(client, self.pattern or "*", deadline)
        answers = ask_all(client, "pttl", names)
        refused = refusal(answers)
        if refused:
            raise LookError(self._describe(refused))
        # A key that has gone in the meantime has a time to live of -2.
        ttls = {name: ttl for name, ttl in zip(names, answers) if ttl != -2}
        lives = [ttl / 1000 for ttl in ttls.values() if ttl >= 0]
        oldest, fault = self._oldest(client, sorted(ttls)) if "ages" in self.subjects else (None, "")
        return Keys(len(ttls), len(ttls) - len(lives), min(lives, default=None), oldest, fault)

    def _oldest(self, client: Any, names: list[bytes]) -> tuple[float | None, str]:
        """The age of the oldest heartbeat, and why it is not known."""
        if self.age_by == "idle":
            ages = ask_all(client, "object", names, "idletime")
        else:
            ages = [self._age(answer) for answer in ask_all(client, "get", names)]
        known: list[float] = []
        for name, age in zip(names, ages):
            if isinstance(age, (int, float)):
                known.append(max(0.0, float(age)))
            elif age is not None:  # it has gone in the meantime
                return None, f"{short(name.decode(errors='replace'))} {age}"
        return max(known, default=None), ""

    def _age(self, held: Any) -> float | str | None:
        if held is None:
            return None
        if isinstance(held, Exception):
            return "holds no text"
        text = held if isinstance(held, bytes) else str(held).encode()
        try:
            found = search(self.query, text) if self.query else text.decode("utf-8", "replace")
        except NotFoundError:
            return "holds no JSON"
        moment = moment_of(str(found))
        return "holds no time" if moment is None else time.time() - moment

    def _describe(self, error: Exception) -> str:
        return described(error, self.url)


class _Redis:
    def __init__(self, check: Check, value: str, pattern: str | None) -> None:
        self.check, self.value, self.pattern = check, value, pattern
        self._growth = Growth(check.limits.grace)
        self._hits = _HitRatio(check)

    def sample(self, t: float, answer: Answer) -> Sample | None:
        check, value = self.check, self.value
        if answer.error:
            fault = f"could not be reached ({answer.error})"
            return state_sample(check, t, "unreachable", fault) if value == "connected" else Sample(t, None, fault)
        if value == "connected":
            return state_sample(check, t, value)
        if value == "latency_ms":
            return Sample(t, (answer.latency_ms or 0.0) * check.scale)
        if value == "authentication":
            state = "not required" if answer.open_to_all else "required"
            why = "obeys somebody who has not authenticated" if answer.open_to_all else ""
            return state_sample(check, t, state, why)
        if value in _KEYS:
            return self._of_keys(t, answer)
        if not answer.info:
            return Sample(t, None, f"says nothing of itself ({answer.faults.get('info', 'its INFO is empty')})")
        return self._of_info(t, answer.info)

    def _of_keys(self, t: float, answer: Answer) -> Sample:
        keys, value = answer.keys, self.value
        if keys is None:
            return Sample(t, None, f"its keys cannot be looked at ({answer.faults.get('keys', 'nobody knows why')})")
        found = {
            "keys_count": keys.count,
            "keys_without_ttl": keys.without_ttl,
            "keys_min_ttl_seconds": keys.min_ttl,
            "heartbeat_age_seconds": keys.oldest,
        }[value]
        if found is None:
            none = f"no key matches {self.pattern}" if not keys.count else "none of its keys expires"
            return Sample(t, None, f"{value} is not known ({keys.fault or none})")
        return found_sample(self.check, t, found, value)

    def _of_info(self, t: float, info: Mapping[str, Any]) -> Sample | None:
        value = self.value
        run = str(info.get("run_id", ""))
        if value in _COUNTERS:
            grown = self._growth.add(t, {run: float(info.get(value) or 0)})
            return None if grown is None else Sample(t, grown * self.check.scale)
        if value == "hit_ratio_pct":
            hits, misses = (float(info.get(f"keyspace_{what}") or 0) for what in ("hits", "misses"))
            return self._hits.sample(t, run, hits, misses)
        found, missing = _told(info, value)
        if found is None:
            return Sample(t, None, f"{value} is not known ({missing})")
        if value == "replication_link":
            return state_sample(self.check, t, str(found), "has lost the link to its primary")
        return found_sample(self.check, t, found, value)


class _HitRatio:
    """The share of reads that found their key, within the window of a check."""

    def __init__(self, check: Check) -> None:
        self.check = check
        self._hits, self._misses = Growth(0.0), Growth(0.0)
        self._seen: deque[tuple[float, float, float]] = deque()

    def sample(self, t: float, run: str, hits: float, misses: float) -> Sample | None:
        check, grace = self.check, self.check.limits.grace
        point = (t, self._hits.add(t, {run: hits}) or 0.0, self._misses.add(t, {run: misses}) or 0.0)
        self._seen.append(point)
        # The look that the window begins at stays, to be compared with. It never lies in a warm-up that is over.
        while len(self._seen) > 1 and (self._seen[1][0] <= t - check.window or self._seen[0][0] < grace <= t):
            self._seen.popleft()
        _t, first_hits, first_misses = self._seen[0]
        if len(self._seen) == 1:
            return None
        hit = point[1] - first_hits
        events = hit + point[2] - first_misses
        if events < max(1, check.min_events):
            least, window = max(1, check.min_events), seconds(check.window)
            return Sample(t, None, f"{events:g} of at least {least} reads in the last {window}")
        return Sample(t, 100.0 * hit / events * check.scale)


def _told(info: Mapping[str, Any], value: str) -> tuple[Any, str]:
    """What INFO says, or None and why it does not."""
    if value in _FIELDS:
        return info.get(_FIELDS[value]), "its INFO has none"
    if value == "used_memory_pct":
        most = info.get("maxmemory") or 0
        return (100.0 * (info.get("used_memory") or 0) / most if most else None), "it has no maxmemory"
    if value == "replication_link":
        return info.get("master_link_status"), "it is no replica"
    replicas = [found for name, found in info.items() if re.fullmatch(r"slave\d+", name) and isinstance(found, dict)]
    if value == "replication_lag_seconds":
        if info.get("role") == "slave":
            ago = info.get("master_last_io_seconds_ago")
            return (None if ago is None or ago < 0 else ago), "its primary is silent"
        return max((replica["lag"] for replica in replicas if "lag" in replica), default=None), "it has no replica"
    if info.get("role") == "slave":
        return None, "only its primary can tell"
    offset = info.get("master_repl_offset") or 0
    return max((offset - int(replica.get("offset", 0)) for replica in replicas), default=None), "it has no replica"


def _problems(raw: Raw, _gate: Raw) -> Iterator[str]:
    yield from value_problems(raw, _VALUES)
    try:
        parts = urlsplit(raw["redis_url"] or "")
        valid = parts.scheme in ("redis", "rediss", "unix") and bool(parts.hostname or parts.path)
        valid = valid and (parts.scheme == "unix" or parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid:
        yield "its redis_url must be redis://host..., rediss://host... (TLS) or unix:///path"
    if raw["value"] in _KEYS:
        if not raw["keys"]:
            yield f"{raw['value']} needs keys, a pattern"
    elif raw["keys"]:
        yield "keys belongs to the values keys_count, keys_without_ttl, keys_min_ttl_seconds and heartbeat_age_seconds"
    if raw["value"] == "role" and raw["expect"] is None:
        yield "role is a state and needs expect"
    if raw["query"]:
        yield from jmespath_problems("query", raw["query"])


def _target(raw: Raw, gate: Raw) -> Look:
    # One look serves every check of the same server and keys: they then speak of the same moment.
    shared = ("type", "redis_url", "timeout")
    same = [check for check in gate["checks"] if all(check[option] == raw[option] for option in shared)]
    values = {check["value"] for check in same if check["value"] not in _KEYS}
    subjects = {"authentication"} & values
    subjects |= {"info"} if values - {"connected", "latency_ms", "authentication"} else set()
    if raw["value"] not in _KEYS:
        return Look(raw["redis_url"], tuple(sorted(subjects)), timeout=raw["timeout"])
    of_keys = ("keys", "age_by", "query")
    alike = [check for check in same if all(check[option] == raw[option] for option in of_keys)]
    ages = any(check["value"] == "heartbeat_age_seconds" for check in alike)
    return Look(
        raw["redis_url"],
        ("ages", "keys") if ages else ("keys",),
        raw["keys"],
        raw["age_by"],
        raw["query"],
        raw["timeout"],
    )


def _begin(raw: Raw) -> Begin:
    value, pattern = raw["value"], raw["keys"]
    return lambda check, _begun: _Redis(check, value, pattern)


def _two_looks(raw: Raw) -> str:
    if raw["value"] == "hit_ratio_pct":
        return "a hit ratio"
    return f"the growth of {raw['value']}" if raw["value"] in _COUNTERS else ""


KIND = Kind(
    options={
        **EXPECT,
        **VALUE,
        **WINDOW,
        "redis_url": {"type": "str", "no_log": True},
        "keys": {"type": "str", "no_log": False},
        "age_by": {"type": "str", "default": "value", "choices": ["value", "idle"]},
        "query": {"type": "str"},
    },
    target=_target,
    begin=_begin,
    problems=_problems,
    unit=lambda raw: next((unit for ending, unit in _UNITS.items() if raw["value"].endswith(ending)), ""),
    direction=lambda raw: "below" if raw["value"] in ("hit_ratio_pct", "keys_min_ttl_seconds") else "above",
    state=lambda raw: _STATES.get(raw["value"] or ""),
    stated_by="such a value",
    two_looks=_two_looks,
    libraries=lambda raw: {"redis"} | ({"jmespath"} if raw["query"] else set()),
)

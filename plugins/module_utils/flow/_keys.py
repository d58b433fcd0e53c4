# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Reads from Redis what the checks of the workers judge. Nothing is written, and no value is given back."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
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
from ansible_collections.sluice.release.plugins.module_utils.flow._score import gate, summary
from ansible_collections.sluice.release.plugins.module_utils.flow._workers import Key, judge, search_pattern

_SIZES = {"string": None, "set": "scard", "list": "llen", "zset": "zcard", "hash": "hlen"}


def judge_workers(params: Mapping[str, Any]) -> dict[str, Any]:
    """Look once or twice and judge every check; a Redis that does not answer fails them all."""
    started = time.monotonic()
    checks = params["checks"]
    moments: list[float] = []
    looks: list[dict[str, list[Key]]] = []
    trouble = ""
    try:
        for pause in [0.0, params["observe"]] if params["observe"] else [0.0]:
            time.sleep(pause)
            moments.append(time.monotonic())
            looks.append(look(params["url"], checks, params["timeout"]))
    except SluiceError as error:
        trouble = error.cause
    gates = []
    for check in checks:
        if trouble:
            passed, reason, found, keys = False, trouble, {}, 0
        else:
            seen = [one[check["name"]] for one in looks]
            verdict = judge(check, seen, moments[-1] - moments[0])
            passed, reason, found, keys = verdict.passed, verdict.reason, dict(verdict.found), len(seen[-1])
        gates.append(
            gate(
                check["name"],
                passed,
                kind=check["type"],
                reason=f"{check['name']}: {reason}",
                optional=check["optional"],
                weight=check["weight"],
                samples=keys,
                found=found,
            )
        )
    return {
        **summary(gates, "workers", params["min_score"]),
        "samples": sum(one["samples"] for one in gates),
        "seconds": round(time.monotonic() - started, 3),
    }


def look(url: str, checks: Sequence[Mapping[str, Any]], timeout: float) -> dict[str, list[Key]]:
    """The keys of every check by its name. SluiceError when Redis does not tell within `timeout` seconds."""
    import redis  # the module has made sure that it is there

    try:
        return within(timeout, lambda: _look(url, checks, timeout))
    except TimeoutError as error:
        raise SluiceError("look at the workers", f"Redis gave no answer within {timeout:g} s") from error
    except (redis.RedisError, OSError, ValueError, LookError) as error:
        raise SluiceError("look at the workers", f"Redis does not answer: {described(error, url)}") from error


def _look(url: str, checks: Sequence[Mapping[str, Any]], timeout: float) -> dict[str, list[Key]]:
    with client_of(url, timeout) as client:
        return {check["name"]: _keys(client, check, time.monotonic() + timeout) for check in checks}


def _keys(client: Any, check: Mapping[str, Any], deadline: float) -> list[Key]:
    ordered = names_of(client, search_pattern(check), deadline)
    seconds, fraction = client.time()
    now = seconds + fraction / 1e6
    kinds = [kind.decode() for kind in _all(client, "type", ordered)]
    lives = _all(client, "pttl", ordered)
    texts = [name for name, kind in zip(ordered, kinds) if kind == "string"]
    values = dict(zip(texts, _all(client, "get", texts)))
    sizes = [_size(client, name, kind) for name, kind in zip(ordered, kinds)]
    return [
        Key(
            name=name.decode(errors="replace"),
            ttl=None if life == -1 else life / 1000,
            holders=size,
            mark=hashlib.sha256(values.get(name) or b"").hexdigest(),
            age=_age(check, values.get(name), life, now) if check["type"] == "heartbeats" else None,
        )
        for name, life, size in zip(ordered, lives, sizes)
        if life != -2  # it has gone in the meantime
    ]


def _size(client: Any, name: bytes, kind: str) -> int:
    command = _SIZES.get(kind)
    return int(getattr(client, command)(name)) if command else 1


def _all(client: Any, command: str, names: Sequence[bytes]) -> list[Any]:
    """One command for all keys. Raises what the server says when it refuses one."""
    answers = ask_all(client, command, names)
    refused = refusal(answers)
    if refused:
        raise refused
    return answers


def _age(check: Mapping[str, Any], value: bytes | None, life: int, now: float) -> float | None:
    """Seconds since the heartbeat was written, by its time to live or by the time that it holds."""
    if check["lifetime"] is not None:
        return None if life < 0 else max(0.0, check["lifetime"] - life / 1000)
    if value is None:
        return None
    text = value.decode("utf-8", "replace")
    if check["query"]:
        import jmespath

        try:
            text = str(jmespath.search(check["query"], json.loads(text)))
        except (ValueError, jmespath.exceptions.JMESPathError):
            return None
    moment = moment_of(text)
    return None if moment is None else max(0.0, now - moment)

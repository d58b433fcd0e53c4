# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Does Redis, or what speaks its protocol, answer to the URL that the application will use?"""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._redis import client_of, described
from ansible_collections.sluice.release.plugins.module_utils.preflight._model import Finding, Kind, Params

_MB = 1024 * 1024


def look(params: Params) -> Finding:
    import redis  # the module has made sure that it is there

    url, timeout = params["url"], params["timeout"]
    try:
        client = client_of(url, timeout)
    except ValueError as error:
        return Finding(False, f"its URL cannot be used: {described(error, url)}")
    try:
        with client:
            client.ping()  # the first one also connects and authenticates
            started = time.monotonic()
            client.ping()
            latency = (time.monotonic() - started) * 1000
            info = _info(client)
    except (redis.RedisError, OSError) as error:
        return Finding(False, f"Redis does not answer: {described(error, url)}")
    value = {
        "latency_ms": round(latency, 1),
        "server_version": info.get("valkey_version") or info.get("redis_version"),
        "used_memory": info.get("used_memory_human"),
        "used_memory_mb": round(info["used_memory"] / _MB, 2) if "used_memory" in info else None,
        "role": info.get("role"),
    }
    if value["role"] == "slave":
        return Finding(False, "Redis is a replica, which cannot be written to", value)
    most = params["max_latency_ms"]
    if most is not None and latency > most:
        return Finding(False, f"Redis took {latency:.0f} ms for PING, at most {most:g} ms are allowed", value)
    room, used = params["max_memory_mb"], value["used_memory_mb"]
    if room is not None and used is None:
        return Finding(False, "Redis does not tell this user how much memory it uses", value)
    if room is not None and used > room:
        return Finding(False, f"Redis uses {used:g} MB, at most {room:g} MB are allowed", value)
    uses = f" and uses {value['used_memory']}" if value["used_memory"] else ""
    return Finding(True, f"Redis answered in {latency:.1f} ms{uses}", value)


def _info(client: Any) -> dict[str, Any]:
    """What the server tells of itself; a user who may not ask is no failure."""
    import redis

    try:
        return dict(client.info())
    except redis.RedisError:
        return {}


KIND = Kind(
    options={
        "url": {"type": "str", "no_log": True},
        "max_latency_ms": {"type": "float"},
        "max_memory_mb": {"type": "float"},
    },
    look=look,
    required=("url",),
    libraries=("redis",),
    group="redis",
)

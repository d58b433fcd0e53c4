# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the report says of caches that were warmed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_NOTE = "warming"
# Of a warming by requests, and of one by keys.
_HTTP = ("address", "done", "rate", "hit_pct", "bytes")
_KEYS = ("written", "kept", "expired", "rate")
# A result of Ansible has another failed; so each module has a name of its own for what it counts.
_FAILED = {"http": "failed_requests", "keys": "errors"}
_ROWS = 50
"""Points of a line in the report: enough to see it fall, and no more than can be told apart."""


def warming_of(hosts: Iterable[tuple[str, Sequence[Mapping[str, Any]]]]) -> list[dict[str, Any]]:
    """Return every warming that the hosts have noted, in its order."""
    found = [
        (entry["time"], host, entry.get("data") or {})
        for host, entries in hosts
        for entry in entries
        if entry.get("event") == "noted" and entry.get("name") == _NOTE
    ]
    return [digest(host, data) for _time, host, data in sorted(found, key=lambda one: one[:2]) if "warm" in data]


def digest(host: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a report keeps of one warming, by what its module has given back."""
    kind = "keys" if data.get("kind") == "keys" else "http"
    told = {
        "host": host,
        "kind": kind,
        "warm": bool(data["warm"]),
        "stopped": data.get("stopped"),
        "reason": data.get("reason"),
        "seconds": data.get("seconds"),
        **{key: data[key] for key in (_KEYS if kind == "keys" else _HTTP) if data.get(key) is not None},
    }
    if data.get(_FAILED[kind]) is not None:
        told["failed"] = data[_FAILED[kind]]
    for name in ("first_pass", "second_pass"):
        times = data.get(name) or {}
        if times.get("p95_ms") is not None:
            told[f"{name}_p95_ms"] = times["p95_ms"]
    rows = [[row["second"], row["p95_ms"]] for row in data.get("samples") or [] if row.get("p95_ms") is not None]
    if rows:
        step = -(-len(rows) // _ROWS)
        told["series"] = [max(rows[at : at + step], key=lambda row: row[1]) for at in range(0, len(rows), step)]
    return told

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the report says of an emergency: the settings that were changed, and when requests were turned away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils.report._database import Found


def settings_of(found: Sequence[Found]) -> Optional[dict[str, Any]]:
    """Return what a toggle or a restart has changed, which is the same on each host; None without one."""
    data = next((one.evidence for one in found if one.stage == "emergency"), None)
    if data is None or "action" not in data:
        return None
    changes = [{key: change.get(key) for key in ("name", "was", "is")} for change in data.get("changes") or []]
    return {
        "action": str(data["action"]),
        "undo": bool(data.get("undo")),
        "active": [str(name) for name in data.get("active") or []],
        "changes": changes,
    }


def maintenance_of(hosts: Iterable[tuple[str, Sequence[Mapping[str, Any]]]]) -> list[dict[str, Any]]:
    """Return every change of the mode that the proxies were told in a release, oldest first.

    A stage of that name tells it with its end, and everything else beside the stages.
    """
    told = [
        {
            "host": host,
            "time": entry["time"],
            "mode": str(data["mode"]),
            "until": data.get("until"),
            "reason": data.get("reason") or None,
        }
        for host, entries in hosts
        for entry in entries
        if "maintenance" in (entry.get("name"), entry.get("stage")) and entry.get("event") in ("left", "noted")
        for data in [entry.get("data") or {}]
        if data.get("mode")
    ]
    # All are UTC, written in one way.
    return sorted(told, key=lambda one: (one["time"], one["host"]))

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a report says of the triggers that have fired. Pure: journal entries in, plain data and words out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils.journal._entry import TRIGGER, WATCH
from ansible_collections.sluice.release.plugins.module_utils.watch._words import clock

_KEYS = ("source", "trigger", "level", "action", "reason", "why", "command")


def triggers_of(hosts: Iterable[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return the triggers that have fired, oldest first, each given by the entries of a host; each decision once.

    The hosts of a fleet decide together, so every one of them has the same in its journal.
    """
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for entries in hosts:
        for entry in entries:
            data = entry.get("data") or {}
            if entry.get("event") != "noted" or not data.get("trigger"):
                continue
            if entry.get("name") == TRIGGER or (entry.get("name") == WATCH and data.get("event") == "decided"):
                # What a watch has decided is part of its own record.
                one = {"source": "watch", **{key: data[key] for key in _KEYS if data.get(key) is not None}}
                found.setdefault(tuple(one.get(key) for key in _KEYS), {"time": entry["time"], **one})
    return sorted(found.values(), key=lambda one: str(one["time"]))


def trigger_text(one: Mapping[str, Any]) -> str:
    """Return a trigger that has fired, and what was done about it, as one line without its final period."""
    why = f", for {one['why']}" if one.get("why") else ""
    done = {
        "rollback": "taken back",
        "ask": f"a person was asked{why}: {one.get('command')}",
        "record": f"only recorded{why}",
    }.get(str(one["action"]), str(one["action"]))
    level = f", level {one['level']}" if one.get("level") else ""
    return f"{clock(str(one['time']))}: {one['trigger']} ({one['source']}{level}): {one.get('reason')}; {done}"

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the report says of a drill of the rollbacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional


def rollback_drill_of(notes: Sequence[Mapping[str, Any]]) -> Optional[dict[str, Any]]:
    """Return the drill by what the hosts have noted of it, which is the same on each; None without one."""
    if not notes:
        return None
    data = notes[0]
    return {
        "place": data.get("place"),
        "met": bool(data.get("met")),
        "levels": [
            {
                "level": int(level),
                "to": ((data.get("targets") or {}).get(level) or {}).get("version"),
                "seconds": seconds,
                "budget_seconds": (data.get("budgets") or {}).get(level),
                "steps": dict((data.get("steps") or {}).get(level) or {}),
                "missed": (data.get("missed") or {}).get(level),
            }
            for level, seconds in (data.get("levels") or {}).items()
        ],
    }

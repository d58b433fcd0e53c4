# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Was the way back drilled lately, and was it short enough?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._clock import parse_utc
from ansible_collections.sluice.release.plugins.module_utils.drill import _levels
from ansible_collections.sluice.release.plugins.module_utils.journal import _state, _store
from ansible_collections.sluice.release.plugins.module_utils.journal._preview import BUDGETS, budget_of
from ansible_collections.sluice.release.plugins.module_utils.preflight._model import Finding, Kind, Params

Entry = Mapping[str, Any]

_DAY = 86400.0
_REMEDY = "run rollback_drill.yml"


def judge(
    entries: Iterable[Entry], levels: Sequence[int], days: float, budgets: Optional[Mapping[str, Any]], now: datetime
) -> Finding:
    """Judge the newest drill of each level. ``now``: with its time zone."""
    entries = list(entries)
    artifacts = {(good.get("artifact") or {}).get("id") for good in _state.derive(entries)["good"]}
    if len(artifacts) < 2:
        # Neither can be drilled before the second release.
        return Finding(True, "there is no earlier release to go back to, so there is nothing to drill", {"levels": {}})
    drills = _levels.newest(entries)
    value = {"levels": {level: drills[level] for level in map(str, levels) if level in drills}}
    never = [str(level) for level in levels if str(level) not in drills]
    wrong = [f"no rollback by level {', '.join(never)} was ever drilled here"] if never else []
    for level in levels:
        if str(level) in drills:
            wrong += _problems(level, drills[str(level)], days, budget_of(level, budgets) or 0.0, now)
    if wrong:
        return Finding(False, f"{'; '.join(wrong)}; {_REMEDY}", value)
    times = ", ".join(f"level {level} in {drills[str(level)]['seconds']:.0f} s" for level in levels)
    return Finding(True, f"drilled: {times}", value)


def _problems(level: int, drill: Mapping[str, Any], days: float, budget: float, now: datetime) -> list[str]:
    """Say what is wrong with the newest drill of a level: missed, or too long ago."""
    which = f"level {level} in the drill {drill['release']}"
    if drill["seconds"] is None:
        return [f"{which} failed: {str(drill['why'] or 'no reason was recorded').rstrip('.')}"]
    if float(drill["seconds"]) > budget:
        return [f"{which} took {drill['seconds']:.0f} s of {budget:g} s"]
    age = (now.timestamp() - parse_utc(drill["time"])) / _DAY
    return [f"{which} is {age:.0f} days old, and may be {days:g}"] if age > days else []


def look(params: Params) -> Finding:
    return judge(
        _store.read(params["path"]),
        _levels.read_levels(params["levels"] or BUDGETS),
        params["max_age_days"],
        params["budgets"],
        datetime.now(timezone.utc),
    )


KIND = Kind(
    options={
        "path": {"type": "path"},
        "levels": {"type": "list", "elements": "int"},
        "max_age_days": {"type": "float"},
        "budgets": {"type": "dict"},
    },
    look=look,
    required=("path", "max_age_days"),
    group="rollback",
)

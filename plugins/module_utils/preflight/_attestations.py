# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Has a named person vouched for what no program can see: a review, a training, an exercise, a rotation of secrets?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils.preflight import _variables, _waivers
from ansible_collections.sluice.release.plugins.module_utils.preflight._model import Finding, Kind, Params


def fault(attested: Any, today: date, max_age_days: float | None) -> str | None:
    """What is wrong with one attestation; None when it counts."""
    if not attested:
        return "nobody has vouched for it"
    if not isinstance(attested, Mapping) or not _variables.text(attested.get("by")).strip():
        return "it does not say by whom"
    try:
        day = _waivers.day_of(_variables.text(attested.get("on")))
    except ValueError:
        return "it does not say on which day"
    age = (today - day).days
    # It may be tomorrow already where the person is.
    if age < -1:
        return f"{day} is yet to come"
    if max_age_days is not None and age > max_age_days:
        return f"{day} is {age} days ago, at most {max_age_days:g} may be"
    return None


def judge(attested: Mapping[str, Any], required: list[str], today: date, max_age_days: float | None) -> Finding:
    """Judge what has been vouched for, by item."""
    faults = {item: fault(attested.get(item), today, max_age_days) for item in required}
    problems = [f"{item}: {reason}" for item, reason in faults.items() if reason]
    good = {item: {**attested[item]} for item, reason in faults.items() if not reason}
    value = {"required": len(required), "good": len(good), "attested": good}
    if problems:
        return Finding(False, "; ".join(problems), value)
    people = ", ".join(dict.fromkeys(str(entry["by"]) for entry in good.values()))
    return Finding(True, f"{len(good)} of {len(required)} items are vouched for by {people}", value)


def look(params: Params) -> Finding:
    return judge(params["attested"], params["required"], _waivers.today(), params["max_age_days"])


KIND = Kind(
    options={
        "attested": {"type": "dict"},
        "required": {"type": "list", "elements": "str"},
        "max_age_days": {"type": "float"},
    },
    look=look,
    required=("attested", "required"),
    group="people",
)

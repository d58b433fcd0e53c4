# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Is everybody named who must be reachable during the release? The checklists leave all of them blank."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils.preflight import _variables
from ansible_collections.sluice.release.plugins.module_utils.preflight._model import Finding, Kind, Params


def judge(people: Mapping[str, Any], required: list[str], fields: list[str]) -> Finding:
    """Judge who is named for each role, each with every field; a bare text is a name."""
    missing: list[str] = []
    for role in required:
        person = people.get(role)
        known = person if isinstance(person, Mapping) else {"name": person}
        blank = [field for field in fields if not _variables.text(known.get(field)).strip()]
        if blank:
            missing.append(role if len(blank) == len(fields) else f"{role} ({', '.join(blank)})")
    value = {"required": len(required), "good": len(required) - len(missing), "missing": missing}
    if missing:
        return Finding(False, f"nobody is named, or not in full, for {', '.join(missing)}", value)
    return Finding(True, f"{len(required)} of {len(required)} contacts are named", value)


def look(params: Params) -> Finding:
    return judge(params["people"], params["required"], params["fields"] or ["name"])


KIND = Kind(
    options={
        "people": {"type": "dict"},
        "required": {"type": "list", "elements": "str"},
        "fields": {"type": "list", "elements": "str"},
    },
    look=look,
    required=("people", "required"),
    group="people",
)

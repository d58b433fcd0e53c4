# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The triggers of a profile: what is a reason to roll back, how far, and whether by itself. Pure."""

from __future__ import annotations

import difflib
import fnmatch
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError

# What `rollback_automatic`, and `rollback` of a window, may say; what does the most first.
POLICIES = ("true", "ask", "false")
IMMEDIATE, CONSIDER = "immediate", "consider"
LEVELS = ("1", "2", "3", "auto")

# The check that a watch makes by itself: how often the application was restarted since the switch.
CRASHES = "crashes"

KEYS = ("name", "check", "alert", "lasted", "declared", "level", "action", "may_lose_rows")

_FIX = "Correct rollback_triggers in the profile"
# It becomes part of a command that a person copies.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]*")
_MAGIC = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Trigger:
    """One reason to roll back. ``check``: a shell pattern of the names of checks; ``alert``: labels of an alert, whose
    condition has ``lasted`` that many seconds when it begins to fire; ``declared``: a person may say that it is so.
    """

    name: str
    check: Optional[str] = None
    alert: Mapping[str, str] = field(default_factory=dict)
    lasted: float = 0.0
    declared: bool = False
    level: str = "2"
    action: str = IMMEDIATE
    may_lose_rows: bool = False
    """Whether a level that restores the database may be taken without a person."""

    def names(self, check: str) -> bool:
        """Whether a red check of that name fires it."""
        return self.check is not None and fnmatch.fnmatchcase(check, self.check)

    def hears(self, labels: Mapping[str, Any]) -> bool:
        """Whether an alert with these labels fires it."""
        return bool(self.alert) and all(str(labels.get(name)) == value for name, value in self.alert.items())


def policy(value: Any) -> Optional[str]:
    """Return ``true``, ``ask``, ``false``, or None where nothing was said. ValueError for anything else."""
    if value is None or value == "":
        return None
    word = {"yes": "true", "no": "false"}.get(str(value).strip().lower(), str(value).strip().lower())
    if word not in POLICIES:
        raise ValueError(f"must be true, ask or false, not {value!r}")
    return word


def automatic(value: Any) -> str:
    """Return the word of rollback_automatic. SluiceError for one that is none."""
    try:
        return policy(value) or "true"
    except ValueError as error:
        raise SluiceError("use the profile", f"rollback_automatic {error}", "Correct it") from None


def read_triggers(items: Any) -> tuple[Trigger, ...]:
    """Return the triggers of a profile. SluiceError that names everything that is wrong with them."""
    wrong = list(problems(items))
    if wrong:
        raise SluiceError("use the triggers of the profile", "; ".join(wrong), _FIX)
    return tuple(_read(item) for item in items)


def problems(
    items: Any, checks: Optional[Sequence[str]] = None, levels: Optional[Iterable[Any]] = None
) -> Iterator[str]:
    """Everything that makes no sense about the triggers, each with the name of the trigger.

    ``checks``: the names of all checks that the profile makes, ``levels``: those that it can be rolled back by; None
    where that is not known here.
    """
    if not isinstance(items, (list, tuple)) or not all(isinstance(item, Mapping) for item in items):
        yield "rollback_triggers must be a list of triggers"
        return
    own = [check_name(item) for item in items if isinstance(item.get("check"), Mapping)]
    known = None if checks is None else [*checks, *filter(None, own), CRASHES]
    read: list[Trigger] = []
    for number, item in enumerate(items, 1):
        name = str(item.get("name") or f"trigger {number}")
        found = [*_key_problems(item), *_value_problems(item)]
        if not found:
            trigger = _read(item)
            found = [*_sense_problems(trigger, known, levels), *_contradictions(trigger, read)]
            read.append(trigger)
        yield from (f"{name}: {problem}" for problem in found)


def check_name(item: Mapping[str, Any]) -> Optional[str]:
    """Return what the check of a trigger is called: it names one, or has one of its own."""
    check = item.get("check")
    name = check.get("name") if isinstance(check, Mapping) else check
    return None if name is None else str(name)


def own_checks(items: Any) -> list[Any]:
    """Return the checks that triggers bring along, for whoever measures."""
    found = [item.get("check") for item in items or [] if isinstance(item, Mapping)]
    return [check for check in found if isinstance(check, Mapping)]


def _key_problems(item: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted(set(map(str, item)) - set(KEYS)):
        near = difflib.get_close_matches(key, KEYS, 1)
        yield f"it has no option {key}" + (f"; did you mean {near[0]}?" if near else "")
    if not _NAME.fullmatch(str(item.get("name") or "")):
        yield "it needs a name of letters, digits, spaces and . _ -"


def _value_problems(item: Mapping[str, Any]) -> Iterator[str]:
    check, alert = item.get("check"), item.get("alert")
    if not any(item.get(key) for key in ("check", "alert", "declared")):
        yield "nothing can fire it; give it a check or an alert, or say declared: true"
    if check is not None and not check_name(item):
        yield "its check must be the name of one, or a check with a name"
    if alert is not None and not isinstance(alert, (str, Mapping)):
        yield "its alert must be a name, or labels"
    for key, choices in (("level", LEVELS), ("action", (IMMEDIATE, CONSIDER))):
        if item.get(key) is not None and str(item[key]) not in choices:
            yield f"{key} is {item[key]}, it must be one of {', '.join(choices)}"
    for key in ("declared", "may_lose_rows"):
        if item.get(key) is not None and _truth(item[key]) is None:
            yield f"{key} is {item[key]}, it must be true or false"
    try:
        lasted = float(item.get("lasted") or 0)
        if math.isnan(lasted) or lasted < 0:
            yield "lasted must be 0 or more (s)"
    except (TypeError, ValueError):
        yield f"lasted is {item.get('lasted')}, it must be a number (s)"
    if item.get("lasted") and not alert:
        yield "lasted is of an alert, and it has none"


def _sense_problems(trigger: Trigger, known: Optional[Sequence[str]], levels: Optional[Iterable[Any]]) -> Iterator[str]:
    if trigger.check and known is not None and not any(trigger.names(name) for name in known):
        near = difflib.get_close_matches(trigger.check, known, 1)
        yield f"no check is called {trigger.check}" + (f"; did you mean {near[0]}?" if near else "")
    offered = None if levels is None else [str(level) for level in levels]
    if offered is not None and trigger.level not in (*offered, "auto"):
        yield f"the profile has no level {trigger.level}, only {' and '.join(offered)}"
    if trigger.may_lose_rows and trigger.level not in ("3", "auto"):
        yield f"may_lose_rows makes no sense with level {trigger.level}, which restores nothing"
    if trigger.may_lose_rows and trigger.action == CONSIDER:
        yield "may_lose_rows is for what happens without a person, and action: consider asks one"


def _contradictions(trigger: Trigger, before: Sequence[Trigger]) -> Iterator[str]:
    """What another trigger, which stands before it, has taken already."""
    for other in before:
        if trigger.name == other.name:
            yield "two triggers have this name"
        if trigger.check and trigger.check == other.check:
            yield f"its check {trigger.check} belongs to {other.name} already"
        elif trigger.check and not _MAGIC.search(trigger.check) and other.names(trigger.check):
            yield f"its check {trigger.check} belongs to {other.name} ({other.check}) already; put it before that"
        if trigger.alert and other.hears(trigger.alert):
            yield f"every alert of it belongs to {other.name} already"


def _read(item: Mapping[str, Any]) -> Trigger:
    alert = item.get("alert") or {}
    labels = {"alertname": alert} if isinstance(alert, str) else alert
    return Trigger(
        name=str(item["name"]),
        check=check_name(item),
        alert={str(name): str(value) for name, value in labels.items()},
        lasted=float(item.get("lasted") or 0),
        declared=bool(_truth(item.get("declared"))),
        level=str(item.get("level") or "2"),
        action=str(item.get("action") or IMMEDIATE),
        may_lose_rows=bool(_truth(item.get("may_lose_rows"))),
    )


def _truth(value: Any) -> Optional[bool]:
    return {"true": True, "yes": True, "false": False, "no": False}.get(str(value).strip().lower())

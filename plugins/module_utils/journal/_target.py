# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Where a rollback goes. Pure: what the journal says in, a target out.

Only what the journal calls good is a target, and never what a release marked bad has left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.journal._state import ROLLBACK

# Where a failed release goes by itself: whatever served before it.
AUTOMATIC = 0
CONFIG = 1
CODE = 2
DATABASE = 3

Target = dict[str, Any]


@dataclass(frozen=True)
class Goal:
    """The target of a rollback, None when nothing ran before. ``backup_id`` is None unless the database goes back.

    ``migrations``: those that the release that is left has applied, when taking them back would do as well.
    """

    target: Target | None
    backup_id: str | None
    reason: str
    migrations: tuple[str, ...] = ()


def choose(
    state: Mapping[str, Any],
    entries: Sequence[Mapping[str, Any]],
    level: int,
    *,
    version: str | None = None,
    backup_id: str | None = None,
) -> Goal:
    """Return where a rollback of this level goes; SluiceError when the journal knows no such place.

    ``version`` names a release instead of the newest good one, ``backup_id`` (level 3) a backup instead of the one
    that was made before the release that is left.
    """
    current = state["current"]
    good = [target for target in state["good"] if _code(target) not in state["bad"]]
    if level == AUTOMATIC:
        opened = state.get("open") or {}
        if opened.get("kind") == ROLLBACK and opened.get("target"):
            return Goal(opened["target"], None, "where the rollback was going that was interrupted")
        # A first release that fails leaves nothing to go to, and what it started has to go.
        return Goal(good[0], None, "the last known good") if good else Goal(None, None, "nothing ran before")
    verb = f"roll back by level {level}"
    if level == CONFIG:
        return Goal(_earlier_config(current, good, verb), None, "the configuration before")
    if version:
        good = [target for target in good if target["version"] == version]
        target = _first(good, verb, f"the journal knows no good release of version {version}")
        reason = f"version {version}, by name"
    else:
        good = [target for target in good if _code(target) != _code(current)]
        target = _first(good, verb, "the journal knows no good release before the current one")
        reason = "the last known good"
    if level == CODE:
        return Goal(target, None, reason)
    # Who names a backup wants what is in it.
    migrations = () if backup_id else migrations_of(current, entries)
    backup = backup_id or _backup_before(current, entries)
    if backup is None:
        raise SluiceError(
            verb,
            "the journal names no backup that was made before the current release",
            "Name one with -e backup_id=, or roll back by level 2, which leaves the database as it is",
        )
    return Goal(target, backup, reason, migrations)


def _earlier_config(current: Target | None, good: Sequence[Target], verb: str) -> Target:
    if current is None:
        raise SluiceError(verb, "the journal does not know what runs now", "Use level 2, which starts known code")
    same_code = [t for t in good if _code(t) == _code(current) and _config(t) != _config(current)]
    return _first(same_code, verb, f"{_code(current)} has run with no other configuration", "Use level 2")


def _first(targets: Sequence[Target], verb: str, cause: str, remedy: str = "Deploy a version that is known") -> Target:
    if not targets:
        raise SluiceError(verb, cause, remedy)
    return targets[0]


def _code(target: Mapping[str, Any] | None) -> str | None:
    identity = ((target or {}).get("artifact") or {}).get("id")
    return None if identity is None else str(identity)


def _config(target: Mapping[str, Any]) -> Any:
    return (target.get("config") or {}).get("version")


def migrations_of(current: Target | None, entries: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the migrations that the release has applied which led to `current`."""
    return tuple(
        str(name)
        for entry in entries
        if current
        and entry["release"] == current["release"]
        and entry["event"] == "left"
        and entry["stage"] == "migrate"
        for name in (entry["data"] or {}).get("applied") or []
    )


def _backup_before(current: Target | None, entries: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the backup that the release made which led to `current`."""
    for entry in entries:
        if current and entry["release"] == current["release"] and entry["event"] == "left":
            backup = (entry["data"] or {}).get("backup") or {}
            if entry["stage"] == "backup" and backup.get("id"):
                return str(backup["id"])
    return None

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Where a rollback goes. Pure: what the journal says in, a target out.

Only what the journal calls good is a target, and never what a release marked bad has left. What cannot be reached is
refused with its reason before anything is touched.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.journal._entry import DRILL, ROLLBACK
from ansible_collections.sluice.release.plugins.module_utils.journal._state import mark

# Where a failed release goes by itself: whatever served before it.
AUTOMATIC = 0
CONFIG = 1
CODE = 2
DATABASE = 3

Target = dict[str, Any]

_DEPLOY = "Deploy a version that is known"


@dataclass(frozen=True)
class Wish:
    """What a person asks for.

    ``version`` names a release instead of the newest good one, ``backup_id`` (level 3) a backup instead of the one
    that was made before the release that is left. ``revertible``: the profile has a command that takes migrations
    back, and a person lets it be used. ``breaking``: shell patterns of the migrations that the code before them cannot
    live with. ``settled``: this run has taken back already what another one had begun. ``returning``: the rollback
    itself has failed, and goes back to what it was to leave. ``stand_in``: a config version that a drill goes to where
    the running code has no other one.
    """

    version: str | None = None
    backup_id: str | None = None
    revertible: bool = True
    breaking: tuple[str, ...] = ()
    settled: bool = False
    returning: bool = False
    stand_in: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Goal:
    """The target of a rollback, None when nothing ran before. ``backup_id`` is None unless a backup may go back.

    ``migrations``: those that were applied since, when taking them back would do as well. ``database``: whether the
    database goes back at all. ``returns``: the target is what the rollback was to leave, for the rollback has failed.
    """

    target: Target | None
    backup_id: str | None
    reason: str
    migrations: tuple[str, ...] = ()
    database: bool = False
    returns: bool = False


def choose(state: Mapping[str, Any], level: int, wish: Wish | None = None) -> Goal:
    """Return where a rollback of this level goes; SluiceError when the journal knows no such place."""
    wish = wish or Wish()
    if level == AUTOMATIC:
        return _automatic(state, wish)
    verb = f"roll back by level {level}"
    if wish.settled and wish.version in (None, "", (state["current"] or {}).get("version")):
        goal = _settled(state, verb)
    elif level == CONFIG:
        if wish.version:
            raise SluiceError(verb, "it stays with the running code, and a version was named", "Use level 2")
        goal = _config_goal(state, verb, wish)
    else:
        goal = _earlier_code(state, verb, wish.version)
    _check_kept(state, goal.target, verb)
    return goal if level < DATABASE else _with_database(state, goal, verb, wish)


def choose_level(state: Mapping[str, Any], wish: Wish) -> tuple[int, str]:
    """Return the smallest level that leads back to the last known good, and why, in one sentence without its period."""
    good = _good(state)
    current = state["current"]
    if wish.settled:
        target: Target | None = current
    elif wish.version:
        target = next((one for one in good if one["version"] == wish.version), None)
    else:
        target = next((one for one in good if current is None or _place(one) != _place(current)), None)
    if target is None:
        # It fails with the cause, which is the same one for each level that moves code.
        return CODE, "the journal knows nothing to go back to"
    if not wish.settled and not wish.version and current is not None and _code(target) == _code(current):
        return CONFIG, (
            f"the last known good is the same code, {_code(target)}, with config {_config(target)} instead of"
            f" {_config(current)}"
        )
    applied = state["since"].get(target["release"], {}).get("migrations", [])
    breaking = [name for name in applied if any(fnmatch.fnmatchcase(name, pattern) for pattern in wish.breaking)]
    code = f"{target['version']} is another code than what runs"
    if breaking:
        return DATABASE, f"{target['version']} cannot live with {_names(breaking)}, applied since it served"
    if applied:
        return CODE, f"{code}, and rollback_breaking does not name {_names(applied)}, applied since it served"
    return CODE, f"{code}, and no migration was applied since it served"


def smallest_level(states: Iterable[Mapping[str, Any]], wish: Wish) -> tuple[int, str]:
    """Return the one level for all hosts that leads back to the last known good on each, and why."""
    found = [choose_level(ended(state), would_settle(state, wish)) for state in states]
    return max(found, key=lambda one: one[0])


# In a run that only looks, what another one has begun is still open. The run itself would settle it first.


def would_settle(state: Mapping[str, Any], wish: Wish) -> Wish:
    """An unfinished move of another run would be taken back, and that is the rollback."""
    opened = state.get("open") or {}
    own_way = opened.get("kind") in (DRILL, ROLLBACK)
    taken_back = bool(opened.get("moved")) and not opened.get("passed") and not own_way
    return replace(wish, settled=wish.settled or taken_back)


def ended(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """A release that has passed would be kept, and is what runs."""
    opened = state.get("open") or {}
    return {**state, "current": opened["target"]} if opened.get("passed") and opened.get("target") else state


def is_unproven(state: Mapping[str, Any]) -> bool:
    """Whether what runs was never good: a release that was red, and was left where it is for a person to decide."""
    current = state["current"]
    return current is not None and not any(_place(one) == _place(current) for one in state["good"])


def _automatic(state: Mapping[str, Any], wish: Wish) -> Goal:
    opened = state.get("open") or {}
    if opened.get("kind") == DRILL:
        return Goal(state["current"], None, "what served before the drill", returns=True)
    if opened.get("kind") == ROLLBACK and opened.get("target"):
        if wish.returning and state["current"] is not None:
            return Goal(state["current"], None, "what the rollback was to leave, for it has failed", returns=True)
        return Goal(opened["target"], None, "where the rollback was going that was interrupted")
    # A first release that fails leaves nothing to go to, and what it started has to go.
    good = _good(state)
    return Goal(good[0], None, "the last known good") if good else Goal(None, None, "nothing ran before")


def _settled(state: Mapping[str, Any], verb: str) -> Goal:
    """Stay: the run has taken back already what another one had begun, and once more would be once too often."""
    current = state["current"]
    if current is None:
        raise SluiceError(verb, "what another run had begun was taken back, and nothing ran before", _DEPLOY)
    return Goal(current, None, "what served before the run that was taken back just now")


def earlier_configs(state: Mapping[str, Any]) -> list[Target]:
    """Return the good targets with the running code and another configuration, newest first."""
    current, marked = state["current"], state.get("marked") or {}
    same = [one for one in _good(state) if _code(one) == _code(current) and _config(one) != _config(current or {})]
    # A configuration that was left as bad is no place to go back to, whatever else was good with it.
    return [one for one in same if mark(one) not in marked]


def _config_goal(state: Mapping[str, Any], verb: str, wish: Wish) -> Goal:
    if wish.stand_in and state["current"] is not None and not earlier_configs(state):
        return Goal({**state["current"], "config": dict(wish.stand_in)}, None, "the same settings under another number")
    return Goal(_earlier_config(state, verb), None, "the configuration before")


def _earlier_config(state: Mapping[str, Any], verb: str) -> Target:
    current = state["current"]
    if current is None:
        raise SluiceError(verb, "the journal does not know what runs now", "Use level 2, which starts known code")
    marked, same = state.get("marked") or {}, earlier_configs(state)
    left = [name for name in marked if name.startswith(f"{_code(current)} config ")]
    cause = f"{_code(current)} has run with no other configuration"
    if left:
        said = "; ".join(f"{name} was left as bad by {marked[name]['release']}" for name in left)
        cause += f" that was good: {said}"
    return _first(same, verb, cause, "Use level 2")


def _earlier_code(state: Mapping[str, Any], verb: str, version: str | None) -> Goal:
    current = state["current"]
    good = _good(state)
    if not version:
        others = [one for one in good if _code(one) != _code(current)]
        cause = "the journal knows no good release before the current one"
        if not state["good"]:
            cause = "the journal knows no release that was good"
        elif state["bad"]:
            cause += f": {_marks(state)}"
        return Goal(_first(others, verb, cause), None, "the last known good")
    named = [one for one in good if one["version"] == version]
    if not named:
        bad = [data for data in (state.get("marked") or {}).values() if data["version"] == version]
        if bad:
            raise SluiceError(
                verb,
                f"version {version} was left as bad by {bad[-1]['release']} at {bad[-1]['time']}",
                "Name another one, or deploy it again when it is mended: a deploy goes through the gates",
            )
        known = ", ".join(dict.fromkeys(str(one["version"]) for one in good)) or "none"
        _first(named, verb, f"the journal knows no good release of version {version}", f"It knows {known}")
    others = [one for one in named if current is None or _place(one) != _place(current)]
    _first(others, verb, f"version {version} is what runs", "Name another one")
    return Goal(others[0], None, f"version {version}, by name")


def _with_database(state: Mapping[str, Any], goal: Goal, verb: str, wish: Wish) -> Goal:
    since = state["since"].get((goal.target or {}).get("release"), {})
    applied = tuple(since.get("migrations", ()))
    # Who names a backup wants what is in it.
    migrations = applied if wish.revertible and not wish.backup_id else ()
    backup = wish.backup_id or since.get("backup_id")
    if backup is None and not migrations:
        cause = "the journal names no backup that was made before the current release"
        if applied:
            cause = f"no command takes {_names(applied)} back, and {cause}"
        raise SluiceError(
            verb,
            cause,
            "Name one with -e backup_id=, or roll back by level 2, which leaves the database as it is",
        )
    return replace(goal, backup_id=backup, migrations=migrations, database=True)


def _check_kept(state: Mapping[str, Any], target: Target | None, verb: str) -> None:
    """Refuse a target whose files are gone, and name one whose files are there."""
    gone = state.get("gone") or ()
    missing = [path for path in _paths(target) if path in gone]
    if not missing or target is None:
        return
    kept = [
        str(one["version"])
        for one in _good(state)
        if _place(one) != _place(state["current"] or {}) and not any(path in gone for path in _paths(one))
    ]
    remedy = f"Deploy {target['version']} again"
    if kept:
        remedy += f", or go to {kept[0]} with -e rollback_level=2 -e rollback_version={kept[0]}"
    raise SluiceError(verb, f"the files of version {target['version']} are gone ({', '.join(missing)})", remedy)


def _paths(target: Mapping[str, Any] | None) -> list[str]:
    parts = [(target or {}).get(part) or {} for part in ("artifact", "config")]
    return [str(part["path"]) for part in parts if part.get("path")]


def _good(state: Mapping[str, Any]) -> list[Target]:
    return [target for target in state["good"] if _code(target) not in state["bad"]]


def _marks(state: Mapping[str, Any]) -> str:
    marked = state.get("marked") or {}
    return ", ".join(
        f"{artifact} was left as bad" + (f" by {marked[artifact]['release']}" if artifact in marked else "")
        for artifact in state["bad"]
    )


def _names(migrations: Sequence[str]) -> str:
    named = f"migration{'' if len(migrations) == 1 else 's'} {', '.join(migrations[:5])}"
    return named + (f" and {len(migrations) - 5} more" if len(migrations) > 5 else "")


def _first(targets: Sequence[Target], verb: str, cause: str, remedy: str = _DEPLOY) -> Target:
    if not targets:
        raise SluiceError(verb, cause, remedy)
    return targets[0]


def _place(target: Mapping[str, Any]) -> tuple[str | None, Any]:
    return _code(target), _config(target)


def _code(target: Mapping[str, Any] | None) -> str | None:
    identity = ((target or {}).get("artifact") or {}).get("id")
    return None if identity is None else str(identity)


def _config(target: Mapping[str, Any]) -> Any:
    return (target.get("config") or {}).get("version")

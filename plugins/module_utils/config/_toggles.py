# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What an emergency action does to the configuration. Pure: the profile and the journal in, a plan out.

A toggle is a few variables with other values. A config version that was made with toggles says, in the journal, which
ones are on and what it was made from (``base``), so that any of them can be taken back, in any order, by making the
configuration again without it. The next deploy makes it from the profile, and so without all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError

MAINTENANCE = "maintenance"
RESTART = "restart"
STATUS = "status"
BUILT_IN = (MAINTENANCE, RESTART, STATUS)
# What a restart changes in the environment, for the drivers start new processes where it has changed.
MARK = "SLUICE_RESTARTED"
CONFIG = "config"

_KEYS = {"env", "instances", "label"}
# The drivers whose number of instances is Sluice's to choose.
_SCALABLE = ("pm2", "docker", "process")

Target = Mapping[str, Any]


@dataclass(frozen=True)
class Toggle:
    """Variables with the values that they have while it is on. ``instances``: how many there may be meanwhile."""

    name: str
    env: Mapping[str, str]
    instances: int | None = None
    label: str = ""

    def kept(self) -> dict[str, Any]:
        """Return what the journal keeps of it."""
        limit = {} if self.instances is None else {"instances": self.instances}
        return {"name": self.name, "env": dict(self.env), **limit}


@dataclass(frozen=True)
class Plan:
    """What to do. ``does``: config, maintenance or status; the rest belongs to config.

    ``base`` is the config version that ``variables`` are laid on; ``config`` is what the journal keeps beside the new
    version's number; ``scaled`` is what runs now with fewer instances, where that has to come first. ``touched`` are
    the variables that any toggle has a say in, before or after.
    """

    does: str
    base: int | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    scaled: Mapping[str, Any] | None = None
    names: Sequence[str] = ()
    touched: Sequence[str] = ()
    labels: Sequence[str] = ()


def read(profile: Mapping[str, Any]) -> dict[str, Toggle]:
    """Return the toggles of a profile. SluiceError for one that can never work."""
    toggles = {}
    for name, said in profile.items():
        if name in BUILT_IN:
            raise _wrong(name, "an action of that name is there already")
        if not isinstance(said, Mapping) or not isinstance(said.get("env"), Mapping) or not said["env"]:
            raise _wrong(name, "it names no variables (env)")
        unknown = sorted(set(said) - _KEYS)
        if unknown:
            raise _wrong(name, f"{', '.join(unknown)} is unknown; it may have env, instances and label")
        toggles[name] = Toggle(name, _texts(name, said["env"]), _instances(name, said), str(said.get("label") or ""))
    return toggles


def known(toggles: Mapping[str, Toggle], *, proxy: bool) -> list[str]:
    """Return the actions that a profile has. ``proxy``: whether it names one that can turn requests away."""
    return [*toggles, *(name for name in BUILT_IN if name != MAINTENANCE or proxy)]


def plan(
    actions: Sequence[str],
    toggles: Mapping[str, Toggle],
    current: Target | None,
    *,
    undo: bool,
    driver: str,
    proxy: bool,
    moment: str,
) -> Plan:
    """Return what the actions come to. Several are possible when all are toggles. SluiceError when one is impossible.

    ``current`` is the target that runs, by the journal; ``moment`` is what a restart writes into the environment.
    """
    _check(actions, toggles, undo=undo, proxy=proxy)
    if actions[0] in (MAINTENANCE, STATUS):
        return Plan(actions[0])
    said = ", ".join(actions)
    if current is None or not (current.get("config") or {}).get("version"):
        raise SluiceError(f"carry out {said}", "the journal does not know what runs now", "Deploy a version first")
    live = current["config"]
    on = {one["name"]: Toggle(one["name"], one["env"], one.get("instances")) for one in live.get("toggles") or []}
    restart = actions[0] == RESTART
    if driver == "static":
        raise SluiceError(f"carry out {said}", "a frontend has no processes and no environment", "Deploy it")
    was_on = list(on.values())
    for name in () if restart else actions:
        # What is turned on again comes last, for the last one of two that set the same variable counts.
        on.pop(name, None)
        if not undo:
            on[name] = toggles[name]
    variables = {name: value for toggle in on.values() for name, value in toggle.env.items()}
    limits = [toggle.instances for toggle in on.values() if toggle.instances is not None]
    if limits and driver not in _SCALABLE:
        raise SluiceError(
            f"carry out {said}",
            f"driver {driver} takes the number of instances from the release",
            "Leave instances out",
        )
    base = live.get("base") or live["version"]
    kept: dict[str, Any] = {"base": base} if on or restart else {}
    kept |= {"toggles": [toggle.kept() for toggle in on.values()]} if on else {}
    kept |= {"instances": min(limits)} if limits else {}
    if restart:
        variables[MARK] = moment
        # By another number the same settings, which are no place to go back to.
        kept["same_as"] = live.get("same_as") or live["version"]
    scaled = None
    if limits and min(limits) < live.get("instances", float("inf")):
        scaled = {**current, "config": {**live, "instances": min(limits)}}
    labels = [toggles[name].label or name for name in actions if name in toggles]
    touched = sorted({*variables, *(name for toggle in was_on for name in toggle.env)})
    return Plan(CONFIG, base, variables, kept, scaled, list(on), touched, labels)


def check_level(level: str, actions: Sequence[str]) -> None:
    """Raise SluiceError unless the actions are toggles, and the rollback that names them leaves the code alone."""
    if level not in ("1", "auto"):
        cause = f"toggles were named ({', '.join(actions)}), and they stay with the running code"
        raise SluiceError(f"roll back by level {level}", cause, "Use level 1, or leave rollback_toggles out")
    others = [name for name in actions if name in BUILT_IN]
    if others:
        cause = f"{', '.join(others)} is no toggle of the profile"
        raise SluiceError("roll back by level 1", cause, f"Run emergency.yml -e emergency_action={others[0]}")


def preview(current: Target | None, plan: Plan, toggles: Mapping[str, Toggle]) -> list[str]:
    """Say what a rollback by toggles would do, for a person who decides."""
    names = [name for name in plan.names if name in toggles]
    told = [f"Level 1: {(current or {}).get('version')} stays, with other settings"]
    for name in names:
        label = f" ({toggles[name].label})" if toggles[name].label else ""
        values = ", ".join(f"{key}={value}" for key, value in sorted(toggles[name].env.items()))
        told.append(f"{name}{label}: {values}")
    if plan.config.get("instances"):
        told.append(f"at most {plan.config['instances']} at a time; the others are ended first")
    undo = "; ".join(f"emergency.yml -e emergency_action={name} -e emergency_undo=true" for name in names)
    return [*told, f"Taken back by: {undo}"]


def lines(current: Target | None, toggles: Mapping[str, Toggle], actions: Sequence[str]) -> list[str]:
    """Say what is on, for a person in a hurry."""
    config = (current or {}).get("config") or {}
    on = config.get("toggles") or []
    runs = f"{(current or {}).get('version')} with config {config.get('version')}" if current else "nothing is known"
    told = [f"runs: {runs}"]
    for one in on:
        label = toggles[one["name"]].label if one["name"] in toggles else ""
        values = ", ".join(f"{name}={value}" for name, value in sorted(one["env"].items()))
        told.append(f"on: {one['name']}{f' ({label})' if label else ''}: {values}")
    return [*told, *([] if on else ["on: no toggle"]), f"actions: {', '.join(actions)}"]


def _check(actions: Sequence[str], toggles: Mapping[str, Toggle], *, undo: bool, proxy: bool) -> None:
    has = known(toggles, proxy=proxy)
    if not actions or not all(actions):
        raise SluiceError("carry out an emergency action", "none was named", f"The profile has {', '.join(has)}")
    for name in actions:
        if name == MAINTENANCE and not proxy:
            raise SluiceError(
                f"carry out {name}",
                "the profile names no proxy",
                f"Name it in maintenance_proxy. It has {', '.join(has)}",
            )
        if name not in has:
            raise SluiceError(
                f"carry out {name}", "the profile names no such action", f"It has {', '.join(has)}", actions=has
            )
        if name in BUILT_IN and len(actions) > 1:
            raise SluiceError(f"carry out {', '.join(actions)}", f"{name} comes alone", "Name it in a run of its own")
    if undo and actions[0] in (RESTART, STATUS):
        raise SluiceError(f"undo {actions[0]}", "it leaves nothing behind that could be undone")


def _texts(name: str, env: Mapping[str, Any]) -> dict[str, str]:
    wrong = sorted(key for key, value in env.items() if isinstance(value, (dict, list)))
    if wrong:
        raise _wrong(name, f"the value of {', '.join(wrong)} is no text")
    return {str(key): _text(value) for key, value in env.items()}


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _instances(name: str, said: Mapping[str, Any]) -> int | None:
    if said.get("instances") is None:
        return None
    try:
        number = int(said["instances"])
    except (TypeError, ValueError):
        number = 0
    if number < 1:
        raise _wrong(name, f"{said['instances']!r} is no number of instances")
    return number


def _wrong(name: str, cause: str) -> SluiceError:
    return SluiceError(f"use the toggle {name}", cause, "Correct sluice_toggles in the profile")

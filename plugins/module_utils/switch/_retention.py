# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Which release directories and config versions may go. Pure; the journal decides, never a file's time.

A directory's time says when it was built, not whether it served or was any good: retention by time has removed the
running release, and the only good one behind a row of failed ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ARTIFACT = "release"
CONFIG = "config"


@dataclass(frozen=True)
class Found:
    """One directory under ``releases/`` or ``config/``."""

    kind: str
    name: str
    complete: bool = True
    live: str = ""
    """Why it is in use as far as the file system can tell: a link, a process."""


@dataclass(frozen=True)
class Verdict:
    """What is done with it, and why."""

    found: Found
    kept: bool
    why: str


def decide(found: Iterable[Found], state: Mapping[str, Any], keep: int) -> list[Verdict]:
    """Decide on every directory, in the order given.

    ``state``: what the journal says. ``keep``: how many good releases stay, the current one among them. A bad release
    never counts, so a row of failures cannot push a good one out. What the journal does not know has not served yet; it
    stays while a release is under way, for that release may be about to use it.
    """
    return [_verdict(one, state, keep) for one in found]


def _verdict(one: Found, state: Mapping[str, Any], keep: int) -> Verdict:
    if one.live:
        return Verdict(one, True, one.live)
    named = _named(state)
    for why, target in named:
        if _name(one.kind, target) == one.name:
            return Verdict(one, True, why)
    opened = state.get("open")
    if not one.complete:
        # The journal names where a release goes only when it moves; before that, anything may be the one being built.
        under_way = opened is not None and not opened["moved"]
        return Verdict(one, under_way, "a release is under way" if under_way else "incomplete")
    good = _distinct(one.kind, state)
    if one.name in good[:keep]:
        return Verdict(one, True, f"one of the last {keep} that were good")
    if one.name in good:
        return Verdict(one, False, f"older than the last {keep} that were good")
    if one.kind == ARTIFACT and one.name in state["bad"]:
        return Verdict(one, False, "did not pass its gates")
    if opened is not None and not opened["moved"]:
        return Verdict(one, True, "a release is under way")
    return Verdict(one, False, "has never served as a good release")


def _named(state: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any] | None]]:
    """Return the targets that must stay whatever ``keep`` says, each with why."""
    opened = state.get("open") or {}
    data = opened.get("data") or {}
    return [
        ("current", state.get("current")),
        ("last known good", state.get("last_known_good")),
        # Without it no toggle could be taken back.
        ("what the current configuration was made from", _base(state.get("current"))),
        ("previous good", state.get("previous_good")),
        ("target of the release under way", opened.get("target")),
        # A rollback says in its opening where it goes.
        ("target of the release under way", data.get("target")),
        ("target of the release under way", data),
        ("what the release under way restores", data.get("restored")),
    ]


def _base(target: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return the config version that a target's was made from by an emergency action; None without one."""
    base = ((target or {}).get("config") or {}).get("base")
    return None if base is None else {"config": {"version": base}}


def _name(kind: str, target: object) -> str | None:
    """Return the directory's name of a target's artifact or config version; None when it has none."""
    if not isinstance(target, Mapping):
        return None
    part, key = ("artifact", "id") if kind == ARTIFACT else ("config", "version")
    value = target.get(part)
    if not isinstance(value, Mapping) or value.get(key) is None:
        return None
    return str(value[key])


def _distinct(kind: str, state: Mapping[str, Any]) -> Sequence[str]:
    """Return the names of the good releases' directories, newest first, each once; bad ones left out."""
    names = (
        _name(kind, target)
        for target in state.get("good", [])
        if kind != ARTIFACT or _name(ARTIFACT, target) not in state["bad"]
    )
    return list(dict.fromkeys(name for name in names if name is not None))

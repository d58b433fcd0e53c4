# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a red gate, a watch, an alert or a person's word leads to. The one place that decides it. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils.trigger._model import CONSIDER, Trigger

NONE, RECORD, ASK, ROLLBACK = "none", "record", "ask", "rollback"
# What does the most last.
_ACTIONS = (NONE, RECORD, ASK, ROLLBACK)
_RESTORES = 3


@dataclass(frozen=True)
class Cause:
    """Something that speaks against a release, in words; the check that is red, or the trigger that was named.

    ``policy``: what the one who has found it says of rollback_automatic; None: what the profile says.
    """

    text: str
    check: Optional[str] = None
    trigger: Optional[str] = None
    host: Optional[str] = None
    policy: Optional[str] = None


@dataclass(frozen=True)
class Circumstances:
    """What holds wherever it is decided. ``automatic``: rollback_automatic."""

    automatic: str = "true"
    auto: Optional[int] = None
    """What level auto comes to; None: that is not known."""
    highest: int = 3
    """The highest level that can be taken here without a person."""
    spent: Optional[str] = None
    """Why it may not happen by itself any more: it has happened."""
    busy: Optional[str] = None
    """Why nothing may be done now, not even by a person who is asked: somebody does something already."""


@dataclass(frozen=True)
class Fired:
    """A trigger that a cause has fired, what that leads to by itself, and why it is not more."""

    trigger: str
    level: str
    action: str
    text: str
    host: Optional[str]
    why: str


@dataclass(frozen=True)
class Decision:
    """What is done now: ``action`` is none, record, ask or rollback; ``trigger`` is the strongest one, by ``level``.

    ``why``: why it is not a rollback, when it is none; ``also``: what other triggers would have, which is more.
    """

    action: str
    trigger: Optional[str]
    level: Optional[str]
    reason: str
    why: str
    also: str
    fired: tuple[Fired, ...]

    def stored(self) -> dict[str, Any]:
        """Return what the journal keeps."""
        return {
            "action": self.action,
            "trigger": self.trigger,
            "level": self.level,
            "reason": self.reason,
            "why": self.why or None,
            "fired": [asdict(one) for one in self.fired],
        }


def decide(causes: Iterable[Cause], triggers: Sequence[Trigger], where: Circumstances) -> Decision:
    """Return what the causes lead to.

    A check belongs to the first trigger that names it. A red check that none names is a reason to go back at once, by
    level 2. Of what fired, the action that does the most counts, and of those the highest level.
    """
    fired = tuple(_fire(cause, triggers, where) for cause in causes)
    if not fired:
        return Decision(NONE, None, None, "", "", "", ())
    best = max(fired, key=lambda one: (_ACTIONS.index(one.action), _rank(one.level, where)))
    more = [one for one in fired if one.action == ASK and _rank(one.level, where) > _rank(best.level, where)]
    also = "; ".join(f"{one.trigger} asks for level {one.level}" for one in more)
    return Decision(best.action, best.trigger, best.level, _reason(fired), best.why, also, fired)


def trigger_of(check: Optional[str], triggers: Sequence[Trigger]) -> Trigger:
    """Return the trigger that a red check belongs to."""
    found = next((trigger for trigger in triggers if trigger.names(check or "")), None)
    return found or Trigger(check or "red gate", check=check)


def _fire(cause: Cause, triggers: Sequence[Trigger], where: Circumstances) -> Fired:
    named = next((trigger for trigger in triggers if trigger.name == cause.trigger), None)
    trigger = named or trigger_of(cause.check, triggers)
    level = trigger.level
    if level == "auto" and where.auto is not None:
        level = str(where.auto)
    action, why = _act(trigger, level, cause.policy or where.automatic, where)
    return Fired(trigger.name, level, action, cause.text, cause.host, why)


def _act(trigger: Trigger, level: str, policy: str, where: Circumstances) -> tuple[str, str]:
    if where.busy:
        return RECORD, where.busy
    if policy == "false":
        return RECORD, "rollback_automatic is false"
    if policy == "ask":
        return ASK, "rollback_automatic is ask"
    if trigger.action == CONSIDER:
        return ASK, f"trigger {trigger.name} is for a person to consider"
    if where.spent:
        return ASK, where.spent
    rank = _rank(level, where)
    if rank >= _RESTORES and not trigger.may_lose_rows:
        return ASK, f"level {level} restores the database, and trigger {trigger.name} does not say may_lose_rows"
    if rank > where.highest:
        return ASK, f"level {level} is not taken while the release goes on"
    return ROLLBACK, ""


def _rank(level: str, where: Circumstances) -> int:
    return int(level) if level != "auto" else where.auto or 2


def _reason(fired: Sequence[Fired]) -> str:
    several = len({one.host for one in fired if one.host}) > 1
    texts = [f"{one.host}: {one.text}" if several and one.host else one.text for one in fired]
    return "; ".join(dict.fromkeys(text.rstrip(".") for text in texts))


def command(level: str, trigger: Optional[str], inventories: Sequence[str], limit: Optional[str]) -> str:
    """Return what a person runs who is asked: the level, and the trigger as the reason."""
    words = ["ansible-playbook", "rollback.yml" if level == "auto" else f"rollback_level{level}.yml"]
    words += [word for inventory in inventories for word in ("-i", inventory)]
    words += ["-l", limit] if limit else []
    words += ["-e", "rollback_level=auto"] if level == "auto" else []
    if trigger:
        # Ansible splits what follows -e at its spaces.
        words += ["-e", f'release_reason="{trigger}"' if " " in trigger else f"release_reason={trigger}"]
    return shlex.join(words)


def spent(state: Mapping[str, Any]) -> Optional[str]:
    """Return why a release may not be left by itself any more, by what the journal says: that happens once at most."""
    arrival = state.get("arrival") or {}
    if arrival.get("kind") in ("rollback", "rolled_back"):
        return f"what runs is what {arrival['release']} has gone back to"
    tried = [one for one in state.get("triggers") or [] if one.get("action") == ROLLBACK]
    return f"it was tried at {tried[-1]['time']}" if tried else None

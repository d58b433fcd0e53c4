# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Optional

# However small a number the profile asks for: one bad night must not leave a single backup to hope for.
FLOOR = 3


@dataclass(frozen=True)
class Candidate:
    """A whole backup. ``created`` is aware of its time zone. Backups of another ``subject`` do not count for it.

    ``order``: what tells which one is newer; without one, ``created``.
    """

    id: str
    created: datetime
    verified: bool
    subject: str = ""
    order: Optional[tuple[datetime, str]] = None


@dataclass(frozen=True)
class Decision:
    """What becomes of a backup, and why."""

    id: str
    keep: bool
    why: str


def plan(
    candidates: Sequence[Candidate],
    *,
    now: datetime,
    keep: Optional[int] = None,
    keep_days: Optional[int] = None,
) -> list[Decision]:
    """Decide on every backup, newest first. ``keep_days`` below zero is none.

    Only verified backups count: a backup goes when at least ``keep`` verified ones (never fewer than FLOOR) are newer
    and, with ``keep_days``, it is older than that many days. So failed or unverified backups push nothing out, and
    without a limit nothing goes.
    """
    keep_days = None if keep_days is not None and keep_days < 0 else keep_days
    unlimited = keep is None and keep_days is None
    count = max(keep or 0, FLOOR)
    oldest = now - timedelta(days=keep_days or 0)
    decisions = []
    verified: Counter[str] = Counter()
    for candidate in sorted(candidates, key=lambda one: one.order or (one.created, one.id), reverse=True):
        newer_verified = verified[candidate.subject]
        if unlimited:
            decision = Decision(candidate.id, True, "no limit is set")
        elif newer_verified < count:
            decision = Decision(
                candidate.id, True, f"only {newer_verified} verified backups are newer, and {count} are kept"
            )
        elif keep_days is not None and candidate.created > oldest:
            decision = Decision(candidate.id, True, f"younger than {keep_days} days")
        else:
            decision = Decision(candidate.id, False, f"{newer_verified} verified backups are newer")
        decisions.append(decision)
        verified[candidate.subject] += candidate.verified
    return decisions

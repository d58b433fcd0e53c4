# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a named person lets pass, why, and until when."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, timezone
from typing import Any

SPEC: dict[str, Any] = {
    "item": {"type": "str", "required": True},
    "person": {"type": "str", "required": True},
    "reason": {"type": "str", "required": True},
    "until": {"type": "str", "required": True},
}


def day_of(text: str) -> date:
    """The day of `2026-12-31`. ValueError when it is none."""
    # Newer versions of Python read other spellings as well.
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise ValueError
    return date.fromisoformat(text)


def last_day(waiver: Mapping[str, Any]) -> date:
    """The last day of a waiver. ValueError when its end is no date."""
    return day_of(waiver["until"])


def today() -> date:
    """The day that waivers are measured by, in UTC like everything that is written down."""
    return datetime.now(timezone.utc).date()


def problems(waivers: Sequence[Mapping[str, Any]], titles: Collection[str]) -> Iterator[str]:
    """Everything about the waivers that makes no sense: each has to say who lets what pass, why and until when."""
    items = [waiver["item"] for waiver in waivers]
    for waiver in waivers:
        name = f"the waiver of {waiver['item'] or 'nothing'}"
        if waiver["item"] not in titles:
            yield f"{name} names no check"
        for field in ("person", "reason"):
            if not waiver[field].strip():
                yield f"{name} has no {field}"
        try:
            last_day(waiver)
        except ValueError:
            yield f"{name} ends on {waiver['until'] or 'no day'}, which is no date such as 2026-12-31"
    for item in sorted({item for item in items if items.count(item) > 1}):
        yield f"{item} is waived more than once"

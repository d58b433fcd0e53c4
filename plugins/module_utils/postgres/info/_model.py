# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The words of pg_info: what is asked for, and what comes back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils.postgres.info._session import LookingSession


@dataclass(frozen=True)
class Migrations:
    """Where the applied migrations are recorded, and what is expected there."""

    table: str
    column: str
    success_column: Optional[str]
    expected: Optional[Sequence[str]]
    directory: Optional[str]
    pattern: str


@dataclass(frozen=True)
class Tenants:
    """Which schemas belong to tenants, and to whom."""

    schemas: str
    role: Optional[str]
    pairs: Sequence[tuple[str, str]] = ()
    """(role, schema)"""


@dataclass(frozen=True)
class Options:
    """What the caller wants to know. Times in seconds, sizes in bytes."""

    samples: int = 5
    schemas: Optional[Sequence[str]] = None
    """Only these are counted; None: all but the server's own."""
    expected: Mapping[str, Optional[int]] = field(default_factory=dict)
    """Numbers of tables, indexes, secondary_indexes."""
    required: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Names of tables, columns, indexes."""
    slow_seconds: float = 1.0
    top: int = 10
    baseline_size_bytes: Optional[int] = None
    pool_size: Optional[int] = None
    pool_role: Optional[str] = None
    migrations: Optional[Migrations] = None
    tenants: Optional[Tenants] = None


@dataclass(frozen=True)
class Answer:
    """What one question brought: values by key; and why those that are null could not be read."""

    values: Mapping[str, Any]
    unreadable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Question:
    """What is asked in one go: what the server refuses of it leaves all of its keys null."""

    keys: tuple[str, ...]
    ask: Callable[[LookingSession, Options], Answer]


def hidden(count: int, *keys: str) -> dict[str, str]:
    """Why numbers about sessions are null, when some sessions cannot be looked into."""
    if not count:
        return {}
    sessions = "1 session of another role" if count == 1 else f"{count} sessions of other roles"
    return dict.fromkeys(keys, f"{sessions} cannot be looked into; grant pg_monitor to the user")


def ratio(part: Optional[float], whole: Optional[float]) -> Optional[float]:
    """Return a share; None without a whole."""
    return None if part is None or not whole else round(part / whole, 4)


def rounded(number: Optional[float], digits: int = 3) -> Optional[float]:
    """Return a measured number without digits that say nothing. None stays None."""
    return None if number is None else round(max(0.0, float(number)), digits)


def median(numbers: Sequence[float]) -> float:
    """Return the lower median: a number that was measured. ``numbers`` must hold one."""
    return sorted(numbers)[math.ceil(len(numbers) / 2) - 1]


def longest(rows: Sequence[Mapping[str, Any]], key: str = "seconds") -> Optional[float]:
    """Return the largest number under a key; 0.0 without rows, None when none of them has one."""
    if not rows:
        return 0.0
    return max((row[key] for row in rows if row[key] is not None), default=None)

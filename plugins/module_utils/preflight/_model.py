# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """What one check found: whether it is as it must be, in one line, with what was measured."""

    passed: bool
    message: str
    """Names the thing, says what is wrong and, where it is known, what to do. No final period."""
    value: dict[str, Any] = field(default_factory=dict)
    cached: bool = False
    """Whether it was found for the same commit before, and not looked at again."""

    def __add__(self, other: Finding) -> Finding:
        """Both findings as one, which is good when both are; what is wrong is said alone."""
        texts = [finding.message for finding in (self, other) if finding.passed == (self.passed and other.passed)]
        return Finding(self.passed and other.passed, "; ".join(texts), {**self.value, **other.value})


@dataclass(frozen=True)
class Kind:
    """One type of check: its options, what they need together, and the look itself."""

    options: Mapping[str, Mapping[str, Any]]
    look: Callable[[Params], Finding]
    required: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    """Options of which exactly one must be given."""
    libraries: tuple[str, ...] = ()
    group: str = "environment"
    """The group that such a check counts in unless it says another."""
    cacheable: bool = False
    """Whether the commit settles what is found, so that a pass holds for as long as the commit is the same."""


def existing_part(path: str) -> str:
    """The path, or the nearest directory above it that exists: what a later `mkdir -p` would build on."""
    path = os.path.abspath(path)
    while not os.path.exists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path

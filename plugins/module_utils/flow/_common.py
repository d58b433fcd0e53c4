# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the modules have in common that judge named checks by one look or two: worker_check and cache_check."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_NAMED = 5
"""Keys that a message names at most."""


def call_problems(params: Mapping[str, Any]) -> Iterator[str]:
    """Say what makes no sense in a call: its names, its two looks, its limits."""
    names = [check["name"] for check in params["checks"]]
    if not names:
        yield "there is none, so nothing would be proven"
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"the name {name} is used more than once"
    if not (math.isfinite(params["observe"]) and params["observe"] >= 0):
        yield f"observe is {params['observe']:g}, it must be 0 or more"
    if not (math.isfinite(params["timeout"]) and params["timeout"] > 0):
        yield f"timeout is {params['timeout']:g}, it must be above 0"
    if not 0 <= params["min_score"] <= 100:
        yield f"min_score is {params['min_score']:g}, it must be from 0 to 100"


def few(names: Sequence[str]) -> str:
    """Name the first few, and say how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more

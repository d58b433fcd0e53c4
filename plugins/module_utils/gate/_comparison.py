# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a comparison of the new version with the old one may say. The test itself runs on the controller alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "new": {"type": "str", "required": True},
    "old": {"type": "str", "required": True},
    "tolerance": {"type": "float", "default": 0.25},
    "alpha": {"type": "float", "default": 0.02},
    "min_samples": {"type": "int", "default": 30},
    "optional": {"type": "bool", "default": False},
    "weight": {"type": "float", "default": 1.0},
}


@dataclass(frozen=True)
class Comparison:
    """What is asked: two checks of one gate, and by how much the new one may be worse."""

    name: str
    new: str
    old: str
    tolerance: float
    """Share of the old median by which the new one may be worse."""
    alpha: float
    min_samples: int
    optional: bool
    weight: float


def problems(comparison: Comparison, directions: Mapping[str, str]) -> Iterator[str]:
    """Yield what makes no sense about a comparison. ``directions``: the bad side of each check of the gate."""
    for side, name in (("new", comparison.new), ("old", comparison.old)):
        if name not in directions:
            yield f"its {side} is {name}, which is no check of the gate"
        elif directions[name] not in ("above", "below"):
            yield f"check {name} has no bad side that could be compared"
    if not 0 < comparison.alpha < 1:
        yield f"alpha is {comparison.alpha:g}, it must lie between 0 and 1"
    if not comparison.tolerance >= 0:
        yield f"tolerance is {comparison.tolerance:g}, it must be 0 or more"
    # With fewer than 4 on both sides no order of them is ever rarer than 1 in 70.
    if comparison.min_samples < 4:
        yield f"min_samples is {comparison.min_samples}, it must be 4 or more"

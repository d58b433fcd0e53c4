# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Verdict:
    """What one check has found, in one line, and with what was counted.

    ``passed`` is None where it could not be decided. ``warned``: it passed, and a person should look.
    """

    passed: bool | None
    reason: str
    found: Mapping[str, Any]
    samples: int = 0
    warned: bool = False

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The windows of a watch: when a release is looked at, in seconds since its switch. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.trigger._model import policy

# More ticks than this in one window are a slip of the pen: a week has 10,080 minutes.
MAX_TICKS = 20000

_FIX = "Correct watch_windows in the profile"


@dataclass(frozen=True)
class Window:
    """From ``start`` (exclusive) to ``until``, every ``every`` seconds. All in seconds since the switch.

    A tick may come ``early`` seconds too early, and ``tolerance`` seconds after its time it is late. ``may_miss``:
    how many ticks may be missed before the window has not passed. ``rollback``: what it says of
    rollback_automatic, where it differs.
    """

    KEYS: ClassVar[tuple[str, ...]] = ("name", "from", "until", "every", "tolerance", "may_miss", "rollback")

    name: str
    start: float
    until: float
    every: float
    tolerance: float
    may_miss: int = 0
    rollback: Optional[str] = None

    @property
    def early(self) -> float:
        """Ticks of hosts whose switches were seconds apart are one run; so is a scheduler that is a little fast."""
        return self.tolerance / 2

    def slots(self) -> list[float]:
        """Return when the ticks are due: at the multiples of ``every`` inside the window, and at its end."""
        first = math.floor(self.start / self.every + 1e-9) + 1
        last = math.ceil(self.until / self.every - 1e-9) - 1
        return [round(number * self.every, 3) for number in range(first, last + 1)] + [round(self.until, 3)]

    def stored(self) -> dict[str, Any]:
        """Return the window as the journal keeps it."""
        values = (self.name, self.start, self.until, self.every, self.tolerance, self.may_miss, self.rollback)
        return dict(zip(self.KEYS, values))


def read_windows(items: Iterable[Mapping[str, Any]]) -> tuple[Window, ...]:
    """Return the windows of a profile. SluiceError that names everything that is wrong with them.

    A window begins where the one before it ends, unless it says ``from``; its tolerance is half of ``every``.
    """
    windows: list[Window] = []
    wrong: list[str] = []
    for number, item in enumerate(items, start=1):
        name = str(item.get("name") or f"window {number}")
        try:
            window = _read(name, item, windows[-1].until if windows else 0.0)
        except (TypeError, ValueError) as error:
            wrong.append(f"{name}: {error}")
            continue
        if any(other.name == name for other in windows):
            wrong.append(f"{name}: two windows have this name")
        windows.append(window)
    if wrong:
        raise SluiceError("use the windows of the watch", "; ".join(wrong), _FIX)
    return tuple(windows)


def _read(name: str, item: Mapping[str, Any], before: float) -> Window:
    until, every = _seconds(item, "until"), _seconds(item, "every")
    start = before if item.get("from") is None else _seconds(item, "from")
    tolerance = every / 2 if item.get("tolerance") is None else _seconds(item, "tolerance")
    may_miss = int(item.get("may_miss") or 0)
    if until <= 0 or every <= 0 or start < 0 or tolerance <= 0 or may_miss < 0:
        raise ValueError("until, every and tolerance must be above 0, from and may_miss not below")
    if start >= until:
        whose = "the window before it ends" if item.get("from") is None else "it begins"
        raise ValueError(f"it ends at {until:g} s, but {whose} at {start:g} s")
    if every > until:
        raise ValueError(f"it repeats every {every:g} s, but ends at {until:g} s")
    if tolerance >= every:
        raise ValueError(f"its tolerance of {tolerance:g} s must be below every, {every:g} s")
    if (until - start) / every > MAX_TICKS:
        raise ValueError(f"it has more than {MAX_TICKS:,} ticks")
    return Window(name, start, until, every, tolerance, may_miss, _rollback(item.get("rollback")))


def _rollback(value: Any) -> Optional[str]:
    try:
        return policy(value)
    except ValueError as error:
        raise ValueError(f"rollback {error}") from None


def _seconds(item: Mapping[str, Any], key: str) -> float:
    value = item.get(key)
    if value is None or isinstance(value, bool):
        raise ValueError(f"{key} must be a number of seconds")
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{key} must be a number of seconds, and {value!r} is none") from None
    if not math.isfinite(seconds):
        raise ValueError(f"{key} must be a number of seconds")
    return seconds

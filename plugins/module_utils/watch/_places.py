# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Which ticks of a watch were done, are due, were held back or missed. Pure: times in, places out.

All times are seconds since the switch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from ansible_collections.sluice.release.plugins.module_utils.watch._windows import Window

# From, to: while a run of the application was open, the watch held back.
Span = tuple[float, float]


@dataclass(frozen=True)
class Place:
    """Where a window stands. Ticks by the time they were due at; every reached one is in exactly one of the lists
    ``done`` (``late`` are a part of them), ``held`` and ``missed``, or is ``due``.
    """

    window: Window
    slots: tuple[float, ...]
    done: tuple[float, ...]
    late: tuple[float, ...]
    held: tuple[float, ...]
    missed: tuple[float, ...]
    due: Optional[float]
    next: Optional[float]
    """When the next tick is due that is not due yet."""

    @property
    def over(self) -> bool:
        """Whether no tick is left to come."""
        return self.due is None and self.next is None

    @property
    def failed(self) -> bool:
        """Whether more ticks were missed than may be."""
        return len(self.missed) > self.window.may_miss

    def number(self, slot: float) -> int:
        """Return which tick of the window that is, counted from 1."""
        return self.slots.index(slot) + 1


def place(window: Window, served: Mapping[float, float], held: Sequence[Span], now: float) -> Place:
    """Return where a window stands ``now``.

    ``served``: when each tick that was done took place, by the time it was due at. ``held``: while these runs were
    open nothing was measured, and nobody missed that.
    """
    slots = tuple(window.slots())
    done, late, excused, missed = [], [], [], []
    due = upcoming = None
    for index, slot in enumerate(slots):
        begins, deadline = slot - window.early, slot + window.tolerance
        # The next tick takes its turn; after the last one there is as much time as between two.
        expires = slots[index + 1] - window.early if index + 1 < len(slots) else slot + window.every
        was_held = any(start < deadline and end > begins for start, end in held)
        if slot in served:
            done.append(slot)
            if served[slot] > deadline and not was_held:
                late.append(slot)
        elif now < begins:
            upcoming = slot if upcoming is None else upcoming
        elif now < expires:
            due = slot
        elif was_held:
            excused.append(slot)
        else:
            missed.append(slot)
    return Place(window, slots, tuple(done), tuple(late), tuple(excused), tuple(missed), due, upcoming)


def is_late(window: Window, slot: float, held: Sequence[Span], now: float) -> bool:
    """Return whether a tick that takes place now comes late for that time, with nothing to excuse it."""
    deadline = slot + window.tolerance
    return now > deadline and not any(start < deadline and end > slot - window.early for start, end in held)


def crashes(observed: Sequence[Sequence[Mapping[str, int]]]) -> int:
    """Return how often processes were restarted over the observations, the first of which is the baseline.

    A process has ``id`` and ``restarts``. The counts are read like a counter that may begin anew: a process that was
    not there before, or whose count is lower, was replaced, which is no crash; its own count from then on is.
    """
    total = 0
    for before, after in zip(observed, observed[1:]):
        known = {process["id"]: process["restarts"] for process in before}
        for process in after:
            was = known.get(process["id"], 0)
            total += process["restarts"] - (was if was <= process["restarts"] else 0)
    return total

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What counters have grown by, across restarts of what counts."""

from __future__ import annotations

from collections.abc import Mapping


class Growth:
    """The growth of counters since the gate began, or since its grace was over.

    Each counter goes by the name of what counts: a server's run, a process. One that falls has begun anew, and one
    that was not there before has begun at 0.
    """

    def __init__(self, grace: float) -> None:
        self.total = 0.0
        self._grace = grace
        self._last: dict[str, float] | None = None
        self._warm = False

    def add(self, t: float, counters: Mapping[str, float]) -> float | None:
        """Take in a look and return the growth so far. None: it was the first, which the next is compared with."""
        last, self._last = self._last, {**(self._last or {}), **counters}
        if last is None:
            self._warm = t >= self._grace
            return None
        if not self._warm and t >= self._grace:
            # What happened in the warm-up is not to be judged.
            self._warm, self.total = True, 0.0
            return self.total
        for name, value in counters.items():
            before = last.get(name, 0.0)
            self.total += value - before if value >= before else value
        return self.total

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Decides which requests leave, and when. It waits for nothing itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional, Protocol

from ansible_collections.sluice.release.plugins.module_utils.warm._model import Request
from ansible_collections.sluice.release.plugins.module_utils.warm._sources_common import AGAIN, READ_BEFORE, Item

PATIENCE = 0.5
"""Seconds that may be waited for answers where nothing else is to be done."""


class Outlet(Protocol):
    """Where requests leave; see Sender."""

    @property
    def active(self) -> int: ...

    @property
    def room(self) -> int: ...

    def send(self, request: Request) -> None: ...


class Feed:
    """Lets requests leave: where there is room, and not faster than the rate allows."""

    def __init__(self, items: Iterator[Item], sender: Outlet, rate: float) -> None:
        self._items, self._sender, self._rate = items, sender, rate
        self._ended = self._holds = False
        self._since: Optional[float] = None
        self._sent = 0

    @property
    def is_done(self) -> bool:
        return self._ended and not self._sender.active

    @property
    def is_calm(self) -> bool:
        """Whether the sources wait for nothing to be under way, and nothing is."""
        return (self._holds or self._ended) and not self._sender.active

    def fill(self, now: float) -> float:
        """Send what may leave now; how long may be waited for answers, s."""
        sender, items = self._sender, self._items
        if self._holds:
            if sender.active:
                return PATIENCE
            self._holds = False
        room = sender.room
        while room and not self._ended:
            if self._rate:
                wait = self._due(now)
                if wait > 0:
                    return wait
            item = next(items, None)
            if item is None:
                self._ended = True
            elif isinstance(item, Request):
                sender.send(item)
                room -= 1
                self._sent += 1
            elif item == READ_BEFORE:
                self._holds = True
                return 0.0 if not sender.active else PATIENCE
            elif item == AGAIN:
                return 0.0
        return PATIENCE

    def _due(self, now: float) -> float:
        """Seconds until the next may leave. After a pause those that were missed are not sent in a burst."""
        if self._since is None:
            self._since = now
        late = (now - self._since) * self._rate - self._sent
        if late > 1:
            self._since += (late - 1) / self._rate
        return self._since + self._sent / self._rate - now

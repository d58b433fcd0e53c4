# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The proxies of several services that move together."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.proxy._route import Route


@dataclass(frozen=True)
class Routes:
    """A route for each service with its own pair of ports; a slot is named by the base port of the first service."""

    ports: tuple[int, int]
    members: Sequence[tuple[Route, tuple[int, int]]]

    def live(self) -> int | None:
        """Return the slot of the first route: where they differ, a run was killed between the first and the last."""
        route, ports = self.members[0]
        found = route.live()
        return None if found is None else self.ports[ports.index(found)]

    def divided(self) -> bool:
        """Whether some routes lead to one slot and some to the other."""
        slots = {ports.index(found) for route, ports in self.members for found in [route.live()] if found is not None}
        return len(slots) > 1

    def points_at(self, port: int) -> bool:
        return all(route.points_at(ports[self._slot(port)]) for route, ports in self.members)

    def point(self, port: int) -> None:
        slot = self._slot(port)
        before = [(route, route.snapshot()) for route, _ports in self.members]
        for count, (route, ports) in enumerate(self.members):
            try:
                route.point(ports[slot])
            except SluiceError:
                # This one has put itself back.
                for moved, state in reversed(before[:count]):
                    with contextlib.suppress(SluiceError):
                        moved.restore(state)
                raise

    def snapshot(self) -> object:
        return [route.snapshot() for route, _ports in self.members]

    def restore(self, snapshot: object) -> None:
        problems = []
        for (route, _ports), state in zip(self.members, cast("list[object]", snapshot)):
            try:
                route.restore(state)
            except SluiceError as problem:
                problems.append(problem)
        if problems:
            raise problems[0]

    def settle(self, port: int) -> None:
        for route, ports in self.members:
            route.settle(ports[self._slot(port)])

    def weigh(self, port: int, percent: int) -> None:
        for route, ports in self.members:
            route.weigh(ports[self._slot(port)], percent)

    def describe(self) -> list[dict[str, Any]]:
        return [one for route, _ports in self.members for one in route.describe()]

    def _slot(self, port: int) -> int:
        return self.ports.index(port)

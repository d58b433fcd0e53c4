# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a proxy in front of two slots can be asked and told.

A slot is named by its base port: with n instances it is the ports ``port`` to ``port + n - 1``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError


class Route(Protocol):
    """The way that requests take. Every method raises SluiceError when the proxy cannot be asked or refuses."""

    def live(self) -> int | None:
        """Return the base port of the slot that takes the traffic; None when it cannot be told.

        While both slots take some (a canary), it is the one that takes more.
        """

    def points_at(self, port: int) -> bool:
        """Whether all traffic goes to the slot at ``port`` and the proxy is exactly as ``point`` leaves it.

        That means what the proxy does, not only what its configuration says: a run that was killed between the two
        leaves a route that does not point.
        """

    def point(self, port: int) -> None:
        """Move all traffic to the slot at ``port``, so that at no moment there is none to serve it.

        What the proxy is told is tested first. Also when ``points_at`` is true the proxy is told again. On SluiceError
        the route is as it was before.
        """

    def snapshot(self) -> object:
        """Return the route as it is now, for ``restore``."""

    def restore(self, snapshot: object) -> None:
        """Put back what ``snapshot`` has returned."""

    def settle(self, port: int) -> None:
        """Wait until the proxy sends nothing to the slot at ``port`` any more; to be called after ``point`` elsewhere.

        Returns after a bounded time in any case: what is under way may last for hours, and the instances of the slot
        have a drain time of their own.
        """

    def weigh(self, port: int, percent: int) -> None:
        """Let the slot at ``port`` take so much of the traffic (0 to 100) and the other one the rest.

        Like ``point`` this leaves the route as it was on SluiceError, which it is as well where the proxy has no
        weights.
        """

    def describe(self) -> list[dict[str, Any]]:
        """Return of each server ``name``, ``slot``, ``state``, ``weight`` and ``sessions``; None is what is unknown."""


def other(ports: Sequence[int], port: int) -> int:
    """Return the base port of the other slot. SluiceError when ``port`` is none of the two."""
    if port not in ports:
        raise SluiceError(
            f"move traffic to port {port}",
            f"the slots have the ports {' and '.join(map(str, ports))}",
            "Name one of them",
        )
    return ports[1] if port == ports[0] else ports[0]


def members(port: int, instances: int) -> list[int]:
    """Return the ports of a slot's instances."""
    return list(range(port, port + instances))


def check_percent(percent: int) -> int:
    """Return ``percent`` when it is one."""
    if not 0 <= percent <= 100:
        raise SluiceError("weigh the slots", f"{percent} is no percentage", "Name one from 0 to 100")
    return percent

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Which slot gets the wanted release, and what becomes of every instance: decisions over plain data."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.switch._runtime import Instance


@dataclass(frozen=True)
class Slots:
    """The two base ports that releases use in turn; an instance listens at base port + its number."""

    ports: tuple[int, int]
    instances: int

    def base(self, port: int | None) -> int | None:
        """Return the base port of the slot that a port belongs to; None when it belongs to neither.

        A slot reaches to the other one, or as far as the two are apart: an instance that a larger number of instances
        once had is still found.
        """
        low, high = sorted(self.ports)
        if port is None or not low <= port < 2 * high - low:
            return None
        return low if port < high else high

    def other(self, port: int | None) -> int:
        """Return the base port of the other slot; of the first when none is given."""
        return self.ports[1] if port == self.ports[0] else self.ports[0]

    def at(self, port: int, number: int) -> int:
        """Return where the instance of this number listens in the slot with this base port."""
        return port + number

    def kind(self, port: int | None) -> str:  # noqa: ARG002 - for slots whose instances differ
        """Return what an instance at this port is one of. Those of one kind can stand in for each other."""
        return ""

    def check(self) -> None:
        """Refuse a pair of ports that cannot hold two releases side by side."""
        first, second = self.ports
        if abs(first - second) < self.instances:
            raise SluiceError(
                f"use the ports {first} and {second}",
                f"{self.instances} instances of a release need as many ports from each of them upwards",
                "Set two ports that are further apart",
            )


@dataclass(frozen=True)
class Plan:
    """Which instances stay, which are started, and which go: before the start, or after the proof."""

    port: int | None = None
    """Base port of the slot that shall serve; None when all instances share one address."""
    keep: tuple[Instance, ...] = ()
    """Of the wanted mark; they still have to be proven."""
    clear: tuple[Instance, ...] = ()
    """In the way of a start and out of reach of any request: ended first."""
    start: tuple[int, ...] = ()
    """Numbers of the instances that are missing."""
    retire: tuple[Instance, ...] = ()
    """Everything else that runs: serves until the wanted ones are proven, then is ended one by one."""

    @property
    def changed(self) -> bool:
        """Whether there is an instance to start or to end."""
        return bool(self.clear or self.start or self.retire)


def live_slot(instances: Sequence[Instance], slots: Slots, routed: int | None) -> int | None:
    """Return the base port of the slot that takes the requests; None when nothing does.

    ``routed``: what the proxy says. Where it cannot tell, the instances do, unless both slots have some.
    """
    if routed is not None:
        return routed
    used = {slots.base(one.port) for one in instances if one.alive} - {None}
    if len(used) > 1:
        raise SluiceError(
            "tell which instances serve",
            f"some run at both of {slots.ports[0]} and {slots.ports[1]}, and the proxy points at neither",
            "End those that do not serve",
        )
    return next(iter(used), None)


def plan(
    instances: Sequence[Instance],
    *,
    wanted: str,
    count: int,
    slots: Slots | None = None,
    live: int | None = None,
    distrust: Collection[str] = (),
) -> Plan:
    """Decide from the instances as they are now, whatever a killed run has left of them.

    ``wanted`` is the mark of the wanted ones, ``count`` how many. ``live``: base port of the slot that takes the
    requests. ``distrust``: ids of instances that carry the mark and did not prove themselves; they count as others.
    """
    running = [one for one in instances if one.alive]
    ours = [one for one in running if one.mark == wanted and one.id not in distrust]
    port = None
    if slots is not None:
        # Whoever serves already goes on serving where it is; otherwise the slot that no request reaches.
        at_live = live is not None and any(slots.base(one.port) == live for one in ours)
        port = live if at_live else slots.other(live)
    here = [one for one in running if slots is None or slots.base(one.port) == port]
    others_serve = any(one not in ours and (slots is None or one not in here or port == live) for one in running)

    keep: dict[int, Instance] = {}
    clear: list[Instance] = []
    retire: list[Instance] = []
    for one in running:
        if one not in ours or one not in here:
            # In the slot that the proxy does not use it was left by a run that did not get further.
            idle = slots is not None and one in here and port != live
            (clear if idle else retire).append(one)
        # A new instance that has crashed before its switch was finished is none to switch to. Where nothing else
        # serves it may have crashed last week: then it is what there is.
        elif one.restarts and others_serve:
            clear.append(one)
        elif one.number >= count or one.number in keep:
            retire.append(one)
        else:
            keep[one.number] = one
    missing = tuple(number for number in range(count) if number not in keep)
    return Plan(port, tuple(keep[number] for number in sorted(keep)), tuple(clear), missing, tuple(retire))

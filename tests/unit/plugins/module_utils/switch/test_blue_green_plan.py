# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which slot gets the wanted release, and what becomes of every instance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.switch._blue_green_plan import (
    Slots,
    live_slot,
    plan,
)
from ansible_collections.sluice.release.plugins.module_utils.switch._runtime import Instance

BLUE, GREEN = 3100, 3200


def at(port: int, mark: str = "new", **changed: Any) -> Instance:
    number = port % 100
    return Instance(**{"id": f"{mark}-{port}", "number": number, "port": port, "mark": mark, **changed})


@dataclass(frozen=True)
class Case:
    name: str
    found: list[Instance]
    live: int | None = None
    count: int = 1
    distrust: tuple[str, ...] = ()
    port: int = GREEN
    keep: list[str] = field(default_factory=list)
    clear: list[str] = field(default_factory=list)
    start: tuple[int, ...] = ()
    retire: list[str] = field(default_factory=list)


CASES = [
    Case("nothing runs", [], port=BLUE, start=(0,)),
    Case("the old one serves", [at(BLUE, "old")], live=BLUE, start=(0,), retire=["old-3100"]),
    Case(
        "the old one serves in the second slot", [at(GREEN, "old")], GREEN, port=BLUE, start=(0,), retire=["old-3200"]
    ),
    Case("all is as wanted", [at(BLUE)], live=BLUE, port=BLUE, keep=["new-3100"]),
    Case(
        "a killed run has started the new one",
        [at(BLUE, "old"), at(GREEN)],
        BLUE,
        keep=["new-3200"],
        retire=["old-3100"],
    ),
    Case(
        "a killed run has moved the proxy and not ended the old one",
        [at(BLUE, "old"), at(GREEN)],
        live=GREEN,
        keep=["new-3200"],
        retire=["old-3100"],
    ),
    Case(
        "a killed run of another release lies in the slot",
        [at(BLUE, "old"), at(GREEN, "other")],
        live=BLUE,
        clear=["other-3200"],
        start=(0,),
        retire=["old-3100"],
    ),
    Case(
        "the new one has crashed before it was proven",
        [at(BLUE, "old"), at(GREEN, restarts=3)],
        live=BLUE,
        clear=["new-3200"],
        start=(0,),
        retire=["old-3100"],
    ),
    Case(
        "it has crashed last week and nothing else serves", [at(BLUE, restarts=3)], BLUE, port=BLUE, keep=["new-3100"]
    ),
    Case(
        "what runs does not prove itself",
        [at(BLUE)],
        live=BLUE,
        distrust=("new-3100",),
        start=(0,),
        retire=["new-3100"],
    ),
    Case("one of two has gone", [at(BLUE)], live=BLUE, count=2, port=BLUE, keep=["new-3100"], start=(1,)),
    Case("one too many", [at(BLUE), at(BLUE + 1)], live=BLUE, port=BLUE, keep=["new-3100"], retire=["new-3101"]),
    Case("kept ones that do not run count for nothing", [at(BLUE, "old", alive=False)], port=BLUE, start=(0,)),
    Case("one that nobody of ours has started", [at(8080, "", number=0)], port=BLUE, start=(0,), retire=["-8080"]),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_plan(case: Case) -> None:
    slots = Slots((BLUE, GREEN), case.count)
    todo = plan(case.found, wanted="new", count=case.count, slots=slots, live=case.live, distrust=case.distrust)
    assert todo.port == case.port
    assert [one.id for one in todo.keep] == case.keep
    assert [one.id for one in todo.clear] == case.clear
    assert todo.start == case.start
    assert [one.id for one in todo.retire] == case.retire


def test_where_all_share_one_address_the_old_ones_go_when_the_new_are_proven() -> None:
    old, new = Instance("old", 0, mark="old"), Instance("new", 0, mark="new")
    todo = plan([old, new], wanted="new", count=2)
    assert (todo.port, todo.keep, todo.clear, todo.start, todo.retire) == (None, (new,), (), (1,), (old,))


@pytest.mark.parametrize(
    ("port", "base"),
    [(None, None), (3099, None), (3100, 3100), (3199, 3100), (3200, 3200), (3299, 3200), (3300, None)],
)
def test_the_slot_of_a_port(port: int | None, base: int | None) -> None:
    assert Slots((BLUE, GREEN), 2).base(port) == base
    assert Slots((GREEN, BLUE), 2).base(port) == base


def test_slots_that_overlap_are_refused() -> None:
    with pytest.raises(SluiceError, match="Cannot use the ports 3100 and 3101: 2 instances"):
        Slots((3100, 3101), 2).check()


@pytest.mark.parametrize(
    ("found", "routed", "live"),
    [
        ([], None, None),
        ([at(BLUE)], None, BLUE),
        ([at(BLUE), at(GREEN, "old")], GREEN, GREEN),
        ([at(BLUE), at(GREEN, alive=False)], None, BLUE),
        ([at(8080)], None, None),
    ],
)
def test_the_slot_that_takes_the_requests(found: list[Instance], routed: int | None, live: int | None) -> None:
    assert live_slot(found, Slots((BLUE, GREEN), 1), routed) == live


def test_two_slots_in_use_and_a_proxy_that_says_nothing() -> None:
    with pytest.raises(SluiceError, match="the proxy points at neither"):
        live_slot([at(BLUE), at(GREEN)], Slots((BLUE, GREEN), 1), None)

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxies of several services, which move together or not at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.compose._routes import Routes


@dataclass
class One:
    """A proxy in memory."""

    at: int | None
    refuse: bool = False
    settled: list[int] = field(default_factory=list)

    def live(self) -> int | None:
        return self.at

    def points_at(self, port: int) -> bool:
        return self.at == port

    def point(self, port: int) -> None:
        if self.refuse:
            raise SluiceError("move it", "it refuses")
        self.at = port

    def snapshot(self) -> object:
        return self.at

    def restore(self, snapshot: object) -> None:
        assert snapshot is None or isinstance(snapshot, int)
        if self.refuse:
            raise SluiceError("restore it", "it refuses")
        self.at = snapshot

    def settle(self, port: int) -> None:
        self.settled.append(port)

    def weigh(self, port: int, percent: int) -> None:
        raise AssertionError("no switch weighs")

    def describe(self) -> list[dict[str, Any]]:
        return [{"name": str(self.at)}]


def pair(first: int | None = 1, second: int | None = 11, *, refuse: bool = False) -> tuple[Routes, One, One]:
    api, web = One(first), One(second, refuse)
    return Routes((1, 2), [(api, (1, 2)), (web, (11, 12))]), api, web


def test_they_move_together() -> None:
    routes, api, web = pair()
    assert (routes.live(), routes.divided(), routes.points_at(1), routes.points_at(2)) == (1, False, True, False)
    before = routes.snapshot()
    routes.point(2)
    routes.settle(1)
    assert (api.at, web.at, web.settled, routes.live()) == (2, 12, [11], 2)
    routes.restore(before)
    assert (api.at, web.at) == (1, 11)
    assert routes.describe() == [{"name": "1"}, {"name": "11"}]


def test_one_that_refuses_takes_the_others_back() -> None:
    routes, api, web = pair(refuse=True)
    with pytest.raises(SluiceError, match="it refuses"):
        routes.point(2)
    assert (api.at, web.at) == (1, 11)
    api.at = 2
    with pytest.raises(SluiceError, match="Cannot restore it"):
        routes.restore([1, 11])
    assert api.at == 1


@pytest.mark.parametrize(
    ("first", "second", "live", "divided"),
    [(2, 11, 2, True), (2, 12, 2, False), (None, 11, None, False), (None, None, None, False)],
)
def test_a_run_that_was_killed_between_two_of_them(
    first: int | None, second: int | None, live: int | None, divided: bool
) -> None:
    routes = pair(first, second)[0]
    assert (routes.live(), routes.divided()) == (live, divided)

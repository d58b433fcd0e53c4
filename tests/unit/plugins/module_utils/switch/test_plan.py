# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done with the workers that PM2 has."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.switch._plan import mark, plan, previous_release
from ansible_collections.sluice.release.plugins.module_utils.switch._pm2 import Process

NEW, OLD = "new", "old"


def worker(number: int, whose: str = NEW, instance: int | None = 0, **changed: Any) -> Process:
    values: dict[str, Any] = {"status": "online", "script": f"/{whose}/app.js", "pid": 1000 + number, **changed}
    return Process(id=number, name="shop", mark=whose, release=whose, instance=instance, **values)


STOPPED: dict[str, Any] = {"status": "stopped", "pid": 0}


@pytest.mark.parametrize(
    ("processes", "options", "keep", "clear", "start", "retire"),
    [
        pytest.param([], {}, [], [], [0, 1], [], id="nothing there"),
        pytest.param([worker(0), worker(1, NEW, 1)], {}, [0, 1], [], [], [], id="all is well"),
        pytest.param([worker(0, OLD), worker(1, OLD, 1)], {}, [], [], [0, 1], [0, 1], id="old release"),
        pytest.param([worker(0, OLD), worker(2, NEW, 0)], {}, [2], [], [1], [0], id="killed after the first start"),
        pytest.param([worker(2, NEW, 1)], {}, [2], [], [0], [], id="killed after the last old one was retired"),
        pytest.param([worker(2, NEW, 0), worker(3, NEW, 0)], {}, [2], [], [1], [3], id="one number twice"),
        pytest.param([worker(2, NEW, None)], {}, [], [], [0, 1], [2], id="started by hand"),
        pytest.param([worker(2), worker(3, NEW, 1), worker(4, NEW, 2)], {}, [2, 3], [], [], [4], id="fewer wanted"),
        pytest.param([worker(2, **STOPPED), worker(3, NEW, 1)], {}, [3], [2], [0], [], id="a dead one of ours"),
        pytest.param([worker(0, OLD), worker(2, restarts=1)], {}, [], [2], [0, 1], [0], id="crashed before its switch"),
        pytest.param([worker(2, restarts=9), worker(3, NEW, 1)], {}, [2, 3], [], [], [], id="crashed last week"),
        pytest.param([worker(0, OLD, **STOPPED)], {}, [], [], [0, 1], [0], id="a dead old one is no hurry"),
        pytest.param(
            [worker(0, OLD, **STOPPED, script="/new/app.js")], {}, [], [0], [0, 1], [],
            id="a dead one with our script would make PM2 restart all",
        ),
        pytest.param(
            [worker(0), worker(1, NEW, 1)], {"distrust": {0, 1}}, [], [], [0, 1], [0, 1], id="did not prove themselves"
        ),
    ],
)  # fmt: skip
def test_plan(
    processes: list[Process],
    options: dict[str, Any],
    keep: list[int],
    clear: list[int],
    start: list[int],
    retire: list[int],
) -> None:
    made = plan(processes, wanted=NEW, script="/new/app.js", **{"instances": 2, **options})
    assert [process.id for process in made.keep] == keep
    assert [process.id for process in made.clear] == clear
    assert list(made.start) == start
    assert [process.id for process in made.retire] == retire
    assert made.changed == bool(clear or start or retire)


def test_serving_are_the_living_that_are_not_wanted() -> None:
    made = plan(
        [worker(0, OLD), worker(1, OLD, 1, **STOPPED)], wanted=NEW, script="/new/app.js", instances=1
    )  # fmt: skip
    assert [process.id for process in made.serving] == [0]


@pytest.mark.parametrize(
    ("processes", "expected"),
    [
        ([], None),
        ([worker(0, OLD, **STOPPED)], None),
        ([worker(0, OLD)], OLD),
        ([worker(0, NEW)], NEW),
        ([worker(0, NEW), worker(1, NEW, 1), worker(2, OLD)], OLD),
        ([worker(0, "b"), worker(1, "b", 1), worker(2, "a")], "b"),
        ([Process(0, 1, "shop", "online")], "unknown"),
    ],
)
def test_previous_release(processes: list[Process], expected: str | None) -> None:
    assert previous_release(processes, NEW) == expected


def test_the_mark_changes_with_everything_but_the_order_of_variables() -> None:
    same = mark("1", {"A": "1", "B": "2"}, "cluster", ["--x"])
    assert same == mark("1", {"B": "2", "A": "1"}, "cluster", ["--x"])
    others = [
        mark("2", {"A": "1", "B": "2"}, "cluster", ["--x"]),
        mark("1", {"A": "1", "B": "3"}, "cluster", ["--x"]),
        mark("1", {"A": "1", "B": "2"}, "fork", ["--x"]),
        mark("1", {"A": "1", "B": "2"}, "cluster", []),
    ]
    assert len({same, *others}) == 5

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill of every level where the application runs, one that fails, and the release that has to wait for a good one.

Each test goes on where the one before has ended. The shadow has a Molecule scenario.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from world import World


@pytest.fixture(scope="module")
def upgraded(world: World) -> World:
    """1.1.0 serves, 1.0.0 served before, and a backup was made between them."""
    state = world.state()
    before = [target for target in state["good"] if target["version"] == "1.0.0"]
    if world.serving() != "1.1.0" or not before or not state["since"][before[0]["release"]]["backup_id"]:
        world.ensure("1.0.0")
        world.ensure("1.1.0")
    return world


def newest_drill(world: World) -> dict[str, Any]:
    return dict([entry["data"] for entry in world.entries() if entry["name"] == "rollback_drill"][-1])


def released(world: World) -> dict[str, Any]:
    """What the journal says of releases; what a level takes is no part of it."""
    state = world.state()
    return {key: state[key] for key in ("current", "good", "bad", "marked", "since", "database")}


def test_every_level_is_drilled_and_everything_is_as_before(upgraded: World) -> None:
    before, databases = released(upgraded), upgraded.databases()
    body = {"title": "written before the drill", "merchant": "Test", "price_cents": 100}
    assert upgraded.get("/api/deals", method="POST", body=body)[0] == 201

    # The code is what no level may interrupt; while a database takes the place of another, what reads it may have to
    # ask once more.
    run = upgraded.play("rollback_drill", variables={"switch_probe_url": f"{upgraded.base_url}/version"})
    assert run.status == 0, run.output
    assert re.search(r"level 1 \S+ s of 120 s .* level 2 \S+ s of 300 s .* level 3 \S+ s of 600 s", run.said), (
        run.output
    )
    assert "1.1.0 serves as before, and the budgets of the drill are met" in run.said

    upgraded.assert_serves("1.1.0")
    assert (released(upgraded), upgraded.lock()) == (before, None)
    assert upgraded.databases() == databases
    assert upgraded.sql("SELECT count(*) FROM deals WHERE title = %s", "written before the drill") == [(1,)]
    drill, report = newest_drill(upgraded), upgraded.report()
    assert (drill["met"], drill["place"], drill["targets"]["3"]["version"]) == (True, "here", "1.0.0")
    assert (report["kind"], report["outcome"], report["to"]) == ("rollback_drill", "succeeded", "1.1.0")
    assert [level["seconds"] for level in report["rollback_drill"]["levels"]] == [*drill["levels"].values()]
    assert report["requests"]["sent"] > 0
    assert report["requests"]["failed"] == 0, report["requests"]

    run = upgraded.play("rollback", "--check", variables={"rollback_level": 2})
    assert re.search(r"Expected: \d+ s, as the drill \S+-rollback_drill took\. Budget: 300 s\.", run.said), run.output


def test_a_drill_that_fails_leaves_what_served_and_stops_the_next_release(upgraded: World) -> None:
    before, databases = released(upgraded), upgraded.databases()
    (script,) = upgraded.root.glob("releases/1.0.0-*/dist/main.js")
    whole = script.read_text()
    script.write_text("process.exit(3)\n")
    try:
        # By then the database of before has its place, too.
        run = upgraded.play("rollback_drill", variables={"rollback_drill_levels": [3]})
    finally:
        script.write_text(whole)
    assert run.status != 0
    assert "1.1.0 serves as before, and the database is as it was" in run.said, run.output
    upgraded.assert_serves("1.1.0")
    assert (released(upgraded), upgraded.lock()) == (before, None)
    assert {name for name in upgraded.databases() if "__prepared_" not in name} == databases
    assert upgraded.sql("SELECT count(*) FROM deals WHERE title = %s", "written before the drill") == [(1,)]
    assert (newest_drill(upgraded)["levels"], newest_drill(upgraded)["met"]) == ({"3": None}, False)

    demanding = {"type": "rollback_drill", "path": str(upgraded.state_dir), "max_age_days": 1}
    run = upgraded.deploy("1.2.0", preflight_checks=[demanding])
    assert run.status != 0
    assert re.search(r"level 3 in the drill \S+ failed: .*; run rollback_drill\.yml", run.said), run.output
    upgraded.assert_serves("1.1.0")

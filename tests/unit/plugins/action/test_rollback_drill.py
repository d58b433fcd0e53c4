# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What rollback_drill_plan and rollback_drill_result make of what the hosts of a play know."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.action import rollback_drill_plan, rollback_drill_result
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError


def target(version: str) -> dict[str, Any]:
    return {"release": f"R-{version}", "version": version, "artifact": {"id": version}, "config": {"version": 1}}


STATE = {
    "current": target("1.1.0"),
    "good": [target("1.1.0"), target("1.0.0")],
    "bad": [],
    "open": None,
    "since": {"R-1.0.0": {"backup_id": "B1", "migrations": []}},
    "measured": {},
}
VIEW = {"driver": "pm2", "root": "/a", "state_dir": "/b", "port": 1, "base_url": "http://h:1", "process": "p"}


def vars_of(**hosts: dict[str, Any]) -> dict[str, Any]:
    names = list(hosts)
    told = {"inventory_hostname": names[0], "ansible_play_hosts": names, "ansible_play_hosts_all": names}
    return {**told, "hostvars": hosts}


def journal(state: Any) -> dict[str, Any]:
    return {"ansible_facts": {"sluice_journal": state} if state else {}}


def plan(task_vars: dict[str, Any], **options: Any) -> dict[str, Any]:
    action = rollback_drill_plan.ActionModule.__new__(rollback_drill_plan.ActionModule)
    defaults = {"levels": [1, 2, 3], "place": "here", "production": False, "environment": "", "backup_id": None}
    return action.act({**defaults, "budgets": {}, "live": None, "shadow": None, **options}, task_vars)


def test_what_a_drill_would_do() -> None:
    found = plan(vars_of(app1=journal(STATE)))
    assert (found["levels"], found["serves"], found["before"]) == ([1, 2, 3], target("1.1.0"), target("1.0.0"))
    assert (found["backup_id"], found["stand_in"], found["database"]) == ("B1", True, None)
    assert [found["targets"][level]["version"] for level in ("1", "2", "3")] == ["1.1.0", "1.0.0", "1.0.0"]
    assert found["lines"][0] == "Drill where the application runs: levels 1, 2, 3."
    assert (plan(vars_of(app1=journal(STATE)), levels=[1])["before"]) is None


def test_a_host_that_cannot_be_asked_stops_it() -> None:
    with pytest.raises(SluiceError, match="Cannot drill the rollback: the journal of app2 cannot be read"):
        plan(vars_of(app1=journal(STATE), app2=journal(None)))


def test_a_shadow_is_compared_before_anything_else() -> None:
    with pytest.raises(SluiceError, match="Cannot drill at a shadow: it could touch what serves: "):
        plan(vars_of(app1=journal(STATE)), place="shadow", live=VIEW, shadow=VIEW)
    apart = {"root": "/c", "state_dir": "/d", "port": 2, "base_url": "http://h:2", "process": "q"}
    found = plan(vars_of(app1=journal(STATE)), place="shadow", production=True, live=VIEW, shadow={**VIEW, **apart})
    assert found["lines"][0].startswith("Drill at a shadow")


def result(task_vars: dict[str, Any], levels: list[int]) -> dict[str, Any]:
    action = rollback_drill_result.ActionModule.__new__(rollback_drill_result.ActionModule)
    return action.act({"levels": levels, "entries": "read", "budgets": {"2": 5}}, task_vars)


def read(seconds: float) -> dict[str, Any]:
    entries = [{"event": "entered", "stage": "rollback"}]
    entries += [{"event": "left", "stage": stage, "seconds": seconds} for stage in ("rollback", "switch", "verify")]
    return {"read": {"entries": entries}}


def test_how_it_went_is_the_same_on_every_host() -> None:
    found = result(vars_of(app1=read(1), app2=read(2)), [1])
    assert (found["met"], found["message"], found["result"]["levels"]) == (True, "", {"1": 6.0})


@pytest.mark.parametrize(
    ("hosts", "why"),
    [
        ({"app1": read(2)}, "it took 6 s of 5 s"),
        ({"app1": {"read": {"entries": []}, "pipeline_failure": {"message": "no room"}}}, "no room"),
        ({"app1": {"read": {"failed": True}}}, "the host cannot be asked"),
        ({"app1": {}}, "the host cannot be asked"),
        ({"app1": read(1), "app2": {"pipeline_failure": {"message": "gone"}}}, "app2: gone"),
    ],
)
def test_what_was_missed(hosts: dict[str, Any], why: str) -> None:
    found = result(vars_of(**hosts), [2])
    assert found["met"] is False
    assert (
        found["message"]
        == f"Cannot pass the drill: level 2: {why}. Mend the way back, and run rollback_drill.yml again."
    )

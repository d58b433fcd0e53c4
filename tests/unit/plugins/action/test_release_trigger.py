# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release_trigger answers out of journals and locks, and reads alerts where nobody makes templates of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.action.release_trigger import ActionModule
from ansible_collections.sluice.release.plugins.module_utils._clock import utc_text
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError

SENT = json.loads((Path(__file__).parents[3] / "fixtures/alertmanager/firing.json").read_text())
TRIGGERS = [
    {"name": "errors", "alert": "HighErrorRate"},
    {"name": "leak", "alert": "MemoryHigh", "level": "auto"},
    {"name": "corruption", "declared": True, "level": 3},
]


def target(version: str) -> dict[str, Any]:
    return {"release": f"r-{version}", "version": version, "artifact": {"id": version}, "config": {"version": 1}}


def state(**more: Any) -> dict[str, Any]:
    arrival = {"release": "r-1.1.0", "kind": "deploy", "time": utc_text()}
    good = [target("1.1.0"), target("1.0.0")]
    known = {"current": good[0], "good": good, "bad": [], "open": None, "since": {}, "arrival": arrival, "triggers": []}
    return {**known, **more}


def raise_(journal: dict[str, Any] | None, alerts: Any = None, **options: Any) -> Any:
    action = ActionModule.__new__(ActionModule)
    arguments = {"name": "", "reason": "", "triggers": TRIGGERS, "automatic": "true", "breaking": [], "within": 3600.0}
    facts = {"sluice_plan": {"operator": "alice@ci"}} | ({"sluice_journal": journal} if journal else {})
    hostvars = {"app1": {"ansible_facts": facts, "__trigger_lock": {"holder": None}}}
    known = {"ansible_facts": facts, "ansible_play_hosts": ["app1"], "hostvars": hostvars, "ansible_limit": "prod"}
    return action.act({**arguments, **options}, known | ({} if alerts is None else {"trigger_alerts": alerts}))


def now(name: str = "HighErrorRate") -> dict[str, Any]:
    """What Alertmanager sends of an alert that has begun since the release did."""
    alert = {**SENT["alerts"][0], "startsAt": "2100-01-01T00:00:00.123456789Z", "labels": {"alertname": name}}
    return {**SENT, "alerts": [alert]}


@pytest.mark.parametrize("alerts", [now(), json.dumps(now())])
def test_an_alert_takes_the_release_back(alerts: Any) -> None:
    told = raise_(state(), alerts)
    assert (told["action"], told["trigger"], told["level"], told["release"]) == ("rollback", "errors", "2", "r-1.1.0")
    assert told["data"]["alerts"] == ["3e96ec487419fbe9 2100-01-01T00:00:00.123456789Z"]
    assert (told["data"]["source"], "command" in told["data"]) == ("alert", False)
    # Nothing of it can become a template.
    assert "{{" not in json.dumps(told)


def test_level_auto_is_what_it_comes_to() -> None:
    assert raise_(state(), now("MemoryHigh"))["level"] == "2"
    told = raise_(state(since={"r-1.0.0": {"migrations": ["2-drop"]}}), now("MemoryHigh"), breaking=["*drop"])
    assert (told["action"], told["level"]) == ("ask", "3")


def test_an_alert_of_before_is_left_aside_with_the_reason() -> None:
    told = raise_(state(), SENT)
    assert (told["action"], told["message"]) == ("none", "")
    assert "left aside, for it began at 2026-11-23T04:15:31.380Z, before 1.1.0 served" in told["lines"][0]


def test_a_person_is_asked_with_the_command() -> None:
    told = raise_(state(), name="corruption", reason="orders without lines.")
    assert (told["action"], told["reason"]) == ("ask", "alice@ci has declared it: orders without lines")
    assert told["data"]["command"] == told["command"]
    assert told["command"] == "ansible-playbook rollback_level3.yml -l prod -e release_reason=corruption"


@pytest.mark.parametrize(
    ("journal", "alerts", "options", "said"),
    [
        (state(), now(), {"name": "corruption"}, "alerts have come, and a trigger was named as well"),
        (state(), "no JSON", {}, "Cannot read the alerts: they are no JSON"),
        (state(), None, {}, "Cannot declare a trigger: none was named"),
        (None, now(), {}, "Cannot decide about app1: its journal was not read"),
        (state(), now(), {"automatic": "perhaps"}, "rollback_automatic must be true, ask or false"),
        (state(), now(), {"triggers": [{"name": "a"}]}, "a: nothing can fire it"),
    ],
)
def test_what_cannot_be_decided(journal: Any, alerts: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(SluiceError, match=said):
        raise_(journal, alerts, **options)

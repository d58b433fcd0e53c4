# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible import constants, context

from ansible_collections.sluice.release.plugins.module_utils.journal._fleet import Host
from ansible_collections.sluice.release.plugins.plugin_utils._fleet_action import (
    asked_command,
    auto_level,
    failure_text,
    fleet,
    red_checks,
)


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (None, None),
        ("", None),
        (False, None),
        ({}, None),
        ("two\n lines", "two lines"),
        ({"msg": "Cannot x."}, "Cannot x."),
        ({"reason": "red"}, "red"),
        ({"rc": 1}, "no reason is known"),
    ],
)
def test_failure_text(failure: Any, expected: str | None) -> None:
    assert failure_text(failure) == expected


def test_every_host_of_the_play_is_looked_at() -> None:
    state = {"open": None}
    task_vars = {
        "ansible_play_hosts": ["a", "b"],
        "ansible_play_hosts_all": ["a", "b", "c"],
        "hostvars": {"a": {"ansible_facts": {"sluice_journal": state}}, "b": {"pipeline_failure": "x"}, "c": {}},
    }
    assert fleet(task_vars) == {"a": Host(state), "b": Host(None, True, "x"), "c": Host(None, False)}


RED = {"check": "errors", "verdict": "red", "reason": "errors was 7 %"}
GREEN = {"check": "ready", "verdict": "green", "reason": "ready is well"}


@pytest.mark.parametrize(
    ("failure", "red"),
    [
        (None, None),
        ("the switch has failed", None),
        ({"stage": "gate", "gates": []}, None),
        ({"stage": "gate", "gates": [GREEN, RED]}, (("errors", "errors was 7 %"),)),
        ({"stage": "verify", "gates": [{"check": "a", "verdict": "red"}]}, (("a", "a is red"),)),
        # A gate that was left undecided fails where the profile wants that.
        ({"stage": "gate", "gates": [GREEN], "message": "it is pending"}, ((None, "it is pending"),)),
        # A canary that is red cannot stay half-way.
        ({"stage": "switch", "gates": [RED]}, None),
    ],
)
def test_which_checks_have_failed_a_host(failure: Any, red: Any) -> None:
    assert red_checks(failure) == red


@pytest.mark.parametrize(
    ("inventory", "limit", "runner", "said"),
    [
        (None, "prod", False, "ansible-playbook rollback_level2.yml -l prod -e release_reason=errors"),
        ("default", None, False, "ansible-playbook rollback_level2.yml -e release_reason=errors"),
        (["a.yml"], "prod", False, "ansible-playbook rollback_level2.yml -i a.yml -l prod -e release_reason=errors"),
        # A copy of the inventory is gone when somebody reads it.
        (["/tmp/eda1/inventory"], "all", True, "ansible-playbook rollback_level2.yml -l live -e release_reason=errors"),
    ],
)
def test_the_command_is_typed_as_this_run_was(
    monkeypatch: pytest.MonkeyPatch, inventory: Any, limit: str | None, runner: bool, said: str
) -> None:
    given = constants.DEFAULT_HOST_LIST if inventory == "default" else inventory  # type: ignore[attr-defined]
    monkeypatch.setattr(context, "CLIARGS", {"inventory": given})
    monkeypatch.delenv("AWX_ISOLATED_DATA_DIR", raising=False)
    if runner:
        monkeypatch.setenv("AWX_ISOLATED_DATA_DIR", "/tmp/eda1/artifacts")
    assert asked_command("2", "errors", {"ansible_limit": limit, "sluice_environment": "live"}) == said


def test_what_level_auto_comes_to() -> None:
    def target(version: str) -> dict[str, Any]:
        return {"release": version, "version": version, "artifact": {"id": version}, "config": {"version": 1}}

    state = {
        "current": target("2"),
        "good": [target("2"), target("1")],
        "bad": [],
        "since": {"1": {"migrations": ["m"]}},
    }
    told = {"ansible_play_hosts": ["a", "b"], "hostvars": {"a": {"ansible_facts": {"sluice_journal": state}}, "b": {}}}
    assert (auto_level(told, []), auto_level(told, ["m"])) == (2, 3)
    assert auto_level({"ansible_play_hosts": ["b"], "hostvars": {"b": {}}}, []) is None

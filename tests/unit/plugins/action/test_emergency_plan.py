# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""emergency_plan answers out of what the journal has told before."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.action.emergency_plan import ActionModule
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError

CURRENT = {"version": "1.1.0", "artifact": {"id": "a"}, "config": {"version": 4}}


def ask(facts: dict[str, Any], *actions: str, level: str | None = None) -> dict[str, Any]:
    action = ActionModule.__new__(ActionModule)
    toggles = {"cache_off": {"env": {"CACHE_ENABLED": "false"}, "label": "no cache"}}
    options = {"undo": False, "driver": "pm2", "proxy": False, "level": level}
    return action.act(
        {"actions": list(actions), "toggles": toggles, **options},
        {"inventory_hostname": "app1", "ansible_facts": facts},
    )


def test_a_toggle_comes_to_a_configuration() -> None:
    found = ask({"sluice_journal": {"current": CURRENT}}, "cache_off")
    assert (found["does"], found["base"], found["variables"]) == ("config", 4, {"CACHE_ENABLED": "false"})
    assert (found["labels"], found["known"]) == (["no cache"], ["cache_off", "restart", "status"])


def test_the_status_needs_no_release() -> None:
    assert ask({"sluice_journal": {"current": None}}, "status")["lines"][0] == "runs: nothing is known"


def test_a_host_whose_journal_was_not_read() -> None:
    with pytest.raises(SluiceError, match="Cannot find what runs on app1: its journal was not read"):
        ask({}, "status")


def test_a_rollback_that_names_toggles_and_another_code() -> None:
    with pytest.raises(SluiceError, match="Cannot roll back by level 2: toggles were named"):
        ask({"sluice_journal": {"current": CURRENT}}, "cache_off", level="2")

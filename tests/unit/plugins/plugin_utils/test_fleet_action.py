# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.journal._fleet import Host
from ansible_collections.sluice.release.plugins.plugin_utils._fleet_action import failure_text, fleet


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

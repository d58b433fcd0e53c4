# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release_fleet_info puts together what the journals of all hosts say."""

from __future__ import annotations

from ansible_collections.sluice.release.plugins.action.release_fleet_info import ActionModule


def test_a_host_without_a_journal_is_a_line_of_the_answer() -> None:
    journal = {"current": {"version": "1.0.0", "artifact": {"id": "1-a"}}, "open": None, "last": None}
    hostvars = {"app1": {"ansible_facts": {"sluice_journal": journal}}, "app2": {}}
    names = ["app1", "app2"]
    variables = {"ansible_play_hosts": ["app1"], "ansible_play_hosts_all": names, "hostvars": hostvars}
    found = ActionModule.__new__(ActionModule).act({}, variables)
    assert [row["known"] for row in found["hosts"]] == [True, False]
    assert found["differences"] == ["app2: cannot be asked"]
    assert found["lines"][-1] == "app2: cannot be asked"

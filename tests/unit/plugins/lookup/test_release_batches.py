# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A play finds the batches of the profile, which an earlier one has read: by itself it knows none of its variables."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.lookup.release_batches import batches

ROOT = Path(__file__).resolve().parents[4]
PLAY = """
- hosts: sluice
  gather_facts: false
  tasks:
    - sluice.release.release_plan:
        kind: rollback
      run_once: true
- hosts: sluice
  gather_facts: false
  serial: "{{ query('sluice.release.release_batches') }}"
  tasks:
    - debug:
        msg: "batch {{ ansible_play_batch | join('+') }}"
      run_once: true
"""


def plan(moment: str, *said: Any) -> dict[str, Any]:
    return {"sluice_plan": {"release_id": moment, "batches": list(said)}}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ([], ["100%"]),
        ([{}, {"sluice_plan": None}], ["100%"]),
        ([plan("20261122T010000Z-1.1.0")], ["100%"]),
        ([plan("20261122T010000Z-1.1.0", 1, "100%"), {}], [1, "100%"]),
        # What a cache of facts has kept of another environment is no plan of this run.
        ([plan("20261121T010000Z-1.0.0", 5), plan("20261122T010000Z-1.1.0", 1)], [1]),
    ],
)
def test_the_newest_plan_counts(facts: list[dict[str, Any]], expected: list[Any]) -> None:
    assert batches(facts) == expected


def test_a_group_of_the_inventory_names_the_batches(tmp_path: Path) -> None:
    host = {"ansible_connection": "local"}
    profile = {"sluice_environment": "lab", "sluice_application": "shop", "sluice_batches": [1, "100%"]}
    group = {"hosts": dict.fromkeys(("a", "b", "c"), host), "vars": profile}
    (tmp_path / "hosts.json").write_text(json.dumps({"sluice": {"children": {"lab": group}}}))
    (tmp_path / "play.yml").write_text(PLAY)
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", tmp_path / "hosts.json", tmp_path / "play.yml"],
        # Not where the project's own ansible.cfg would be found.
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[-1].strip('"') for line in done.stdout.splitlines() if '"msg"' in line] == ["a", "b+c"]

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""restore_confirmation as ansible-playbook runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[4]
ID = "20261122T013000Z"
PREVIEW = {
    "restored": {"database": "shop", "backup_id": ID, "created": "2026-11-22T01:30:00+00:00"},
    "replaced": "shop__replaced_x",
    "losses": [{"table": "public.orders", "what": "rows", "rows_now": 12, "rows_in_backup": 10, "rows_lost": 2}],
}


def confirm(tmp_path: Path, *arguments: str, **options: Any) -> dict[str, Any]:
    """The result of the task, in a playbook that goes on when it fails."""
    task = {"backup_id": "latest", "confirmed": "{{ confirm_restore | default(false) }}", "application": "shop"}
    play = {
        "hosts": "all",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
        "tasks": [
            {"sluice.release.restore_confirmation": {**task, **options}, "register": "seen", "ignore_errors": True},
            {
                "ansible.builtin.copy": {"content": "{{ seen | to_json }}", "dest": str(tmp_path / "seen")},
                "check_mode": False,
            },
        ],
    }
    playbook = tmp_path / "some restore.yml"
    playbook.write_text(yaml.safe_dump([play]))
    command = [
        Path(sys.executable).with_name("ansible-playbook"),
        "-i",
        "localhost,",
        "-c",
        "local",
        *arguments,
        playbook,
    ]
    env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"), "ANSIBLE_LOCALHOST_WARNING": "False"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads((tmp_path / "seen").read_text())
    return found


def test_without_a_word_it_is_refused_with_the_command_to_run(tmp_path: Path) -> None:
    seen = confirm(tmp_path, "-l", "localhost", preview=PREVIEW, expected_seconds=3)
    assert seen["failed"]
    assert "it loses public.orders 2 rows of 12. Nothing has changed. Run ansible-playbook " in seen["msg"]
    assert f"some restore.yml' -i localhost, -l localhost -e backup_id={ID} -e confirm_restore={ID} to" in seen["msg"]
    assert seen["restore"] == {**PREVIEW, "confirmed": False}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-e", f"confirm_restore={ID}"], (ID, True)),
        (["--check"], ("latest", False)),
    ],
)
def test_with_a_word_or_in_check_mode_it_goes_on(
    tmp_path: Path, arguments: list[str], expected: tuple[str, bool]
) -> None:
    seen = confirm(tmp_path, *arguments, preview=PREVIEW)
    assert (seen["backup_id"], seen["confirmed"]) == expected
    assert "would take the place of database shop, and it loses public.orders" in seen["plan"]

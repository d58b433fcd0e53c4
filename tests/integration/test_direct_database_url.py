# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

"""The lookup of the direct URL under the real Ansible: variables that are templates, vaulted, missing or strange."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ROLES = ("backup", "backup_drill", "migrate", "restore")

# host -> its variables, and what the four roles connect to, or how the lookup fails
PROFILES: dict[str, tuple[dict[str, Any], str]] = {
    "pooled": ({"sluice_database_url": "url-{{ word }}", "word": "s3cret"}, "url-s3cret"),
    "by_secret": (
        {
            "sluice_database_url": "pooled",
            "sluice_env": {"DIRECT_DATABASE_URL": "plain"},
            # What another entry refers to need not exist here; an environment may itself be a template.
            "common": {"OTHER": "{{ missing }}", "DIRECT_DATABASE_URL": "{{ word }}"},
            "sluice_secrets": "{{ common }}",
            "word": "s3cret",
        },
        "s3cret",
    ),
    "by_env": (
        {
            "sluice_database_url": "{{ missing }}",
            "sluice_secrets": {"OTHER": "x", "DIRECT_DATABASE_URL": ""},
            "sluice_env": {"DIRECT_DATABASE_URL": "plain"},
        },
        "plain",
    ),
    "by_migration": (
        {"sluice_migration_url": "{{ word }}", "word": "s3cret", "sluice_env": None, "sluice_secrets": "{{ missing }}"},
        "s3cret",
    ),
    "broken": ({"sluice_migration_url": "{{ vaulted }}", "sluice_database_url": "s3cret"}, "'vaulted' is undefined"),
    "strange": ({"sluice_env": {"DIRECT_DATABASE_URL": ["s3cret"]}}, "Cannot find the URL of the database: DIRECT_"),
    "nothing": ({}, "Cannot find the URL of the database: none of sluice_"),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What each host of one play found, by host and role; texts of failures where it found none."""
    path = tmp_path_factory.mktemp("lookup")
    defaults = {
        name: value
        for role in ROLES
        for name, value in _load(ROOT / "roles" / role / "defaults" / "main.yml").items()
        if name in ("backup_database_url", "backup_drill_url", "migrate_database_url", "restore_database_url")
    }
    assert len(defaults) == len(ROLES)
    tasks = []
    for name in defaults:
        keep = {"ansible.builtin.set_fact": {f"found_{name}": f"{{{{ {name} }}}}"}}
        said = {"ansible.builtin.set_fact": {f"found_{name}": "{{ ansible_failed_result.msg }}"}}
        tasks.append({"name": name, "block": [keep], "rescue": [said]})
    content = {host: {name: f"{{{{ hostvars['{host}']['found_{name}'] }}}}" for name in defaults} for host in PROFILES}
    found = {"content": content, "dest": f"{path}/found.json", "mode": "0600"}
    tasks.append({"ansible.builtin.copy": found, "run_once": True})
    play = {"hosts": "all", "gather_facts": False, "vars": defaults, "tasks": tasks}
    (path / "play.yml").write_text(json.dumps([play]))
    common = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    hosts = {name: {**common, **variables} for name, (variables, _expected) in PROFILES.items()}
    (path / "hosts.yml").write_text(json.dumps({"all": {"hosts": hosts}}))
    (path / "ansible.cfg").touch()
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "hosts.yml", "play.yml"],
        cwd=path,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"), "ANSIBLE_CONFIG": "ansible.cfg"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "s3cret" not in done.stdout + done.stderr
    said: dict[str, dict[str, Any]] = json.loads((path / "found.json").read_text())
    return said


def _load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    return content


@pytest.mark.parametrize("host", ["pooled", "by_secret", "by_env", "by_migration"])
def test_the_four_roles_connect_to_the_most_direct_url(found: dict[str, dict[str, Any]], host: str) -> None:
    assert set(found[host].values()) == {PROFILES[host][1]}


@pytest.mark.parametrize("host", ["broken", "strange", "nothing"])
def test_a_profile_without_one_is_told_what_is_wrong_and_no_secret(found: dict[str, dict[str, Any]], host: str) -> None:
    if host == "nothing":
        # The commands of a migration may find the database by themselves.
        assert found[host].pop("migrate_database_url") == ""
    for message in found[host].values():
        assert PROFILES[host][1] in message
        assert "s3cret" not in message

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every playbook resolves in each of the three ways in which it is used."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))
TOOLS = Path(sys.executable).parent


def run(command: list[str], cwd: Path, home: Path, **settings: str) -> str:
    """Output of a command that must succeed, with nothing of the caller's Ansible: no setting, no ~/.ansible."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    env |= {"PATH": f"{TOOLS}{os.pathsep}{env['PATH']}", "HOME": str(home), "LC_ALL": "C.UTF-8", **settings}
    done = subprocess.run(
        command, cwd=cwd, env=env, text=True, timeout=120, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_from_a_checkout(checkout: Path, tmp_path: Path, playbook: str) -> None:
    output = run(["ansible-playbook", "--syntax-check", f"{playbook}.yml"], checkout, tmp_path)
    assert f"playbook: {playbook}.yml" in output


def test_from_a_checkout_whose_ansible_cfg_is_ignored(checkout: Path, tmp_path: Path) -> None:
    """As in a world-writable directory: the shim finds the collection beside it."""
    playbook = checkout / "deploy.yml"
    output = run(["ansible-playbook", "--syntax-check", "-i", "localhost,", str(playbook)], tmp_path, tmp_path)
    assert f"playbook: {playbook}" in output


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_from_the_installed_collection(installed: Path, tmp_path: Path, playbook: str) -> None:
    command = ["ansible-playbook", "--syntax-check", "-i", "localhost,", f"sluice.release.{playbook}"]
    output = run(command, tmp_path, tmp_path, ANSIBLE_COLLECTIONS_PATH=str(installed))
    assert "playbook: " in output


def test_the_documentation_of_the_installed_collection(installed: Path, tmp_path: Path) -> None:
    modules = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
    command = ["ansible-doc", "--list", "sluice.release"]
    listed = run(command, tmp_path, tmp_path, ANSIBLE_COLLECTIONS_PATH=str(installed), ANSIBLE_NOCOLOR="1")
    assert {line.split()[0] for line in listed.splitlines() if line.startswith("sluice.release.")} == {
        f"sluice.release.{module}" for module in modules
    }


@pytest.fixture(scope="session")
def private_data(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private data directory as AWX makes it: a copy of the project, an inventory that is a script."""
    directory = tmp_path_factory.mktemp("runner")
    shutil.copytree(checkout, directory / "project", symlinks=True)
    inventory = directory / "inventory" / "hosts"
    inventory.parent.mkdir()
    inventory.write_text('#!/bin/sh\necho \'{"sluice": {"hosts": ["app1"]}, "_meta": {"hostvars": {"app1": {}}}}\'\n')
    inventory.chmod(0o700)
    return directory


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_from_the_layout_of_ansible_runner(private_data: Path, tmp_path: Path, playbook: str) -> None:
    command = ["ansible-runner", "run", str(private_data), "-p", f"{playbook}.yml", "--cmdline=--syntax-check"]
    # AWX takes collections_path out of the project's ansible.cfg and puts it into the environment as it stands.
    collections = f"{tmp_path}/requirements_collections:collections"
    output = run(
        command, tmp_path, tmp_path, ANSIBLE_COLLECTIONS_PATH=collections, ANSIBLE_INVENTORY_UNPARSED_FAILED="1"
    )
    assert f"playbook: {playbook}.yml" in output

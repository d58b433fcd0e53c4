# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artifact holds, and what it must not hold."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = {
    "CHANGELOG.rst", "CONTRIBUTING.md", "COPYING", "FILES.json", "MANIFEST.json", "README.md", "changelogs", "docs",
    "extensions", "meta", "playbooks", "plugins", "requirements.yml", "roles",
}  # fmt: skip


@pytest.fixture(scope="module")
def members(artifact: Path) -> list[tarfile.TarInfo]:
    with tarfile.open(artifact) as archive:
        return archive.getmembers()


def test_nothing_of_the_project_is_in_it(members: list[tarfile.TarInfo]) -> None:
    assert {member.name.partition("/")[0] for member in members} <= SHIPPED


def test_no_state_cache_or_link_is_in_it(members: list[tarfile.TarInfo]) -> None:
    strange = ("/.", "__pycache__", "node_modules", ".pyc")
    names = [member.name for member in members if not member.name.endswith("/.gitkeep")]
    assert [name for name in names if any(mark in f"/{name}" for mark in strange)] == []
    assert [member.name for member in members if member.issym() or member.islnk()] == []


@pytest.mark.parametrize("kind", ["playbooks", "plugins", "roles", "meta"])
def test_every_file_of_the_collection_is_in_it(members: list[tarfile.TarInfo], checkout: Path, kind: str) -> None:
    inside = {member.name for member in members if member.isfile() and member.name.startswith(f"{kind}/")}
    assert inside == {str(path.relative_to(checkout)) for path in (checkout / kind).rglob("*") if path.is_file()}

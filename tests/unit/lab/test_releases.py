# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The releases of the sample application: that each can be made, is what it says, and comes out the same every time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sluice_lab import releases
from sluice_lab.lab import PROJECT

APP = PROJECT / "lab" / "app"
DIRECTORY = PROJECT / "lab" / "releases"
CATALOGUE = releases.catalogue(DIRECTORY)


def state(directory: Path) -> dict[str, tuple[int, int, bytes]]:
    """Everything in which two copies of a tree may differ: path -> (mode, time, content)."""
    return {
        path.relative_to(directory).as_posix(): (
            path.stat().st_mode,
            path.stat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in [directory, *directory.rglob("*")]
    }


@pytest.mark.parametrize("release", CATALOGUE.values(), ids=CATALOGUE.keys())
def test_a_release_carries_its_version_in_both_package_files(release: releases.Release) -> None:
    tree = releases.render(APP, DIRECTORY, release)
    lock = json.loads(tree["package-lock.json"])
    assert json.loads(tree["package.json"])["version"] == release.version
    assert lock["version"] == lock["packages"][""]["version"] == release.version


def test_releases_differ_only_by_their_patches() -> None:
    trees = {version: releases.render(APP, DIRECTORY, release) for version, release in CATALOGUE.items()}
    sources = {
        version: {name: text for name, text in tree.items() if "package" not in name} for version, tree in trees.items()
    }
    assert sources["1.0.0"] == {
        name: text for name, text in releases.read_sources(APP).items() if "package" not in name
    }
    assert set(sources["1.1.0"]) - set(sources["1.0.0"]) == {"migrations/1761000000000_add-discount.sql"}
    for version in set(CATALOGUE) - {"1.0.0", "1.1.0"}:
        changed = [name for name, text in sources[version].items() if sources["1.1.0"].get(name) != text]
        assert len(changed) == 1, f"{version} is 1.1.0 with one file changed"


def test_every_patch_is_used() -> None:
    used = {patch for release in CATALOGUE.values() for patch in release.patches}
    assert used == {path.name for path in DIRECTORY.glob("*.patch")}


def test_building_twice_gives_the_same_bytes_modes_and_times(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert releases.build_all(APP, DIRECTORY, first) == list(CATALOGUE)
    assert releases.build_all(APP, DIRECTORY, second) == list(CATALOGUE)
    for version in CATALOGUE:
        assert state(first / version) == state(second / version)


def test_a_second_build_changes_nothing_and_repairs_what_was_changed(tmp_path: Path) -> None:
    releases.build_all(APP, DIRECTORY, tmp_path)
    before = state(tmp_path)
    assert releases.build_all(APP, DIRECTORY, tmp_path) == []
    assert state(tmp_path) == before
    (tmp_path / "1.1.0" / "src" / "stray.js").write_text("")
    assert releases.build_all(APP, DIRECTORY, tmp_path) == ["1.1.0"]
    assert not (tmp_path / "1.1.0" / "src" / "stray.js").exists()


def test_what_npm_and_a_build_leave_is_no_source(tmp_path: Path) -> None:
    for name, text in releases.read_sources(APP).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for litter in ("node_modules/x/index.js", "dist/main.js", ".env"):
        (tmp_path / litter).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / litter).write_text("")
    assert releases.read_sources(tmp_path) == releases.read_sources(APP)


@pytest.mark.parametrize("lock", ["app", "pm2"])
def test_a_lock_file_names_no_registry(lock: str) -> None:
    packages = json.loads((PROJECT / "lab" / lock / "package-lock.json").read_text())["packages"]
    assert len(packages) > 1
    assert [name for name, package in packages.items() if "resolved" in package] == []

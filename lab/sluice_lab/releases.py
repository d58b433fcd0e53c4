# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The releases of the sample application: one source tree, and for each release the patches that make it."""

from __future__ import annotations

import json
import os
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError
from .patching import apply

# What belongs to a release; what npm and a build leave in the source tree does not.
SOURCES = ("package.json", "package-lock.json", "migrations", "scripts", "src")
# Every file has this time: an archive of a release is the same whenever it is made.
TIME = 1_760_000_000


@dataclass(frozen=True)
class Release:
    """One release: what it is for, and the patches over the source tree, in order."""

    version: str
    story: str
    patches: tuple[str, ...]


def catalogue(directory: Path) -> dict[str, Release]:
    """Read `releases.toml`: version -> release, in the order of the file."""
    data = tomllib.loads((directory / "releases.toml").read_text())
    return {version: Release(version, entry["story"], tuple(entry["patches"])) for version, entry in data.items()}


def read_sources(app: Path) -> dict[str, str]:
    """Return the application's sources: path -> text."""
    tree: dict[str, str] = {}
    for source in SOURCES:
        found = [app / source, *(app / source).rglob("*")]
        tree |= {path.relative_to(app).as_posix(): path.read_text() for path in found if path.is_file()}
    if "package.json" not in tree:
        raise LabError("read the sample application", f"{app / 'package.json'} does not exist")
    return tree


def render(app: Path, directory: Path, release: Release) -> dict[str, str]:
    """Return the source tree of one release: path -> text."""
    tree = read_sources(app)
    for patch in release.patches:
        tree = apply(tree, (directory / patch).read_text(), patch)
    for name in ("package.json", "package-lock.json"):
        package = json.loads(tree[name])
        package["version"] = release.version
        if "packages" in package:
            package["packages"][""]["version"] = release.version
        tree[name] = json.dumps(package, indent=2, ensure_ascii=False) + "\n"
    return tree


def on_disk(target: Path) -> dict[str, str] | None:
    """Return what lies in `target`, or None when it does not exist."""
    if not target.is_dir():
        return None
    return {path.relative_to(target).as_posix(): path.read_text() for path in target.rglob("*") if path.is_file()}


def write(tree: dict[str, str], target: Path) -> bool:
    """Make the directory `target` hold exactly `tree`; return whether anything changed."""
    if on_disk(target) == tree:
        return False
    temporary = target.with_name(f"{target.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    for name, text in sorted(tree.items()):
        path = temporary / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o644)
    for path in [*temporary.rglob("*"), temporary]:
        if path.is_dir():
            path.chmod(0o755)
        os.utime(path, (TIME, TIME))
    shutil.rmtree(target, ignore_errors=True)
    temporary.rename(target)
    return True


def build_all(app: Path, directory: Path, target: Path) -> list[str]:
    """Build every release into `target/<version>`; return the versions that changed."""
    target.mkdir(mode=0o755, parents=True, exist_ok=True)
    releases = catalogue(directory)
    return [
        version for version, release in releases.items() if write(render(app, directory, release), target / version)
    ]

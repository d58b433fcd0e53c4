# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab for all end-to-end tests, with servers, ports and secrets of its own.

SLUICE_E2E_DIRECTORY names a directory that is kept: the next run finds the lab as the last one left it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import needs
import pytest
from sluice_lab import services
from sluice_lab.lab import Lab
from world import ROOT, World


def npm_cache() -> Path:
    """One cache for all labs of this checkout, so that each package is fetched once."""
    shared = ROOT / ".lab" / "npm-cache"
    cache = shared if shared.is_dir() else ROOT / "build" / "npm-cache"
    cache.mkdir(parents=True, exist_ok=True)
    return cache


@contextlib.contextmanager
def place() -> Iterator[Path]:
    """A directory for everything, with a path so short that PM2's sockets fit."""
    kept = os.environ.get("SLUICE_E2E_DIRECTORY")
    directory = Path(kept) if kept else Path(tempfile.mkdtemp(prefix="sluice-e2e-", dir="/tmp"))
    directory.mkdir(parents=True, exist_ok=True)
    # As root, PostgreSQL runs as another user and must get through.
    directory.chmod(0o711)
    yield directory
    if not kept:
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """The lab, running, and a fresh copy of the project whose `.lab` it is."""
    with place() as directory:
        project, state = directory / "project", directory / "lab"
        needs.copy_checkout(project)
        (project / ".lab").symlink_to(state)
        for private in ("home", "tmp"):
            (directory / private).mkdir(mode=0o700, exist_ok=True)
        lab = Lab(project=project, state=state)
        lab.state.mkdir(mode=0o711, exist_ok=True)
        if not os.path.lexists(state / "npm-cache"):
            (state / "npm-cache").symlink_to(npm_cache())
        try:
            yield World(directory, services.up(lab))
        finally:
            services.down(lab)

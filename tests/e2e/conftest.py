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

import pytest

pytest.register_assert_rewrite("world")

from world import World, running


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
    with place() as directory, running(directory) as found:
        yield found

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab on a file system of its own, which can be full without anybody else noticing."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import needs
import pytest

pytest.register_assert_rewrite("world", "episodes")

from episodes import Site
from world import running

# The lab takes 300 MB, and its profile wants 512 to be free.
SIZE = "1500m"


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    directory = Path(tempfile.mkdtemp(prefix="sluice-faults-", dir="/tmp"))
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0711", "tmpfs", str(directory)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        directory.rmdir()
        if needs.IN_CI:
            raise needs.SetupError(f"Cannot mount a file system for the lab: {done.stderr.strip()}")
        pytest.skip(f"no file system that may be full: {done.stderr.strip()}")
    try:
        with running(directory) as world:
            yield Site(world)
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)
        os.rmdir(directory)

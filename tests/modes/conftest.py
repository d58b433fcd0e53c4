# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The project as its users get it: a fresh clone, the built artifact, the installed collection."""

from __future__ import annotations

from pathlib import Path

import needs
import pytest


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tarball of the collection, built from a clean copy."""
    return needs.build_artifact(tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("source") / "clone")


@pytest.fixture(scope="session")
def installed(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of collections that the artifact is installed in."""
    target = tmp_path_factory.mktemp("installed")
    needs.install_collection(artifact, target)
    return target


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project like a fresh clone: only what is, or will be, in the repository."""
    return needs.copy_checkout(tmp_path_factory.mktemp("checkout") / "project")

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine, and applications in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import docker
import pytest


@pytest.fixture(scope="session")
def engine(container_app: Callable[..., None]) -> Iterator[docker.DockerClient]:
    """An engine that has the images of two versions."""
    container_app("1.0.0", "1.1.0")
    client = docker.from_env()
    yield client
    client.close()

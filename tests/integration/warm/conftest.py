# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances to warm, and cache_warm for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from warm_site import Instance, Warm

from ansible_collections.sluice.release.plugins.modules import cache_warm


@pytest.fixture
def instance() -> Iterator[Instance]:
    server = Instance()
    yield server
    server.end()


@pytest.fixture
def warm(run_module: Any, instance: Instance) -> Warm:
    """Warms the instance, unless told otherwise, from a list of paths."""

    def run(*urls: str, check: bool = False, **options: Any) -> dict[str, Any]:
        named = {"url": instance.url, "sources": [{"urls": list(urls)}], "second_pass": 0, "timeout": 5, "budget": 60}
        result: dict[str, Any] = run_module(cache_warm.main, check=check, **{**named, **options})
        assert result.get("changed", False) is False
        assert "Traceback" not in str(result)
        return result

    return run

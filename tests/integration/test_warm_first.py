# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole releases by drivers whose instances have ports of their own: they are warm before anybody is led to them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit

import pytest

from ansible_collections.sluice.release.plugins.module_utils.journal import _store
from benchmarks.rollback.ground import Ground, with_compose, with_processes
from benchmarks.switching.site import VERSIONS

PAGES = [f"/page/{number}" for number in range(1, 41)]
WARM = {
    "warm_sources": [{"urls": PAGES}],
    "warm_hit_header": "X-Cache",
    "warm_until": {"hit_pct": 99},
    "warm_policy": "required",
}


def of_newest(ground: Ground) -> list[dict[str, Any]]:
    """What the journal has of the newest release."""
    entries = list(_store.read(str(ground.root / "state")))
    return [entry for entry in entries if entry["release"] == entries[-1]["release"]]


def assert_was_warm_first(ground: Ground) -> None:
    entries = of_newest(ground)
    (warming,) = (entry for entry in entries if entry.get("name") == "warming")
    # Within the stage that moves, and at an address that visitors do not come by.
    assert warming["stage"] == "switch"
    assert warming["data"]["address"] != urlsplit(ground.url).netloc
    assert (warming["data"]["warm"], warming["data"]["done"]) == (True, len(PAGES))


@pytest.mark.parametrize(
    ("site", "own"), [(with_processes, {}), (with_compose, {"warm_service": "api"})], ids=["process", "compose"]
)
def test_new_instances_are_warm_before_anybody_is_led_to_them(
    site: Callable[[], AbstractContextManager[Ground]], own: dict[str, Any]
) -> None:
    with site() as ground:
        ground.play("deploy.yml", release_version=VERSIONS[0])
        ground.extend(**{**ground.profile, **WARM, **own})
        ground.play("deploy.yml", release_version=VERSIONS[1])
        assert_was_warm_first(ground)
        if site is with_processes:
            ground.play("rollback.yml", rollback_level=2, warm_rollback=True)
            assert_was_warm_first(ground)

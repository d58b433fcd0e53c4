# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes no sense is refused before anything is asked, all of it at once."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.cache._model import CACHE_SPEC, CHECK_SPEC, validate

BYPASS = {"bypass_headers": {"Cache-Control": "no-cache"}}


def check(**said: Any) -> dict[str, Any]:
    defaults = {name: option.get("default") for name, option in CHECK_SPEC.items()}
    return {**defaults, "name": "c", **said}


def params(*checks: dict[str, Any], **said: Any) -> dict[str, Any]:
    defaults = {name: option.get("default") for name, option in CACHE_SPEC.items()}
    known = {"base_url": "http://127.0.0.1", "redis_url": "redis://127.0.0.1"}
    return {**defaults, **known, "checks": list(checks), **said}


@pytest.mark.parametrize(
    "good",
    [
        params(check(type="consistency", paths=["/a"], ignore=["at"], **BYPASS), redis_url=None),
        params(check(type="speedup", paths=["/a"], bypass_query={"fresh": 1}, rounds=1, min_score=80.0)),
        params(check(type="keys", pattern="cache:*", min_ttl=1.0, max_ttl=60.0, max_without_ttl=0), base_url=None),
        params(check(type="memory", max_used_pct=80.0)),
        params(check(type="memory", max_evicted=0), observe=1.0),
        params(check(type="hit_ratio", crit_pct=60.0, warn_pct=80.0), observe=1.0),
        params(check(type="hit_ratio", warn_pct=80.0, since={"hits": 0, "misses": 0})),
    ],
)
def test_what_makes_sense_passes(good: dict[str, Any]) -> None:
    validate(good)


KEYS = check(type="keys", pattern="cache:*")


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (params(), "there is none, so nothing would be proven"),
        (params(KEYS, KEYS), "the name c is used more than once"),
        (params(KEYS, observe=-1.0), "observe is -1, it must be 0 or more"),
        (params(KEYS, timeout=0.0), "timeout is 0, it must be above 0"),
        (params(KEYS, min_score=101.0), "min_score is 101, it must be from 0 to 100"),
        (params(KEYS, redis_url=None), "redis_url is needed for type keys"),
        (params(check(type="speedup", paths=["/a"], **BYPASS), base_url=None), "base_url is needed for type speedup"),
        (params(check(type="keys", pattern="a:*", paths=["/a"])), "c: paths does not belong to type keys"),
        (params(check(type="keys", pattern="*")), "c: its pattern is missing, or matches every key"),
        (params(check(type="keys")), "c: its pattern is missing, or matches every key"),
        (params(check(type="keys", pattern="a", max_ttl=0.0)), "c: max_ttl is 0, it must be above 0"),
        (params(check(type="keys", pattern="a", min_ttl=9.0, max_ttl=8.0)), "c: min_ttl 9 is above max_ttl 8"),
        (params(check(type="keys", pattern="a", min_count=2, max_count=1)), "c: min_count 2 is above max_count 1"),
        (params(check(type="memory")), "c: it has no limit"),
        (params(check(type="memory", max_used_pct=120.0)), "c: max_used_pct is 120, it must be from 0 to 100"),
        (params(check(type="memory", max_evicted=0)), "c: max_evicted needs two looks; set observe"),
        (params(check(type="hit_ratio"), observe=1.0), "c: it has neither warn_pct nor crit_pct"),
        (params(check(type="hit_ratio", crit_pct=60.0)), "c: a ratio needs two looks; set observe or since"),
        (
            params(check(type="hit_ratio", crit_pct=90.0, warn_pct=80.0), observe=1.0),
            "crit_pct 90 is above warn_pct 80",
        ),
        (params(check(type="consistency", **BYPASS)), "c: it has no paths"),
        (params(check(type="consistency", paths=["/a"])), "so the cache would be compared with itself"),
        (params(check(type="consistency", paths=["a"], **BYPASS)), "c: a is no path"),
        (params(check(type="speedup", paths=["/a"], rounds=0, **BYPASS)), "c: rounds is 0, it must be 1 or more"),
        (params({**KEYS, "weight": -1.0}), "c: weight is -1, it must be 0 or more"),
    ],
)
def test_what_makes_no_sense_is_refused(bad: dict[str, Any], problem: str) -> None:
    with pytest.raises(SluiceError) as caught:
        validate(bad)
    assert str(caught.value).startswith("Cannot use the checks of the cache: ")
    assert problem in str(caught.value)


def test_everything_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(SluiceError) as caught:
        validate(params(check(type="keys"), check(name="d", type="memory"), timeout=-1.0))
    assert str(caught.value).count(";") == 2

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies in Redis, judged by one look or by two."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.cache._contents import Key, Look, counters, judge
from ansible_collections.sluice.release.plugins.module_utils.cache._model import CHECK_SPEC

MB = 1024 * 1024


def check(of_type: str, **said: Any) -> dict[str, Any]:
    return {**dict.fromkeys(CHECK_SPEC), "name": "c", "type": of_type, "pattern": "cache:*", **said}


def look(*keys: Key, modules: tuple[str, ...] = (), **info: Any) -> Look:
    said = {"used_memory": 10 * MB, **info}
    return Look(said, said, modules, {"c": keys})


SHORT, LONG, EVER = Key("short", "string", 10.0), Key("long", "hash", 5000.0), Key("ever", "string", None)


@pytest.mark.parametrize(
    ("said", "passed", "reason"),
    [
        ({}, True, "3 keys under cache:*"),
        ({"max_without_ttl": 1}, True, "3 keys"),
        ({"max_without_ttl": 0}, False, "ever will never end, 1 in all, at most 0 may"),
        ({"max_ttl": 3600.0}, False, "long does not end within 3600 s"),
        ({"min_ttl": 60.0}, False, "short ends within 60 s"),
        ({"kind": "hash"}, False, "short, ever is no hash"),
        ({"min_count": 4}, False, "3 keys under cache:*, at least 4 must be there"),
        ({"max_count": 2}, False, "3 keys under cache:*, at most 2 may be there"),
        ({"needs_module": "ReJSON", "min_count": 9}, True, "left out, for the server has no ReJSON"),
    ],
)
def test_keys(said: dict[str, Any], passed: bool, reason: str) -> None:
    verdict = judge(check("keys", **said), [look(SHORT, LONG, EVER)])
    assert verdict.passed == passed
    assert reason in verdict.reason


def test_a_module_that_is_there_is_no_reason_to_leave_keys_out() -> None:
    wanted = check("keys", needs_module="ReJSON", kind="ReJSON-RL", min_count=1)
    document = Key("vessel", "ReJSON-RL", None)
    assert judge(wanted, [look(document, modules=("rejson",))]).passed
    assert not judge(wanted, [look(modules=("rejson",))]).passed


def test_no_more_than_five_names_are_said() -> None:
    many = [Key(f"k{number}", "string", None) for number in range(9)]
    assert "k0, k1, k2, k3, k4 and 4 more" in judge(check("keys", max_without_ttl=0), [look(*many)]).reason


@pytest.mark.parametrize(
    ("said", "info", "passed", "reason"),
    [
        ({"max_used_mb": 16.0}, {}, True, "10.0 MB used"),
        ({"max_used_mb": 9.0}, {}, False, "10.0 MB are used, at most 9 may be"),
        ({"max_used_pct": 60.0}, {"maxmemory": 20 * MB}, True, "50 % of its maxmemory"),
        ({"max_used_pct": 40.0}, {"maxmemory": 20 * MB}, False, "50 % of its maxmemory are used, at most 40 % may be"),
        ({"max_used_pct": 40.0}, {"maxmemory": 0}, False, "it has no maxmemory"),
        ({"max_evicted": 2}, {"evicted_keys": 7}, True, "10.0 MB used"),
        ({"max_evicted": 1}, {"evicted_keys": 7}, False, "2 keys evicted meanwhile, at most 1 may be"),
    ],
)
def test_memory(said: dict[str, Any], info: dict[str, Any], passed: bool, reason: str) -> None:
    verdict = judge(check("memory", **said), [look(**{**info, "evicted_keys": 5}), look(**info)])
    if "evicted_keys" in info:
        assert verdict.found["evicted"] == 2
    assert verdict.passed == passed
    assert reason in verdict.reason


def ratio(before: tuple[int, int], after: tuple[int, int], **said: Any) -> Any:
    looks = [look(keyspace_hits=hits, keyspace_misses=misses) for hits, misses in (before, after)]
    return judge(check("hit_ratio", warn_pct=80.0, crit_pct=60.0, **said), looks)


@pytest.mark.parametrize(
    ("hits", "misses", "passed", "warned", "reason"),
    [
        (90, 10, True, False, "90.0 % of 100 lookups were hits"),
        # By profile 000, 75 % is a success that shows yellow.
        (75, 25, True, True, "75.0 % of 100 lookups were hits, below 80 %"),
        (59, 41, False, False, "59.0 % of 100 lookups were hits, below 60 %"),
        (49, 0, None, False, "only 49 lookups, at least 50 are needed to judge"),
    ],
)
def test_the_ratio_of_what_was_looked_up_meanwhile(
    hits: int, misses: int, passed: bool | None, warned: bool, reason: str
) -> None:
    verdict = ratio((1000, 9000), (1000 + hits, 9000 + misses))
    assert (verdict.passed, verdict.warned, verdict.reason) == (passed, warned, reason)


def test_the_ratio_since_an_earlier_call() -> None:
    verdict = ratio((0, 0), (180, 20), since={"hits": 80, "misses": 20})
    assert verdict.found == {"hits": 100, "misses": 0, "hit_pct": 100.0}


def test_a_server_that_began_to_count_anew_is_not_judged() -> None:
    assert ratio((1000, 10), (5, 5)).passed is None


def test_no_lookup_at_all_is_no_ratio() -> None:
    assert ratio((5, 5), (5, 5), min_lookups=0).passed is None
    assert counters({}) == {"hits": 0, "misses": 0}


def test_what_the_checks_themselves_look_up_does_not_count() -> None:
    first = Look({"keyspace_hits": 0, "keyspace_misses": 0}, {"keyspace_hits": 500, "keyspace_misses": 0}, (), {})
    last = Look({"keyspace_hits": 540, "keyspace_misses": 60}, {"keyspace_hits": 9999, "keyspace_misses": 60}, (), {})
    verdict = judge(check("hit_ratio", crit_pct=60.0), [first, last])
    assert verdict.found == {"hits": 40, "misses": 60, "hit_pct": 40.0}

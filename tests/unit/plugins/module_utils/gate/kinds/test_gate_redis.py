# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check of Redis makes of a look, without a server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._redis import moment_of
from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Measure, Sample
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._redis import Answer, Keys, Look

REDIS: dict[str, Any] = {"type": "redis", "redis_url": "redis://:geheim@127.0.0.1:6379/0"}
MEMORY = {**REDIS, "value": "used_memory_bytes", "crit": 1000}
KEYS = {**REDIS, "value": "keys_count", "keys": "lock:*", "crit": 10}
PRIMARY = {
    "role": "master", "connected_slaves": 2, "master_repl_offset": 1000, "used_memory": 700, "maxmemory": 1000,
    "slave0": {"state": "online", "offset": 900, "lag": 1}, "slave1": {"state": "online", "offset": 400, "lag": 3},
}  # fmt: skip
REPLICA = {"role": "slave", "master_link_status": "up", "master_last_io_seconds_ago": 4}
ALONE = {"role": "master", "connected_slaves": 0, "maxmemory": 0}
MeasureOf = Callable[..., Measure]


def of_value(value: str, **options: Any) -> dict[str, Any]:
    return {**REDIS, "value": value, **options}


def only(it: Measure, answer: Answer) -> Sample:
    sample = it.sample(0.0, answer)
    assert sample is not None
    return sample


@pytest.mark.parametrize(
    ("raw", "answer", "value", "good", "note"),
    [
        (of_value("connected"), Answer(latency_ms=1), "connected", True, ""),
        (of_value("connected", expect="connected"), Answer(latency_ms=1), "connected", True, ""),
        (of_value("connected"), Answer("refused"), "unreachable", False, "could not be reached (refused)"),
        (of_value("latency_ms", crit=5), Answer(latency_ms=1.5), 1.5, None, ""),
        (of_value("latency_ms", crit=5), Answer("gone"), None, None, "could not be reached (gone)"),
        (of_value("authentication"), Answer(open_to_all=False), "required", True, ""),
        (
            of_value("authentication"), Answer(open_to_all=True), "not required", False,
            "obeys somebody who has not authenticated",
        ),
        (MEMORY, Answer(info=PRIMARY), 700, None, ""),
        ({**MEMORY, "scale": 0.001}, Answer(info=PRIMARY), 0.7, None, ""),
        (
            MEMORY, Answer(faults={"info": "no permissions"}), None, None,
            "says nothing of itself (no permissions)",
        ),
        (of_value("used_memory_pct", crit=90), Answer(info=PRIMARY), 70, None, ""),
        (
            of_value("used_memory_pct", crit=90), Answer(info=ALONE), None, None,
            "used_memory_pct is not known (it has no maxmemory)",
        ),
        (of_value("connected_replicas", expect=2), Answer(info=PRIMARY), "2", True, ""),
        (of_value("role", expect="master"), Answer(info=REPLICA), "slave", False, "was slave instead of master"),
        (of_value("replication_link"), Answer(info=REPLICA), "up", True, ""),
        (
            of_value("replication_link"), Answer(info={**REPLICA, "master_link_status": "down"}), "down", False,
            "has lost the link to its primary",
        ),
        (
            of_value("replication_link"), Answer(info=PRIMARY), None, None,
            "replication_link is not known (it is no replica)",
        ),
        (of_value("replication_lag_seconds", crit=9), Answer(info=PRIMARY), 3, None, ""),
        (of_value("replication_lag_seconds", crit=9), Answer(info=REPLICA), 4, None, ""),
        (
            of_value("replication_lag_seconds", crit=9), Answer(info=ALONE), None, None,
            "replication_lag_seconds is not known (it has no replica)",
        ),
        (of_value("replication_lag_bytes", crit=9), Answer(info=PRIMARY), 600, None, ""),
        (
            of_value("replication_lag_bytes", crit=9), Answer(info=REPLICA), None, None,
            "replication_lag_bytes is not known (only its primary can tell)",
        ),
        (KEYS, Answer(keys=Keys(3)), 3, None, ""),
        (of_value("keys_count", keys="cron:*", expect=1), Answer(keys=Keys(1)), "1", True, ""),
        (of_value("keys_count", keys="cron:*", expect=1), Answer(keys=Keys(2)), "2", False, "was 2 instead of 1"),
        (KEYS, Answer(faults={"keys": "NOPERM"}), None, None, "its keys cannot be looked at (NOPERM)"),
        ({**KEYS, "value": "keys_without_ttl"}, Answer(keys=Keys(3, 2)), 2, None, ""),
        ({**KEYS, "value": "keys_min_ttl_seconds"}, Answer(keys=Keys(3, 0, 4.5)), 4.5, None, ""),
        (
            {**KEYS, "value": "keys_min_ttl_seconds"}, Answer(keys=Keys(3, 3)), None, None,
            "keys_min_ttl_seconds is not known (none of its keys expires)",
        ),
        (
            {**KEYS, "value": "heartbeat_age_seconds"}, Answer(keys=Keys(0)), None, None,
            "heartbeat_age_seconds is not known (no key matches lock:*)",
        ),
        ({**KEYS, "value": "heartbeat_age_seconds"}, Answer(keys=Keys(2, oldest=61.0)), 61, None, ""),
        (
            {**KEYS, "value": "heartbeat_age_seconds"}, Answer(keys=Keys(2, fault="w:1 holds no time")), None, None,
            "heartbeat_age_seconds is not known (w:1 holds no time)",
        ),
    ],
)  # fmt: skip
def test_one_look(
    measure: MeasureOf, raw: dict[str, Any], answer: Answer, value: Any, good: bool | None, note: str
) -> None:
    sample = only(measure(raw), answer)
    assert sample.value == (pytest.approx(value) if isinstance(value, float) else value)
    assert (sample.good, sample.note) == (good, note)


def counted(t: float, hits: int, misses: int = 0, run: str = "a", **more: Any) -> tuple[float, Answer]:
    return t, Answer(info={"run_id": run, "keyspace_hits": hits, "keyspace_misses": misses, **more})


@pytest.mark.parametrize(
    ("options", "looks", "values"),
    [
        # What the server counted before the gate began is none of its business.
        ({}, [counted(0, 900, 900), counted(1, 909, 901), counted(2, 909, 911)], [None, 90, 45]),
        # A window forgets.
        ({"window": 2}, [counted(0, 0), counted(1, 0, 10), counted(2, 10, 10), counted(3, 20, 10)], [None, 0, 50, 100]),
        # A restart counts from 0 again.
        ({}, [counted(0, 500, 500), counted(1, 508, 502), counted(2, 9, 1, run="b")], [None, 80, 85]),
        # Too few reads mean nothing.
        ({"min_events": 10}, [counted(0, 0), counted(1, 3, 2), counted(2, 8, 2)], [None, None, 80]),
        # Cold caches are let off.
        ({"grace": 2}, [counted(0, 0), counted(1, 0, 50), counted(2, 0, 90), counted(3, 10, 90)], [None, 0, None, 100]),
    ],
)
def test_hit_ratio(
    measure: MeasureOf, options: dict[str, Any], looks: list[tuple[float, Answer]], values: list[float | None]
) -> None:
    it = measure(of_value("hit_ratio_pct", crit=60, **options))
    samples = [it.sample(t, answer) for t, answer in looks]
    assert [sample and sample.value for sample in samples] == values


@pytest.mark.parametrize(
    ("grace", "looks", "values"),
    [
        (0, [(0, 100, "a"), (1, 100, "a"), (2, 103, "a"), (3, 2, "b")], [None, 0, 3, 5]),
        (2, [(0, 100, "a"), (1, 150, "a"), (2, 160, "a"), (3, 161, "a")], [None, 50, 0, 1]),
    ],
)
def test_what_the_server_counts_is_its_growth(
    measure: MeasureOf, grace: float, looks: list[tuple[float, int, str]], values: list[float | None]
) -> None:
    it = measure(of_value("evicted_keys", crit=1, grace=grace))
    samples = [it.sample(t, Answer(info={"run_id": run, "evicted_keys": count})) for t, count, run in looks]
    assert [sample and sample.value for sample in samples] == values


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1763803800", 1763803800),
        ("1763803800.25", 1763803800.25),
        ("1763803800250", 1763803800.25),
        ('"1763803800"', 1763803800),
        ("2025-11-22T09:30:00Z", 1763803800),
        ("2025-11-22T09:30:00.250Z", 1763803800.25),
        ("2025-11-22T09:30:00.2501234Z", 1763803800.250123),
        ("2025-11-22T10:30:00+01:00", 1763803800),
        ("2025-11-22 09:30:00", 1763803800),
        ("worker-1", None),
        ("nan", None),
        ("", None),
    ],
)
def test_the_time_in_a_heartbeat(text: str, moment: float | None) -> None:
    assert moment_of(text) == (None if moment is None else pytest.approx(moment, abs=1e-4))


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ({**MEMORY, "redis_url": None}, "its redis_url must be redis://host"),
        ({**MEMORY, "redis_url": "http://:geheim@h/"}, "its redis_url must be redis://host"),
        ({**MEMORY, "redis_url": "redis://:geheim@h:x/"}, "its redis_url must be redis://host"),
        ({**MEMORY, "value": None}, "it has no value"),
        ({**MEMORY, "value": "used_memory"}, "did you mean used_memory_"),
        ({**MEMORY, "keys": "x"}, "keys belongs to the values keys_count"),
        ({**KEYS, "keys": None}, "keys_count needs keys, a pattern"),
        ({**KEYS, "query": "a["}, "query is no JMESPath expression"),
        (of_value("role", crit=1), "role is a state and needs expect"),
        (of_value("connected", crit=1), "crit cannot go with such a value"),
        ({**MEMORY, "crit": None}, "it has no limit"),
        ({**MEMORY, "database_url": "postgresql://h/x"}, "database_url does not belong to type redis"),
    ],
)
def test_what_makes_no_sense_is_refused(refused: Callable[..., str], raw: dict[str, Any], problem: str) -> None:
    message = refused(raw)
    assert problem in message
    assert "geheim" not in message


@pytest.mark.parametrize("value", ["hit_ratio_pct", "evicted_keys", "rejected_connections"])
def test_growth_needs_two_looks(refused: Callable[..., str], value: str) -> None:
    assert "needs two looks; set duration" in refused(of_value(value, crit=1), duration=0)


def test_one_look_serves_all_checks_of_a_server(checks: Callable[..., list[Check]]) -> None:
    raws = [
        of_value("connected"), MEMORY, of_value("authentication"), KEYS,
        {**KEYS, "value": "heartbeat_age_seconds"}, {**KEYS, "keys": "other:*"}, of_value("connected", timeout=1),
    ]  # fmt: skip
    looks = [check.target for check in checks(*raws)]
    assert looks[0] == looks[1] == looks[2] == Look(REDIS["redis_url"], ("authentication", "info"))
    assert looks[3] == looks[4] == Look(REDIS["redis_url"], ("ages", "keys"), "lock:*")
    assert looks[5] == Look(REDIS["redis_url"], ("keys",), "other:*")
    assert looks[6] == Look(REDIS["redis_url"], (), timeout=1.0)
    assert "geheim" not in repr(looks)


@pytest.mark.parametrize(
    ("value", "unit", "direction"),
    [
        ("used_memory_bytes", "B", "above"),
        ("hit_ratio_pct", "%", "below"),
        ("keys_min_ttl_seconds", "s", "below"),
        ("latency_ms", "ms", "above"),
        ("keys_count", "", "above"),
    ],
)
def test_units_and_directions(checks: Callable[..., list[Check]], value: str, unit: str, direction: str) -> None:
    (check,) = checks(of_value(value, crit=1, keys="x" if "keys" in value else None))
    assert (check.unit, check.limits.direction) == (unit, direction)

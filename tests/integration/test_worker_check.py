# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""worker_check against a real Valkey, with keys as workers leave them there."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from ansible_collections.sluice.release.plugins.modules import worker_check

HOLDER = "worker-7-0f-s0m3-h0st"


@pytest.fixture
def own_url(redis_url: str) -> str:
    """A database that no other test looks at."""
    return redis_url.rpartition("/")[0] + "/9"


@pytest.fixture
def store(own_url: str) -> Iterator[Any]:
    with redis.Redis.from_url(own_url) as client:
        yield client
        client.flushdb()


Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(own_url: str, run_module: Any) -> Run:
    def check(*checks: dict[str, Any], **options: Any) -> dict[str, Any]:
        result: dict[str, Any] = run_module(
            worker_check.main, url=own_url, checks=[{"name": "it", **one} for one in checks], **options
        )
        assert HOLDER not in json.dumps(result)
        return result

    return check


LOCKS = {"type": "locks", "pattern": "lock:*"}
JOBS = {"type": "singletons", "pattern": "cron:{job}", "jobs": ["digest", "cleanup"]}


def test_a_lock_has_an_end(run: Run, store: Any) -> None:
    store.set("lock:a", HOLDER, px=5000)
    assert run(LOCKS)["gates"][0]["reason"] == "it: 1 lock under lock:*, each with an end"
    store.set("lock:b", HOLDER)
    result = run(LOCKS)
    assert result["msg"] == "Cannot pass the checks of the workers: 1 of 1 check is red: it: lock:b will never expire."
    assert result["gates"][0]["found"] == {"keys": 2, "without_ttl": 1, "past_max_ttl": 0}
    store.expire("lock:b", 500)
    assert "lock:b will not expire within 60 s" in run({**LOCKS, "max_ttl": 60})["msg"]


def test_a_lock_that_is_held_is_renewed(run: Run, store: Any) -> None:
    store.set("lock:a", HOLDER, px=5000)
    assert "lock:a was not renewed in 0." in run({**LOCKS, "renewed": True}, observe=0.6)["msg"]
    over = threading.Event()

    def renew() -> None:
        while not over.wait(0.02):
            store.pexpire("lock:a", 5000)

    worker = threading.Thread(target=renew)
    worker.start()
    try:
        result = run({**LOCKS, "renewed": True}, observe=0.6)
    finally:
        over.set()
        worker.join()
    assert result["verdict"] == "green", result
    assert result["gates"][0]["found"]["held"] == 1
    # One that somebody else has taken over in the meantime, or that has gone, is none that was held.
    store.set("lock:a", HOLDER, px=100)
    assert run({**LOCKS, "renewed": True}, observe=0.6)["gates"][0]["found"]["held"] == 0


@pytest.mark.parametrize(
    ("write", "options"),
    [
        (str, {}),
        (lambda moment: str(int(moment * 1000)), {}),
        (lambda moment: json.dumps({"at": moment, "host": HOLDER}), {"query": "at"}),
        (lambda moment: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment)), {}),
    ],
)
def test_a_heartbeat_is_as_old_as_it_says(
    run: Run, store: Any, write: Callable[[float], str], options: dict[str, Any]
) -> None:
    check = {"type": "heartbeats", "pattern": "beat:*", "max_age": 30, **options}
    store.set("beat:1", write(time.time() - 5))
    result = run(check)
    assert 4 < result["gates"][0]["found"]["oldest_seconds"] < 8
    store.set("beat:2", write(time.time() - 60))
    assert "beat:2 is older than 30 s" in run(check)["msg"]
    assert "at least 3 must be there" in run({**check, "max_age": 90, "min_count": 3})["msg"]


def test_a_heartbeat_that_holds_no_time_is_as_old_as_its_ttl_says(run: Run, store: Any) -> None:
    store.set("beat:1", HOLDER, px=9000)
    check = {"type": "heartbeats", "pattern": "beat:*", "max_age": 5}
    assert run({**check, "lifetime": 10})["verdict"] == "green"
    assert "beat:1 is older than 5 s, the oldest 11." in run({**check, "lifetime": 20})["msg"]
    assert "beat:1 does not tell when it was written" in run(check)["msg"]
    store.delete("beat:1")
    assert "0 heartbeats under beat:*, at least 1 must be there" in run(check)["msg"]


def test_a_singleton_job_has_exactly_one_holder(run: Run, store: Any) -> None:
    store.set("cron:digest", HOLDER)
    store.sadd("cron:cleanup", HOLDER)
    assert run(JOBS)["gates"][0]["found"] == {"holders": {"digest": 1, "cleanup": 1}}
    store.sadd("cron:cleanup", "another")
    store.delete("cron:digest")
    reason = "it: nobody holds digest; more than one holds cleanup (2)"
    assert run(JOBS, fail_on_red=False)["gates"][0]["reason"] == reason
    keys = {**JOBS, "pattern": "cron:{job}:holder:*"}
    store.set("cron:digest:holder:1", "x")
    store.mset({"cron:cleanup:holder:1": "x", "cron:cleanup:holder:2": "x"})
    assert run(keys, fail_on_red=False)["gates"][0]["found"] == {"holders": {"digest": 1, "cleanup": 2}}


def test_an_optional_check_costs_score(run: Run, store: Any) -> None:
    store.set("lock:a", HOLDER, px=5000)
    result = run(LOCKS, {**JOBS, "name": "jobs", "optional": True})
    assert (result["verdict"], result["score"]) == ("yellow", 50.0)


def test_a_redis_that_is_away_fails_every_check(run_module: Any, redis_url: str) -> None:
    for url in ("redis://:w0rd@127.0.0.1:1/0", redis_url.replace("redis://:", "redis://:not-")):
        result = run_module(worker_check.main, url=url, checks=[{"name": "it", **LOCKS}], timeout=2)
        assert "it: Redis does not answer: " in result["msg"]
        assert "w0rd" not in json.dumps(result)


@pytest.mark.parametrize(
    ("checks", "options", "message"),
    [
        ([], {}, "there is none"),
        ([LOCKS, LOCKS], {}, "the name it is used more than once"),
        ([{**LOCKS, "renewed": True}], {}, "renewed needs two looks; set observe"),
        ([{**LOCKS, "jobs": ["a"]}], {}, "jobs does not belong to type locks"),
        ([{"type": "locks", "pattern": "**"}], {}, "its pattern matches every key"),
        ([{"type": "heartbeats", "pattern": "a:*"}], {}, "it has no max_age"),
        ([{"type": "heartbeats", "pattern": "a:*", "max_age": 5, "lifetime": 5}], {}, "so max_age must be less"),
        ([{"type": "heartbeats", "pattern": "a:*", "max_age": 5, "query": "["}], {}, "query is no JMESPath"),
        ([{**JOBS, "pattern": "cron:*"}], {}, "its pattern has no {job}"),
        ([{**JOBS, "jobs": []}], {}, "it has no jobs"),
        ([{**LOCKS, "min_count": 3, "max_count": 2}], {}, "min_count 3 is above max_count 2"),
        ([LOCKS], {"observe": -1, "timeout": 0, "min_score": 101}, "observe is -1, it must be 0 or more; timeout is 0"),
    ],
)
def test_checks_that_make_no_sense_are_refused(
    run: Run, checks: list[dict[str, Any]], options: dict[str, Any], message: str
) -> None:
    result = run(*checks, **options)
    assert result["msg"].startswith("Cannot use the checks of the workers: ")
    assert message in result["msg"]
    assert "verdict" not in result

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When requests leave, which of them are drawn for the second pass, and what options make of a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.warm._http_feed import Feed
from ansible_collections.sluice.release.plugins.module_utils.warm._http_options import WARM_SPEC, Task, read
from ansible_collections.sluice.release.plugins.module_utils.warm._http_warm import _Sample
from ansible_collections.sluice.release.plugins.module_utils.warm._model import Request
from ansible_collections.sluice.release.plugins.module_utils.warm._sources_common import AGAIN, READ_BEFORE, Item
from ansible_collections.sluice.release.plugins.module_utils.warm._sources_log import AccessLog, parse_combined


class Sending:
    """Stands for a Sender with so many connections: it remembers what has left, and when."""

    def __init__(self, connections: int = 100) -> None:
        self.connections = connections
        self.active = 0
        self.now = 0.0
        self.sent: list[tuple[float, str]] = []

    @property
    def room(self) -> int:
        return self.connections - self.active

    def send(self, request: Request) -> None:
        self.active += 1
        self.sent.append((self.now, request.path))


def feed(items: Sequence[Item], sender: Sending, rate: float = 0.0) -> Feed:
    return Feed(iter(items), sender, rate)


PATHS = [Request(f"/{number}") for number in range(9)]


def test_as_many_leave_as_there_are_connections() -> None:
    sender = Sending(connections=4)
    feeding = feed(PATHS, sender)
    assert feeding.fill(0.0) > 0
    assert [path for _when, path in sender.sent] == ["/0", "/1", "/2", "/3"]
    sender.active = 1
    feeding.fill(0.0)
    assert len(sender.sent) == 7
    sender.active = 0
    feeding.fill(0.0)
    assert len(sender.sent) == 9
    assert not feeding.is_done
    sender.active = 0
    feeding.fill(0.0)
    assert feeding.is_done


def test_what_takes_long_waits_for_what_is_under_way() -> None:
    sender = Sending()
    feeding = feed([PATHS[0], READ_BEFORE, PATHS[1]], sender)
    feeding.fill(0.0)
    feeding.fill(0.0)
    assert (len(sender.sent), feeding.is_calm) == (1, False)
    sender.active = 0
    assert feeding.is_calm
    feeding.fill(0.0)
    assert len(sender.sent) == 2


def test_whoever_comes_up_for_air_is_asked_again_at_once() -> None:
    sender = Sending()
    feeding = feed([AGAIN, PATHS[0]], sender)
    assert feeding.fill(0.0) == 0.0
    assert sender.sent == []
    feeding.fill(0.0)
    assert len(sender.sent) == 1


def test_the_clock_says_when_the_next_may_leave() -> None:
    sender = Sending()
    feeding = feed(PATHS, sender, rate=10)
    for tick in range(41):
        sender.now = 5 + tick / 100
        wait = feeding.fill(sender.now)
        assert 0 < wait <= 0.1 + 1e-9
    assert [round(when, 2) for when, _path in sender.sent] == [5.0, 5.1, 5.2, 5.3, 5.4]


def test_what_was_missed_does_not_leave_in_a_burst() -> None:
    sender = Sending()
    feeding = feed(PATHS, sender, rate=10)
    feeding.fill(0.0)
    feeding.fill(60.0)
    assert len(sender.sent) <= 3


def test_the_sample_is_fair_bounded_and_the_same_again() -> None:
    def drawn() -> list[int]:
        sample = _Sample(100)
        for number in range(10_000):
            sample.offer(Request(f"/{number}"), 1.0)
        return [int(request.path[1:]) for request, _ms in sample.chosen]

    found = drawn()
    assert found == drawn()
    assert len(set(found)) == 100
    # Drawn from all of the list, not from its beginning.
    assert 4000 < sum(found) / 100 < 6000


def test_no_sample() -> None:
    sample = _Sample(0)
    sample.offer(Request("/"), 1.0)
    assert sample.chosen == []


def task(**options: Any) -> Task:
    given = {"url": "https://shop.example.com", "sources": [{"urls": ["/"]}], **options}
    found = ArgumentSpecValidator(WARM_SPEC).validate(given)
    assert not found.error_messages
    return read(found.validated_parameters)


@pytest.mark.parametrize(
    ("url", "address", "origin", "host", "port"),
    [
        ("https://shop.example.com", None, "https://shop.example.com", "shop.example.com", 443),
        ("http://shop.example.com/", None, "http://shop.example.com", "shop.example.com", 80),
        ("https://shop.example.com:8443", "10.0.0.5", "https://shop.example.com:8443", "10.0.0.5", 8443),
        ("https://shop.example.com", "app1:3002", "https://shop.example.com", "app1", 3002),
        ("https://shop.example.com", "[::1]:3002", "https://shop.example.com", "::1", 3002),
        ("http://[::1]:80", "[fe80::1]", "http://[::1]:80", "fe80::1", 80),
    ],
)
def test_whom_to_ask_and_as_whom(url: str, address: str | None, origin: str, host: str, port: int) -> None:
    instance = task(url=url, address=address).plan.instance
    assert (instance.origin, instance.host, instance.port) == (origin, host, port)


def test_options_become_a_plan() -> None:
    found = task(
        headers={"Accept-Language": "de"},
        secret_headers={"Authorization": "geheim"},
        timeout=30,
        budget=10,
        policy="best_effort",
        hit_header="Age",
        until={"hit_pct": 90},
        exclude=["^/x"],
        sources=[{"access_log": "/var/log/access.log", "query": "drop", "per_endpoint": 5}],
    )
    assert found.plan.instance.headers == (("Accept-Language", "de"), ("Authorization", "geheim"))
    # No request may outlive the whole.
    assert found.plan.limits.timeout == 10
    assert (found.plan.required, found.plan.wanted.hit_pct, found.plan.wanted.second_pass) == (False, 90, 100)
    assert found.door.excludes("/x/y")
    assert found.sources == [AccessLog("/var/log/access.log", parse_combined, 1000, keep_query=False, per_endpoint=5)]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"url": "https://shop.example.com:0"}, "url must be"),
        ({"url": "https://[::1"}, "url is no URL"),
        ({"url": "https://ü.example"}, "url must be"),
        ({"url": "https://shop.example.com?x=1"}, "has no path"),
        ({"address": "x:99999"}, "address must be"),
        ({"address": "::1"}, "address must be"),
        ({"timeout": float("nan")}, "timeout is nan"),
        ({"budget": float("inf")}, "budget is inf"),
        ({"rate": -1}, "rate is -1"),
        ({"concurrency": 257}, "concurrency is 257, it must be at least 1 and at most 256"),
        ({"max_failed_pct": 101}, "max_failed_pct is 101"),
        ({"until": {"second_pass_p95_ms": 0}}, "second_pass_p95_ms is 0"),
        ({"hit_header": "a b"}, "hit_header is no name"),
        ({"hit_pattern": "("}, "hit_pattern: '(' is no regular expression"),
        ({"sources": [{"access_log": "/x", "top": 0}]}, "source 1: top is 0"),
        ({"sources": [{"access_log": "/x", "per_endpoint": -1}]}, "source 1: per_endpoint is -1"),
        ({"sources": [{"access_log": "/x", "fields": {"path": "p"}}]}, "fields belongs to format=json"),
        ({"sources": [{"access_log": "/x", "format": "regex", "pattern": "("}]}, "pattern is no regular expression"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(SluiceError) as error:
        task(**options)
    assert problem in str(error.value)
    assert str(error.value).endswith("Correct them in the profile.")

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several types of checks share: waiting no longer than allowed, growth of counters, expected headers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from ansible_collections.sluice.release.plugins.module_utils._http import Response
from ansible_collections.sluice.release.plugins.module_utils._within import within
from ansible_collections.sluice.release.plugins.module_utils.gate._kinds import KINDS
from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Measure
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._growth import Growth
from ansible_collections.sluice.release.plugins.modules.health_gate import EXAMPLES


def test_work_is_waited_for_only_so_long() -> None:
    release = threading.Event()
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        within(0.1, lambda: release.wait(30))
    assert time.monotonic() - started < 5
    release.set()
    assert within(5, lambda: "done") == "done"
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 / 0)


@pytest.mark.parametrize(
    ("grace", "looks", "grown"),
    [
        (0, [{"a": 5}, {"a": 5}, {"a": 8}], [None, 0, 3]),
        # One that falls has begun anew, one that is new began at 0, one that is away counts no further.
        (0, [{"a": 5}, {"a": 2}, {"b": 4}, {"a": 3, "b": 4}], [None, 2, 6, 7]),
        (0, [{}, {"a": 4}], [None, 4]),
        (1.5, [{"a": 5}, {"a": 6}, {"a": 9}, {"a": 10}], [None, 1, 0, 1]),
    ],
)
def test_growth(grace: float, looks: list[dict[str, float]], grown: list[float | None]) -> None:
    growth = Growth(grace)
    assert [growth.add(t, look) for t, look in enumerate(looks)] == grown


PAIRS = (("x-frame-options", "DENY"), ("set-cookie", "sid=geheim; Secure"), ("set-cookie", "theme=dark"))


@pytest.mark.parametrize(
    ("headers", "fault"),
    [
        ({"X-Frame-Options": "DENY"}, ""),
        ({"x-frame-options": "~DENY|SAMEORIGIN"}, ""),
        ({"X-Frame-Options": "SAMEORIGIN"}, "its header X-Frame-Options was DENY instead of SAMEORIGIN"),
        ({"X-Frame-Options": "!DENY"}, "its header X-Frame-Options was DENY instead of !DENY"),
        ({"X-Powered-By": ""}, ""),
        ({"X-Powered-By": "!~.+"}, ""),
        ({"X-Frame-Options": ""}, "its header X-Frame-Options was DENY instead of missing"),
        ({"Content-Security-Policy": "~.+"}, "its header Content-Security-Policy was missing instead of ~.+"),
        ({"Set-Cookie": "~theme=.*"}, ""),
        ({"Set-Cookie": "!~theme=.*"}, "its header Set-Cookie was another instead of !~theme=.*"),
        ({"X-Frame-Options": "DENY", "Server": "nginx"}, "its header Server was missing instead of nginx"),
    ],
)
def test_headers(measure: Callable[..., Measure], headers: dict[str, str], fault: str) -> None:
    it = measure({"type": "http", "url": "http://127.0.0.1/", "expect_headers": headers})
    sample = it.sample(0, Response(200, dict(PAIRS), b"", 0.01, pairs=PAIRS))
    assert sample is not None
    assert (sample.good, sample.note) == (not fault, f"answered 200, but {fault}" if fault else "")


def test_an_expression_that_is_none_is_refused(refused: Callable[..., str]) -> None:
    problem = refused({"type": "http", "url": "http://127.0.0.1/", "expect_headers": {"A": "!~("}})
    assert "the expression of header A is not valid" in problem


def test_the_examples_make_sense(checks: Callable[..., list[Check]]) -> None:
    addresses = {"{{ sluice_database_url }}": "postgresql://h/x", "{{ sluice_redis_url }}": "redis://h/0"}
    text = EXAMPLES
    for variable, address in addresses.items():
        text = text.replace(variable, address)
    shown: set[str] = set()
    for task in yaml.safe_load(text):
        gate: dict[str, Any] = {"duration": 0, **task["sluice.release.health_gate"]}
        found = checks(*gate.pop("checks"), **gate)
        shown |= {check.type for check in found}
    assert set(KINDS) - shown <= {"promql", "port"}

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cached answer beside the fresh one: where they differ, and what is gained."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._http import Response
from ansible_collections.sluice.release.plugins.module_utils.cache._answers import (
    consistency,
    difference,
    gain,
    judge_gains,
    speedup,
)

JSON = {"content-type": "application/json; charset=utf-8"}


def told(value: Any, status: int = 200, seconds: float = 0.01) -> Response:
    return Response(status, JSON, json.dumps(value).encode(), seconds)


@pytest.mark.parametrize(
    ("cached", "fresh", "ignore", "said"),
    [
        (told({"a": 1, "b": 2}), told({"b": 2, "a": 1}), [], ""),
        (told({"a": 1}), told({"a": 2}), [], "differs at a between cache and application"),
        (told({"a": {"b": [1, {"c": 2}]}}), told({"a": {"b": [1, {"c": 3}]}}), [], "differs at a.b[1].c"),
        (told([1, 2]), told([1, 2, 3]), [], "differs at its root"),
        (told({"a": 1}), told({"a": True}), [], "differs at a"),
        (told({"a": 1}), told({"a": 1, "b": 2}), [], "differs at b"),
        (told({"a": 1, "at": 1}), told({"a": 1, "at": 2}), ["at"], ""),
        (told({"m": {"at": 1, "x": 1}}), told({"m": {"at": 2, "x": 1}}), ["m.at"], ""),
        (told([{"at": 1}, {"at": 2}]), told([{"at": 3}, {"at": 4}]), ["*.at"], ""),
        (told({"i": [{"at": 1, "x": 1}]}), told({"i": [{"at": 2, "x": 2}]}), ["i.*.at"], "differs at i[0].x"),
        (told({"a": 1}), told({"a": 1}), ["no.such.key"], ""),
        (told({}, 200), told({}, 404), [], "has status 200 from the cache and 404 past it"),
        (told({}, 500), told({}, 500), [], "answers 500, which proves nothing"),
        (told({}), Response(200, {"content-type": "text/html"}, b"{}", 0.1), [], "is application/json from the cache"),
        (Response(200, {}, b"a", 0.1), Response(200, {}, b"a", 0.1), [], ""),
        (Response(200, {}, b"a", 0.1), Response(200, {}, b"b", 0.1), [], "is another answer from the cache"),
        (Response(0, {}, b"", 0.1, "refused", "refused"), told({}), [], "cannot be read from the cache: refused"),
        (told({}), Response(0, {}, b"", 0.1, "timed out", "timeout"), [], "cannot be read past the cache: timed out"),
    ],
)
def test_where_two_answers_differ(cached: Response, fresh: Response, ignore: list[str], said: str) -> None:
    found = difference(cached, fresh, ignore)
    assert found.startswith(said)
    assert bool(found) == bool(said)


class Server:
    """Answers what a cache has, or, past it, what the application has."""

    def __init__(self, stale: bool = False, broken: bool = False, seconds: float = 0.1) -> None:
        self.stale, self.broken, self.seconds = stale, broken, seconds
        self.asked: list[tuple[str, bool]] = []

    def __call__(self, url: str, *, headers: Any = None, **_: Any) -> Response:
        fresh = (headers or {}).get("Cache-Control") == "no-cache" or "fresh=1" in url
        self.asked.append((url, fresh))
        if self.broken and fresh:
            return told({}, 502)
        return told({"price": 2 if fresh and self.stale else 1}, seconds=self.seconds if fresh else self.seconds / 4)


def check(**said: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(("bypass_headers", "bypass_query", "ignore", "rounds", "full_gain_pct", "min_score"))
    return {**nothing, "paths": ["/a", "/b?x=1"], "bypass_headers": {"Cache-Control": "no-cache"}, **said}


def test_the_cache_is_filled_before_it_is_compared() -> None:
    server = Server()
    verdict = consistency(check(), "http://x", {}, server)
    assert verdict.passed
    assert verdict.reason == "2 paths: the cached answer equals the fresh one"
    assert server.asked[:3] == [("http://x/a", False), ("http://x/a", False), ("http://x/a", True)]


def test_a_stale_cache_is_found_and_no_body_is_quoted() -> None:
    verdict = consistency(check(), "http://x", {}, Server(stale=True))
    assert not verdict.passed
    assert verdict.found == {"paths": 2, "different": 2}
    assert verdict.reason == "; ".join(
        f"{path} differs at price between cache and application" for path in ("/a", "/b?x=1")
    )


@pytest.mark.parametrize(("path", "url"), [("/a", "http://x/a?fresh=1"), ("/b?x=1", "http://x/b?x=1&fresh=1")])
def test_a_parameter_goes_past_the_cache_too(path: str, url: str) -> None:
    server = Server()
    consistency(check(paths=[path], bypass_headers=None, bypass_query={"fresh": 1}), "http://x", {}, server)
    assert server.asked[-1] == (url, True)


def test_the_gain_of_each_path() -> None:
    verdict = speedup(check(rounds=3, min_score=80.0), "http://x", {}, Server())
    assert verdict.passed
    assert (verdict.found["score"], verdict.found["gain_pct"]) == (100.0, 75.0)
    assert verdict.found["endpoints"][0] == {"path": "/a", "cold_ms": 100.0, "warm_ms": 25.0, "gain_pct": 75.0}
    assert verdict.samples == 12


def test_what_cannot_be_measured_is_no_gain() -> None:
    verdict = speedup(check(), "http://x", {}, Server(broken=True))
    assert not verdict.passed
    assert verdict.reason == "/a cannot be measured: status 502"


# The figures of profile 001: reviews, comments and metrics, in milliseconds.
PROFILE_001 = [
    gain("/reviews", [1.171], [1.018]),
    gain("/comments", [0.695], [0.620]),
    gain("/metrics", [0.006], [0.005]),
]


def test_the_gains_of_profile_001() -> None:
    assert [one["gain_pct"] for one in PROFILE_001] == [13.1, 10.8, 16.7]
    verdict = judge_gains(check(full_gain_pct=16.9, min_score=80.0), PROFILE_001)
    assert (verdict.found["gain_pct"], verdict.found["score"], verdict.passed) == (13.5, 80.1, True)


@pytest.mark.parametrize(
    ("gains", "full", "score"),
    [
        ([50.0], None, 100.0),
        ([25.0], None, 50.0),
        ([200.0, 0.0], None, 50.0),
        ([-30.0], None, 0.0),
        ([10.0], 10.0, 100.0),
    ],
)
def test_the_score(gains: list[float], full: float | None, score: float) -> None:
    endpoints = [{"path": "/", "cold_ms": 1.0, "warm_ms": 1.0, "gain_pct": one} for one in gains]
    verdict = judge_gains(check(full_gain_pct=full, min_score=60.0), endpoints)
    assert (verdict.found["score"], verdict.passed) == (score, score >= 60)
    assert ("at least 60 is needed" in verdict.reason) == (score < 60)

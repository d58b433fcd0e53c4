# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a flow goes on from step to step: with a fetch that answers from a list and remembers what it was asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._http import Response
from ansible_collections.sluice.release.plugins.module_utils.flow._exchange import address, origin
from ansible_collections.sluice.release.plugins.module_utils.flow._run import run_flows
from ansible_collections.sluice.release.plugins.module_utils.flow._schema import read

DEFAULTS = {"base_url": "http://app/base", "flows": [], "security": [], "tags": [], "timeout": 5.0, "deadline": 5.0,
            "min_score": 0.0}  # fmt: skip


def response(status: int = 200, body: Any = None, *pairs: tuple[str, str], error: str | None = None) -> Response:
    content = b"" if body is None else json.dumps(body).encode()
    return Response(status, dict(pairs), content, 0.01, error, "other" if error else None, pairs)


class Server:
    """Answers one after the other, the last one for ever."""

    def __init__(self, *answers: Response | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []

    def __call__(self, url: str, *, method: str = "GET", **more: Any) -> Response:
        self.asked.append((method, url, dict(more["headers"]), more["body"]))
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def walk(self, *steps: dict[str, Any], **options: Any) -> dict[str, Any]:
        flows = read({**DEFAULTS, "flows": [{"name": "f", "steps": list(steps), **options}]})
        return run_flows(flows, 5.0, fetch=self)[0]


def test_headers_of_the_step_replace_those_of_the_flow() -> None:
    server = Server(response())
    server.walk({"path": "/", "headers": {"accept": "b"}}, headers={"Accept": "a", "X": "1"}, secret_headers={"T": "s"})
    assert server.asked[0][2] == {"accept": "b", "X": "1", "T": "s"}


@pytest.mark.parametrize(
    ("step", "body", "kind"),
    [
        ({"json": {"id": "{n}"}}, '{"id": 7}', "application/json"),
        ({"json": "{n}"}, "7", "application/json"),
        ({"form": {"a": "{n} ü", "b": [1, 2]}}, "a=7+%C3%BC&b=1&b=2", "application/x-www-form-urlencoded"),
        ({"body": "n={n}"}, "n=7", "text/plain; charset=utf-8"),
    ],
)
def test_bodies(step: dict[str, Any], body: str, kind: str) -> None:
    server = Server(response())
    server.walk({"method": "POST", "path": "/", **step}, variables={"n": 7})
    assert (server.asked[0][3], server.asked[0][2]["Content-Type"]) == (body, kind)


@pytest.mark.parametrize(
    ("status", "method", "follows"),
    [(301, "POST", "GET"), (302, "POST", "GET"), (303, "PUT", "GET"), (307, "POST", "POST"), (308, "PUT", "PUT")],
)
def test_a_redirect_keeps_cookies_and_changes_methods_as_a_browser_does(status: int, method: str, follows: str) -> None:
    server = Server(response(status, None, ("location", "../x"), ("set-cookie", "s=1; Path=/")), response())
    gate = server.walk({"method": method, "path": "/a/b", "json": 1, "follow": True})
    assert gate["verdict"] == "green"
    verb, url, headers, body = server.asked[1]
    assert (verb, url, headers["Cookie"], body is None) == (follows, "http://app/base/x", "s=1", follows == "GET")


@pytest.mark.parametrize(
    ("location", "found"),
    [
        ("https://app/base/", "out of the site, to https://app/base/"),
        ("//other/x", "out of the site, to //other/x"),
        ("http://app:81/", "out of the site"),
        ("http://[", "out of the site, to http://["),
        ("/base/a", "in a circle, to /base/a"),
        ("/base/a#part", "in a circle"),
    ],
)
def test_a_redirect_stays_within_the_site(location: str, found: str) -> None:
    server = Server(response(302, None, ("location", location)))
    gate = server.walk({"path": "/a", "follow": True})
    assert f"expected status 2xx, found it redirects {found}" in gate["reason"]
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("base", "path", "variables", "url"),
    [
        ("http://app/base", "/x/{a}", {"a": "1/2?"}, "http://app/base/x/1%2F2%3F"),
        ("http://app/base", "{a}", {"a": "/x?y=1"}, "http://app/x?y=1"),
        ("http://app/base", "{a}", {"a": "main.js"}, "http://app/base/main.js"),
        ("http://app/base", "{a}", {"a": "http://app/z"}, "http://app/z"),
        ("http://app", "https://other/x y#z", {}, "https://other/x%20y"),
        ("http://app", "/ü?next=http://x", {}, "http://app/%C3%BC?next=http://x"),
        ("http://app", "/%41?q=%2F", {}, "http://app/%41?q=%2F"),
    ],
)
def test_address(base: str, path: str, variables: dict[str, Any], url: str) -> None:
    assert address(base, path, variables) == url


@pytest.mark.parametrize("link", ["http://other/x", "//other/x", "https://app/x", "javascript:x"])
def test_a_captured_link_does_not_lead_out_of_the_site(link: str) -> None:
    server = Server(response(200, {"next": link}))
    gate = server.walk({"path": "/", "capture": [{"name": "next", "query": "next"}]}, {"path": "{next}"})
    assert "found {next} leads to another site" in gate["reason"]
    assert len(server.asked) == 1


def test_origin_knows_the_usual_ports() -> None:
    assert origin("http://a/") == origin("http://a:80/x")
    assert origin("https://a/") == origin("https://a:443")
    assert origin("http://a/") != origin("http://a:443/")


def test_a_captured_value_cannot_add_a_header() -> None:
    server = Server(response(200, {"t": "a\r\nX: y"}))
    capture = {"path": "/", "capture": [{"name": "t", "query": "t"}]}
    gate = server.walk(capture, {"path": "/", "headers": {"A": "{t}"}})
    assert "a captured value with more than one line cannot go into a header" in gate["reason"]


def test_whatever_happens_below_ends_in_a_finding() -> None:
    gate = Server(RuntimeError("boom")).walk({"path": "/"}, {"path": "/x", "always": True})
    assert gate["reason"] == "f failed in step GET /: expected an answer that can be judged, found RuntimeError: boom"
    assert [step["outcome"] for step in gate["steps"]] == ["failed", "failed"]


def test_a_cleanup_without_anything_to_clean_is_left_out() -> None:
    take = {"method": "POST", "path": "/", "capture": [{"name": "id", "query": "id"}]}
    gate = Server(response(500)).walk(take, {"method": "DELETE", "path": "/{id}", "always": True})
    assert [(step["outcome"], step.get("reason")) for step in gate["steps"]] == [
        ("failed", None),
        ("skipped", "id was never captured"),
    ]


def test_a_repeated_step_counts_and_stops_at_a_lost_connection() -> None:
    step = {"path": "/", "repeat": 3, "expect": {"status": ["2xx", "429"], "last_status": ["429"],
            "counts": [{"status": ["429"], "min": 2}]}}  # fmt: skip
    gate = Server(response(), response(), response(429)).walk(step)
    assert gate["steps"][0]["failures"] == ["expected at least 2 of 3 answers with status 429, found 1"]
    assert gate["steps"][0]["statuses"] == {"200": 2, "429": 1}
    lost = Server(response(0, error="gone")).walk(step)
    assert lost["steps"][0]["attempts"] == 1
    assert "found no answer: gone (answer 1 of 3)" in lost["reason"]


def test_a_step_is_asked_again_until_it_is_as_expected() -> None:
    server = Server(response(404), response(200, {"state": "new"}), response(200, {"state": "done"}))
    step = {"path": "/", "within": 2.0, "interval": 0.05, "expect": {"json": [{"query": "state", "equals": "done"}]}}
    gate = server.walk(step)
    assert (gate["verdict"], gate["steps"][0]["attempts"]) == ("green", 3)


def test_a_secret_that_is_captured_later_is_hidden_before() -> None:
    told = response(200, {"text": "hidden-value", "state": "x"})
    wrong = {"path": "/", "expect": {"json": [{"query": "text", "equals": "other"}]}}
    gate = Server(told).walk(wrong, {"path": "/", "always": True, "capture": [{"name": "t", "query": "text"}]})
    assert "found ********" in gate["reason"]
    assert "hidden-value" not in json.dumps(gate)


def test_a_variable_that_may_be_read_is_shown() -> None:
    gate = Server(response(200, {"id": "abc"})).walk(
        {"path": "/", "capture": [{"name": "id", "query": "id", "secret": False}]},
        {"path": "/", "expect": {"json": [{"query": "id", "equals": "{id}x"}]}},
    )
    assert "expected id to be {id}x, found abc" in gate["reason"]


def test_what_runs_alone_runs_last() -> None:
    server = Server(response())
    flows = read(
        {
            **DEFAULTS,
            "security": [{"set": "rate_limit", "paths": ["/limited"], "count": 2}],
            "flows": [{"name": "f", "steps": [{"path": "/first"}]}],
        }
    )
    gates = run_flows(flows, 5.0, fetch=server)
    assert [gate["check"] for gate in gates] == ["f", "security: rate_limit"]
    assert [url for _method, url, *_rest in server.asked] == ["http://app/base/first"] + ["http://app/base/limited"] * 2

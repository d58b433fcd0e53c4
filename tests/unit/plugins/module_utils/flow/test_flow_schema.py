# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a profile may say, and how it is told of everything that makes no sense, before a request is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.flow._schema import read

DEFAULTS = {"base_url": "http://app", "flows": [], "security": [], "tags": [], "timeout": 5.0, "deadline": 60.0,
            "min_score": 0.0}  # fmt: skip


def flow(*steps: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {"name": "f", "steps": list(steps), **options}


def problems(**params: Any) -> str:
    with pytest.raises(SluiceError) as refused:
        read({**DEFAULTS, **params})
    assert refused.value.remedy == "Correct them in the profile; nothing was sent"
    return refused.value.cause


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        ({"path": "items"}, "its path items must begin with / or be a whole URL"),
        ({"path": "ftp://x/y"}, "its path must be http://host... or https://host..."),
        ({"path": "http://u:p@x/y"}, "holds a password; put it into secret_headers"),
        ({"path": "/", "method": "GE T"}, "GE T is no HTTP method"),
        ({"path": "/", "json": {}, "form": {}}, "json, form and body cannot go together"),
        ({"path": "/{a}"}, "path uses {a}, which no variable and no earlier capture sets"),
        ({"path": "/", "json": {"x": ["{a}"]}}, "json uses {a}"),
        ({"path": "/", "headers": {"X": "{a}"}}, "headers uses {a}"),
        ({"path": "/", "headers": {"X Y": "a"}}, "headers: X Y is no name of a header"),
        ({"path": "/", "headers": {"X": "a\nb"}}, "the value of X has more than one line"),
        ({"path": "/", "repeat": 0}, "repeat is 0, it must be from 1 to 10000"),
        ({"path": "/", "repeat": 2, "within": 3}, "repeat and within cannot go together"),
        ({"path": "/", "within": -1}, "within is -1, it must be 0 or more"),
        ({"path": "/", "interval": 0.001}, "interval is 0.001, it must be at least 0.05 (s)"),
        ({"path": "/", "timeout": 0}, "timeout is 0, it must be above 0"),
        ({"path": "/", "expect": {"status": ["600"]}}, "status 600 is neither a status"),
        ({"path": "/", "expect": {"last_status": ["429"]}}, "last_status needs repeat"),
        ({"path": "/", "expect": {"counts": [{"status": ["429"], "max": 0}]}}, "counts needs repeat"),
        ({"path": "/", "repeat": 2, "expect": {"counts": [{"status": ["x"]}]}}, "counts.status x is neither"),
        ({"path": "/", "repeat": 2, "expect": {"counts": [{"status": ["429"]}]}}, "counts has neither min nor max"),
        ({"path": "/", "expect": {"json": [{"query": "a["}]}}, "json.query is no JMESPath expression"),
        ({"path": "/", "expect": {"json": [{"query": "a", "matches": "("}]}}, "matches of a is no regular expression"),
        ({"path": "/", "expect": {"json": [{"query": "a", "equals": "{b}"}]}}, "equals of a uses {b}"),
        ({"path": "/", "expect": {"json": [{"query": "a", "min": 2, "max": 1}]}}, "a: min 2 is above max 1"),
        ({"path": "/", "expect": {"json": [{"query": "a", "exists": False, "count": 1}]}}, "cannot go with exists"),
        ({"path": "/", "expect": {"headers": [{"name": "a b"}]}}, "a b is no name of a header"),
        ({"path": "/", "expect": {"headers": [{"name": "a", "absent": True, "equals": "x"}]}}, "equals cannot go with"),
        ({"path": "/", "expect": {"not_contains": ["["]}}, "not_contains is no regular expression"),
        ({"path": "/", "expect": {"cookies": [{"name": "a", "same_site": ["no"]}]}}, "same_site no of cookie a"),
        ({"path": "/", "expect": {"cookies": [{"name": "a", "absent": True, "secure": True}]}}, "secure cannot go"),
        ({"path": "/", "expect": {"max_ms": 0}}, "max_ms is 0, it must be above 0"),
        ({"path": "/", "capture": [{"name": "a"}]}, "capture a needs exactly one of query, header, cookie, regex"),
        ({"path": "/", "capture": [{"name": "a", "query": "x", "regex": "y"}]}, "capture a needs exactly one of"),
        ({"path": "/", "capture": [{"name": "a b", "query": "x"}]}, "a b is no name of a variable"),
        ({"path": "/", "capture": [{"name": "unique", "query": "x"}]}, "the variable unique is there already"),
        ({"path": "/", "capture": [{"name": "a", "regex": "("}]}, "capture a is no regular expression"),
        ({"path": "/", "capture": [{"name": "a", "cookie": ""}]}, "capture a: cookie is empty"),
        ({"path": "/", "capture": [{"name": "a", "query": "x"}, {"name": "a", "query": "y"}]}, "captures a more than"),
    ],
)
def test_a_step_that_makes_no_sense_is_refused(step: dict[str, Any], problem: str) -> None:
    assert problem in problems(flows=[flow({"name": "s", **step})])


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"flows": []}, "there is none, so nothing would be proven"),
        ({"flows": [flow()]}, "f: it has no step"),
        ({"flows": [flow({"path": "/"}), flow({"path": "/"})]}, "the name f is used more than once"),
        ({"flows": [flow({"path": "/", "name": "a"}, {"path": "/", "name": "a"})]}, "the step name a is used more"),
        ({"flows": [flow({"path": "/"}, base_url="app")]}, "f: its base_url must be http://host"),
        ({"flows": [flow({"path": "/"})], "base_url": None}, "its path is no whole URL, and there is no base_url"),
        ({"flows": [flow({"path": "/"}, weight=-1.0)]}, "f: weight is -1, it must be 0 or more"),
        ({"flows": [flow({"path": "/"}, variables={"a-b": 1})]}, "a-b is no name of a variable"),
        ({"flows": [flow({"path": "/"}, secret_headers={"A": "{b}"})]}, "secret_headers uses {b}"),
        ({"flows": [flow({"path": "/"})], "deadline": 0}, "deadline is 0, it must be above 0"),
        ({"flows": [flow({"path": "/"})], "min_score": 101}, "min_score is 101, it must be from 0 to 100"),
        ({"security": [{"set": "https"}]}, "https: set https needs url"),
        ({"security": [{"set": "csp", "cookies": ["a"]}]}, "csp: cookies does not belong to set csp"),
        ({"security": [{"set": "rate_limit", "probe": "enforced"}]}, "limit and probe=enforced go together"),
        ({"security": [{"set": "xss", "requests": [{"path": "/?q="}]}]}, "GET /?q= has no place for {probe}"),
        ({"security": [{"set": "secrets", "patterns": ["("]}]}, "not_contains is no regular expression"),
        ({"security": [{"set": "headers", "paths": ["home"]}]}, "its path home must begin with /"),
        ({"security": [{"set": "headers"}, {"set": "headers"}]}, "the name security: headers is used more than once"),
    ],
)
def test_what_makes_no_sense_together_is_refused(params: dict[str, Any], problem: str) -> None:
    assert problem in problems(**params)


def test_everything_is_told_at_once() -> None:
    text = problems(
        flows=[flow({"path": "x"}, {"path": "/{a}"}), flow({"path": "/"}, name="g", weight=-1.0)],
        security=[{"set": "https"}],
        deadline=-1.0,
    )
    assert len(text.split("; ")) == 5


def test_a_variable_is_known_after_the_step_that_captures_it() -> None:
    take = {"path": "/", "capture": [{"name": "a", "query": "x"}]}
    use = {"path": "/{a}/{b}/{unique}"}
    assert [len(one.steps) for one in read({**DEFAULTS, "flows": [flow(take, use, variables={"b": 1})]})] == [2]
    assert "path uses {a}" in problems(flows=[flow(use, take, variables={"b": 1})])


@pytest.mark.parametrize(
    ("tags", "names"), [([], ["a", "b"]), (["x"], ["a"]), (["x", "y"], ["a", "b"]), (["y"], ["b"])]
)
def test_tags_choose(tags: list[str], names: list[str]) -> None:
    flows = [flow({"path": "/"}, name="a", tags=["x"]), flow({"path": "/"}, name="b", tags=["y"])]
    assert [one.name for one in read({**DEFAULTS, "flows": flows, "tags": tags})] == names


def test_a_tag_that_nobody_has_is_refused() -> None:
    with pytest.raises(SluiceError, match="none of them has the tag z"):
        read({**DEFAULTS, "flows": [flow({"path": "/"})], "tags": ["z"]})


@pytest.mark.parametrize(
    ("step", "attribute", "value"),
    [
        (
            {"path": "/a"},
            lambda one: (one.name, one.method, one.body_type, one.timeout),
            ("GET /a", "GET", "none", 5.0),
        ),
        ({"path": "/", "method": "post", "json": False}, lambda one: (one.method, one.body), ("POST", False)),
        ({"path": "/", "form": {"a": 1}, "timeout": 1.0}, lambda one: (one.body_type, one.timeout), ("form", 1.0)),
    ],
)
def test_defaults_of_a_step(step: dict[str, Any], attribute: Callable[[Any], Any], value: Any) -> None:
    assert attribute(read({**DEFAULTS, "flows": [flow(step)]})[0].steps[0]) == value

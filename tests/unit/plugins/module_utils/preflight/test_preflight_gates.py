# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gates that could never be judged are refused before anything moves."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.preflight._gates import ORIGIN, problems

GOOD = {"name": "errors", "type": "json", "url": "http://127.0.0.1/m", "query": "errors", "crit": 5}


def found(*checks: dict[str, Any], **settings: Any) -> list[str]:
    return list(problems(json.dumps([{"name": "gate", "checks": list(checks), **settings}])))


def test_sound_gates_have_no_problem() -> None:
    assert found(GOOD, {**GOOD, "name": "two", "warn": 2}, duration=10, interval=1) == []
    assert list(problems("[]")) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"query": None}, "gate, errors: it has no query (JMESPath)"),
        ({"query": "["}, "gate, errors: query is no JMESPath expression"),
        ({"type": "htp"}, "gate, errors: value of type must be one of: "),
        ({"warn": 9}, "gate, errors: warn 9 lies past crit 5 (the bad side is above)"),
        ({"crit": None}, "gate, errors: it has no limit"),
        ({"crit": "much"}, "gate, errors: argument 'crit' is of type str"),
        ({"crt": 5}, "gate, errors: it has no option crt; did you mean crit?"),
        ({"url": "nowhere"}, "gate, errors: its url must be http://host"),
        ({"name": None}, "gate, check 1: missing required arguments: name"),
        ({"min_samples": 40}, "gate, errors: min_samples is 40, but 10 s hold only 11 samples"),
        ({ORIGIN: "profile.yml:7", "query": None}, "gate, errors (profile.yml:7): it has no query"),
        ({ORIGIN: "profile.yml:7", "type": "htp"}, "gate, errors (profile.yml:7): value of type must be"),
    ],
)
def test_what_can_never_be_judged(change: dict[str, Any], problem: str) -> None:
    check = {key: value for key, value in {**GOOD, **change}.items() if value is not None}
    (first, *rest) = found(check, duration=10)
    assert first.startswith(problem)
    assert rest == []


def test_a_comparison_needs_a_baseline_that_will_be_taken() -> None:
    check = {**{key: value for key, value in GOOD.items() if key != "crit"}, "baseline": {"factor": 2}}
    (problem,) = found(check, duration=10, baseline={})
    assert problem.startswith("gate, errors: ")
    assert "baseline" in problem
    assert found(check, duration=10, baseline={}, first_release=True) == []


def test_every_problem_of_every_gate_is_told() -> None:
    bad = {**GOOD, "name": "two", ORIGIN: "profile.yml:9", "warn": 9, "query": ""}
    text = json.dumps([{"name": "gate", "checks": [{**GOOD, "typ": "x"}, bad], "interval": 0}, {"checks": []}])
    told = "\n".join(problems(text))
    for problem in (
        "gate, errors: it has no option typ; did you mean type?",
        "interval is 0, it must be at least 0.05 (s)",
        "two (profile.yml:9): it has no query",
        "two (profile.yml:9): warn 9 lies past crit 5",
        "gate 2, there is none, so nothing would be judged",
    ):
        assert problem in told


def test_no_secret_is_told() -> None:
    check = {**GOOD, "secret_headers": "geheim-123", "type": "htp"}
    assert "geheim-123" not in "\n".join(found(check))
    check = {**GOOD, "secret_headers": {"Authorization": "geheim-123"}, "crit": "geheim-123"}
    assert "geheim-123" not in "\n".join(found(check))


@pytest.mark.parametrize("text", ['{"a": 1}', "[1]", '[{"checks": [1]}]', '[{"checks": 1}]'])
def test_what_is_no_list_of_gates(text: str) -> None:
    (problem,) = problems(text)
    assert "must be a list of" in problem


COMPARED = {"name": "latency", "new": "errors", "old": "before"}


@pytest.mark.parametrize(
    ("change", "settings", "problem"),
    [
        ({}, {}, None),
        ({"old": "nobody", ORIGIN: "p.yml:3"}, {}, "gate, latency (p.yml:3): its old is nobody, which is no check"),
        ({"old": "state"}, {}, "gate, latency: check state has no bad side that could be compared"),
        ({"alpha": 2}, {}, "gate, latency: alpha is 2, it must lie between 0 and 1"),
        ({"min_samples": 61}, {}, None),
        ({"min_samples": 62}, {}, "gate, latency: min_samples is 62, but 60 s hold only 61 samples"),
        ({}, {"interval": 10}, "gate, latency: min_samples is 30, but 60 s hold only 7 samples"),
        ({"tolerence": 1}, {}, "gate, latency: it has no option tolerence; did you mean tolerance?"),
        ({"new": None}, {}, "gate, latency: missing required arguments: new"),
    ],
)
def test_comparisons_of_a_gate(change: dict[str, Any], settings: dict[str, Any], problem: str | None) -> None:
    compared = {key: value for key, value in {**COMPARED, **change}.items() if value is not None}
    state = {"name": "state", "type": "http", "url": "http://127.0.0.1/"}
    options = {"duration": 60, **settings, "comparisons": [compared]}
    told = found(GOOD, {**GOOD, "name": "before"}, state, **options)
    assert [one.startswith(problem or "") for one in told] == ([True] if problem else [])


FLOW = {"name": "log in", "steps": [{"path": "/login"}]}


@pytest.mark.parametrize(
    ("walk", "problem"),
    [
        ({"flows": [FLOW]}, None),
        ({"flows": [], "security": []}, None),
        ({"flows": [{**FLOW, "steps": [], ORIGIN: "p.yml:3"}]}, "walk, log in (p.yml:3): it has no step"),
        ({"flows": [{**FLOW, "stps": []}]}, "walk, log in: it has no option stps; did you mean steps?"),
        ({"flows": [{"name": "x"}]}, "walk, x: missing required arguments: steps"),
        ({"flows": [FLOW, FLOW]}, "walk, the name log in is used more than once"),
        ({"flows": [FLOW], "base_url": ""}, "walk, log in: step GET /login: its path is no whole URL"),
        ({"flows": [FLOW], "tags": ["smoke"]}, "walk, none of them has the tag smoke"),
        ({"security": [{"set": "headers", ORIGIN: "p.yml:4", "nonsense": 1}]}, "walk, headers (p.yml:4): it has no"),
        ({"flows": [FLOW], "deadline": 0}, "walk, deadline is 0, it must be above 0"),
        ({"flows": "all"}, "walk, flows must be a list of flows"),
    ],
)
def test_flows_that_could_not_be_run(walk: dict[str, Any], problem: str | None) -> None:
    told = list(problems(json.dumps([{"name": "walk", "base_url": "http://127.0.0.1", **walk}])))
    assert [one.startswith(problem or "") for one in told] == ([True] if problem else [])

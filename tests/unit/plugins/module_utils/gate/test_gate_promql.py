# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of a query: what an answer of a Prometheus server means, and how it is asked."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._http import Response
from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Sample
from ansible_collections.sluice.release.plugins.module_utils.gate._rules import Judge
from ansible_collections.sluice.release.plugins.module_utils.gate._schema import GATE_SPEC, read
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._request import Request

BEGUN = 1_000_000.0
"""The Unix time at which every gate of these tests begins."""

PROMQL = {"name": "it", "type": "promql", "url": "http://127.0.0.1:9090", "query": "up"}


def check(**options: Any) -> Check:
    limits = {} if {"expect", "crit", "warn"} & set(options) else {"crit": 5}
    found = ArgumentSpecValidator(GATE_SPEC).validate({"checks": [{**PROMQL, **limits, **options}]})
    assert not found.error_messages
    return read(found.validated_parameters)[0][0]


def reply(document: Any, status: int = 200, error: str | None = None) -> Response:
    return Response(status, {}, json.dumps(document).encode(), 0.01, error, "refused" if error else None)


def vector(*values: str, at: float = BEGUN, **more: Any) -> Response:
    result = [{"metric": {"__name__": "up", "i": str(i)}, "value": [at, value]} for i, value in enumerate(values)]
    return reply({"status": "success", "data": {"resultType": "vector", "result": result}, **more})


def sample(response: Response, **options: Any) -> Sample:
    judged = check(**options)
    found = judged.begin(judged, BEGUN).sample(0.0, response)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("response", "options", "value"),
    [
        (vector("3"), {}, 3),
        (vector("3"), {"scale": 1000}, 3000),
        (reply({"status": "success", "data": {"resultType": "scalar", "result": [BEGUN, "4.5"]}}), {}, 4.5),
        (vector("1", "7", "3"), {}, 7),
        (vector("1", "7", "3"), {"direction": "below"}, 1),
        (vector("1", "0", "3"), {"direction": "equals", "crit": 0}, 0),
        (vector("1", "2", "3"), {"direction": "equals", "crit": 0, "warn": 2}, 2),
        (vector("1", "2", "3"), {"direction": "equals", "crit": 0}, 1),
        (vector("1", "7", "3"), {"series": "sum"}, 11),
        (vector("1", "7", "NaN"), {"series": "count"}, 3),
        (vector(), {"series": "count"}, 0),
        # One idle host says nothing about the others.
        (vector("NaN", "2"), {}, 2),
        (vector("NaN", "2"), {"empty": "good"}, 2),
        (vector("-Inf", "2"), {"empty": "good"}, 2),
        (vector("3", infos=["might not be a counter"]), {}, 3),
        (vector("1", at=BEGUN + 59), {}, 1),
    ],
)
def test_a_value(response: Response, options: dict[str, Any], value: float) -> None:
    assert sample(response, **options).value == value


@pytest.mark.parametrize(
    ("response", "options", "note"),
    [
        (reply({}, error="connection refused"), {}, "got no usable answer (connection refused)"),
        (Response(502, {}, b"<html>", 0.01), {}, "answered 502, and its answer is no JSON"),
        (reply([]), {}, "answered 200, and not as Prometheus does"),
        (reply({"status": "success"}), {}, "did not answer as Prometheus does"),
        (
            reply({"status": "error", "errorType": "bad_data", "error": "parse error: unexpected end of input"}, 400),
            {}, "answered 400: parse error: unexpected end of input",
        ),
        (vector("1", warnings=["store s1 is gone", "so is s2"]), {}, "warned: store s1 is gone; so is s2"),
        (vector(), {}, "its query has no result"),
        (vector("NaN"), {}, "its query yields nan, which is no finite number"),
        (vector("1", "+Inf"), {}, "its query yields inf, which is no finite number"),
        (vector("1", "+Inf"), {"empty": "good"}, "its query yields inf, which is no finite number"),
        (vector("1", "NaN"), {"series": "sum"}, "its query yields nan, which is no finite number"),
        (vector("1", at=BEGUN - 90), {}, "answered with a result of 90 s away from now"),
        (vector("1", at=BEGUN + 90), {"expect": "empty"}, "answered with a result of 90 s away from now"),
        (
            reply({"status": "success", "data": {"resultType": "matrix", "result": []}}),
            {}, "its query yields a matrix; a check needs an instant vector or a scalar",
        ),
        (
            reply({"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "histogram": []}]}}),
            {}, "its query yields a histogram; let histogram_quantile() make a number of it",
        ),
    ],
)  # fmt: skip
def test_no_data_says_why(response: Response, options: dict[str, Any], note: str) -> None:
    found = sample(response, **options)
    assert (found.value, found.note, found.good) == (None, note, None)


def test_an_alert_is_well_while_it_finds_nothing() -> None:
    assert sample(vector(), expect="empty") == Sample(0.0, "empty", "", good=True)
    assert sample(vector("7"), expect="empty") == Sample(0.0, "1 series", 'found up{i="0"} 7', good=False)
    assert sample(vector("7", "8"), expect="empty").note == 'found up{i="0"} 7 and 1 more'


@pytest.mark.parametrize("response", [vector(), vector("NaN")])
def test_an_empty_result_may_be_good(response: Response) -> None:
    judge = Judge(check(empty="good"))
    judge.add(sample(response, empty="good"))
    assert judge.verdict(complete=True) == ("green", "it is well: its query has no result")
    assert judge.result(complete=True)["samples"] == 1


def test_a_server_that_does_not_answer_is_not_good() -> None:
    judge = Judge(check(empty="good"))
    judge.add(sample(reply({}, error="connection refused"), empty="good"))
    assert judge.verdict(complete=True)[0] == "red"


def test_an_empty_result_ends_a_breach() -> None:
    judge = Judge(check(empty="good", sustained=10))
    for t, response in enumerate([vector("9"), vector(), vector("9")]):
        judge.add(replace(sample(response, empty="good"), t=float(t)))
    assert [(breach.started, breach.ended) for breach in judge.breaches] == [(0.0, 1.0), (2.0, None)]


@pytest.mark.parametrize(
    ("inclusive", "value", "verdict", "reason"),
    [
        (None, 5, "red", "it was 5, critical at or above 5"),
        (None, 3, "green", "it was 3 (worst 3, critical at or above 5)"),
        (False, 5, "yellow", "it was 5, warning above 3"),
        (False, 5.001, "red", "it was 5, critical above 5"),
        (True, 3, "yellow", "it was 3, warning at or above 3"),
    ],
)
def test_a_value_at_its_limit(inclusive: bool | None, value: float, verdict: str, reason: str) -> None:
    judge = Judge(check(warn=3, crit=5, **({} if inclusive is None else {"inclusive": inclusive})))
    judge.add(Sample(0.0, value))
    found = judge.verdict(complete=True)
    assert found[0] == verdict
    assert found[1].startswith(reason)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"query": " "}, "it has no query (PromQL)"),
        ({"url": "http://h/api?x=1"}, "its url must be that of the server alone"),
        ({"url": "h:9090"}, "its url must be http://host"),
        ({"url": "http://u:p@h"}, "its url holds a password"),
        ({"expect": "1"}, "expect is 1, it can only be empty"),
        ({"expect": "empty", "series": "sum"}, "series and empty cannot go with expect"),
        ({"expect": "empty", "crit": 5}, "crit cannot go with expect"),
        ({"expect": "empty", "inclusive": True}, "inclusive cannot go with expect"),
        ({"series": "count", "crit": 1, "empty": "good"}, "empty cannot go with series=count"),
        ({"method": "POST", "crit": 1}, "method does not belong to type promql"),
        ({"direction": "equals", "crit": 1, "inclusive": True}, "inclusive cannot go with direction=equals"),
        ({"aggregate": "rate", "crit": 1}, "aggregate does not belong to type promql"),
    ],
)
def test_what_makes_no_sense(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(SluiceError, match=problem.replace("(", r"\(").replace(")", r"\)")):
        check(**options)


def test_the_request() -> None:
    target = check(
        url="https://h/prom/", query='sum(x{a="b"})', timeout=2, secret_headers={"Authorization": "t"}
    ).target
    assert isinstance(target, Request)
    address = urlsplit(target.url)
    assert (address.path, target.method, target.headers) == ("/prom/api/v1/query", "GET", (("Authorization", "t"),))
    assert parse_qs(address.query) == {"query": ['sum(x{a="b"})'], "timeout": ["2"]}
    assert check(crit=1).target == check(warn=2, name="other").target


def test_a_long_query_goes_into_the_body() -> None:
    target = check(query=" + ".join(["x"] * 2000)).target
    assert isinstance(target, Request)
    assert (target.url, target.method) == ("http://127.0.0.1:9090/api/v1/query", "POST")
    assert (target.body or "").startswith("query=x+%2B+x")

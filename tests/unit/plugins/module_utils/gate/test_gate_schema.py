# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check may say, and every way in which it may not make sense."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.gate._kinds import KINDS
from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check
from ansible_collections.sluice.release.plugins.module_utils.gate._schema import (
    CHECK_SPEC,
    COMMON,
    GATE_SPEC,
    Settings,
    needs,
    read,
)
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._postgres import Look
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._request import Request

HTTP = {"name": "it", "type": "http", "url": "http://127.0.0.1/"}
JSON = {"name": "it", "type": "json", "url": "http://127.0.0.1/", "query": "a.b", "crit": 1}
PROMETHEUS = {"name": "it", "type": "prometheus", "url": "http://127.0.0.1/", "metric": "m", "crit": 1}
POSTGRES: dict[str, Any] = {
    "name": "it",
    "type": "postgres",
    "database_url": "postgresql://u:geheim@h/x",
    "value": "connections_used",
    "crit": 1,
}
RATIO = {**PROMETHEUS, "aggregate": "ratio", "over": {"metric": "n"}}


def params(*checks: dict[str, Any], **gate: Any) -> dict[str, Any]:
    result = ArgumentSpecValidator(GATE_SPEC).validate({"checks": [dict(check) for check in checks], **gate})
    assert not result.error_messages
    return dict(result.validated_parameters)


def check(raw: dict[str, Any], **gate: Any) -> Check:
    return read(params(raw, **gate))[0][0]


@pytest.mark.parametrize(
    ("checks", "gate", "problem"),
    [
        ([], {}, "there is none"),
        ([HTTP, HTTP], {}, "the name it is used more than once"),
        ([{**HTTP, "weight": 0}], {}, "no check has a weight above 0"),
        ([HTTP], {"duration": -1}, "duration is -1"),
        ([HTTP], {"duration": float("nan")}, "duration is nan"),
        ([HTTP], {"interval": 0}, "interval is 0"),
        ([HTTP], {"duration": 5, "grace": 5}, "leaves nothing of 5 s to judge"),
        ([{**HTTP, "url": "ftp://x/"}], {}, "its url must be"),
        ([{**HTTP, "url": None}], {}, "its url must be"),
        ([{**HTTP, "value": "connections_used"}], {}, "value does not belong to type http"),
        ([{**JSON, "database_url": "postgresql://u:geheim@h/x"}], {}, "database_url does not belong to type json"),
        ([{**POSTGRES, "database_url": None}], {}, "it has no database_url"),
        (
            [{**POSTGRES, "database_url": "http://u:geheim@h/"}],
            {},
            "its database_url cannot be read: it does not begin",
        ),
        ([{**POSTGRES, "value": None}], {}, "it has no value, a key of pg_info"),
        ([{**POSTGRES, "value": "conections_used"}], {}, "did you mean connections_used?"),
        ([{**POSTGRES, "value": "tenants_isolated"}], {}, "which is no key of pg_info that a check can read"),
        ([{**POSTGRES, "crit": None}], {}, "it has no limit"),
        ([{**POSTGRES, "url": "http://h/"}], {}, "url does not belong to type postgres"),
        ([{**POSTGRES, "query": "a"}], {}, "query does not belong to type postgres"),
        ([{**HTTP, "url": "http:///x"}], {}, "its url must be"),
        ([{**HTTP, "url": "http://h:x/"}], {}, "its url must be"),
        ([{**HTTP, "url": "http://u:geheim@h/"}], {}, "its url holds a password; put it into secret_headers"),
        ([{**HTTP, "timeout": 0}], {}, "timeout is 0"),
        ([{**HTTP, "sustained": -1}], {}, "sustained is -1"),
        ([{**HTTP, "min_samples": 0}], {}, "min_samples is 0"),
        ([{**HTTP, "weight": float("inf")}], {}, "weight is inf"),
        ([{**HTTP, "expect_status": []}], {}, "expect_status is empty"),
        ([{**HTTP, "crit": 1}], {}, "crit cannot go with measure=status"),
        ([{**HTTP, "measure": "p95"}], {}, "it has no limit"),
        ([{**HTTP, "metric": "m"}], {}, "metric does not belong to type http"),
        ([{**HTTP, "expect_body": {"query": "a[", "equals": "1"}}], {}, "expect_body.query is no JMESPath expression"),
        ([{**JSON, "query": None}], {}, "it has no query"),
        ([{**JSON, "query": "a..b"}], {}, "query is no JMESPath expression"),
        ([{**JSON, "crit": None}], {}, "it has no limit"),
        ([{**JSON, "expect": "up"}], {}, "crit cannot go with expect"),
        ([{**JSON, "crit": float("nan")}], {}, "crit is no finite number"),
        ([{**JSON, "warn": 2}], {}, "warn 2 lies past crit 1 (the bad side is above)"),
        ([{**JSON, "target": 2}], {}, "target 2 lies past crit 1"),
        ([{**JSON, "direction": "below", "warn": 0.5}], {}, "warn 0.5 lies past crit 1 (the bad side is below)"),
        ([{**JSON, "direction": "equals", "target": 1}], {}, "target cannot go with direction=equals"),
        ([{**PROMETHEUS, "metric": None}], {}, "it names no metric"),
        ([{**PROMETHEUS, "metric": 'm{a="b"}'}], {}, "is no name of a metric"),
        ([{**PROMETHEUS, "labels": {"a": "~("}}], {}, "the expression of label a is not valid"),
        ([{**PROMETHEUS, "aggregate": "ratio"}], {"duration": 5}, "a ratio needs over"),
        ([{**PROMETHEUS, "over": {"metric": "n"}}], {}, "over belongs to aggregate=ratio"),
        ([{**PROMETHEUS, "quantile": 95}], {}, "quantile is 95"),
        ([RATIO], {}, "a ratio needs two looks; set duration"),
        ([{**HTTP, "successes": 3}], {}, "more than one sample needs time; set duration"),
        ([{**HTTP, "successes": 9}], {"duration": 5}, "successes is 9, but 5 s hold only 6 samples"),
        ([{**HTTP, "min_samples": 6}], {"duration": 5, "grace": 1}, "min_samples is 6, but 5 s hold only 5 samples"),
        (
            [{**HTTP, "min_samples": 3}],
            {"duration": 10, "grace": 4, "interval": 3},
            "min_samples is 3, but 10 s hold only 2 samples",  # at 6 and 9 s
        ),
    ],
)
def test_what_makes_no_sense_is_refused(checks: list[dict[str, Any]], gate: dict[str, Any], problem: str) -> None:
    with pytest.raises(SluiceError) as error:
        read(params(*checks, **gate))
    assert str(error.value).startswith("Cannot use the checks of this gate: ")
    assert problem in str(error.value)
    assert "geheim" not in str(error.value)


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(SluiceError) as error:
        read(params({**HTTP, "name": "a", "url": "x"}, {**JSON, "name": "b", "query": None, "crit": None}))
    assert all(text in str(error.value) for text in ("a: its url", "b: it has no query", "b: it has no limit"))


@pytest.mark.parametrize("raw", [HTTP, JSON, PROMETHEUS, POSTGRES])
def test_the_least_that_a_check_needs(raw: dict[str, Any]) -> None:
    assert check(raw).name == "it"


@pytest.mark.parametrize(
    ("raw", "unit", "direction"),
    [
        (HTTP, "", "above"),
        ({**HTTP, "measure": "p95", "crit": 1}, "ms", "above"),
        ({**HTTP, "measure": "availability_pct", "crit": 99}, "%", "below"),
        (RATIO, "%", "above"),
        ({**PROMETHEUS, "aggregate": "rate"}, "/s", "above"),
        ({**PROMETHEUS, "unit": "GB", "direction": "below"}, "GB", "below"),
        (POSTGRES, "", "above"),
        ({**POSTGRES, "value": "latency_p50_ms"}, "ms", "above"),
        ({**POSTGRES, "value": "longest_query_seconds"}, "s", "above"),
        ({**POSTGRES, "value": "replication_lag_bytes"}, "B", "above"),
    ],
)
def test_units_and_directions_have_sensible_defaults(raw: dict[str, Any], unit: str, direction: str) -> None:
    it = check(raw, duration=10)
    assert (it.unit, it.limits.direction) == (unit, direction)


def test_details_reach_the_check() -> None:
    it = check(
        {
            **HTTP, "method": "post", "headers": {"A": 1}, "secret_headers": {"B": "geheim"}, "grace": 0,
            "expect_body": {"query": "ok", "equals": True},
        },
        duration=10,
        grace=5,
    )  # fmt: skip
    assert isinstance(it.target, Request)
    assert (it.target.method, it.target.headers) == ("POST", (("A", "1"), ("B", "geheim")))
    assert "geheim" not in repr(it)
    assert it.limits.grace == 0
    assert check(HTTP, duration=10, grace=5).limits.grace == 5
    assert read(params(HTTP, duration=10, interval=2, stop_on_red=False))[1] == Settings(10, 2, False)


@pytest.mark.parametrize(
    ("raw", "libraries"),
    [
        (HTTP, set()),
        ({**HTTP, "expect_body": {"query": "a", "equals": "b"}}, {"jmespath"}),
        (JSON, {"jmespath"}),
        (POSTGRES, {"psycopg2"}),
        (PROMETHEUS, {"prometheus_client"}),
    ],
)
def test_only_the_libraries_that_are_needed(raw: dict[str, Any], libraries: set[str]) -> None:
    assert needs(params(raw)) == libraries


def test_checks_of_one_database_share_a_look() -> None:
    raws = [
        {**POSTGRES, "name": "a"},
        {**POSTGRES, "name": "b", "value": "longest_query_seconds"},
        {**POSTGRES, "name": "c", "value": "slow_queries_count"},
        {**POSTGRES, "name": "d", "value": "in_recovery", "timeout": 1},
    ]
    looks = [it.target for it in read(params(*raws))[0]]
    assert all(isinstance(look, Look) for look in looks)
    assert looks[0] == looks[1] == looks[2] == Look(POSTGRES["database_url"], ("connections", "slow"), 5.0)
    assert looks[3] == Look(POSTGRES["database_url"], ("server",), 1.0)
    assert "geheim" not in repr(looks)


def test_types_that_share_an_option_mean_the_same_by_it() -> None:
    for kind in KINDS.values():
        assert {name: CHECK_SPEC[name] for name in kind.options} == kind.options
        assert not COMMON.keys() & kind.options.keys()


def test_checks_that_measure_requests_never_share_one() -> None:
    raws = [{**HTTP, "name": "a"}, {**HTTP, "name": "b"}, {**JSON, "name": "c"}, {**JSON, "name": "d"}]
    first, second, third, fourth = (it.target for it in read(params(*raws))[0])
    assert first != second
    assert third == fourth


def test_a_check_that_is_only_measured_has_no_limit_and_no_weight() -> None:
    it = read(params({**HTTP, "measure": "latency_ms", "judge": False}, {**HTTP, "name": "judged"}))[0][0]
    assert (it.weight, it.limits.on_no_data, it.limits.origin) == (0, "pass", "it is measured and not judged")


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ({**JSON, "judge": False}, "it: crit cannot go with judge=false"),
        ({**HTTP, "judge": False}, "it: measure=status cannot go with judge=false, for it yields no numbers"),
        ({**HTTP, "measure": "p95", "judge": False, "successes": 1}, "successes cannot go with judge=false"),
        ({**HTTP, "measure": "p95", "judge": False}, "no check has a weight above 0"),
    ],
)
def test_a_check_that_is_only_measured_says_nothing_of_limits(raw: dict[str, Any], problem: str) -> None:
    with pytest.raises(SluiceError) as error:
        read(params(raw, duration=5))
    assert problem in str(error.value)

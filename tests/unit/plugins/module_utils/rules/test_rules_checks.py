# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From rules to checks, from checks to rules, and back."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.gate._schema import GATE_SPEC, read
from ansible_collections.sluice.release.plugins.module_utils.rules._dashboard import dashboard_of
from ansible_collections.sluice.release.plugins.module_utils.rules._export import (
    Setting,
    Watched,
    rules_of,
    text_of,
    watched,
)
from ansible_collections.sluice.release.plugins.module_utils.rules._file import read_file
from ansible_collections.sluice.release.plugins.module_utils.rules._import import Wishes, to_checks
from ansible_collections.sluice.release.plugins.module_utils.rules._model import Rule

URL = "http://127.0.0.1:9090"
WISHES = Wishes(URL)
SETTING = Setting("g")


def rule(expr: str, severity: str | None = "critical", **changes: Any) -> Rule:
    labels = {} if severity is None else {"severity": severity}
    return replace(Rule("A", expr, "g", labels=labels), **changes)


def checks(*rules: Rule, **wishes: Any) -> list[dict[str, Any]]:
    found = to_checks(rules, replace(WISHES, **wishes))[0]
    common = {"type": "promql", "url": URL}
    assert all(common.items() <= check.items() for check in found)
    # Whatever comes out is what a gate takes in.
    read(validated(*found)) if found else None
    return [{name: value for name, value in check.items() if name not in common} for check in found]


def validated(*raw: dict[str, Any]) -> dict[str, Any]:
    result = ArgumentSpecValidator(GATE_SPEC).validate({"checks": [dict(check) for check in raw], "duration": 3600})
    assert not result.error_messages, result.error_messages
    return dict(result.validated_parameters)


ABOVE = {"name": "A", "query": "a", "direction": "above", "empty": "good"}


@pytest.mark.parametrize(
    ("rules", "wanted"),
    [
        # Prometheus fires past the number, a gate is critical at it: the check says which is meant.
        ([rule("a > 5")], [{**ABOVE, "crit": 5, "inclusive": False}]),
        ([rule("a >= 5")], [{**ABOVE, "crit": 5}]),
        ([rule("a > 5", "warning")], [{**ABOVE, "warn": 5}]),
        ([rule("a >= 5", "warning")], [{**ABOVE, "warn": 5, "inclusive": True}]),
        ([rule("a <= 5")], [{**ABOVE, "direction": "below", "crit": 5}]),
        ([rule("a == 0")], [{**ABOVE, "direction": "equals", "crit": 0}]),
        ([rule("a == 0", "warning")], [{**ABOVE, "direction": "equals", "warn": 0}]),
        ([rule("a >= 5", sustained=300, recover=60)], [{**ABOVE, "crit": 5, "sustained": 300, "recover": 60}]),
        # What is no comparison is a state, or for a warning the number of findings.
        ([rule("absent(up)")], [{"name": "A", "query": "absent(up)", "expect": "empty"}]),
        ([rule("absent(up)", "warning")], [{"name": "A", "query": "absent(up)", "series": "count", "warn": 0}]),
        # A pair
        ([rule("a > 3", "warning"), rule("a >= 5")], [{**ABOVE, "warn": 3, "crit": 5}]),
        ([rule("a > 5"), rule("a > 3", "warning")], [{**ABOVE, "warn": 3, "crit": 5, "inclusive": False}]),
        ([rule("a >= 5"), rule("a >= 3", "warning")], [{**ABOVE, "warn": 3, "crit": 5, "inclusive": True}]),
        (
            [rule("a < 5", "warning"), rule("a < 3")],
            [{**ABOVE, "direction": "below", "warn": 5, "crit": 3, "inclusive": False}],
        ),
        (
            [rule("a == 2", "warning"), rule("a == 1")],
            [{**ABOVE, "direction": "equals", "warn": 2, "crit": 1}],
        ),
        # No pair: no check can say both.
        (
            [rule("a > 5"), rule("a >= 3", "warning")],
            [{**ABOVE, "crit": 5, "inclusive": False}, {**ABOVE, "name": "A (2)", "warn": 3, "inclusive": True}],
        ),
        (
            [rule("a >= 5"), rule("a > 7", "warning")],
            [{**ABOVE, "crit": 5}, {**ABOVE, "name": "A (2)", "warn": 7}],
        ),
        (
            [rule("a >= 5", sustained=60), rule("a > 3", "warning")],
            [{**ABOVE, "crit": 5, "sustained": 60}, {**ABOVE, "name": "A (2)", "warn": 3}],
        ),
        (
            [rule("a >= 5"), rule("a >= 7"), rule("b >= 7", alert="B")],
            [
                {**ABOVE, "crit": 5},
                {**ABOVE, "name": "A (2)", "crit": 7},
                {**ABOVE, "name": "B", "query": "b", "crit": 7},
            ],
        ),
        (
            [rule("a >= 5"), rule("a > 3", "warning", group="h")],
            [{**ABOVE, "crit": 5}, {**ABOVE, "name": "A (2)", "warn": 3}],
        ),
    ],
)  # fmt: skip
def test_rules_as_checks(rules: list[Rule], wanted: list[dict[str, Any]]) -> None:
    assert checks(*rules) == wanted


@pytest.mark.parametrize(
    ("changes", "wishes", "reason"),
    [
        ({"labels": {}}, {}, "its severity is not given, which is neither crit nor warn"),
        ({"labels": {"severity": "none"}}, {}, "its severity is none, which is neither crit nor warn"),
        ({}, {"severity_label": "level"}, "its level is not given, which is neither crit nor warn"),
        ({}, {"alerts": ["B*", "C"]}, "its name is not selected"),
        ({}, {"groups": ["http"]}, "its group is not selected"),
        ({}, {"labels": {"team": "x*"}}, "its label team is not selected"),
    ],
)
def test_a_rule_is_left_out_with_the_reason(changes: dict[str, Any], wishes: dict[str, Any], reason: str) -> None:
    found, _origins, left_out = to_checks([replace(rule("a > 5", line=7), **changes)], replace(WISHES, **wishes))
    assert found == []
    assert left_out == [{"alert": "A", "group": "g", "line": 7, "reason": reason}]


def test_severities_are_what_a_team_says_they_are() -> None:
    wishes: dict[str, Any] = {"severity_label": "level", "severities": {"P1": "crit"}, "other_severities": "warn"}
    found = checks(*(rule("a > 5", labels={"level": level}, alert=level) for level in ("P1", "P2")), **wishes)
    assert [sorted({"crit", "warn"} & set(check)) for check in found] == [["crit"], ["warn"]]


def test_where_a_check_comes_from() -> None:
    rules = [
        rule("a > 3", "warning", line=4, annotations={"summary": "{{ $value }} is much"}),
        rule("a > 5", line=9),
        rule("b > 5 and c", alert="B", annotations={"description": "Look at b"}),
    ]
    origins = to_checks(rules, WISHES)[1]
    assert origins[0] == {
        "check": "A",
        "alert": "A",
        "group": "g",
        "lines": [4, 9],
        "severities": ["warning", "critical"],
        "summary": "{{ $value }} is much",
        "whole": "",
    }
    assert (origins[1]["summary"], origins[1]["whole"]) == ("Look at b", "it is no comparison with a number")


# --- Checks as rules


def seen(setting: Setting = SETTING, **options: Any) -> Watched | str:
    return watched(validated({"name": "A", **options})["checks"][0], setting)


PROMQL: dict[str, Any] = {"type": "promql", "url": URL, "query": "a"}
METRIC: dict[str, Any] = {"type": "prometheus", "url": URL, "metric": "m", "crit": 5}
OVER = {"aggregate": "ratio", "over": {"metric": "n"}}


@pytest.mark.parametrize(
    ("options", "query"),
    [
        ({**PROMQL, "crit": 5}, "a"),
        ({**PROMQL, "crit": 5, "scale": 1000}, "a * 1000"),
        ({**PROMQL, "crit": 5, "scale": 0.5, "query": "a + b"}, "(a + b) * 0.5"),
        ({**PROMQL, "crit": 5, "series": "sum"}, "sum(a)"),
        ({**PROMQL, "crit": 5, "series": "count", "query": "a # all"}, "count(a # all\n)"),
        ({**PROMQL, "expect": "empty"}, "count(a) or vector(0)"),
        (METRIC, "sum(m)"),
        ({**METRIC, "scale": 1e-6}, "sum(m) * 1e-06"),
        (
            {**METRIC, "labels": {"a": "~5..", "b": "!x", "c": "!~y|z", "d": True}},
            'sum(m{a=~"5..", b!="x", c!~"y|z", d="true"})',
        ),
        ({**METRIC, "labels": {"a": 'x"\\\n'}}, 'sum(m{a="x\\"\\\\\\n"})'),
        ({**METRIC, "aggregate": "rate"}, "sum(rate(m[1m]))"),
        ({**METRIC, "aggregate": "rate", "window": 300}, "sum(rate(m[5m]))"),
        (
            {**METRIC, **OVER, "labels": {"status": "~5.."}},
            '100 * (sum(rate(m{status=~"5.."}[1m])) or vector(0)) / sum(rate(n[1m]))',
        ),
        (
            {**METRIC, **OVER, "min_events": 20},
            "100 * (sum(rate(m[1m])) or vector(0)) / sum(rate(n[1m])) and sum(increase(n[1m])) >= 20",
        ),
        (
            {**METRIC, "aggregate": "quantile", "scale": 1000},
            "histogram_quantile(0.95, sum by (le) (rate(m_bucket[1m]))) * 1000",
        ),
    ],
)  # fmt: skip
def test_a_check_as_a_query(options: dict[str, Any], query: str) -> None:
    found = seen(**options)
    assert isinstance(found, Watched)
    assert found.query == query


def test_prometheus_has_metrics_of_many_applications() -> None:
    found = seen(replace(SETTING, matchers={"job": "dealradar"}, least_window=30), **METRIC, **OVER, labels={"s": "x"})
    assert isinstance(found, Watched)
    assert found.query == (
        '100 * (sum(rate(m{job="dealradar", s="x"}[30s])) or vector(0)) / sum(rate(n{job="dealradar"}[30s]))'
    )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"type": "http", "url": URL}, "Prometheus does not see what a check of type http measures"),
        ({"type": "json", "url": URL, "query": "a", "crit": 1}, "Prometheus does not see"),
        ({**PROMQL, "target": 5}, "it has neither crit nor warn of its own"),
    ],
)
def test_a_check_that_prometheus_cannot_watch(options: dict[str, Any], reason: str) -> None:
    found = seen(**options)
    assert isinstance(found, str)
    assert found.startswith(reason)


@pytest.mark.parametrize("options", [{**PROMQL, "query": " "}, {**METRIC, "metric": "m n"}, {**METRIC, "crit": "nan"}])
def test_a_check_that_makes_no_sense_makes_no_rule(options: dict[str, Any]) -> None:
    with pytest.raises(SluiceError, match="Cannot make alerting rules: A: "):
        seen(**options)


def exported(*raw: dict[str, Any], setting: Setting = SETTING) -> list[Any]:
    found = [watched(check, setting) for check in validated(*raw)["checks"]]
    rules = rules_of([check for check in found if isinstance(check, Watched)], setting)
    return list(yaml.safe_load(text_of(rules))["groups"][0]["rules"])


def test_a_rule_for_each_limit() -> None:
    check = {**METRIC, "name": "errors", "warn": 2, "target": 1, "unit": "%", "sustained": 90, "recover": 0.5}
    assert exported(check, setting=replace(SETTING, labels={"release": 1.5})) == [
        {
            "alert": "errors",
            "expr": f"sum(m) {sign} {limit}",
            "for": "1m30s",
            "keep_firing_for": "500ms",
            "labels": {"release": "1.5", "severity": severity},
            "annotations": {
                "summary": f"errors: {{{{ $value }}}} %, {severity} {side} {limit} %",
                "sluice_unit": "%",
                "sluice_target": "1",
            },
        }
        for severity, sign, side, limit in (("critical", ">=", "at or above", 5), ("warning", ">", "above", 2))
    ]


def test_a_label_that_is_none() -> None:
    with pytest.raises(SluiceError, match="my-label is no name of a label"):
        exported({**METRIC, "name": "A"}, setting=replace(SETTING, labels={"my-label": "x"}))


def test_the_same_checks_make_the_same_file() -> None:
    check = {**METRIC, "name": "A"}
    assert exported(check) == exported(dict(reversed(check.items())))


# --- Round trip

QUERIES = ["a", "sum by (x) (rate(a[5m]))", "a / b", "(a)", "a > 3", "a # why", "a or b", 'a{b="{{ x }}>5"}', "-a"]


def _random_check(number: int, chance: random.Random) -> dict[str, Any]:
    direction = chance.choice(["above", "below", "equals"])
    crit, warn = (round(chance.uniform(-100, 100), chance.choice([0, 3, 9])) for _ in range(2))
    if (crit < warn) == (direction == "above"):
        crit, warn = warn, crit
    levels = {"crit": crit, "warn": warn}
    given = chance.choice([("crit",), ("warn",), ("crit", "warn")])
    check: dict[str, Any] = {
        "name": f"check {number} {{{{ }}}}",
        "type": "promql",
        "url": URL,
        "query": chance.choice(QUERIES),
        "sustained": chance.choice([0.0, 0.25, 60.0, 5400.0]),
        "recover": chance.choice([0.0, 30.0]),
    }
    if chance.random() < 0.2:
        return {**check, **chance.choice([{"expect": "empty"}, {"series": "count", "warn": 0.0}])}
    check.update({"direction": direction, "empty": "good", **{level: levels[level] for level in given}})
    if direction != "equals":
        # Of one limit both spellings may mean the same; the import prefers the plainer.
        default = {"crit": True, "warn": False}
        inclusive = chance.choice([True, False])
        if any(default[level] != inclusive for level in given):
            check["inclusive"] = inclusive
        if chance.random() < 0.3:
            check["target"] = warn - 1 if direction == "above" else warn + 1
        if chance.random() < 0.3:
            check["unit"] = "ms"
    return check


def test_what_is_exported_is_imported_as_it_was() -> None:
    chance = random.Random(4)
    written = [_random_check(number, chance) for number in range(300)]
    made = [watched(check, SETTING) for check in validated(*written)["checks"]]
    text = text_of(rules_of([check for check in made if isinstance(check, Watched)], SETTING))
    found, _origins, left_out = to_checks(read_file(text, "x").rules, WISHES)
    assert left_out == []
    options = ("sustained", "recover")
    plain = [{k: v for k, v in check.items() if k not in options or v} for check in written]
    assert found == plain


# --- Dashboard


@pytest.mark.parametrize(
    ("limits", "steps"),
    [
        ({"crit": 5, "warn": 2}, [("green", None), ("yellow", 2), ("red", 5)]),
        ({"crit": 5}, [("green", None), ("red", 5)]),
        ({"crit": 60, "warn": 80, "direction": "below"}, [("red", None), ("yellow", 60), ("green", 80)]),
        ({"warn": 80, "direction": "below"}, [("yellow", None), ("green", 80)]),
        ({"crit": 3, "warn": 1, "direction": "equals"}, [("transparent", None), ("yellow", 1), ("red", 3)]),
    ],
)
def test_the_limits_are_drawn(limits: dict[str, Any], steps: list[Any]) -> None:
    found = seen(**PROMQL, **limits)
    assert isinstance(found, Watched)
    panel = dashboard_of([found], "T")["panels"][0]
    defaults = panel["fieldConfig"]["defaults"]
    assert [(step["color"], step["value"]) for step in defaults["thresholds"]["steps"]] == steps
    assert defaults["custom"]["thresholdsStyle"]["mode"] == "line+area"


def test_a_dashboard() -> None:
    found = [seen(**PROMQL, crit=5, unit=unit) for unit in ("%", "deals", "")]
    dashboard = dashboard_of([check for check in found if isinstance(check, Watched)], "T")
    panels = dashboard["panels"]
    assert [panel["id"] for panel in panels] == [1, 2, 3]
    assert [panel["fieldConfig"]["defaults"]["unit"] for panel in panels] == ["percent", "suffix: deals", "short"]
    assert all(panel["targets"][0]["expr"] == "a" for panel in panels)
    assert {panel["datasource"]["uid"] for panel in panels} == {"${datasource}"}
    assert dashboard["templating"]["list"][0]["type"] == "datasource"
    places = [tuple(panel["gridPos"].values()) for panel in panels]
    assert not any(one[:2] == other[:2] for one, other in itertools.combinations(places, 2))

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules out of files and servers, and what is said of those that cannot be read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._http import Response
from ansible_collections.sluice.release.plugins.module_utils.rules._file import read_file
from ansible_collections.sluice.release.plugins.module_utils.rules._model import Rule, duration_of, seconds_of
from ansible_collections.sluice.release.plugins.module_utils.rules._server import read_server

FILE = """
# The alerts of the team
groups:
  - name: http
    interval: 30s
    rules:
      - record: job:errors:rate5m
        expr: sum by (job) (rate(errors_total[5m]))
      - alert: HighErrorRate
        expr: |
          job:errors:rate5m
            > 0.05
        for: 1h30m
        keep_firing_for: 2m
        labels: {severity: critical, tier: 1}
        annotations:
          summary: "{{ $labels.job }} fails"
  - name: empty
  - name: also_empty
    rules:
"""

HIGH = Rule(
    alert="HighErrorRate",
    expr="job:errors:rate5m\n  > 0.05",
    group="http",
    sustained=5400,
    recover=120,
    labels={"severity": "critical", "tier": "1"},
    annotations={"summary": "{{ $labels.job }} fails"},
    line=9,
)


def test_a_file() -> None:
    found = read_file(FILE, "rules.yml")
    assert found.rules == [HIGH]
    assert found.recording == 1


def test_a_prometheus_rule_of_kubernetes() -> None:
    indented = FILE.replace("\n", "\n  ")
    text = f"apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {{name: x}}\nspec:{indented}"
    assert [rule.alert for rule in read_file(text, "x").rules] == ["HighErrorRate"]


def rule(*lines: str) -> str:
    return "groups:\n- name: g\n  rules:\n  - alert: A\n" + "".join(f"    {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1: it is empty"),
        ("- a", "line 1: a rule file must be a mapping"),
        ("a: 1\nb: 2", "line 1: it has no groups"),
        ("groups:\n- rules: []", "line 2: a group has no name"),
        ("groups: 5", "line 1: groups must be a list"),
        ("groups:\n- name: g\n  rules: {a: 1}", "line 3: rules must be a list"),
        ("groups:\n  - name: [x", "line 2: it is no YAML"),
        ("groups: {{ groups }}", "line 1: "),
        (rule("exp: 1"), "line 5: a rule has no field exp"),
        (rule("expr: a", "expr: b"), "line 6: expr is given twice"),
        (rule("expr: ''"), "line 4: a rule has no expr"),
        (rule("for: 5m"), "line 4: a rule has no expr"),
        (rule("expr: a", "record: b"), "line 4: a rule needs either alert or record"),
        (rule("expr: [a]"), "line 5: expr must be a text"),
        (rule("expr: a", "for: 5 minutes"), "line 6: for is 5 minutes, which is no duration such as 5m or 1h30m"),
        (rule("expr: a", "for: 300"), "line 6: for is 300, which is no duration"),
        (rule("expr: a", "keep_firing_for:"), "line 6: keep_firing_for is empty"),
        (rule("expr: a", "labels:", "  - severity"), "line 7: labels must be a mapping"),
        (rule("expr: a", "labels:", "  severity: {a: b}"), "line 7: labels.severity must be a text"),
        ("groups:\n- name: g\n  rules:\n  - alert: ''\n    expr: a", "line 4: alert is empty"),
        ("groups: \x00", "line 1: it is no YAML"),
        ("a: " + "[" * 1000, "line 1: it is no YAML"),
    ],
)
def test_a_bad_file_is_refused_by_its_line(text: str, problem: str) -> None:
    with pytest.raises(SluiceError) as caught:
        read_file(text, "rules.yml")
    assert str(caught.value).startswith(f"Cannot read the alerting rules of rules.yml: {problem}")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5m", 300), ("1h30m", 5400), ("0", 0), ("0s", 0), ("0ms", 0), ("500ms", 0.5), ("1d", 86400), ("1w2d", 777600)],
)
def test_a_duration(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("seconds", [0, 0.001, 0.5, 1, 1.234, 59, 90, 3600, 86399.999, 604800, 1e8])
def test_a_duration_comes_back(seconds: float) -> None:
    assert seconds_of(duration_of(seconds)) == seconds


@pytest.mark.parametrize("text", ["", "5", "1.5h", "-5m", "5m1h", "5 m", "m", "1h-5m"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError):
        seconds_of(text)


def served(document: Any, status: int = 200, error: str | None = None) -> Any:
    def send(url: str, **_options: Any) -> Response:
        assert url == "http://h/prom/api/v1/rules"
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return Response(status, {}, body, 0.01, error)

    return send


ALERTING = {
    "type": "alerting", "name": "HighErrorRate", "query": "a > 5", "duration": 300, "keepFiringFor": 60,
    "labels": {"severity": "page"}, "annotations": {}, "health": "ok", "alerts": [],
}  # fmt: skip


def serve(rules: list[Any]) -> Any:
    return served({"status": "success", "data": {"groups": [{"name": "g", "rules": rules}]}})


def test_a_server() -> None:
    rules = [ALERTING, {"type": "recording", "name": "r", "query": "a"}]
    options: Any = {"headers": {}, "timeout": 1, "validate_certs": True}
    found = read_server("http://h/prom/", send=serve(rules), **options)
    wanted = Rule("HighErrorRate", "a > 5", "g", 300, 60, {"severity": "page"})
    assert found.recording == 1
    assert found.rules == [wanted]


@pytest.mark.parametrize(
    ("send", "problem"),
    [
        (served({}, 0, "connection refused"), "connection refused"),
        (served(b"<html>", 404), "it answered 404, and not as Prometheus does"),
        (served({"status": "error", "error": "no org id"}, 401), "it answered 401 (no org id)"),
        (served([]), "it answered 200, and not as Prometheus does"),
        (served({"status": "success", "data": {}}), "its answer has no groups"),
    ],
)
def test_a_server_that_does_not_tell(send: Any, problem: str) -> None:
    with pytest.raises(SluiceError) as caught:
        read_server("http://h/prom", send=send, headers={}, timeout=1, validate_certs=True)
    assert str(caught.value).startswith(f"Cannot read the alerting rules of http://h/prom: {problem}.")

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exported rules as promtool sees them, and rules that cannot be read."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.sluice.release.plugins.module_utils.gate._model import Sample
from ansible_collections.sluice.release.plugins.module_utils.gate._rules import Judge
from ansible_collections.sluice.release.plugins.module_utils.gate._schema import GATE_SPEC, read
from ansible_collections.sluice.release.plugins.modules import gate_rules, gate_rules_info

ROOT = Path(__file__).parents[2]

STEP = 5
"""Seconds between two samples, and between two evaluations of the rules."""

LENGTH = 40
"""Samples of a series."""


def walk(chance: random.Random) -> list[float | None]:
    """Values that go in and out of the limits; None: the series is gone."""
    values: list[float | None] = []
    while len(values) < LENGTH:
        level: float | None = chance.choice([0, 2, 4.999, 5, 5.001, 9, 9, 9, None])
        values += [level] * chance.choice([1, 1, 2, 3, 5, 8])
    return values[:LENGTH]


def test_an_alert_fires_when_the_gate_turns_red(need: Callable[[str], None], run_module: Any, tmp_path: Path) -> None:
    """The exported rules, evaluated by Prometheus' own engine, beside the gate's verdicts on the same 100 series."""
    need("promtool")
    chance = random.Random(5)
    walks = [walk(chance) for _number in range(100)]
    checks: list[dict[str, Any]] = [
        {
            "name": f"w{number}",
            "type": "promql",
            "url": "http://127.0.0.1:9090",
            "query": f'load{{case="{number}"}}',
            "direction": direction,
            "crit": 5.0,
            "sustained": float(chance.choice([0, 5, 7, 10, 20])),
            "empty": "good",
            **({} if direction == "equals" else {"inclusive": chance.choice([True, False])}),
        }
        for number in range(len(walks))
        for direction in [chance.choice(["above", "below", "equals"])]
    ]
    rules = tmp_path / "rules.yml"
    run_module(gate_rules.main, checks=checks, group="g", rules_path=str(rules))
    fired = 0
    expectations: list[dict[str, Any]] = []
    for check, values in zip(checks, walks, strict=True):
        red = _red_at(check, values)
        fired += red is not None
        query = f'ALERTS{{alertname="{check["name"]}", alertstate="firing"}}'
        labels = query.replace("}", f', case="{check["name"][1:]}", severity="critical"}}')
        end = LENGTH * STEP if red is None else red
        # Silence until then, and a voice at that very evaluation.
        wanted: dict[int, list[Any]] = {t: [] for t in range(0, end, STEP)}
        wanted.update({} if red is None else {red: [{"labels": labels, "value": 1}]})
        expectations += [{"expr": query, "eval_time": f"{t}s", "exp_samples": samples} for t, samples in wanted.items()]
    spelled = [" ".join("stale" if value is None else repr(value) for value in values) for values in walks]
    test = {
        "interval": f"{STEP}s",
        "input_series": [
            {"series": check["query"], "values": values} for check, values in zip(checks, spelled, strict=True)
        ],
        "promql_expr_test": expectations,
    }
    suite = {"rule_files": [str(rules)], "evaluation_interval": f"{STEP}s", "tests": [test]}
    (tmp_path / "suite.yml").write_text(yaml.safe_dump(suite))
    done = subprocess.run(
        ["promtool", "test", "rules", str(tmp_path / "suite.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert 30 < fired < 95


def _red_at(raw: dict[str, Any], values: list[float | None]) -> int | None:
    found = ArgumentSpecValidator(GATE_SPEC).validate({"checks": [dict(raw)], "duration": 3600})
    judge = Judge(read(found.validated_parameters)[0][0])
    for number, value in enumerate(values):
        judge.add(Sample(float(number * STEP), value, good=True if value is None else None))
        if judge.red:
            return number * STEP
    return None


METRIC = {"type": "prometheus", "url": "http://127.0.0.1/"}
RATIO = {**METRIC, "metric": "r_total", "aggregate": "ratio", "over": {"metric": "r_total"}, "labels": {"s": "~5.."}}
QUANTILE = {**METRIC, "metric": "d", "aggregate": "quantile"}
GATE = [
    {"name": "load", "type": "promql", "url": "http://h", "query": "load", "warn": 3, "crit": 5, "target": 1},
    {"name": "absent", "type": "promql", "url": "http://h", "query": "absent(load)", "expect": "empty", "recover": 60},
    {"name": "errors {{ x }}", **RATIO, "warn": 2, "crit": 5, "unit": "%", "sustained": 5, "min_events": 20},
    {"name": "p95", **QUANTILE, "scale": 1000, "crit": 1000, "unit": "ms"},
    {"name": "memory", **METRIC, "metric": "m_bytes", "labels": {"a": 'x"\\'}, "crit": 2e9, "unit": "B"},
    {"name": "health", "type": "http", "url": "http://127.0.0.1/"},
]


def test_exported_rules_are_rules(need: Callable[[str], None], run_module: Any, tmp_path: Path) -> None:
    need("promtool")
    rules, dashboard = tmp_path / "rules.yml", tmp_path / "dashboard.json"
    arguments = {
        "checks": GATE,
        "group": "dealradar",
        "labels": {"application": "dealradar", "release": "1.1.0"},
        "matchers": {"job": "dealradar"},
        "rules_path": str(rules),
        "dashboard_path": str(dashboard),
    }
    checked = run_module(gate_rules.main, check=True, **arguments)
    assert checked["changed"] is True
    assert not rules.exists()
    done = run_module(gate_rules.main, **arguments)
    assert done == checked
    assert [change["after_header"] for change in done["diff"]] == [str(rules), str(dashboard)]
    told = subprocess.run(["promtool", "check", "rules", str(rules)], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "7 rules found" in told.stdout
    assert len(json.loads(dashboard.read_text())["panels"]) == 5
    assert rules.stat().st_mode & 0o777 == 0o644
    assert [left["check"] for left in done["left_out"]] == ["health"]
    again = run_module(gate_rules.main, **arguments)
    assert (again["changed"], again["diff"]) == (False, [])
    changed = run_module(gate_rules.main, **{**arguments, "labels": {}})
    assert [change["after_header"] for change in changed["diff"]] == [str(rules)]


def test_a_file_that_cannot_be_written(run_module: Any, tmp_path: Path) -> None:
    result = run_module(gate_rules.main, checks=GATE, group="g", rules_path=str(tmp_path / "none" / "rules.yml"))
    assert result["msg"] == (
        f"Cannot write {tmp_path}/none/rules.yml: its directory does not exist. Make the directory first."
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": "/none/rules.yml"}, "Cannot read the alerting rules of /none/rules.yml: No such file or directory."),
        ({"content": "groups: 5"}, "Cannot read the alerting rules of the content: line 1: groups must be a list."),
        ({"content": "groups: []", "severities": {"p1": "red"}}, "Cannot make checks of alerting rules: severity p1"),
    ],
)  # fmt: skip
def test_rules_that_cannot_be_read(run_module: Any, arguments: dict[str, Any], message: str) -> None:
    result = run_module(gate_rules_info.main, url="http://127.0.0.1:9090", **arguments)
    assert result["failed"] is True
    assert result["msg"].startswith(message)


def test_a_profile_names_the_alerts_of_a_file(tmp_path: Path) -> None:
    """The lookup under the real Ansible: rules with templates in them, a bad file, and no server at all."""
    rule = {"alert": "high {{ x }}", "expr": "a > 5", "for": "5m", "labels": {"severity": "page"}}
    (tmp_path / "alerts.yml").write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": [rule]}]}))
    (tmp_path / "bad.yml").write_text("groups: 5")
    (tmp_path / "ansible.cfg").touch()
    lookup = "query('sluice.release.alert_checks', {})"
    calls = {
        "good": "'http://h', path=playbook_dir ~ '/alerts.yml'",
        "bad": "'http://h', path=playbook_dir ~ '/bad.yml'",
        "nowhere": "path=playbook_dir ~ '/alerts.yml'",
        "both": "'http://h', path=playbook_dir ~ '/alerts.yml', content='groups: []'",
        "other": "'http://h', path=playbook_dir ~ '/alerts.yml', alerts=['B*']",
    }
    tasks = [
        {
            "block": [{"ansible.builtin.set_fact": {name: f"{{{{ {lookup.format(arguments)} }}}}"}}],
            "rescue": [{"ansible.builtin.set_fact": {name: "{{ ansible_failed_result.msg }}"}}],
        }
        for name, arguments in calls.items()
    ]
    keep = {name: f"{{{{ {name} }}}}" for name in calls}
    tasks.append({"ansible.builtin.copy": {"content": keep, "dest": f"{tmp_path}/found.json", "mode": "0600"}})  # type: ignore[dict-item]
    (tmp_path / "play.yml").write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "play.yml"],
        cwd=tmp_path,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"), "ANSIBLE_CONFIG": "ansible.cfg"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    check = {"type": "promql", "url": "http://h", "query": "a", "direction": "above", "crit": 5.0, "sustained": 300.0}
    assert found["good"] == [{"name": "high {{ x }}", **check, "inclusive": False, "empty": "good"}]
    assert f"Cannot read the alerting rules of {tmp_path}/bad.yml: line 1: groups must be a list." in found["bad"]
    assert "Cannot read alerting rules: 0 addresses of servers were given." in found["nowhere"]
    assert "Cannot read alerting rules: both path and content were given." in found["both"]
    assert found["other"] == []

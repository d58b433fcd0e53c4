# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.preflight._gates import ORIGIN, check_names
from ansible_collections.sluice.release.plugins.module_utils.preflight._triggers import problems
from ansible_collections.sluice.release.plugins.module_utils.preflight._windows import problems as window_problems

CHECKS = ["error_rate_pct", "p95_ms"]


def found(*triggers: Any, **said: Any) -> list[str]:
    return list(problems(json.dumps({"triggers": list(triggers), "levels": [1, 2], **said}), CHECKS))


@pytest.mark.parametrize(
    ("trigger", "said"),
    [
        ({"name": "errors", "check": "error_rate_pct"}, []),
        ({"name": "workers", "check": "locks"}, []),
        (
            {"name": "errors", "check": "error_rate", ORIGIN: "profile.yml:12"},
            ["trigger errors (profile.yml:12): no check is called error_rate; did you mean error_rate_pct?"],
        ),
        (
            {"name": "corruption", "declared": True, "level": 3, ORIGIN: "profile.yml:14"},
            ["trigger corruption (profile.yml:14): the profile has no level 3, only 1 and 2"],
        ),
        ({"name": "nothing"}, ["trigger nothing: nothing can fire it; give it a check or an alert"]),
    ],
)
def test_a_trigger_that_leads_nowhere_is_named_with_its_line(trigger: dict[str, Any], said: list[str]) -> None:
    told = found(trigger, checks=["locks"])
    assert len(told) == len(said)
    assert all(one.startswith(start) for one, start in zip(told, said, strict=True)), told


def test_what_the_profile_says_as_a_whole() -> None:
    assert found(automatic="perhaps") == ["rollback_automatic must be true, ask or false, not 'perhaps'"]
    assert list(problems("{}", [])) == []
    assert list(problems('{"triggers": "errors"}', [])) == ["trigger rollback_triggers must be a list of triggers"]


def test_the_names_of_all_that_is_judged() -> None:
    gates = [{"name": "g", "checks": [{"name": "a"}], "comparisons": [{"name": "b"}]}, {"flows": [{"name": "c"}]}]
    windows = [{"name": "w", "checks": [{"name": "d"}]}, {"security": [{"set": "headers"}]}, "odd"]
    assert check_names(json.dumps(gates), json.dumps(windows)) == ["a", "b", "c", "d", "headers"]


def test_the_check_of_a_trigger_has_to_be_possible_in_every_window() -> None:
    rate = {"name": "errors", "type": "prometheus", "url": "http://127.0.0.1/", "metric": "errors_total"}
    defaults = {"checks": [], "base_url": "http://127.0.0.1", "added": [{**rate, "aggregate": "rate", "crit": 1}]}
    windows = [{"name": "5 min", "until": 300, "every": 60, "flows": [{"name": "f", "steps": [{"path": "/"}]}]}]
    (said,) = window_problems(json.dumps(windows), json.dumps(defaults))
    assert said == "watch window 5 min, errors: a rate needs two looks; set duration"

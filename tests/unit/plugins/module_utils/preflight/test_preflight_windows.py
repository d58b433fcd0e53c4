# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows of a watch that could not be kept, or whose ticks could not be judged, are refused before anything moves."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.preflight._gates import ORIGIN
from ansible_collections.sluice.release.plugins.module_utils.preflight._windows import problems

CHECK = {"name": "errors", "type": "json", "url": "http://127.0.0.1/m", "query": "errors", "crit": 5}
RATE = {"name": "rate", "type": "prometheus", "url": "http://127.0.0.1", "metric": "x", "aggregate": "rate", "crit": 1}
HOUR = {"name": "1 h", "until": 3600, "every": 60}


def found(*windows: Any, **common: Any) -> list[str]:
    defaults = {"checks": [CHECK], "interval": 1, "base_url": "http://127.0.0.1", **common}
    return list(problems(json.dumps(windows), json.dumps(defaults)))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, None),
        ({"duration": 48}, None),
        (
            {"duration": 49, ORIGIN: "p.yml:7"},
            "watch window 1 h (p.yml:7): its duration is 49 s and it repeats",
        ),
        ({"duration": 90}, "watch window 1 h: its duration is 90 s"),
        ({"duration": "90"}, "watch window 1 h: its duration is 90 s"),
        ({"duration": "long"}, "watch window 1 h, argument 'duration' is of type str"),
        ({"every": 0, "duration": 5}, "watch window 1 h: until, every and tolerance must be above 0"),
        ({"every": 7200, ORIGIN: "p.yml:7"}, "watch window 1 h (p.yml:7): it repeats every 7200 s, but ends at 3600 s"),
        ({"evry": 60}, "watch window 1 h: it has no option evry; did you mean every?"),
        ({"rollback": "perhaps"}, "watch window 1 h: rollback must be true, ask or false"),
        ({"checks": []}, "watch window 1 h: it has neither checks nor flows"),
        ({"checks": [RATE]}, "watch window 1 h, rate: a rate needs two looks; set duration"),
        ({"checks": [RATE], "duration": 30}, None),
        ({"checks": [{**CHECK, "warn": 9, ORIGIN: "p.yml:9"}]}, "watch window 1 h, errors (p.yml:9): warn 9 lies past"),
        ({"checks": [], "flows": [{"name": "home", "steps": [{"path": "/"}]}]}, None),
        ({"flows": [{"name": "home", "steps": []}]}, "watch window 1 h, home: it has no step"),
    ],
)
def test_a_window(change: dict[str, Any], problem: str | None) -> None:
    told = found({**HOUR, **change})
    assert [one.startswith(problem or "") for one in told] == ([True] if problem else [])


def test_windows_are_read_one_after_the_other() -> None:
    assert found() == []
    assert found(HOUR, {**HOUR, "name": "2 h", "until": 7200}) == []
    assert found(HOUR, {**HOUR, "until": 7200}) == ["watch window 1 h: two windows have this name"]
    assert found(HOUR, {"until": 60, "every": 60}) == [
        "watch window window 2: it ends at 60 s, but the window before it ends at 3600 s"
    ]


@pytest.mark.parametrize("text", ['{"a": 1}', "[1]"])
def test_what_is_no_list_of_windows(text: str) -> None:
    assert list(problems(text, "{}")) == ["windows must be a list of windows"]

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.trigger._model import (
    Trigger,
    automatic,
    own_checks,
    policy,
    problems,
    read_triggers,
)

CHECKS = ["error_rate_pct", "p95_ms", "ready"]
OWN = {"name": "errors_5min", "type": "http", "url": "http://127.0.0.1/", "sustained": 300}


def test_what_a_trigger_may_say() -> None:
    (one,) = read_triggers(
        [
            {
                "name": "data corruption",
                "check": "rows_*",
                "alert": {"alertname": "Corrupt", "severity": "critical"},
                "lasted": "300",
                "declared": "yes",
                "level": 3,
                "may_lose_rows": True,
            }
        ]
    )
    labels = {"alertname": "Corrupt", "severity": "critical"}
    assert one == Trigger(
        "data corruption", "rows_*", labels, 300, declared=True, level="3", action="immediate", may_lose_rows=True
    )
    assert (one.names("rows_lost"), one.names("rows"), one.hears({**labels, "instance": "a"})) == (True, False, True)
    assert not one.hears({"alertname": "Corrupt"})


def test_a_name_is_enough_for_an_alert_and_a_check_may_be_its_own() -> None:
    by_name, own = read_triggers([{"name": "a", "alert": "HighErrorRate"}, {"name": "b", "check": OWN}])
    assert (by_name.alert, by_name.level, by_name.action) == ({"alertname": "HighErrorRate"}, "2", "immediate")
    assert own.check == "errors_5min"
    assert own_checks([{"name": "a", "check": "ready"}, {"name": "b", "check": OWN}, {"name": "c"}]) == [OWN]


@pytest.mark.parametrize(
    ("triggers", "said"),
    [
        ([], []),
        ([{"name": "errors", "check": "error_rate_pct"}, {"name": "any other", "check": "*"}], []),
        ([{"name": "mine", "check": OWN}, {"name": "crashes", "check": "crashes"}], []),
        ("errors", ["rollback_triggers must be a list of triggers"]),
        ([{"name": "a"}], ["a: nothing can fire it; give it a check or an alert, or say declared: true"]),
        ([{"check": "ready"}], ["trigger 1: it needs a name of letters, digits, spaces and . _ -"]),
        ([{"name": "a; reboot", "check": "ready"}], ["a; reboot: it needs a name of"]),
        ([{"name": "a", "check": "error_rate"}], ["a: no check is called error_rate; did you mean error_rate_pct?"]),
        ([{"name": "a", "check": "db_*"}], ["a: no check is called db_*"]),
        ([{"name": "a", "check": {"type": "http"}}], ["a: its check must be the name of one, or a check with a name"]),
        ([{"name": "a", "alert": ["x"]}], ["a: its alert must be a name, or labels"]),
        ([{"name": "a", "check": "ready", "levle": 2}], ["a: it has no option levle; did you mean level?"]),
        ([{"name": "a", "check": "ready", "level": 4}], ["a: level is 4, it must be one of 1, 2, 3, auto"]),
        ([{"name": "a", "check": "ready", "action": "now"}], ["a: action is now, it must be one of"]),
        (
            [{"name": "a", "check": "ready", "declared": "perhaps"}],
            ["a: declared is perhaps, it must be true or false"],
        ),
        ([{"name": "a", "alert": "x", "lasted": "long"}], ["a: lasted is long, it must be a number (s)"]),
        ([{"name": "a", "check": "ready", "lasted": 5}], ["a: lasted is of an alert, and it has none"]),
        ([{"name": "a", "check": "ready", "level": 3}], ["a: the profile has no level 3, only 1 and 2"]),
        ([{"name": "a", "check": "ready", "level": "auto"}], []),
        ([{"name": "a", "check": "ready", "may_lose_rows": True}], ["a: may_lose_rows makes no sense with level 2"]),
        (
            [{"name": "a", "check": "ready", "level": "auto", "action": "consider", "may_lose_rows": True}],
            ["a: may_lose_rows is for what happens without a person, and action: consider asks one"],
        ),
        ([{"name": "a", "check": "ready"}, {"name": "a", "check": "p95_ms"}], ["a: two triggers have this name"]),
        (
            [{"name": "a", "check": "ready"}, {"name": "b", "check": "ready"}],
            ["b: its check ready belongs to a already"],
        ),
        (
            [{"name": "a", "check": "*"}, {"name": "b", "check": "ready"}],
            ["b: its check ready belongs to a (*) already; put it before that"],
        ),
        (
            [{"name": "a", "alert": "X"}, {"name": "b", "alert": {"alertname": "X", "severity": "critical"}}],
            ["b: every alert of it belongs to a already"],
        ),
        ([{"name": "b", "alert": {"alertname": "X", "severity": "critical"}}, {"name": "a", "alert": "X"}], []),
    ],
)
def test_what_makes_no_sense_is_refused(triggers: Any, said: list[str]) -> None:
    found = list(problems(triggers, CHECKS, [1, 2]))
    assert len(found) == len(said), found
    assert all(problem.startswith(start) for problem, start in zip(found, said, strict=True)), found


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(SluiceError, match=r"a: level is 9.*; b: nothing can fire it") as caught:
        read_triggers([{"name": "a", "check": "x", "level": 9}, {"name": "b"}])
    assert "Cannot use the triggers of the profile" in str(caught.value)


@pytest.mark.parametrize(
    ("value", "word"),
    [(True, "true"), ("yes", "true"), ("Ask", "ask"), (False, "false"), ("no", "false"), (None, None), ("", None)],
)
def test_the_word_about_what_happens_by_itself(value: Any, word: str | None) -> None:
    assert (policy(value), automatic(value)) == (word, word or "true")


def test_a_word_that_is_none() -> None:
    with pytest.raises(
        SluiceError, match="Cannot use the profile: rollback_automatic must be true, ask or false, not 'perhaps'"
    ):
        automatic("perhaps")

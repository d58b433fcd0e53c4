# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.trigger._decide import (
    Cause,
    Circumstances,
    command,
    decide,
    spent,
)
from ansible_collections.sluice.release.plugins.module_utils.trigger._model import Trigger

TRIGGERS = (
    Trigger("errors", check="error_*"),
    Trigger("slow", check="p95_ms", action="consider"),
    Trigger("config", check="limit", level="1"),
    Trigger("smallest", check="leak", level="auto"),
    Trigger("corruption", check="rows_lost", declared=True, level="3"),
    Trigger("wiped", check="tables", level="3", may_lose_rows=True),
)


def causes(*checks: str, **more: Any) -> list[Cause]:
    return [Cause(f"{check} is red", check=check, **more) for check in checks]


@pytest.mark.parametrize(
    ("checks", "where", "action", "trigger", "level"),
    [
        ([], {}, "none", None, None),
        (["error_rate"], {}, "rollback", "errors", "2"),
        # A red check that no trigger names is a reason to go back at once.
        (["ready"], {}, "rollback", "ready", "2"),
        (["p95_ms"], {}, "ask", "slow", "2"),
        # What may act by itself acts; what only asks does not hold it up.
        (["p95_ms", "error_rate"], {}, "rollback", "errors", "2"),
        # Of those that act, the highest level.
        (["limit", "error_rate"], {}, "rollback", "errors", "2"),
        (["limit"], {}, "rollback", "config", "1"),
        # A restore loses rows, so it wants a word of its own.
        (["rows_lost"], {}, "ask", "corruption", "3"),
        (["rows_lost", "error_rate"], {}, "rollback", "errors", "2"),
        (["tables", "error_rate"], {}, "rollback", "wiped", "3"),
        # In a deploy only code and configuration go back by themselves.
        (["tables"], {"highest": 2}, "ask", "wiped", "3"),
        # Level auto is what it comes to.
        (["leak"], {}, "rollback", "smallest", "auto"),
        (["leak"], {"auto": 1}, "rollback", "smallest", "1"),
        (["leak"], {"auto": 3}, "ask", "smallest", "3"),
        # What the profile says as a whole.
        (["error_rate"], {"automatic": "ask"}, "ask", "errors", "2"),
        (["p95_ms"], {"automatic": "ask"}, "ask", "slow", "2"),
        (["error_rate"], {"automatic": "false"}, "record", "errors", "2"),
        (["p95_ms"], {"automatic": "false"}, "record", "slow", "2"),
        # Once at most, and not beside somebody who is at it.
        (["error_rate"], {"spent": "it was tried"}, "ask", "errors", "2"),
        (["error_rate"], {"busy": "a rollback is under way"}, "record", "errors", "2"),
        (["error_rate"], {"automatic": "false", "spent": "it was tried"}, "record", "errors", "2"),
    ],
)
def test_what_red_checks_lead_to(
    checks: list[str], where: dict[str, Any], action: str, trigger: str | None, level: str | None
) -> None:
    told = decide(causes(*checks), TRIGGERS, Circumstances(**where))
    assert (told.action, told.trigger, told.level) == (action, trigger, level)
    assert bool(told.why) == (action in ("ask", "record"))


@pytest.mark.parametrize(
    ("checks", "where", "why"),
    [
        (["p95_ms"], {}, "trigger slow is for a person to consider"),
        (["rows_lost"], {}, "level 3 restores the database, and trigger corruption does not say may_lose_rows"),
        (["tables"], {"highest": 2}, "level 3 is not taken while the release goes on"),
        (["error_rate"], {"automatic": "ask"}, "rollback_automatic is ask"),
        (["error_rate"], {"spent": "it was tried"}, "it was tried"),
    ],
)
def test_why_not_by_itself(checks: list[str], where: dict[str, Any], why: str) -> None:
    assert decide(causes(*checks), TRIGGERS, Circumstances(**where)).why == why


def test_who_has_found_it_may_have_a_word_of_its_own() -> None:
    assert decide(causes("error_rate", policy="ask"), TRIGGERS, Circumstances()).action == "ask"
    assert decide(causes("error_rate", policy="true"), TRIGGERS, Circumstances("false")).action == "rollback"


def test_a_trigger_that_asks_for_more_is_said() -> None:
    told = decide(causes("error_rate", "rows_lost"), TRIGGERS, Circumstances())
    assert told.also == "corruption asks for level 3"


def test_the_reason_names_the_hosts_of_a_fleet() -> None:
    two = [*causes("error_rate", host="a"), *causes("p95_ms", host="b"), *causes("error_rate", host="a")]
    assert decide(two, TRIGGERS, Circumstances()).reason == "a: error_rate is red; b: p95_ms is red"
    assert decide(causes("error_rate", host="a"), TRIGGERS, Circumstances()).reason == "error_rate is red"


def test_what_the_journal_keeps() -> None:
    told = decide([Cause("alice says so", trigger="corruption")], TRIGGERS, Circumstances()).stored()
    assert {key: told[key] for key in ("action", "trigger", "level", "reason")} == {
        "action": "ask",
        "trigger": "corruption",
        "level": "3",
        "reason": "alice says so",
    }
    assert [(one["trigger"], one["action"]) for one in told["fired"]] == [("corruption", "ask")]


@pytest.mark.parametrize(
    ("level", "trigger", "inventories", "limit", "said"),
    [
        ("2", "errors", [], "prod", "ansible-playbook rollback_level2.yml -l prod -e release_reason=errors"),
        ("2", None, ["my hosts"], None, "ansible-playbook rollback_level2.yml -i 'my hosts'"),
        ("auto", None, [], "prod", "ansible-playbook rollback.yml -l prod -e rollback_level=auto"),
        (
            "3",
            "data loss",
            [],
            "prod",
            "ansible-playbook rollback_level3.yml -l prod -e 'release_reason=\"data loss\"'",
        ),
    ],
)
def test_the_command_for_who_is_asked(
    level: str, trigger: str | None, inventories: list[str], limit: str | None, said: str
) -> None:
    assert command(level, trigger, inventories, limit) == said


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({}, None),
        ({"arrival": {"kind": "deploy", "release": "r1"}, "triggers": [{"action": "ask", "time": "t"}]}, None),
        ({"arrival": {"kind": "rollback", "release": "r2"}}, "what runs is what r2 has gone back to"),
        ({"arrival": {"kind": "rolled_back", "release": "r2"}}, "what runs is what r2 has gone back to"),
        ({"triggers": [{"action": "rollback", "time": "12:00"}]}, "it was tried at 12:00"),
    ],
)
def test_it_happens_once_at_most(state: dict[str, Any], said: str | None) -> None:
    assert spent(state) == said

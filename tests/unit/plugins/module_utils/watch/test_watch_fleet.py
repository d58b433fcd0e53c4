# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.trigger._decide import Circumstances
from ansible_collections.sluice.release.plugins.module_utils.trigger._model import Trigger
from ansible_collections.sluice.release.plugins.module_utils.watch._fleet import Host, Outcome, decide, weigh

COMMAND = "ansible-playbook rollback_level2.yml -l prod"


def tick(verdict: str | None = "green", check: str | None = None, policy: str | None = None, **more: Any) -> Host:
    """What release_watch has found on a host; ``check``: what is red is a reason to go back."""
    red = {"verdict": "red", "text": "error rate 7 %", "check": check, "policy": policy}
    findings = [red] if verdict == "red" else [{"verdict": "yellow", "text": "late"}] if verdict == "yellow" else []
    told = {"state": "watching", "release": "r1", "version": "1.1.0", "over": False, "watches": [], "spent": None}
    return Host({**told, "verdict": verdict, "findings": findings, **more})


RED = tick("red", "errors")
HELD = Host({"state": "held", "release": "r1", "version": "1.1.0", "verdict": None, "over": False})
NONE = Host({"state": "none", "release": None, "version": None, "verdict": None, "over": True})
LOST = Host(None, "Cannot reach app2: no route")
KILLED = Host({"state": "interrupted", "verdict": None, "over": False, "line": "deploy r2 was interrupted"})


def outcome(hosts: dict[str, Host], word: str = "true", *triggers: Trigger) -> Outcome:
    return decide(hosts, weigh(hosts, triggers, Circumstances(word)), word, COMMAND)


@pytest.mark.parametrize(
    ("hosts", "word", "action", "failed", "verdict"),
    [
        ([tick(), tick()], "true", "none", False, "green"),
        ([tick(), tick("yellow")], "true", "none", False, "yellow"),
        ([tick("pending")], "true", "none", False, "pending"),
        ([tick(None)], "true", "none", False, None),
        # One host with a reason takes all of them back.
        ([tick(), RED], "true", "rollback", True, "red"),
        ([RED], "ask", "ask", True, "red"),
        ([RED], "false", "record", False, "red"),
        # What is red without being a reason is for a person to look at: one crash, missed ticks.
        ([tick("red"), tick()], "true", "record", True, "red"),
        ([tick("red")], "ask", "record", True, "red"),
        ([tick("red")], "false", "record", False, "red"),
        # The window that says most counts.
        ([tick("red", "errors", "ask"), RED], "true", "rollback", True, "red"),
        ([tick("red", "errors", "ask")], "true", "ask", True, "red"),
        ([tick("red", "errors", "false")], "true", "record", False, "red"),
        ([tick("red", "errors", "true")], "false", "rollback", True, "red"),
        # Whoever releases now decides; the watch does not come between.
        ([HELD, HELD], "true", "none", False, None),
        ([HELD, RED], "true", "record", True, "red"),
        # Once was enough.
        ([tick("red", "errors", spent="it was tried before")], "true", "ask", True, "red"),
        # A host that cannot be looked at is red, and no reason to go back.
        ([tick(), LOST], "true", "none", True, "red"),
        ([RED, LOST], "true", "rollback", True, "red"),
        ([LOST], "false", "none", True, "red"),
        ([tick(), KILLED], "true", "none", True, "red"),
        ([NONE, NONE], "true", "none", False, None),
    ],
)
def test_what_a_tick_leads_to(hosts: list[Host], word: str, action: str, failed: bool, verdict: str | None) -> None:
    told = outcome({f"app{number}": host for number, host in enumerate(hosts, 1)}, word)
    assert (told.action, told.failed, told.verdict) == (action, failed, verdict)
    assert bool(told.message) or not told.failed


def test_the_triggers_of_the_profile_say_by_which_level() -> None:
    slow, errors = (
        Trigger("slow", check="p95*", action="consider", level="1"),
        Trigger("bad", check="errors", level="1"),
    )
    told = outcome({"app1": RED, "app2": tick("red", "p95_ms")}, "true", slow, errors)
    assert (told.action, told.trigger, told.level) == ("rollback", "bad", "1")
    assert outcome({"app1": tick("red", "p95_ms")}, "true", slow, errors).action == "ask"


@pytest.mark.parametrize(
    ("hosts", "word", "message"),
    [
        (
            {"app1": tick(), "app2": RED},
            "true",
            "Cannot keep release 1.1.0: app2: error rate 7 %. Trigger errors takes it back by level 2.",
        ),
        (
            {"app1": RED},
            "ask",
            (
                f"Cannot keep release 1.1.0: error rate 7 %. To take it back, run: {COMMAND}. It was not, for"
                " rollback_automatic is ask."
            ),
        ),
        (
            {"app1": tick("red"), "app2": LOST},
            "true",
            "Cannot call the watch of 1.1.0 green: app1: error rate 7 %; app2: Cannot reach app2: no route.",
        ),
        ({"app1": tick()}, "true", ""),
    ],
)
def test_what_is_said(hosts: dict[str, Host], word: str, message: str) -> None:
    assert outcome(hosts, word).message == message


def over(release: str = "r1") -> Host:
    return tick(None, over=True, release=None, watches=[{"release": release, "outcome": "passed"}])


@pytest.mark.parametrize(
    ("hosts", "report", "is_over"),
    [
        ([over(), over()], "r1", True),
        ([over(), tick()], "r1", False),
        ([over(), LOST], "r1", False),
        ([NONE], None, True),
        ([HELD], None, False),
        ([tick("red")], "r1", False),
        ([tick()], None, False),
        ([], None, False),
    ],
)
def test_when_it_is_over_and_what_is_reported(hosts: list[Host], report: str | None, is_over: bool) -> None:
    told = outcome({f"app{number}": host for number, host in enumerate(hosts)})
    assert (told.report, told.over) == (report, is_over)

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.watch._fleet import Host, Outcome, decide, rollback_command

COMMAND = "ansible-playbook rollback_level2.yml -l prod"


def tick(verdict: str | None = "green", *, trigger: bool = False, **more: Any) -> Host:
    """What release_watch has found on a host."""
    red = {"verdict": "red", "text": "error rate 7 %"}
    findings = [red] if verdict == "red" else [{"verdict": "yellow", "text": "late"}] if verdict == "yellow" else []
    told = {"state": "watching", "release": "r1", "version": "1.1.0", "over": False, "watches": [], "policy": "true"}
    return Host({**told, "verdict": verdict, "trigger": trigger, "findings": findings, **more})


HELD = Host({"state": "held", "release": "r1", "version": "1.1.0", "verdict": None, "over": False})
NONE = Host({"state": "none", "release": None, "version": None, "verdict": None, "over": True})
LOST = Host(None, "Cannot reach app2: no route")
KILLED = Host({"state": "interrupted", "verdict": None, "over": False, "line": "deploy r2 was interrupted"})


@pytest.mark.parametrize(
    ("hosts", "auto", "action", "failed", "verdict"),
    [
        ([tick(), tick()], "true", "none", False, "green"),
        ([tick(), tick("yellow")], "true", "none", False, "yellow"),
        ([tick("pending")], "true", "none", False, "pending"),
        ([tick(None)], "true", "none", False, None),
        # One host with a reason takes all of them back.
        ([tick(), tick("red", trigger=True)], "true", "rollback", True, "red"),
        ([tick("red", trigger=True, policy="ask")], "ask", "ask", True, "red"),
        ([tick("red", trigger=True, policy="false")], "false", "record", False, "red"),
        # What is red without being a reason is for a person to look at: one crash, missed ticks.
        ([tick("red"), tick()], "true", "record", True, "red"),
        ([tick("red")], "ask", "record", True, "red"),
        ([tick("red")], "false", "record", False, "red"),
        # The window that says most counts.
        ([tick("red", trigger=True, policy="ask"), tick("red", trigger=True)], "ask", "rollback", True, "red"),
        ([tick("red", trigger=True, policy="false")], "true", "record", False, "red"),
        # Whoever releases now decides; the watch does not come between.
        ([HELD, HELD], "true", "none", False, None),
        ([HELD, tick("red", trigger=True)], "true", "record", True, "red"),
        # A host that cannot be looked at is red, and no reason to go back.
        ([tick(), LOST], "true", "none", True, "red"),
        ([tick("red", trigger=True), LOST], "true", "rollback", True, "red"),
        ([LOST], "false", "none", True, "red"),
        ([tick(), KILLED], "true", "none", True, "red"),
        ([NONE, NONE], "true", "none", False, None),
    ],
)
def test_what_a_tick_leads_to(hosts: list[Host], auto: str, action: str, failed: bool, verdict: str | None) -> None:
    told = decide({f"app{number}": host for number, host in enumerate(hosts, 1)}, auto, COMMAND)
    assert (told.action, told.failed, told.verdict) == (action, failed, verdict)
    assert bool(told.message) or not told.failed


@pytest.mark.parametrize(
    ("hosts", "message"),
    [
        (
            {"app1": tick(), "app2": tick("red", trigger=True)},
            "Cannot keep release 1.1.0: app2: error rate 7 %. It is taken back.",
        ),
        (
            {"app1": tick("red", trigger=True, policy="ask")},
            f"Cannot keep release 1.1.0: error rate 7 %. To take it back, run: {COMMAND}.",
        ),
        (
            {"app1": tick("red"), "app2": LOST},
            "Cannot call the watch of 1.1.0 green: app1: error rate 7 %; app2: Cannot reach app2: no route.",
        ),
        ({"app1": tick()}, ""),
    ],
)  # fmt: skip
def test_what_is_said(hosts: dict[str, Host], message: str) -> None:
    assert decide(hosts, "true", COMMAND).message == message


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
    told: Outcome = decide({f"app{number}": host for number, host in enumerate(hosts)}, "true", COMMAND)
    assert (told.report, told.over) == (report, is_over)


@pytest.mark.parametrize(
    ("inventories", "limit", "command"),
    [
        ([], "prod", COMMAND),
        (["my hosts"], None, "ansible-playbook rollback_level2.yml -i 'my hosts'"),
    ],
)
def test_the_command_for_who_is_asked(inventories: list[str], limit: str | None, command: str) -> None:
    assert rollback_command(2, inventories, limit) == command

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.report._build import build_report
from ansible_collections.sluice.release.plugins.module_utils.report._post_mortem import (
    LOG_LINES,
    is_due,
    render_post_mortem,
    timeline,
)

Load = Callable[[str], dict[str, Any]]
MOVED, STAYED = {"host": "a", "outcome": "failed", "moved": True}, {"host": "a", "outcome": "failed", "moved": False}
GONE = {"host": "b", "outcome": "unreachable"}


@pytest.mark.parametrize(
    ("outcome", "rollback", "hosts", "due"),
    [
        ("succeeded", None, [MOVED], False),
        ("unchanged", None, [STAYED], False),
        ("rolled_back", None, [MOVED], True),
        ("failed", None, [STAYED], False),
        ("failed", None, [MOVED], True),
        ("failed", None, [STAYED, GONE], True),
        # What a person asked for, and got.
        ("succeeded", {"level": 2}, [MOVED], True),
    ],
)
def test_when_people_look_back(outcome: str, rollback: Any, hosts: list[dict[str, Any]], due: bool) -> None:
    assert is_due({"outcome": outcome, "rollback": rollback, "hosts": hosts}) is due


def test_the_hosts_tell_one_story(journal: Load) -> None:
    recorded = journal("rolled_back")
    rows = timeline(recorded["hosts"], recorded["release"])
    assert [time for time, _host, _text in rows] == sorted(time for time, _host, _text in rows)
    assert {host for _time, host, _text in rows} == {"app1", "app2"}
    told = [text for _time, host, text in rows if host == "app1"]
    assert told[0] == "deploy 1.2.0 opened by mira@controller"
    assert told[-3:] == [
        "rollback done after 4.1 s",
        "back to 1.1.0 by level 2, verified",
        "closed as rolled back: the gate turned red on app1",
    ]
    assert [text for text in told if text.startswith("gate failed after 9.8 s: Cannot let 1.2.0 go on")]


def test_the_file_has_what_is_known_and_blanks_for_the_rest(journal: Load) -> None:
    recorded = journal("rolled_back")
    lines = [f"line {number}" for number in range(LOG_LINES + 2)] + ["an odd ``` line"]
    for host in recorded["hosts"]:
        for entry in host["entries"]:
            if entry["event"] == "failed":
                entry["data"] = {**entry["data"], "logs": [{"id": "7", "lines": lines}, {"id": "8", "lines": []}]}
    text = render_post_mortem(build_report(**recorded), recorded["hosts"])
    for part in (
        "# Post-mortem: dealradarus 1.2.0, rolled back",
        "- Meeting: until 2026-11-23 01:30 UTC, 24 hours after the end",
        "| error_rate_pct | gate | app1 | red | 38.2 % | critical at or above 5 % for 3 s |",
        "- 11 of 115 requests of the prober failed; the longest gap between good answers was 812 ms.",
        "## Log of gate, 7 on app1\n\n````\nline 3\n",
        "an odd ``` line\n````\n",
        "## Root cause",
        "| What | Who | Until |",
    ):
        assert part in text
    assert "gate, 8" not in text

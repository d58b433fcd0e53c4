# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.report._build import build_report
from ansible_collections.sluice.release.plugins.module_utils.report._html import render_html
from ansible_collections.sluice.release.plugins.module_utils.report._markdown import render_markdown
from ansible_collections.sluice.release.plugins.module_utils.report._post_mortem import render_post_mortem, timeline
from ansible_collections.sluice.release.plugins.module_utils.report._trigger import trigger_text, triggers_of

R1 = "20261122T013000Z-1.1.0"
FIRED = {"source": "alert", "trigger": "errors", "level": "2", "action": "rollback", "reason": "alert <b>High</b>"}


def entry(event: str, minute: int, **more: Any) -> dict[str, Any]:
    time = f"2026-11-22T01:{minute:02d}:00.000Z"
    return {"seq": minute, "time": time, "release": R1, "event": event, "stage": None, "name": None, "data": {}, **more}


def record() -> list[dict[str, Any]]:
    return [
        entry("opened", 30, data={"kind": "deploy", "version": "1.1.0", "application": "shop"}, reason="the sale"),
        entry("closed", 31, outcome="succeeded"),
        # It lies where the journal ended: in the record of a backup.
        entry("noted", 32, release="20261122T013100Z-backup", name="trigger", data={"release": R1, **FIRED}),
        entry("noted", 33, name="trigger", data={"release": "another", **FIRED}),
    ]


HOSTS = [{"host": "app1", "entries": record()}, {"host": "app2", "entries": record()}]


def test_the_report_names_the_trigger_once_for_the_fleet() -> None:
    report = build_report(R1, HOSTS)
    assert report["triggers"] == [{"time": "2026-11-22T01:32:00.000Z", **FIRED}]
    assert report["reason"] == "the sale"
    said = "2026-11-22 01:32:00 UTC: errors (alert, level 2): alert"
    assert said in render_markdown(report)
    assert f"{said} &lt;b&gt;High&lt;/b&gt;; taken back" in render_html(report)


def test_the_post_mortem_names_it_too() -> None:
    report = build_report(R1, HOSTS)
    text = render_post_mortem(report, HOSTS)
    assert "errors (alert, level 2)" in text.partition("## What decided it")[2]
    told = [what for _time, host, what in timeline(HOSTS, R1) if host == "app1"]
    assert told[0].endswith(": the sale")
    assert told[2] == "trigger errors fired: alert <b>High</b>"


def test_the_decision_of_a_watch_is_one_as_well() -> None:
    decided = {
        "event": "decided",
        "release": R1,
        "action": "rollback",
        "trigger": "crashes",
        "level": "2",
        "reason": "x",
    }
    entries = [entry("noted", 40, name="watch", data=decided), entry("noted", 41, name="watch", data={"event": "tick"})]
    assert [(one["source"], one["trigger"]) for one in triggers_of([entries])] == [("watch", "crashes")]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "alert <b>High</b>; taken back"),
        (
            {"action": "ask", "why": "it was tried", "command": "run this"},
            "a person was asked, for it was tried: run this",
        ),
        ({"action": "record", "why": "rollback_automatic is false"}, "only recorded, for rollback_automatic is false"),
    ],
)
def test_what_was_done(changes: dict[str, Any], said: str) -> None:
    text = trigger_text({"time": "2026-11-22T01:32:00.000Z", **FIRED, **changes})
    assert text.startswith("2026-11-22 01:32:00 UTC: errors (alert, level 2): ")
    assert text.endswith(said)

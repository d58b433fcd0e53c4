# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report says of the watch after the release."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.report._build import build_report
from ansible_collections.sluice.release.plugins.module_utils.report._html import render_html
from ansible_collections.sluice.release.plugins.module_utils.report._markdown import render_markdown
from ansible_collections.sluice.release.plugins.module_utils.report._schema import violations
from ansible_collections.sluice.release.plugins.module_utils.report._watch import verdict_text, watch_headline

RELEASE, BACKUP = "20261122T013000Z-1.1.0", "20261122T013500Z-backup"
WINDOW = {"name": "1 h", "from": 0, "until": 3600, "every": 600, "tolerance": 300, "may_miss": 0, "rollback": None}


def entry(event: str, minute: float, release: str = RELEASE, **more: Any) -> dict[str, Any]:
    moment = f"2026-11-22T01:{30 + int(minute):02d}:00.000Z"
    empty = {"stage": None, "name": None, "data": {}}
    return {"seq": int(minute * 10), "time": moment, "release": release, "event": event, **empty, **more}


def note(minute: float, release: str = RELEASE, **data: Any) -> dict[str, Any]:
    return entry("noted", minute, release, name="watch", data={"release": RELEASE, **data})


def standing(**counts: Any) -> list[dict[str, Any]]:
    none = {"done": 0, "late": 0, "missed": 0, "held": 0, "of": 6, "state": "open", "verdict": None}
    return [{"window": "1 h", "from": 0, "until": 3600, "every": 600, **none, **counts}]


def tick(
    minute: float, verdict: str, *findings: dict[str, Any], release: str = BACKUP, **counts: Any
) -> dict[str, Any]:
    seen = {"window": "1 h", "slot": 60 * minute, "number": 1, "of": 6, "late": False, "verdict": verdict, "gates": []}
    data = {"at": 60.0 * minute, "verdict": verdict, "windows": [seen], "findings": list(findings), "crashes": 1}
    return note(minute, release, event="tick", **data, windows_now=standing(**counts, verdict=verdict))


CRASH = {"kind": "crash", "verdict": "red", "text": "it crashed *once*", "window": None, "trigger": False}


def host(*more: dict[str, Any], outcome: str = "succeeded") -> list[dict[str, Any]]:
    """A deploy that opened a watch, and what came later."""
    data = {"kind": "deploy", "application": "shop", "environment": "prod", "version": "1.1.0"}
    start = {"start": "2026-11-22T01:30:00.000Z", "version": "1.1.0", "windows": [WINDOW], "processes": []}
    return [
        entry("opened", 0, data=data),
        note(1, event="opened", **start),
        entry("closed", 2, outcome=outcome, reason=""),
        *more,
    ]


def build(*hosts: list[dict[str, Any]]) -> dict[str, Any]:
    named = [{"host": f"app{number}", "entries": entries} for number, entries in enumerate(hosts, 1)]
    report = build_report(RELEASE, named)
    assert violations(report) == []
    return report


def test_a_watch_that_has_not_begun() -> None:
    watch = build(host())["watch"]
    assert (watch["outcome"], watch["verdict"], watch["ticks"]) == (None, None, [])
    assert watch_headline(watch) == "The release is watched for 1 h; 0 of 6 ticks"
    assert "| pending | open |" in render_markdown(build(host()))
    assert '<td><span class="pill pending">pending</span></td>' in render_html(build(host()))


@pytest.mark.parametrize(
    ("outcome", "state", "verdict", "shown"),
    [
        (None, "ahead", None, "pending"),
        (None, "open", None, "pending"),
        (None, "open", "red", "red"),
        (None, "over", None, "none"),
        ("superseded", "open", None, "none"),
        ("passed", "over", "green", "green"),
    ],
)
def test_the_verdict_of_a_window(outcome: str | None, state: str, verdict: str | None, shown: str) -> None:
    assert verdict_text({"outcome": outcome}, {"state": state, "verdict": verdict}) == shown


def test_a_release_that_was_not_kept_has_none() -> None:
    assert build(host(outcome="rolled_back"))["watch"] is None
    assert build([entry("opened", 0), entry("closed", 1, outcome="succeeded")])["watch"] is None


def test_the_ticks_of_all_hosts_wherever_they_were_written() -> None:
    ended = {"event": "ended", "outcome": "failed", "reason": "a verdict was red"}
    decided = note(20, event="decided", action="ask", reason="it crashed", command="ansible-playbook x.yml")
    report = build(
        host(
            tick(10, "green", done=1),
            note(60, **ended, windows_now=standing(done=5, missed=1, state="over", verdict="red")),
        ),
        host(tick(10, "red", CRASH, done=1, late=1), decided),
    )
    watch = report["watch"]
    # A tick does not make the release longer.
    assert (report["seconds"], report["outcome"]) == (120, "succeeded")
    assert [(tick["host"], tick["verdict"]) for tick in watch["ticks"]] == [("app1", "green"), ("app2", "red")]
    assert [(one["host"], one["done"], one["missed"], one["state"]) for one in watch["windows"]] == [
        ("app1", 5, 1, "over"),
        ("app2", 1, 0, "open"),
    ]
    # On one host it goes on.
    assert (watch["verdict"], watch["outcome"], watch["crashes"]) == ("red", None, 1)
    text = render_markdown(report)
    for line in (
        "The release is watched for 1 h, red so far; 6 of 12 ticks, 1 crash.",
        "| 1 h | app1 | red | over | 5 of 6, 1 missed |",
        "| 1 h | app2 | red | open | 1 of 6, 1 late |",
        r"- app2: 2026-11-22 01:40:00 UTC: it crashed \*once\*",
        "- A person was asked (ansible-playbook x.yml): it crashed",
    ):
        assert line in text
    page = render_html(report)
    assert 'id="watch"' in page
    assert "app2: 2026-11-22 01:40:00 UTC: it crashed *once*" in page


@pytest.mark.parametrize(
    ("outcomes", "outcome"),
    [
        (("passed", "passed"), "passed"),
        (("passed", "failed"), "failed"),
        (("rolled_back", "failed"), "rolled_back"),
        (("superseded", "superseded"), "superseded"),
    ],
)
def test_the_fleet_ends_as_its_worst_host(outcomes: tuple[str, ...], outcome: str) -> None:
    ended = [host(note(60, event="ended", outcome=one, reason="", windows_now=standing())) for one in outcomes]
    watch = build(*ended)["watch"]
    assert watch["outcome"] == outcome
    assert watch_headline(watch).endswith("; 0 of 12 ticks")

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of an emergency: which settings were changed, what is on, and when requests were turned away."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.report._build import build_report
from ansible_collections.sluice.release.plugins.module_utils.report._html import render_html
from ansible_collections.sluice.release.plugins.module_utils.report._markdown import render_markdown
from ansible_collections.sluice.release.plugins.module_utils.report._schema import violations
from ansible_collections.sluice.release.plugins.module_utils.report._words import headline

RELEASE = "20261122T010000Z-emergency"
CACHE = {"name": "CACHE_ENABLED", "was": "true", "is": "false"}
SECRET = {"name": "REDIS_URL", "was": "********", "is": None}


def entry(event: str, second: int, **fields: Any) -> dict[str, Any]:
    moment = f"2026-11-22T01:00:{second:02}.000Z"
    return {"seq": second + 1, "time": moment, "release": RELEASE, "event": event, "hash": f"h{second}", **fields}


def run(*between: dict[str, Any], outcome: str = "succeeded", **evidence: Any) -> dict[str, Any]:
    opened = {"kind": "emergency", "application": "shop", "environment": "lab", "version": "", "from": "1.1.0"}
    entries = [
        entry("opened", 0, data=opened),
        entry("entered", 1, stage="emergency"),
        entry("left", 2, stage="emergency", seconds=1.0, data=evidence),
        *between,
        entry("closed", 9, outcome=outcome),
    ]
    return build_report(RELEASE, [{"host": "app1", "entries": entries}])


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        ({"action": "cache_off", "active": ["cache_off"]}, "cache_off was carried out; 1.1.0 serves with cache_off on"),
        (
            {"action": "cache_off", "undo": True, "active": ["limit_up"]},
            "cache_off was taken back; 1.1.0 serves with limit_up on",
        ),
        (
            {"action": "cache_off", "undo": True, "active": []},
            "cache_off was taken back; 1.1.0 serves with the settings of its release",
        ),
    ],
)
def test_the_headline_says_what_is_on(evidence: dict[str, Any], said: str) -> None:
    assert headline(run(**evidence)) == said


def test_the_settings_that_were_changed() -> None:
    built = run(action="cache_off", undo=False, active=["cache_off"], changes=[CACHE, SECRET])
    assert built["settings"] == {
        "action": "cache_off",
        "undo": False,
        "active": ["cache_off"],
        "changes": [CACHE, SECRET],
    }
    assert violations(built) == []
    text, page = render_markdown(built), render_html(built)
    assert "| CACHE_ENABLED | true | false |" in text
    assert "| REDIS_URL | \\*\\*\\*\\*\\*\\*\\*\\* | not set |" in text
    assert '<section class="card" id="settings">' in page
    assert "not set" in page


def test_when_requests_were_turned_away() -> None:
    blocked = {"mode": "block", "until": "2026-11-22T02:00:00Z", "reason": "the disk | is full"}
    built = run(
        entry("left", 5, stage="maintenance", data=blocked),
        entry("noted", 8, name="maintenance", data={"mode": "off", "until": None, "reason": ""}),
        action="cache_off",
    )
    assert [(one["time"][14:19], one["mode"], one["reason"]) for one in built["maintenance"]] == [
        ("00:05", "block", "the disk | is full"),
        ("00:08", "off", None),
    ]
    assert violations(built) == []
    assert "app1: requests are turned away until 2026-11-22T02:00:00Z (the disk \\| is full)" in render_markdown(built)
    assert "requests are let in" in render_html(built)


def test_a_run_without_either() -> None:
    built = run()
    assert (built["settings"], built["maintenance"]) == (None, [])
    assert 'id="settings"' not in render_html(built)
    assert "## Maintenance" not in render_markdown(built)

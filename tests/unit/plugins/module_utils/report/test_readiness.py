# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The readiness of the hosts in the report: groups, score, and what a person has let pass."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils.report._build import build_report
from ansible_collections.sluice.release.plugins.module_utils.report._html import render_html
from ansible_collections.sluice.release.plugins.module_utils.report._schema import violations

EVIDENCE = {
    "score": 83.3,
    "groups": [
        {"name": "rate_limiting", "passed": True, "score": 100.0, "checks": ["limits"], "waived": []},
        {"name": "database", "passed": False, "score": 0.0, "checks": ["db"], "waived": []},
        {"name": "code", "passed": True, "score": 66.7, "checks": ["types", "lint"], "waived": ["types"]},
    ],
    "checks": [
        {"name": "limits", "passed": True, "waived": False, "message": "5 of 5 variables are there"},
        {"name": "types", "passed": False, "waived": True, "message": "80 type errors; waived by Ada"},
    ],
}


def text_of(page: str) -> str:
    """The section about readiness, without its tags and with single spaces."""
    section = page[page.index('id="preflight"') : page.index('id="hosts"')]
    return " ".join(re.sub(r"<[^>]+>", " ", section).split())


def test_groups_and_waivers_are_shown(journal: Callable[[str], dict[str, Any]]) -> None:
    source = journal("succeeded")
    for host in source["hosts"]:
        for entry in host["entries"]:
            if entry["event"] == "left" and entry["stage"] == "preflight":
                entry["data"] = EVIDENCE
    report = build_report(**source)
    assert violations(report) == []
    assert report["preflight"][0]["groups"] == EVIDENCE["groups"]
    text = text_of(render_html(report))
    for part in ("rate limiting", "yes 100.0 limits", "no 0.0 db", "waived 66.7 types, lint", "83.3"):
        assert part in text
    assert "waived 80 type errors; waived by Ada" in text


def test_a_journal_from_before_there_were_groups(report: Callable[[str], dict[str, Any]]) -> None:
    found = report("succeeded")
    assert [block["groups"] for block in found["preflight"]] == [[]] * len(found["preflight"])
    assert 'id="readiness"' not in render_html(found)

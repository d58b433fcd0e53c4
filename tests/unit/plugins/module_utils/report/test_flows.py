# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a flow found reaches the report, step by step."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.flow._model import Flow, Step
from ansible_collections.sluice.release.plugins.module_utils.flow._run import run_flows
from ansible_collections.sluice.release.plugins.module_utils.report._build import build_report
from ansible_collections.sluice.release.plugins.module_utils.report._html import render_html
from ansible_collections.sluice.release.plugins.module_utils.report._markdown import render_markdown
from ansible_collections.sluice.release.plugins.module_utils.report._schema import violations

RELEASE = "20261122T013000Z-1.1.0"
REFUSED = "http://127.0.0.1:1"


def step(name: str, path: str, *words: str) -> Step:
    return Step(name, "GET", path, {}, {}, None, "none", False, {"status": list(words)})


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    """Of a release whose two flows met nobody: one expects it."""
    well = Flow("closed | door", (step("knock", "/<b>", "refused"),), REFUSED, tags=("x",))
    ill = Flow("open_door", (step("knock", "/", "200"), step("enter", "/in")), REFUSED)
    evidence = {"verdict": "red", "score": 50.0, "gates": run_flows([well, ill], 5.0), "seconds": 0.1}
    entries = [
        {"seq": 1, "event": "opened", "data": {"kind": "deploy", "application": "a", "version": "1.1.0"}},
        {"seq": 2, "event": "entered", "stage": "verify", "data": {}},
        {"seq": 3, "event": "failed", "stage": "verify", "reason": "no", "data": {"evidence": evidence}},
        {"seq": 4, "event": "closed", "outcome": "failed", "data": {"reason": "no"}},
    ]
    timed = [{"time": f"2026-11-22T01:30:0{entry['seq']}.000Z", "release": RELEASE, **entry} for entry in entries]
    return build_report(RELEASE, [{"host": "app1", "entries": timed}])


def test_the_report_has_every_step(report: dict[str, Any]) -> None:
    assert violations(report) == []
    assert [(gate["check"], gate["verdict"]) for gate in report["gates"]] == [
        ("closed | door", "green"),
        ("open_door", "red"),
    ]
    assert [one["outcome"] for one in report["gates"][1]["steps"]] == ["failed", "skipped"]


def test_the_page_shows_them_escaped_and_open(report: dict[str, Any]) -> None:
    page = render_html(report)
    flows = page[page.index('id="flows"') :]
    assert flows[:40].startswith('id="flows" open>')
    for text in ("knock", "expected status 200, found no answer: connection refused", "an earlier step failed"):
        assert text in flows
    assert "<b>" not in page


def test_the_text_says_what_went_wrong_and_where(report: dict[str, Any]) -> None:
    text = render_markdown(report)
    assert "Flow open_door:\n\n- knock: expected status 200, found no answer: connection refused" in text
    assert "Flow closed" not in text

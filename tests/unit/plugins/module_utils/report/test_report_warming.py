# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a release that has warmed caches: what it took, and what the first visitors were spared."""

from __future__ import annotations

from typing import Any

from ansible_collections.sluice.release.plugins.module_utils.report._build import build_report
from ansible_collections.sluice.release.plugins.module_utils.report._html import render_html
from ansible_collections.sluice.release.plugins.module_utils.report._markdown import render_markdown
from ansible_collections.sluice.release.plugins.module_utils.report._schema import violations

RELEASE = "20261122T010000Z-1.1.0"
HTTP = {
    "kind": "http",
    "address": "127.0.0.1:3011",
    "warm": True,
    "stopped": "target",
    "reason": "all is well",
    "seconds": 3.2,
    "done": 2000,
    "failed_requests": 2,
    "rate": 640.2,
    "hit_pct": 99.5,
    "first_pass": {"p95_ms": 812.4},
    "second_pass": {"p95_ms": 31.7},
    "samples": [{"second": at / 10, "p95_ms": 800.0 - at, "done": at} for at in range(1, 200)],
}
KEYS = {
    "kind": "keys",
    "warm": False,
    "stopped": "memory",
    "reason": "90 % of the memory are used | full",
    "written": 1200,
    "kept": 3,
    "seconds": 0.5,
}


def entry(event: str, second: int, **fields: Any) -> dict[str, Any]:
    moment = f"2026-11-22T01:00:{second:02}.000Z"
    return {"seq": second + 1, "time": moment, "release": RELEASE, "event": event, "hash": f"h{second}", **fields}


def run(*notes: dict[str, Any]) -> dict[str, Any]:
    opened = {"kind": "deploy", "application": "shop", "environment": "lab", "version": "1.1.0", "from": "1.0.0"}
    told = [entry("noted", 2 + number, name="warming", data=note) for number, note in enumerate(notes)]
    entries = [entry("opened", 0, data=opened), *told, entry("closed", 9, outcome="succeeded")]
    return build_report(RELEASE, [{"host": "app1", "entries": entries}])


def test_what_the_first_visitors_were_spared() -> None:
    built = run(KEYS, HTTP)
    keys, http = built["warming"]
    assert (keys["kind"], keys["warm"], keys["written"], keys["kept"]) == ("keys", False, 1200, 3)
    assert (http["first_pass_p95_ms"], http["second_pass_p95_ms"]) == (812.4, 31.7)
    # Few enough points to see, and the slowest of them are there.
    assert len(http["series"]) == 50
    assert http["series"][0] == [0.1, 799.0]
    assert violations(built) == []
    text, page = render_markdown(built), render_html(built)
    said = "2,000 requests to 127.0.0.1:3011, 2 failed, p95 from 812 to 31.7 ms, 99.5 % from the cache, in 3.2 s"
    assert f"- app1: {said}" in text
    assert "1,200 keys loaded, 3 kept, in 0.5 s; NOT warm: 90 % of the memory are used \\| full" in text
    assert '<section class="card" id="warming">' in page
    assert 'aria-labelledby="warming-title warming-desc"' in page
    assert "not warm" in page


def test_a_release_that_has_warmed_nothing() -> None:
    built = run()
    assert built["warming"] == []
    assert 'id="warming"' not in render_html(built)
    assert "## Warming" not in render_markdown(built)


def test_one_that_has_asked_too_little_for_a_line() -> None:
    built = run({**HTTP, "samples": [], "first_pass": None, "second_pass": None})
    assert "series" not in built["warming"][0]
    assert "warming-title" not in render_html(built)

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ansible_collections.sluice.release.plugins.module_utils.report import _charts, _html
from ansible_collections.sluice.release.plugins.module_utils.report._build import build_report
from ansible_collections.sluice.release.plugins.module_utils.report._html import render_html
from ansible_collections.sluice.release.plugins.module_utils.report._markdown import render_markdown
from ansible_collections.sluice.release.plugins.module_utils.report._schema import SCHEMA, violations

Load = Callable[[str], dict[str, Any]]

NAMES = ["succeeded", "rolled_back", "failed", "unchanged"]
ROOT = Path(__file__).parents[5]
VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """Collects the ids and the text of a page, and fails on tags that do not close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page(report: Load) -> Callable[[str], str]:
    """Return the page of a recorded release, drawn once."""
    return functools.cache(lambda name: render_html(report(name)))


# --- schema ----------------------------------------------------------------------------------------------------------


def test_schema_in_the_repository_is_the_one_that_is_shipped() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert json.loads((ROOT / "docs" / "report.schema.json").read_text()) == SCHEMA


@pytest.mark.parametrize("name", NAMES)
def test_reports_are_valid(report: Load, name: str) -> None:
    assert violations(report(name)) == []


@pytest.mark.parametrize(
    ("path", "value", "wrong"),
    [
        (("outcome",), "fine", "outcome: 'fine' is not one of"),
        (("stages", 0, "seconds"), -1, "stages[0].seconds: -1 is less than"),
        (("gates", 0, "verdict"), None, "gates[0].verdict: None is not one of"),
        (("backup",), {}, "backup: 'id' is a required property"),
        (("rollback",), {"level": 4, "to": None, "seconds": 1}, "rollback.level: 4 is greater than"),
        (("started",), "yesterday", "started: 'yesterday' does not match"),
    ],
)
def test_violations_name_the_place(report: Load, path: tuple[Any, ...], value: Any, wrong: str) -> None:
    broken = report("succeeded")
    place: Any = broken
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert violations(broken)[0].startswith(wrong)


# --- Markdown --------------------------------------------------------------------------------------------------------


def test_markdown_tells_the_whole_story(report: Load) -> None:
    text = render_markdown(report("rolled_back"))
    assert text.startswith("# dealradarus 1.2.0: rolled back\n\n1.2.0 was taken back on 2 hosts, 1.1.0 serves again")
    for line in (
        "- Verdict: red",
        "## What went wrong: stage gate on app1",
        "| gate | app1 | failed | 9.8 | 120 s |",
        "| error_rate_pct | gate | app1 | red | 38.2 % | critical at or above 5 % for 3 s | 20 |",
        "`20261122T013002Z`, verified, 5 tables, 1.2 MB, in 1.4 s, 860 kB/s.",
        "Level 2 to 1.1.0 in 4.1 s, verified.",
    ):
        assert line in text.splitlines()


def test_markdown_of_an_unchanged_release_has_no_empty_sections(report: Load) -> None:
    headings = re.findall(r"^## .*", render_markdown(report("unchanged")), flags=re.MULTILINE)
    assert headings == ["## Stages"]


def test_markdown_is_not_led_astray_by_names(journal: Load) -> None:
    source = journal("unchanged")
    source["hosts"][0]["entries"][0]["data"]["application"] = "a|b `c` <script>"
    assert render_markdown(build_report(**source)).startswith("# a\\|b \\`c\\` \\<script\\> 1.1.0: unchanged")


# --- page ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_page_is_well_formed_and_needs_nothing_else(page: Callable[[str], str], name: str) -> None:
    text = page(name)
    parsed = Page(text)
    assert len(parsed.ids) == len(set(parsed.ids))
    assert parsed.tags.isdisjoint({"script", "link", "img", "iframe", "object"})
    references = [value for key, value in parsed.attributes if key in ("src", "href", "xlink:href") and value]
    assert all(value.startswith("#") for value in references)
    assert set(re.findall(r"url\((.)", text)) <= {"#"}
    # Every reference leads somewhere.
    assert {value[1:] for value in references} | set(re.findall(r"url\(#([^)]+)\)", text)) <= set(parsed.ids)


def test_page_draws_each_metric_with_its_bounds_and_the_moment_of_the_verdict(page: Callable[[str], str]) -> None:
    text = page("rolled_back")
    charts = re.findall(r'<figure class="card" data-check="(\w+)" data-verdict="(\w+)">', text)
    assert charts == [
        ("error_rate_pct", "red"),
        ("latency_p95_ms", "yellow"),
        ("cache_hit_ratio", "green"),
        ("heap_mb", "green"),
    ]
    for words in (">red at 9.8 s</text>", ">crit 5</text>", ">target 0.1 warn 1</text>", ">crit 60</text>"):
        assert words in text
    assert '<title id="metric0-title">error_rate_pct in stage gate</title>' in text
    assert 'aria-labelledby="metric0-title metric0-desc"' in text


def test_colours_are_the_pages_own(page: Callable[[str], str]) -> None:
    text = page("succeeded")
    assert not re.search(r"#0[0-9a-c]0[0-9a-c]0[0-9a-c]", text)
    used = set(re.findall(r"var\((--[\w-]+)\)", text))
    light, dark = (set(re.findall(r"(--[\w-]+):", block)) for block in _html.STYLE.split("@media", 2)[:2])
    assert used - {"--tone", "--soft"} <= light
    assert light == dark - {"--tone", "--soft"}


def test_same_report_draws_the_same_page(report: Load, page: Callable[[str], str]) -> None:
    assert render_html(report("succeeded")) == page("succeeded")


def test_names_cannot_break_out_of_the_page(journal: Load) -> None:
    evil = "</text><script>alert('1')</script>$x_{2}$"
    source = json.loads(json.dumps(journal("rolled_back")).replace("error_rate_pct", evil.replace('"', "")))
    source["hosts"][0]["host"] = evil
    text = render_html(build_report(**source))
    assert "<script" not in text
    assert "&lt;script&gt;alert(" in text
    Page(text)


def test_without_matplotlib_the_page_says_that_it_has_no_charts(report: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_charts, "HAS_MATPLOTLIB", False)
    text = render_html(report("rolled_back"))
    assert "There are no charts: Python&#39;s matplotlib was not installed" in text
    assert "<svg" not in text
    assert "critical at or above 5 % for 3 s" in text


def test_report_of_an_older_version_is_still_shown(report: Load) -> None:
    old = report("rolled_back")
    for gate in old["gates"]:
        for key in ("unit", "reason", "series", "target", "warn", "crit", "direction", "sustained", "seconds"):
            gate.pop(key, None)
    old["rollback"] = {"level": 2, "to": "1.1.0", "seconds": 4.1}
    old["requests"] = {"sent": 5, "failed": 0, "longest_gap_ms": 3}
    assert "threshold 5" in render_html(old)


@pytest.mark.parametrize(
    ("series", "pieces"),
    [
        ([[0, 1], [1, 2], [2, 3]], 1),
        ([[0, 1], [1, 2], [2, None], [3, 2], [4, 1]], 2),
        ([[0, None], [1, None]], None),
        ([], None),
    ],
)
def test_no_line_is_drawn_over_missing_samples(series: list[list[float | None]], pieces: int | None) -> None:
    gate = {"check": "p95", "stage": "gate", "verdict": "green", "value": 1, "series": series, "host": "app1"}
    chart = _charts.metric("m", [gate])
    if pieces is None:
        assert chart is None
    else:
        assert chart is not None
        curve = next(path for path in re.findall(r'<path d="([^"]+)"[^>]*var\(--series-1\)', chart.svg) if "L" in path)
        assert curve.count("M") == pieces

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of a release: one record as JSON, Markdown and a page that needs nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from testinfra.host import Host

REPORTS = "/var/lib/sluice/molecule/reports"
SCHEMA = Path(__file__).resolve().parents[3] / "docs" / "report.schema.json"


@pytest.fixture
def stem(host: Host) -> str:
    stems = {name.partition(".json")[0] for name in host.file(REPORTS).listdir() if name.endswith(".json")}
    (one,) = stems
    return f"{REPORTS}/{one}"


@pytest.fixture
def report(host: Host, stem: str) -> Any:
    return json.loads(host.file(f"{stem}.json").content_string)


def test_the_report_fits_its_schema(report: Any) -> None:
    jsonschema.validate(report, json.loads(SCHEMA.read_text(encoding="utf-8")))


def test_the_report_says_what_happened(report: Any) -> None:
    assert (report["outcome"], report["to"], report["environment"]) == ("succeeded", "1.0.0", "molecule")
    switched = {stage["host"] for stage in report["stages"] if stage["name"] == "switch"}
    assert switched == {"app1", "app2"}
    assert next(gate["verdict"] for gate in report["gates"] if gate["check"] == "answers") == "green"


def test_the_page_loads_nothing_from_elsewhere(host: Host, stem: str) -> None:
    page = host.file(f"{stem}.html").content_string
    assert "1.0.0" in page
    for mark in ('src="http', 'href="http', "@import", "url(http"):
        assert mark not in page
    assert host.file(f"{stem}.md").content_string.startswith("#")

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Only the version that the release asked for passes, with all that was looked at in its evidence."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest

Evidence = Callable[[str], Any]


CHECKS = [
    "version",
    "pages of the version",
    "security: errors",
    "security: methods",
    "security: headers",
    "security: rate_limit",
    "heartbeats",
]


def test_the_right_version_passes_and_a_missing_header_costs_score(evidence: Evidence) -> None:
    right = evidence("right")
    assert {gate["check"]: gate["verdict"] for gate in right["gates"]} == {
        **dict.fromkeys(CHECKS, "green"),
        "security: headers": "yellow",
    }
    assert right["verdict"] == "yellow"
    assert 80 < right["score"] < 100


def test_another_version_is_refused_by_the_request_and_by_the_flow(evidence: Evidence) -> None:
    refused = evidence("wrong")
    assert refused["failed"]
    assert refused["verdict"] == "red"
    assert {gate["check"] for gate in refused["gates"] if gate["verdict"] == "red"} == {
        "version",
        "pages of the version",
    }
    assert "in step which version: expected version to be 1.1.0, found 1.0.0" in refused["msg"]


def test_the_evidence_has_no_secret(evidence: Evidence) -> None:
    assert "molecule-flow-secret" not in str([evidence("right"), evidence("wrong")])


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium on the controller: no page was opened")
def test_a_browser_of_the_controller_sees_the_page(evidence: Evidence) -> None:
    [page] = [gate for gate in evidence("page")["gates"] if gate["check"] == "page"]
    assert page["verdict"] == "green", page
    assert page["vitals"]["lcp_ms"] > 0

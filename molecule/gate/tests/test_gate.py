# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What answers passes; what does not ends the stage with the evidence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Evidence = Callable[[str], Any]


def test_what_answers_is_green(evidence: Evidence) -> None:
    gate = evidence("green")
    assert gate["verdict"] == "green"
    assert [(check["check"], check["verdict"], check["value"]) for check in gate["gates"]] == [
        ("answers", "green", 100)
    ]
    assert gate["samples"] >= 2


def test_what_does_not_answer_fails_with_the_evidence(evidence: Evidence) -> None:
    gate = evidence("red")
    assert gate["failed"]
    assert (gate["verdict"], gate["gates"][0]["check"], gate["gates"][0]["value"]) == ("red", "answers", 0)
    assert "answers" in gate["msg"]


def test_what_is_worse_than_the_old_version_fails_with_both_in_the_evidence(evidence: Evidence) -> None:
    gate = evidence("worse")
    assert gate["failed"]
    assert [(check["check"], check["verdict"]) for check in gate["gates"]] == [
        ("new_ms", "green"),
        ("old_ms", "green"),
        ("latency", "red"),
    ]
    assert "latency: the new version's median was" in gate["msg"]


def test_what_it_stands_on_is_seen(evidence: Evidence) -> None:
    gate = evidence("ground")
    found = {check["check"]: check for check in gate["gates"]}
    yellow = {name for name, check in found.items() if check["verdict"] == "yellow"}
    assert yellow == {"crashes", "errors"}, [check["reason"] for check in gate["gates"]]
    assert gate["verdict"] == "yellow"
    assert 3 <= found["errors"]["value"] <= 7
    assert found["errors"]["reason"].endswith(": the first was: Error one")
    assert 1 <= found["crashes"]["value"] <= 3
    assert "systemd has no unit sluice-no-such.service" in found["nothing"]["reason"]
    assert found["open"]["value"] == "not required"
    assert found["nginx_memory"]["value"] > 1

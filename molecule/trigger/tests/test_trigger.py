# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A person is asked, an alert takes the release back, and only once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from testinfra.host import Host

STATE = "/var/lib/sluice/molecule"


def notes(journal: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    entries = [entry for segment in journal for entry in segment]
    return [entry["data"] for entry in entries if entry["event"] == "noted" and entry["name"] == "trigger"]


def test_a_restore_is_asked_about_with_its_command(evidence: Callable[[str], Any]) -> None:
    said = " ".join(evidence("declared").split())
    assert "has declared it: orders without lines" in said
    assert "-l sluice -e release_reason=data_corruption" in said
    assert "ansible-playbook rollback_level3.yml" in said


def test_the_alert_takes_the_release_back(answer: Callable[[str], Any], journal: list[list[dict[str, Any]]]) -> None:
    assert answer("/version")["version"] == "1.0.0"
    assert [segment[0]["data"]["kind"] for segment in journal] == ["deploy", "deploy", "rollback"]
    assert journal[2][0]["reason"].startswith("errors: alert HighErrorRate on app1: { { lookup(")


def test_what_looks_like_a_template_in_an_alert_is_none() -> None:
    # It would have run on the controller, which is here.
    assert not Path("/tmp/molecule_trigger_was_a_template").exists()


def test_the_journal_says_what_was_decided_and_why(journal: list[list[dict[str, Any]]]) -> None:
    deployed, back = journal[1][0]["release"], journal[2][0]["release"]
    told = [(one["release"], one["source"], one["trigger"], one["level"], one["action"]) for one in notes(journal)]
    assert told == [
        (deployed, "declared", "data_corruption", "3", "ask"),
        (deployed, "alert", "errors", "2", "rollback"),
        (back, "alert", "errors", "2", "ask"),
    ]


def test_it_goes_back_by_itself_only_once(evidence: Callable[[str], Any], journal: list[list[dict[str, Any]]]) -> None:
    again = evidence("again")
    assert again["action"] == "ask"
    assert f"what runs is what {journal[2][0]['release']} has gone back to" in again["message"]


def test_the_report_names_the_trigger(host: Host, journal: list[list[dict[str, Any]]]) -> None:
    report = json.loads(host.file(f"{STATE}/reports/{journal[1][0]['release']}.json").content_string)
    assert [one["trigger"] for one in report["triggers"]] == ["data_corruption", "errors"]


def test_no_lock_is_held(host: Host) -> None:
    assert not host.file(f"{STATE}/lock.json").exists

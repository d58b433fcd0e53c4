# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release is watched after its deploy, and two crashes on one host take it back on both."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from testinfra.host import Host

STATE = "/var/lib/sluice/molecule"


def notes(journal: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    entries = [entry for segment in journal for entry in segment]
    return [entry["data"] for entry in entries if entry["event"] == "noted" and entry["name"] == "watch"]


def test_the_task_of_the_profile_ran_with_its_variables(host: Host) -> None:
    assert host.file("/srv/molecule/watching").content_string == "molecule-app"


def test_the_watch_lies_in_the_journal_from_its_opening_to_its_end(journal: list[list[dict[str, Any]]]) -> None:
    told = notes(journal)
    assert [note["event"] for note in told] == ["opened", "tick", "tick", "decided", "ended"]
    assert (told[-2]["action"], told[-1]["outcome"]) == ("rollback", "rolled_back")
    assert {note["release"] for note in told} == {journal[1][0]["release"]}


def test_while_all_was_well_a_tick_was_not_red(journal: list[list[dict[str, Any]]]) -> None:
    first = notes(journal)[1]
    # What was missed since the deploy is said, and allowed.
    assert first["verdict"] in ("green", "yellow")
    assert [gate["verdict"] for window in first["windows"] for gate in window["gates"]] == ["green"]


def test_the_crashes_are_counted_where_they_were(host: Host, journal: list[list[dict[str, Any]]]) -> None:
    last = notes(journal)[2]
    crashed = host.check_output("hostname") == "app2"
    assert (last["crashes"], last["trigger"]) == ((2, True) if crashed else (0, False))


def test_both_hosts_serve_the_version_before(answer: Callable[[str], Any], journal: list[list[dict[str, Any]]]) -> None:
    assert answer("/version")["version"] == "1.0.0"
    closed = [(segment[0]["data"]["kind"], segment[-1]["event"]) for segment in journal]
    assert [kind for kind, _event in closed] == ["deploy", "deploy", "rollback"]


def test_no_lock_is_held(host: Host) -> None:
    assert not host.file(f"{STATE}/lock.json").exists


def test_it_is_said_why_and_that_no_tick_is_left(evidence: Callable[[str], Any]) -> None:
    said = " ".join(evidence("tick")["said"].split())
    assert "app2: the application has crashed or was restarted 2 times since the switch" in said
    assert "Cannot keep release 1.1.0" in said
    assert evidence("tick")["ended"]


def test_the_report_tells_of_the_watch(host: Host, journal: list[list[dict[str, Any]]]) -> None:
    path = f"{STATE}/reports/{journal[1][0]['release']}.json"
    watch = json.loads(host.file(path).content_string)["watch"]
    assert (watch["outcome"], watch["verdict"]) == ("rolled_back", "red")
    assert {window["host"] for window in watch["windows"]} == {"app1", "app2"}

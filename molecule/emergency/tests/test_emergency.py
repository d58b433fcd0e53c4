# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Toggles are turned on and taken back, what fails leaves what there was, and the journal agrees with what runs."""

from __future__ import annotations

from typing import Any

from testinfra.host import Host

Journal = list[list[dict[str, Any]]]


def runs(journal: Journal) -> list[tuple[str, str, str]]:
    """Each run after the deploy: its reason, how it ended, and what was on then."""
    found = []
    for entries in journal[1:]:
        (opened,) = [entry for entry in entries if entry["event"] == "opened"]
        (closed,) = [entry for entry in entries if entry["event"] == "closed"]
        assert opened["data"]["kind"] == "emergency"
        (left,) = [entry for entry in entries if entry["event"] == "left" and entry["stage"] == "emergency"]
        found.append((left["data"]["action"], closed["outcome"], left["data"]["active"]))
    return found


def test_the_journal_has_each_as_a_run_of_its_own(journal: Journal) -> None:
    assert runs(journal) == [
        ("no_cache", "succeeded", ["no_cache"]),
        ("alone", "succeeded", ["no_cache", "alone"]),
        ("no_cache", "succeeded", ["alone"]),
        ("restart", "succeeded", ["alone"]),
        ("broken", "rolled_back", ["alone", "broken"]),
    ]


def modes(entries: list[dict[str, Any]]) -> list[str]:
    """What the proxy was told in a run: at the end of stage maintenance, and beside the stages."""
    own = [entry for entry in entries if "maintenance" in (entry["name"], entry["stage"])]
    return [entry["data"]["mode"] for entry in own if entry["event"] in ("left", "noted")]


def test_requests_were_turned_away_during_the_deploy_and_are_again(host: Host, journal: Journal) -> None:
    assert modes(journal[0]) == ["block", "off"]
    # By hand, after the restart was over.
    assert modes(journal[4]) == ["block"]
    assert host.check_output("curl -s -o /dev/null -w %{http_code} http://127.0.0.1:8090/") == "503"


def test_the_journal_says_what_the_values_were(journal: Journal) -> None:
    changes = [
        entry["data"]["changes"]
        for entries in journal[1:3]
        for entry in entries
        if entry["event"] == "left" and entry["stage"] == "emergency"
    ]
    assert changes == [
        [{"name": "CACHE", "was": None, "is": "off"}],
        [{"name": "REDIS_URL", "was": "********", "is": "********"}],
    ]


def test_one_instance_serves_with_what_is_on(host: Host, workers: list[dict[str, Any]]) -> None:
    assert host.run("curl -sf http://127.0.0.1:3000/ready").rc == 0
    (worker,) = workers
    environment = worker["pm2_env"]
    assert environment["REDIS_URL"] == "redis://127.0.0.1:6379/1"
    assert "SLUICE_RESTARTED" in environment
    assert "CACHE" not in environment
    assert environment["DATABASE_URL"].startswith("postgresql://app:molecule-db-secret@127.0.0.1:5432")

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules release_journal and release_journal_info as Ansible runs them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.sluice.release.plugins.modules import release_journal, release_journal_info, release_lock

KEYS = {"changed", "events", "journal", "ansible_facts", "diff"}


class Host:
    """The three modules on one state directory."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = path / "state"
        self.capsys = capsys

    def call(self, module: Any, **options: Any) -> dict[str, Any]:
        with patch_module_args({"path": str(self.path), **options}), pytest.raises(SystemExit):
            module.main()
        result: dict[str, Any] = json.loads(self.capsys.readouterr().out)
        result.pop("invocation", None)
        return result

    def record(self, state: str, release: str = "r1", **more: Any) -> dict[str, Any]:
        return self.call(release_journal, state=state, release=release, **more)

    def info(self, **more: Any) -> dict[str, Any]:
        return self.call(release_journal_info, **more)


@pytest.fixture
def host(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Host:
    return Host(tmp_path, capsys)


def test_a_release_from_end_to_end(host: Host) -> None:
    opened = host.record("opened", data={"kind": "deploy", "version": "1.0.0"})
    assert set(opened) == KEYS
    host.record("entered", stage="preflight", budget=30)
    artifact = {"id": "1.0.0-abc", "path": "/srv/x", "checksum": "abc"}
    switch = host.record(
        "entered", stage="switch", data={"artifact": artifact, "config": {"version": 1}}, evidence={"score": 100}
    )
    assert [(e["event"], e["stage"]) for e in switch["events"]] == [("left", "preflight"), ("entered", "switch")]
    assert switch["events"][0]["budget"] == 30.0
    assert switch["ansible_facts"]["sluice_journal"] == switch["journal"]
    host.record("entered", stage="verify")
    closed = host.record("closed", outcome="succeeded")
    assert closed["journal"]["current"]["artifact"] == artifact
    assert closed["journal"]["current"]["version"] == "1.0.0"
    assert closed["diff"]["before"]["open"]["stage"] == "verify"
    assert closed["diff"]["after"]["open"] == {}


def test_a_second_time_nothing_changes(host: Host) -> None:
    for _time in range(2):
        results = [host.record("opened"), host.record("entered", stage="a")]
    assert [result["changed"] for result in results] == [False, False]
    assert [result["events"] for result in results] == [[], []]
    assert [result["diff"]["before"] == result["diff"]["after"] for result in results] == [True, True]


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        ({"state": "entered"}, "stage"),
        ({"state": "failed"}, "reason"),
        ({"state": "noted"}, "name"),
        ({"state": "closed"}, "outcome"),
    ],
)
def test_what_must_be_said(host: Host, options: dict[str, Any], missing: str) -> None:
    result = host.record(**options)
    assert result["failed"] is True
    assert missing in result["msg"]


def test_check_mode_goes_through_a_whole_release_and_writes_nothing(host: Host) -> None:
    results = [
        host.record("opened", _ansible_check_mode=True),
        host.record("entered", stage="switch", token="r1", _ansible_check_mode=True),
        host.record("failed", reason="x", _ansible_check_mode=True),
        host.record("closed", outcome="succeeded", _ansible_check_mode=True),
    ]
    assert [result["changed"] for result in results] == [True] * 4
    assert [set(result) for result in results] == [KEYS, KEYS, KEYS, {*KEYS, "entries", "unlocked"}]
    # The tasks that follow find the release open, although nobody wrote that.
    assert [(result["journal"]["open"] or {}).get("stage") for result in results] == [None, "switch", None, None]
    assert not host.path.exists()


def test_the_first_stage_is_entered_as_the_release_opens(host: Host) -> None:
    opened = host.record("opened", stage="preflight", budget=60, data={"kind": "deploy"})
    assert [event["event"] for event in opened["events"]] == ["opened", "entered"]
    assert (opened["journal"]["open"]["stage"], opened["events"][1]["budget"]) == ("preflight", 60)
    assert opened["events"][1]["data"] == {}
    assert host.record("opened", stage="preflight", data={"kind": "deploy"})["changed"] is False


def test_the_end_takes_notes_tells_all_and_gives_the_lock_back(host: Host) -> None:
    host.call(release_lock, token="r1")
    host.record("opened", stage="verify", token="r1")
    notes = [{"name": "requests", "data": {"sent": 7}}]
    closed = host.record("closed", outcome="succeeded", notes=notes, token="r1", unlock=True)
    assert [event["event"] for event in closed["events"]] == ["noted", "left", "closed"]
    assert closed["entries"] == host.info(release="r1")["entries"]
    assert closed["unlocked"] is True
    assert not (host.path / "lock.json").exists()


def test_an_end_leaves_a_lock_that_it_was_not_asked_to_give_back(host: Host) -> None:
    host.call(release_lock, token="r1")
    host.record("opened", token="r1")
    assert host.record("closed", outcome="succeeded", token="r1")["unlocked"] is False
    assert (host.path / "lock.json").exists()


def test_the_token_is_a_fence(host: Host) -> None:
    host.call(release_lock, token="r1", owner="alice@ci", ttl=10)
    host.record("opened", token="r1", ttl=5000)
    lock = json.loads((host.path / "lock.json").read_text())
    assert lock["expires"] > lock["acquired"]
    host.call(release_lock, token="r2", owner="bob@ci", takeover="always")
    before = host.info()["entries"]
    fenced = host.record("entered", stage="switch", token="r1")
    assert (fenced["failed"], fenced["fenced"]) == (True, True)
    assert fenced["msg"].startswith("Cannot go on with release r1: the lock was taken over by bob@ci at ")
    assert host.info()["entries"] == before


def test_a_second_release_waits_for_the_first(host: Host) -> None:
    host.record("opened")
    refused = host.record("opened", "r2")
    assert refused["failed"] is True
    assert "release r1 is still open" in refused["msg"]


def test_info_of_nothing(host: Host) -> None:
    info = host.info(release="latest")
    assert (info["changed"], info["entries"], info["valid"], info["journal"]["releases"]) == (False, [], True, 0)
    assert not host.path.exists()


@pytest.mark.parametrize(
    ("release", "expected"), [(None, ["r1", "r1", "r2"]), ("latest", ["r2"]), ("r1", ["r1", "r1"])]
)
def test_info_of_some(host: Host, release: str | None, expected: list[str]) -> None:
    host.record("opened")
    host.record("closed", outcome="failed")
    host.record("opened", "r2")
    info = host.info(release=release)
    assert [entry["release"] for entry in info["entries"]] == expected
    assert info["ansible_facts"]["sluice_journal"]["open"]["release"] == "r2"


def test_info_of_what_is_not_there(host: Host) -> None:
    host.record("opened")
    result = host.info(release="r9")
    assert result["msg"].startswith("Cannot find release r9: ")


def test_a_changed_journal_is_refused_by_both(host: Host) -> None:
    host.record("opened")
    segment = next((host.path / "journal").glob("*.jsonl"))
    segment.write_text(segment.read_text().replace("opened", "openeD"))
    results = [host.info(), host.record("entered", stage="a")]
    assert [result["msg"].startswith("Cannot trust the journal ") for result in results] == [True, True]
    assert results[0]["valid"] is False
    assert os.listdir(segment.parent) == [segment.name]

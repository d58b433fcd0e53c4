# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module release_lock as Ansible runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.sluice.release.plugins.modules import release_lock

KEYS = {"changed", "token", "holder", "told", "previous_holder", "taken_over", "takeover_reason", "diff"}


class Lock:
    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = path / "state"
        self.capsys = capsys

    def __call__(self, token: str, **more: Any) -> dict[str, Any]:
        with patch_module_args({"path": str(self.path), "token": token, **more}), pytest.raises(SystemExit):
            release_lock.main()
        result: dict[str, Any] = json.loads(self.capsys.readouterr().out)
        return result

    def file(self) -> dict[str, Any] | None:
        path = self.path / "lock.json"
        return json.loads(path.read_text()) if path.exists() else None


@pytest.fixture
def lock(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Lock:
    return Lock(tmp_path, capsys)


def test_take_renew_and_give_back(lock: Lock) -> None:
    first = lock("a", owner="alice@ci", reason="deploy")
    assert set(first) - {"invocation"} == {*KEYS, "journal", "ansible_facts"}
    assert (first["changed"], first["holder"], first["previous_holder"]) == (True, lock.file(), None)
    assert first["diff"] == {"before": {}, "after": {"token": "a", "owner": "alice@ci", "reason": "deploy"}}
    again = lock("a", owner="alice@ci")
    assert (again["changed"], again["holder"]["acquired"]) == (False, first["holder"]["acquired"])
    assert again["holder"]["heartbeat"] >= first["holder"]["heartbeat"]
    assert lock("a", state="released")["changed"] is True
    assert lock.file() is None
    assert lock("a", state="released")["changed"] is False


def test_whoever_takes_it_learns_what_the_journal_says(lock: Lock) -> None:
    assert lock("a")["ansible_facts"]["sluice_journal"]["releases"] == 0
    journal = lock.path / "journal"
    journal.mkdir()
    (journal / "000001-r1.jsonl").write_text("no entry\n")
    # What cannot be trusted does not end in a lock that stays.
    refused = lock("b", takeover="always")
    assert refused["msg"].startswith("Cannot trust the journal")
    assert (lock.file() or {})["token"] == "a"


def test_anothers_lock_is_refused_and_not_removed(lock: Lock) -> None:
    lock("theirs", owner="bob@ci")
    refused = lock("mine", name="shop")
    assert refused["failed"] is True
    assert refused["locked"] is True
    assert refused["msg"].startswith("Cannot take the lock of shop: bob@ci holds it, since ")
    released = lock("mine", state="released")
    assert (released["changed"], released["held_by"]["owner"]) == (False, "bob@ci")
    assert (lock.file() or {})["token"] == "theirs"


@pytest.mark.parametrize(
    ("ttl", "claim", "why"),
    [
        (0, {}, "it expired at "),
        (900, {"takeover": "always"}, "it was asked for"),
        (900, {"dead_token": "theirs"}, "the run that held it has ended"),
    ],
)
def test_a_takeover_is_told(lock: Lock, ttl: int, claim: dict[str, Any], why: str) -> None:
    lock("theirs", owner="bob@ci", ttl=ttl)
    taken = lock("mine", owner="alice@ci", **claim)
    assert (taken["changed"], taken["taken_over"]) == (True, True)
    assert taken["takeover_reason"].startswith(why)
    assert taken["previous_holder"]["owner"] == "bob@ci"
    assert (lock.file() or {})["token"] == "mine"


@pytest.mark.parametrize("state", ["held", "released"])
def test_check_mode_says_the_same_and_does_nothing(lock: Lock, state: str) -> None:
    if state == "released":
        lock("a", owner="alice@ci")
    before = lock.file()
    checked = lock("a", owner="alice@ci", state=state, _ansible_check_mode=True)
    assert lock.file() == before
    assert lock.path.exists() is (state == "released")
    real = lock("a", owner="alice@ci", state=state)
    assert (checked["changed"], checked["diff"], set(checked)) == (real["changed"], real["diff"], set(real))


def test_a_directory_that_may_not_be_made(lock: Lock) -> None:
    lock.path = Path("/proc/sluice")
    assert lock("a")["msg"].startswith("Cannot make the state directory /proc/sluice: ")


def test_it_is_shown_without_being_touched(lock: Lock) -> None:
    assert lock("", state="shown")["told"] == "nobody holds the lock"
    lock("a", owner="alice@ci", reason="deploy 1.1.0")
    before = lock.file()
    shown = lock("", state="shown")
    assert shown["told"].startswith("alice@ci holds the lock for deploy 1.1.0, since ")
    assert (shown["changed"], shown["holder"], lock.file()) == (False, before, before)
    assert shown["journal"]["open"] is None


def test_whoever_moves_the_application_is_given_the_token(lock: Lock) -> None:
    assert lock("a")["ansible_facts"]["sluice_lock"] == "a"

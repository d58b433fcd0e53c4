# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has lost the lock moves nothing any more."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.journal import _advance, _fence, _lock, _store


def hold(path: Path, token: str, owner: str = "alice@ci", reason: str = "") -> None:
    claim = _lock.Claim(token, owner, reason=reason)
    _lock.write_lock(str(path), _lock.hold(claim, None, 1_800_000_000))


@pytest.mark.parametrize("told", [{"token": None}, {"check_mode": True}, {"state_dir": None}])
def test_who_names_no_lock_is_not_asked(tmp_path: Path, told: dict[str, Any]) -> None:
    options = {"state_dir": str(tmp_path), "token": "mine", "what": "switch shop", **told}
    with _fence.acting(**options):
        _fence.telling(None)("move")


@pytest.mark.parametrize(
    ("holder", "said"),
    [
        (None, "Cannot switch shop: its lock is gone"),
        ("bob@laptop", r"Cannot switch shop: the lock was taken over by bob@laptop at .* \(rollback: errors\)\."),
    ],
)
def test_who_comes_without_the_lock_does_not_begin(tmp_path: Path, holder: str | None, said: str) -> None:
    if holder:
        hold(tmp_path, "another", holder, "rollback: errors")
    with pytest.raises(SluiceError, match=said) as error, _fence.acting(str(tmp_path), "mine", "switch shop"):
        pytest.fail("it began")
    assert error.value.fields["fenced"] is True


def test_who_loses_it_in_the_middle_stops_at_the_next_word_and_tidies_up(tmp_path: Path) -> None:
    hold(tmp_path, "mine")
    say = _fence.telling(None)
    with _fence.acting(str(tmp_path), "mine", "switch shop"):
        say("start worker 1")
        hold(tmp_path, "another", "bob@laptop")
        with pytest.raises(SluiceError, match="the lock was taken over by bob@laptop"):
            say("prove worker 1")
        # What follows is tidying up, and must not be stopped half-way.
        say("remove worker 1")
    say("the next one asks for itself")


def test_who_took_it_over_and_has_ended_is_named_by_the_journal(tmp_path: Path) -> None:
    entries: list[dict[str, Any]] = []
    for release, data in (("mine", {"kind": "deploy"}), ("theirs", {"kind": "rollback", "operator": "bob@laptop"})):
        opened = _advance.Request("opened", release, data=data, reason="errors" if release == "theirs" else None)
        for request in (opened, _advance.Request("closed", release, outcome="failed")):
            entries += _store.append(str(tmp_path), entries, _advance.advance(entries, request, _store.now()))
    with pytest.raises(SluiceError) as error, _fence.acting(str(tmp_path), "mine", "switch shop"):
        pytest.fail("it began")
    said = r"taken over by bob@laptop at \S+ \(rollback: errors\), and that run has ended\. Nothing more is moved\."
    assert re.search(said, str(error.value))


def test_only_one_module_acts_at_a_time(tmp_path: Path) -> None:
    hold(tmp_path, "mine")
    with (
        _fence.acting(str(tmp_path), "mine", "switch shop"),
        pytest.raises(SluiceError, match="is locked by process"),
        _fence.acting(str(tmp_path), "mine", "switch shop", timeout=0.1),
    ):
        pytest.fail("it began")

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._clock import utc_text
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.journal import _lock
from ansible_collections.sluice.release.plugins.module_utils.journal._lock import Claim, Decision, decide

NOW = 1_800_000_000.0
RUN, OTHER_RUN = {"controller": "c", "pid": 1}, {"controller": "c", "pid": 2}


def holder(token: str = "theirs", *, left: float = 100, run: dict[str, Any] = OTHER_RUN) -> dict[str, Any]:
    return _lock.hold(Claim(token, "bob@ci", run, ttl=left, reason="deploy 1.1.0"), None, NOW)


@pytest.mark.parametrize(
    ("held", "claim", "expected"),
    [
        (None, {}, "acquire"),
        (holder("mine", run=RUN), {}, "renew"),
        (holder("mine", run={}), {}, "renew"),
        (holder("mine", left=-1, run=RUN), {}, "renew"),
        (holder("mine"), {}, "refuse"),  # another run that happened to choose the same token
        (holder(), {}, "refuse"),
        (holder(left=0), {}, "take_over"),
        (holder(left=0), {"takeover": "never"}, "refuse"),
        (holder(), {"takeover": "always"}, "take_over"),
        (holder(), {"dead_token": "theirs"}, "take_over"),
        (holder(), {"dead_token": "one before"}, "refuse"),  # it changed hands since
        (holder(), {"dead_token": "theirs", "takeover": "never"}, "refuse"),
    ],
)
def test_decide(held: Any, claim: dict[str, Any], expected: str) -> None:
    decision = decide(held, Claim("mine", "alice@ci", RUN, **claim), NOW)
    assert decision.action == expected
    assert bool(decision.why) == (expected == "take_over")


def test_a_renewal_keeps_since_when_and_what_for() -> None:
    before = _lock.hold(Claim("mine", "alice@ci", RUN, reason="deploy"), None, NOW - 50)
    after = _lock.hold(Claim("mine", "alice@ci", RUN, ttl=60), before, NOW)
    assert (after["acquired"], after["reason"]) == (utc_text(NOW - 50), "deploy")
    assert (after["heartbeat"], after["expires"]) == (utc_text(NOW), utc_text(NOW + 60))


def test_a_refusal_says_who_and_until_when() -> None:
    error = _lock.refused("shop", holder())
    assert str(error) == (
        "Cannot take the lock of shop: bob@ci holds it for deploy 1.1.0, since 2027-01-15T08:00:00.000Z until "
        "2027-01-15T08:01:40.000Z. Wait for it, or run recover.yml, which takes it over."
    )
    assert error.fields["locked"] is True


def test_the_file_comes_and_goes(tmp_path: Path) -> None:
    state_dir = str(tmp_path)
    assert _lock.read_lock(state_dir) is None
    _lock.write_lock(state_dir, holder(), new=True)
    assert _lock.read_lock(state_dir) == holder()
    assert stat.S_IMODE((tmp_path / "lock.json").stat().st_mode) == 0o600
    with pytest.raises(SluiceError, match="another run took it at this moment"):
        _lock.write_lock(state_dir, holder("mine"), new=True)
    _lock.write_lock(state_dir, holder("mine"))
    assert (_lock.read_lock(state_dir) or {})["token"] == "mine"
    _lock.remove_lock(state_dir)
    assert _lock.read_lock(state_dir) is None


def test_what_a_killed_writer_left_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "lock.json.new").write_text('{"half')
    _lock.write_lock(str(tmp_path), holder(), new=True)
    assert os.listdir(tmp_path) == ["lock.json"]


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"expires": "soon"}', '{"expires": 5}'])
def test_a_foreign_file_is_not_taken_for_a_lock(tmp_path: Path, content: str) -> None:
    (tmp_path / "lock.json").write_text(content)
    with pytest.raises(SluiceError, match="something other than this collection wrote it"):
        _lock.read_lock(str(tmp_path))


def test_the_fence_renews(tmp_path: Path) -> None:
    _lock.write_lock(str(tmp_path), holder("mine"), new=True)
    _lock.fence(str(tmp_path), "r1", "mine", 500, NOW + 10)
    after = _lock.read_lock(str(tmp_path)) or {}
    assert (after["heartbeat"], after["expires"]) == (utc_text(NOW + 10), utc_text(NOW + 510))


@pytest.mark.parametrize(
    ("held", "message"),
    [
        (None, "Cannot go on with release r1: its lock is gone"),
        (holder(), "Cannot go on with release r1: the lock was taken over by bob@ci at "),
    ],
)
def test_the_fence_stops_who_lost_the_lock(tmp_path: Path, held: Any, message: str) -> None:
    if held:
        _lock.write_lock(str(tmp_path), held, new=True)
    with pytest.raises(SluiceError) as error:
        _lock.fence(str(tmp_path), "r1", "mine", 500, NOW)
    assert str(error.value).startswith(message)
    assert error.value.fields["fenced"] is True


def test_a_decision_is_plain() -> None:
    assert decide(None, Claim("mine", "alice"), NOW) == Decision("acquire", "")

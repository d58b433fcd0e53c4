# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.journal import _advance, _store
from ansible_collections.sluice.release.plugins.module_utils.preflight import _embargo
from ansible_collections.sluice.release.plugins.module_utils.preflight._checks import check_spec

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
NONE = "nothing was taken back since the last good release"


def release(day: int, kind: str, outcome: str) -> list[dict[str, Any]]:
    """The two entries that matter of a release of a day in November."""
    name, time = f"R{day}", f"2026-11-{day:02}T10:00:00.000Z"
    return [
        {"event": "opened", "release": name, "time": time, "data": {"kind": kind}},
        {"event": "closed", "release": name, "time": time, "outcome": outcome},
    ]


@pytest.mark.parametrize(
    ("history", "passed", "message"),
    [
        ([], True, NONE),
        ([(20, "deploy", "succeeded")], True, NONE),
        ([(20, "deploy", "failed")], True, NONE),
        ([(22, "deploy", "rolled_back")], False,
         "R22 went back on 2026-11-22; the next release may come on 2026-11-25 10:00 UTC, or by a waiver"),
        ([(22, "rollback", "succeeded")], False,
         "R22 went back on 2026-11-22; the next release may come on 2026-11-25 10:00 UTC, or by a waiver"),
        ([(20, "deploy", "rolled_back")], True, "R20 went back on 2026-11-20, and the embargo of 3 days is over"),
        ([(22, "emergency", "rolled_back")], True, NONE),
        # Somebody had a waiver, and it went well; a backup is no release.
        ([(22, "deploy", "rolled_back"), (23, "deploy", "succeeded")], True, NONE),
        ([(22, "deploy", "rolled_back"), (23, "backup", "succeeded")], False,
         "R22 went back on 2026-11-22; the next release may come on 2026-11-25 10:00 UTC, or by a waiver"),
        ([(22, "deploy", "rolled_back"), (23, "deploy", "unchanged")], False,
         "R22 went back on 2026-11-22; the next release may come on 2026-11-25 10:00 UTC, or by a waiver"),
    ],
)  # fmt: skip
def test_who_has_to_wait(history: list[tuple[int, str, str]], passed: bool, message: str) -> None:
    entries = [entry for one in history for entry in release(*one)]
    finding = _embargo.judge(entries, 3, NOW)
    assert (finding.passed, finding.message) == (passed, message)


def test_the_journal_of_the_host_is_asked(tmp_path: Path) -> None:
    asked = {name: option.get("default") for name, option in check_spec().items()}
    asked |= {"type": "embargo", "path": str(tmp_path), "embargo_days": 3.0}
    assert _embargo.look(asked).message == NONE
    name = "20261122T013000Z-1.2.0"
    requests = [
        _advance.Request("opened", name, data={"kind": "deploy"}),
        _advance.Request("closed", name, outcome="rolled_back"),
    ]
    with _store.writing(str(tmp_path), "test"):
        _store.append(str(tmp_path), [], _advance.advance_all([], requests, _store.now()))
    finding = _embargo.look(asked)
    assert (finding.passed, finding.value["release"]) == (False, name)

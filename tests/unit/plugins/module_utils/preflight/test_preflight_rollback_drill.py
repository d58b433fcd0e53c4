# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.journal import _advance, _store
from ansible_collections.sluice.release.plugins.module_utils.preflight import _rollback_drill
from ansible_collections.sluice.release.plugins.module_utils.preflight._checks import check_spec

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
NOTHING = "there is no earlier release to go back to, so there is nothing to drill"


def deployed(*artifacts: str) -> list[dict[str, Any]]:
    """The entries of good releases."""
    found: list[dict[str, Any]] = []
    for number, artifact in enumerate(artifacts):
        common = {"release": f"R{number}", "time": "2026-11-01T10:00:00.000Z"}
        found += [
            {"event": "opened", "data": {"kind": "deploy"}, **common},
            {"event": "entered", "stage": "switch", "data": {"artifact": {"id": artifact}}, **common},
            {"event": "closed", "outcome": "succeeded", "data": {}, **common},
        ]
    return found


def drill(day: int, **data: Any) -> dict[str, Any]:
    time = f"2026-11-{day:02}T12:00:00.000Z"
    return {"event": "noted", "name": "rollback_drill", "release": f"D{day}", "time": time, "data": data}


ALL = {"1": 9.0, "2": 14.6, "3": 55.0}
TWO = deployed("a", "b")


@pytest.mark.parametrize(
    ("entries", "levels", "passed", "message"),
    [
        ([], (1, 2, 3), True, NOTHING),
        (deployed("a"), (1, 2, 3), True, NOTHING),
        # Another configuration of the same code is no earlier release.
        (deployed("a", "a"), (1, 2, 3), True, NOTHING),
        (TWO, (1, 2, 3), False, "no rollback by level 1, 2, 3 was ever drilled here; run rollback_drill.yml"),
        ([*TWO, drill(20, levels=ALL)], (1, 2, 3), True, "drilled: level 1 in 9 s, level 2 in 15 s, level 3 in 55 s"),
        ([*TWO, drill(20, levels={"1": 9.0})], (1, 2), False,
         "no rollback by level 2 was ever drilled here; run rollback_drill.yml"),
        ([*TWO, drill(20, levels={"1": 9.0})], (1,), True, "drilled: level 1 in 9 s"),
        # On the day, and a day later.
        ([*TWO, drill(14, levels=ALL)], (1,), True, "drilled: level 1 in 9 s"),
        ([*TWO, drill(13, levels=ALL)], (1,), False,
         "level 1 in the drill D13 is 11 days old, and may be 10; run rollback_drill.yml"),
        ([*TWO, drill(20, levels=ALL), drill(21, levels={"3": 61.0})], (1, 3), False,
         "level 3 in the drill D21 took 61 s of 60 s; run rollback_drill.yml"),
        ([*TWO, drill(20, levels=ALL), drill(21, levels={"2": None}, missed={"2": "It fell over."})], (1, 2), False,
         "level 2 in the drill D21 failed: It fell over; run rollback_drill.yml"),
        # Mended, and drilled again.
        ([*TWO, drill(21, levels={"2": None}), drill(22, levels={"2": 8.0})], (2,), True, "drilled: level 2 in 8 s"),
    ],
)  # fmt: skip
def test_who_may_release(entries: list[dict[str, Any]], levels: tuple[int, ...], passed: bool, message: str) -> None:
    finding = _rollback_drill.judge(entries, levels, 10, {"3": 60}, NOW)
    assert (finding.passed, finding.message) == (passed, message)


def test_the_journal_of_the_host_is_asked(tmp_path: Path) -> None:
    asked = {name: option.get("default") for name, option in check_spec().items()}
    asked |= {"type": "rollback_drill", "path": str(tmp_path), "max_age_days": 30.0}
    assert _rollback_drill.look(asked).message == NOTHING
    entries: list[dict[str, Any]] = []
    with _store.writing(str(tmp_path), "test"):
        for name in ("r1", "r2"):
            requests = [
                _advance.Request("opened", name, data={"kind": "deploy"}),
                _advance.Request("entered", name, stage="switch", data={"artifact": {"id": name}}),
                _advance.Request("closed", name, outcome="succeeded"),
            ]
            entries += _store.append(str(tmp_path), entries, _advance.advance_all(entries, requests, _store.now()))
    assert "by level 1, 2, 3 was ever drilled here" in _rollback_drill.look(asked).message
    with pytest.raises(SluiceError, match="names no level"):
        _rollback_drill.look({**asked, "levels": [4]})

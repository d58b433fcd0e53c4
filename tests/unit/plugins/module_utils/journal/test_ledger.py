# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came after a release: the migrations that are still applied, and the backup that goes before them."""

from __future__ import annotations

import pytest

from ansible_collections.sluice.release.plugins.module_utils.journal._ledger import Ledger

Run = tuple[str, str | None, tuple[str, ...], bool]

GOOD: Run = ("r1", "b1", ("m1",), True)
NEXT: Run = ("r2", "b2", ("m2",), True)


@pytest.mark.parametrize(
    ("runs", "backup_id", "migrations"),
    [
        ([GOOD], None, []),
        ([GOOD, NEXT], "b2", ["m2"]),
        # The backup before the first migration, not the newest one.
        ([GOOD, NEXT, ("r3", "b3", ("m3",), True)], "b2", ["m2", "m3"]),
        # A release that was taken back leaves its migrations, and a backup by itself is newer than that of no release.
        ([GOOD, ("r2", "b2", ("m2",), False)], "b2", ["m2"]),
        ([GOOD, ("r2", "b2", (), False), ("r3", "b3", ("m3",), True)], "b3", ["m3"]),
        # Without migrations: as it was when the target ceased to serve.
        ([GOOD, ("r2", "b2", (), False), ("r3", "b3", (), True), ("r4", "b4", (), True)], "b3", []),
        ([GOOD, ("r2", "b2", (), False)], "b2", []),
        # A release without a backup leans on the one before it, never on one that came later.
        ([GOOD, ("r2", "b2", (), False), ("r3", None, ("m3",), True)], "b2", ["m3"]),
        ([GOOD, ("r2", None, ("m2",), True), ("r3", "b3", (), True)], None, ["m2"]),
        # Applied again: what has taken it back meanwhile could not reach this host. So it came with the later run.
        ([GOOD, ("r2", "b2", ("m2", "m3"), True), ("r3", "b3", ("m2",), True)], "b2", ["m3", "m2"]),
        ([GOOD, ("r2", "b2", ("m2",), True), ("r3", "b3", ("m2",), True)], "b3", ["m2"]),
    ],
)
def test_since(runs: list[Run], backup_id: str | None, migrations: list[str]) -> None:
    ledger = Ledger()
    for release, backup, applied, arrived in runs:
        ledger.opened(release)
        if backup:
            ledger.backed_up(backup)
        ledger.migrated(applied)
        if arrived:
            ledger.arrived()
    assert ledger.since("r1") == {"backup_id": backup_id, "migrations": migrations}


@pytest.mark.parametrize(
    ("done", "left"),
    [
        ({"reverted": ["m2"]}, ["m3"]),
        ({"reverted": ["m2", "m3"]}, []),
        ({"backup_id": "b2"}, []),
        ({"backup_id": "b3"}, ["m2"]),
        # Nobody knows what is in a backup of another journal.
        ({"backup_id": "from elsewhere"}, ["m2", "m3"]),
    ],
)
def test_what_was_put_back_is_applied_no_more(done: dict[str, object], left: list[str]) -> None:
    ledger = Ledger()
    for number in (1, 2, 3):
        ledger.opened(f"r{number}")
        ledger.backed_up(f"b{number}")
        ledger.migrated([f"m{number}"])
    ledger.changed(done)
    assert ledger.since("r1")["migrations"] == left

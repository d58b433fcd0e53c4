# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report says of backups, restores, drills and migrations."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.report._build import build_report
from ansible_collections.sluice.release.plugins.module_utils.report._database import (
    Found,
    backup_of,
    drill_of,
    migration_of,
    restore_of,
)
from ansible_collections.sluice.release.plugins.module_utils.report._html import render_html
from ansible_collections.sluice.release.plugins.module_utils.report._markdown import render_markdown
from ansible_collections.sluice.release.plugins.module_utils.report._schema import violations
from ansible_collections.sluice.release.plugins.module_utils.report._words import loss_words

RELEASE = "20261122T013000Z-restore"
LOSS = {
    "table": "public.orders", "what": "rows", "rows_now": 12, "rows_in_backup": 10, "rows_lost": 2, "rows_changed": 3,
    "newest": [{"column": "at", "time": "2026-11-22 02:14:59+00"}],
}  # fmt: skip
RESTORED = {
    "restored": {"database": "shop", "backup_id": "B1", "created": "2026-11-22T01:30:00+00:00"},
    "replaced": "shop__replaced_x",
    "losses": [LOSS],
}
DRILL = {
    "backup_id": "B1", "created": "2026-11-22T01:30:00+00:00", "age_hours": 1.5, "bytes": 4_000_000, "tables": 5,
    "rows": 900, "level": "restore", "verified": True, "differences": [], "seconds": 2.0,
}  # fmt: skip
MIGRATED = {
    "pending_before": ["1-a", "2-b"], "pending_after": ["2-b"], "applied": ["1-a"], "reverted": [], "seconds": 3.0,
    "rows": {"tables_before": 1, "tables_after": 1, "before": 5, "after": 4, "changed": []},
    "blocking": {
        "watched": True, "aborted": True, "seconds": 30.0,
        "sessions": [{"pid": 7, "user": "web", "application": "", "waits_for": "migration", "seconds": 9.0}],
    },
}  # fmt: skip


COPIES = [
    {
        "to": "/mnt/vault/B1", "way": "directory", "verified": True, "copied": True, "files": 2, "bytes": 4_000_000,
        "seconds": 2.0, "sha256": "x",
    },
    {"to": "s3://vault/shop/B1", "way": "s3", "verified": True, "copied": False, "bytes": 4_000_000, "seconds": 0.5},
    {"to": "keeper@vault:/srv/B1", "way": "rsync", "verified": False},
]  # fmt: skip
REVERTED = {
    "level": 3, "target": {"version": "1.0.0"},
    "database": {
        "reverted": ["1-a"], "pending_before": ["2-b"], "pending_after": ["1-a", "2-b"], "seconds": 1.5,
        "rows": {"tables_before": 1, "tables_after": 1, "before": 5, "after": 4, "changed": []}, "blocking": None,
    },
}  # fmt: skip


def report(kind: str, outcome: str, stage: str, event: str, data: dict[str, Any]) -> dict[str, Any]:
    def entry(name: str, second: int, **more: Any) -> dict[str, Any]:
        moment = f"2026-11-22T01:30:{second:02}.000Z"
        return {"seq": second, "time": moment, "release": RELEASE, "event": name, "data": {}, **more}

    opened = {"kind": kind, "application": "shop", "environment": "lab", "version": "", "from": "1.0.0"}
    entries = [
        entry("opened", 0, data=opened),
        entry("entered", 1, stage=stage),
        entry(event, 3, stage=stage, seconds=2.0, data=data, reason="no"),
        entry("closed", 4, outcome=outcome),
    ]
    return build_report(RELEASE, [{"host": "app1", "entries": entries}])


def test_a_backup_has_its_figures() -> None:
    backup = {"id": "B1", "verified": True, "level": "restore", "bytes": 9_000_000, "seconds": 3, "verify_seconds": 4.5}
    made = backup_of([Found("app1", "backup", {"backup": backup})])
    assert made is not None
    assert {"bytes_per_second": 3_000_000, "verify_seconds": 4.5, "verify_bytes_per_second": 2_000_000}.items() <= (
        made.items()
    )


def test_a_backup_says_where_it_was_copied_to() -> None:
    made = backup_of([Found("app1", "backup", {"backup": {"id": "B1", "verified": True, "copies": COPIES}})])
    assert made is not None
    assert made["copies"] == [
        {
            "to": "/mnt/vault/B1", "way": "directory", "verified": True, "copied": True, "files": 2,
            "bytes": 4_000_000, "seconds": 2.0, "bytes_per_second": 2_000_000,
        },
        COPIES[1],
        COPIES[2],
    ]  # fmt: skip
    for silent in (None, "somewhere"):
        alone = backup_of([Found("app1", "backup", {"backup": {"id": "B1", "copies": silent}})])
        assert alone is not None
        assert "copies" not in alone


def test_a_restore_and_one_that_was_refused() -> None:
    done = restore_of([Found("app1", "restore", {**RESTORED, "seconds": 4.0, "bytes": 8_000_000})])
    assert done == {
        "backup_id": "B1", "created": "2026-11-22T01:30:00+00:00", "database": "shop", "replaced": "shop__replaced_x",
        "confirmed": True, "losses": [LOSS], "rows_lost": 2, "host": "app1", "seconds": 4.0, "bytes": 8_000_000,
        "bytes_per_second": 2_000_000,
    }  # fmt: skip
    refused = restore_of([Found("app1", "restore", {"msg": "Cannot", "restore": {**RESTORED, "confirmed": False}})])
    assert refused is not None
    assert (refused["confirmed"], refused["replaced"], refused["rows_lost"]) == (False, None, 2)
    by_rollback = restore_of([Found("app1", "rollback", {"level": 3, "database": RESTORED})])
    assert by_rollback is not None
    assert by_rollback["losses"] == [LOSS]
    assert restore_of([Found("app1", "rollback", {"level": 3, "database": {"reverted": ["1-a"]}})]) is None
    taken_back = {"level": 2, "restored": {"version": "1.1.0", "artifact": {}, "config": {}}, "to": "1.1.0"}
    assert restore_of([Found("app1", "rollback", taken_back)]) is None
    assert restore_of([]) is None


def test_a_drill_and_one_that_has_failed() -> None:
    done = drill_of([Found("app1", "backup_drill", {"drill": DRILL})])
    assert done == {**DRILL, "host": "app1", "bytes_per_second": 2_000_000}
    evidence = {"backup_id": "B1", "verified": False, "level": "restore", "differences": [{"kind": "table"}]}
    failed = drill_of([Found("app1", "backup_drill", evidence)])
    assert failed is not None
    assert (failed["verified"], failed["differences"], failed["seconds"]) == (False, [{"kind": "table"}], None)
    assert drill_of([Found("app2", "backup_drill", {}), Found("app1", "backup", {"backup_id": "B1"})]) is None


def test_a_migration() -> None:
    done = migration_of([Found("app2", "migrate", {"skipped": True}), Found("app1", "migrate", MIGRATED)])
    assert done == {"host": "app1", **MIGRATED}


def test_migrations_that_a_rollback_took_back_or_could_not() -> None:
    assert migration_of([Found("app1", "rollback", REVERTED)]) == {
        "host": "app1",
        **{key: value for key, value in REVERTED["database"].items() if value is not None},
    }
    # What older journals say.
    short = migration_of([Found("app1", "rollback", {"database": {"reverted": ["1-a"]}})])
    assert short == {"host": "app1", "pending_before": [], "reverted": ["1-a"]}
    why = migration_of([Found("app1", "rollback", {"database": {**RESTORED, "seconds": 9, "not_reverted": "Cannot."}})])
    assert why == {"host": "app1", "pending_before": [], "not_reverted": "Cannot."}
    assert migration_of([Found("app1", "rollback", {"database": {**RESTORED, "not_reverted": None}})]) is None
    assert migration_of([Found("app1", "rollback", {"level": 2}), Found("app1", "switch", {"reverted": ["x"]})]) is None


@pytest.mark.parametrize(
    ("built", "markdown", "page"),
    [
        (
            report("restore", "succeeded", "restore", "left", {**RESTORED, "seconds": 4.0}),
            [
                "# shop restore: succeeded",
                "The database is as it was in backup B1; 2 rows of what came later went with it.",
                "| public.orders | 2 of 12 rows | 2026-11-22 02:14:59+00 |",
            ],
            ['id="restore"', "2 of 12 rows", "shop__replaced_x"],
        ),
        (
            report("restore", "failed", "restore", "failed", {"restore": {**RESTORED, "confirmed": False}}),
            [
                "The restore of backup B1 was refused, for nobody has confirmed what it loses.",
                "| Table | Would be lost | Newest |",
            ],
            ["refused", "Would be lost"],
        ),
        (
            report("drill", "succeeded", "backup_drill", "left", {"drill": DRILL}),
            [
                "Backup B1 was restored as a test in 2.0 s, and it holds.",
                "`B1`, verified, 1.5 h old, 5 tables, 4.0 MB, in 2.0 s, 2.0 MB/s. A restore takes about as long.",
            ],
            ['id="drill"', "A restore takes about"],
        ),
        (
            report("deploy", "failed", "migrate", "failed", MIGRATED),
            [
                "- Applied: 1-a",
                "- Still pending: 2-b",
                "- Lock: session 7 (web) waited for it for 9.0 s or longer",
                "- Rows: 5 before, 4 after",
            ],
            ['id="migration"', "5 before, 4 after", "session 7"],
        ),
        (
            report(
                "backup", "succeeded", "backup", "left", {"backup": {"id": "B1", "verified": True, "copies": COPIES}}
            ),
            [
                "- Copy in `/mnt/vault/B1`: verified, 4.0 MB, in 2.0 s, 2.0 MB/s",
                "- Copy in `s3://vault/shop/B1`: verified, there before, 4.0 MB, in 0.5 s",
                "- Copy in `keeper@vault:/srv/B1`: NOT verified",
            ],
            ["/mnt/vault/B1: verified, 4.0 MB, in 2.0 s, 2.0 MB/s", "keeper@vault:/srv/B1: NOT verified"],
        ),
        (
            report("rollback", "succeeded", "rollback", "left", REVERTED),
            ["## Migration", "- Still pending: 2-b", "- Taken back: 1-a"],
            ['id="migration"', "<dt>Taken back</dt><dd>1-a</dd>", "<dt>Still pending</dt><dd>2-b</dd>"],
        ),
        (
            report(
                "rollback", "succeeded", "rollback", "left", {"database": {**RESTORED, "not_reverted": "Too late."}}
            ),
            ["- Not taken back, so a backup was restored: Too late."],
            ["<dt>Not taken back</dt><dd>Too late.</dd>", 'id="restore"'],
        ),
    ],
)
def test_it_is_told_and_fits_the_schema(built: dict[str, Any], markdown: list[str], page: list[str]) -> None:
    assert violations(built) == []
    lines = render_markdown(built).splitlines()
    assert [line for line in markdown if line not in lines] == []
    html = render_html(built)
    assert [text for text in page if text not in html] == []


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (LOSS, "2 of 12 rows"),
        ({**LOSS, "rows_lost": 0, "what": "content"}, "other content"),
        ({**LOSS, "what": "table"}, "the whole table, 12 rows"),
        ({**LOSS, "what": "unreadable", "rows_now": None, "rows_lost": None}, "unknown, it could not be read"),
    ],
)
def test_a_loss_in_a_cell(loss: dict[str, Any], expected: str) -> None:
    assert loss_words(loss) == expected

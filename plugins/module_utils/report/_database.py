# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a release did to the database, out of what its stages have left behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

_BACKUP_KEYS = ("path", "bytes", "sha256", "rows", "created", "seconds", "verify_seconds")
_COPY_KEYS = ("way", "files", "bytes", "copied", "seconds")
_DRILL_KEYS = ("created", "age_hours", "bytes", "tables", "rows", "level")
_MIGRATION_KEYS = ("pending_before", "pending_after", "applied", "reverted", "seconds", "blocking", "rows")


class Found(NamedTuple):
    """What one stage on one host has left behind."""

    host: str
    stage: str
    evidence: Mapping[str, Any]


def backup_of(found: Iterable[Found]) -> dict[str, Any] | None:
    """Return the backup of the release: one host of a fleet makes it; a verified one is preferred."""
    made = [
        {
            "id": backup.get("id"),
            "verified": backup.get("verified") not in (None, False, ""),
            "host": one.host,
            **_proof_level(backup),
            **{key: backup[key] for key in _BACKUP_KEYS if backup.get(key) is not None},
            **_tables(backup.get("tables")),
            **_copies(backup.get("copies")),
            **_rate("bytes_per_second", backup.get("bytes"), backup.get("seconds")),
            **_rate("verify_bytes_per_second", backup.get("bytes"), backup.get("verify_seconds")),
        }
        for one in found
        for backup in [one.evidence.get("backup")]
        if isinstance(backup, Mapping)
    ]
    return max(made, key=lambda backup: backup["verified"], default=None)


def restore_of(found: Iterable[Found]) -> dict[str, Any] | None:
    """Return the restore of the release, also one that was refused; None without one."""
    for one in found:
        for done in (one.evidence, one.evidence.get("restore"), one.evidence.get("database")):
            if not isinstance(done, Mapping):
                continue
            restored = done.get("restored")
            # An automatic rollback calls the release that it went back to restored as well.
            if isinstance(restored, Mapping) and restored.get("backup_id"):
                return _restore(one.host, done)
    return None


def _restore(host: str, done: Mapping[str, Any]) -> dict[str, Any]:
    confirmed = done.get("confirmed", True) is not False
    losses = [dict(loss) for loss in done.get("losses") or []]
    return {
        "backup_id": done["restored"].get("backup_id"),
        "created": done["restored"].get("created"),
        "database": done["restored"].get("database"),
        # A refused restore only knows what the name would be.
        "replaced": done.get("replaced") if confirmed else None,
        "confirmed": confirmed,
        "losses": losses,
        "rows_lost": sum(loss.get("rows_lost") or 0 for loss in losses),
        "host": host,
        **{key: done[key] for key in ("seconds", "bytes", "tables", "rows") if done.get(key) is not None},
        **_rate("bytes_per_second", done.get("bytes"), done.get("seconds")),
    }


def drill_of(found: Iterable[Found]) -> dict[str, Any] | None:
    """Return the drill, also one that has failed; None without one."""
    for one in found:
        if one.stage != "backup_drill":
            continue
        drill = one.evidence.get("drill")
        done = drill if isinstance(drill, Mapping) else one.evidence
        if not done.get("backup_id"):
            continue
        return {
            "backup_id": done["backup_id"],
            "verified": done.get("verified") is True,
            "differences": [dict(difference) for difference in done.get("differences") or []],
            "seconds": done.get("seconds"),
            "host": one.host,
            **{key: done[key] for key in _DRILL_KEYS if done.get(key) is not None},
            **_rate("bytes_per_second", done.get("bytes"), done.get("seconds")),
        }
    return None


def migration_of(found: Iterable[Found]) -> dict[str, Any] | None:
    """Return what the migration did, also one that has failed, or what a rollback took back; None where none was run.

    Where a rollback could take nothing back, and restored a backup instead, it says why.
    """
    for one in found:
        if one.stage not in ("migrate", "rollback"):
            continue
        done = one.evidence.get("database") if one.stage == "rollback" else one.evidence
        if not isinstance(done, Mapping):
            continue
        if done.get("not_reverted"):
            # The other figures are those of the restore.
            return {"host": one.host, "pending_before": [], "not_reverted": done["not_reverted"]}
        if isinstance(done.get("pending_before"), (list, tuple)) or done.get("reverted"):
            known = {key: done[key] for key in _MIGRATION_KEYS if done.get(key) is not None}
            return {"host": one.host, "pending_before": [], **known}
    return None


def _copies(copies: Any) -> dict[str, list[dict[str, Any]]]:
    """Return where the backup was copied to; nothing where nobody said so."""
    if not isinstance(copies, Sequence) or isinstance(copies, str):
        return {}
    return {
        "copies": [
            {
                "to": str(copy.get("to")),
                "verified": copy.get("verified") is True,
                **{key: copy[key] for key in _COPY_KEYS if copy.get(key) is not None},
                # One that was there was only read.
                **(_rate("bytes_per_second", copy.get("bytes"), copy.get("seconds")) if copy.get("copied") else {}),
            }
            for copy in copies
            if isinstance(copy, Mapping)
        ]
    }


def _proof_level(backup: Mapping[str, Any]) -> dict[str, str]:
    """Return how the backup was verified, where it was."""
    verified = backup.get("verified")
    if isinstance(verified, str) and verified:
        return {"level": verified}
    return {"level": str(backup["level"])} if verified and backup.get("level") else {}


def _tables(tables: Any) -> dict[str, int]:
    if isinstance(tables, Mapping):
        rows = [table.get("rows") if isinstance(table, Mapping) else table for table in tables.values()]
        return {"tables": len(tables), "rows": sum(row for row in rows if isinstance(row, int))}
    if isinstance(tables, Sequence) and not isinstance(tables, str):
        return {"tables": len(tables)}
    return {"tables": tables} if isinstance(tables, int) else {}


def _rate(name: str, size: Any, seconds: Any) -> dict[str, int]:
    """Return the bytes per second by this name, where both are known and it took any time."""
    known = isinstance(size, (int, float)) and isinstance(seconds, (int, float)) and seconds > 0
    return {name: round(size / seconds)} if known else {}

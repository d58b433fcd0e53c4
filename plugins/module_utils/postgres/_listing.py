# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres import _store
from ansible_collections.sluice.release.plugins.module_utils.postgres._manifest import schema_patterns, subject
from ansible_collections.sluice.release.plugins.module_utils.postgres._store import Backup


def list_known(
    path: str,
    backup_id: Optional[str] = None,
    level: str = "restore",
    max_age_hours: Optional[float] = None,
    database: Optional[str] = None,
    schemas: Sequence[str] = (),
    exclude_schemas: Sequence[str] = (),
    now: Optional[datetime] = None,
) -> dict[str, Any]:
    """Return the backups in a directory and what is known of them, as the module's result.

    With ``database``, those that count for each other when old ones are removed: of this database, with schemas chosen
    by these very patterns. SluiceError, with the same keys as fields, when none that was proven at ``level`` is young
    enough.
    """
    moment = now or datetime.now(timezone.utc)
    chosen = schema_patterns(schemas, exclude_schemas)
    if chosen and not database:
        raise SluiceError(
            f"list the backups in {path}", "schemas are chosen, but not of which database", "Set database_url, too"
        )
    wanted = subject(database, chosen) if database else None
    faults: list[str] = []
    if backup_id:
        backups = [_named(path, backup_id, wanted, faults.append)]
    else:
        found, faults = _store.scan(path)
        backups = [backup for backup in found if wanted in (None, backup.subject)]
    known = [describe(backup, level, moment) for backup in backups]
    proven = [one for one in known if one["proven"]]
    result: dict[str, Any] = {
        "changed": False,
        "backups": known,
        "newest": known[0]["id"] if known else None,
        "newest_proven": proven[0]["id"] if proven else None,
        "faults": faults,
    }
    if max_age_hours is not None:
        of = f"the backups of {_in_words(database, chosen)} in {path}" if database else f"the backups in {path}"
        # Not the rounded one: the limit may be shorter than what is worth telling.
        ages = [_hours(backup, moment) for backup, one in zip(backups, known) if one["proven"]]
        check_age(of, ages[0] if ages else None, level, max_age_hours, result)
    return result


def _named(path: str, backup_id: str, wanted: Optional[str], warn: Callable[[str], None]) -> Backup:
    """Return the backup of this name, or the latest. SluiceError when there is none, or it is one of something else."""
    backup = _store.resolve(path, backup_id, warn, subject=wanted)
    if wanted not in (None, backup.subject):
        raise SluiceError(
            f"use backup {backup.id}",
            f"it is one of {_in_words(backup.manifest.database, backup.manifest.patterns)}",
            "Name another backup, or the database and the schemas that it is of",
        )
    return backup


def _in_words(database: str, chosen: Optional[Mapping[str, Sequence[str]]]) -> str:
    """Name what backups are of, for a person."""
    if not chosen:
        return f"database {database}"
    left_out = [f"without {', '.join(chosen['exclude'])}"] if chosen["exclude"] else []
    return " ".join([f"schemas {', '.join(chosen['include']) or '*'}", *left_out, f"of database {database}"])


def describe(backup: Backup, level: str, now: datetime) -> dict[str, Any]:
    """Return what is known of one backup; ``proven`` at ``level`` or above."""
    note = backup.verification or {}
    held = note.get("level") if note.get("verified") is True else None
    whole = backup.as_result()
    return {
        **{key: whole[key] for key in ("id", "created", "bytes", "tables", "rows", "seconds")},
        "database": backup.manifest.database,
        "schemas": whole["schemas"],
        "database_bytes": backup.manifest.database_bytes,
        "age_hours": round(_hours(backup, now), 2),
        "proven": held is not None and _store.LEVELS.index(held) >= _store.LEVELS.index(level),
        "level": held,
        "checked": note.get("checked"),
        "proof_seconds": note.get("seconds"),
    }


def _hours(backup: Backup, now: datetime) -> float:
    return (now - backup.created).total_seconds() / 3600


def check_age(what: str, age: Optional[float], level: str, limit: float, result: dict[str, Any]) -> None:
    """Raise SluiceError unless the newest proven backup is young enough. ``age`` and ``limit`` in hours."""
    doing, remedy = f"rely on {what}", "See why backup.yml did not run, or failed; then run it"
    if not result["backups"]:
        raise SluiceError(doing, "there is none", remedy, **result)
    if age is None:
        raise SluiceError(doing, f"none was proven at level {level}", remedy, **result)
    if age > limit:
        raise SluiceError(
            doing,
            f"the newest that is proven, {result['newest_proven']}, is {age:.1f} h old, and the limit is {limit:g} h",
            remedy,
            **result,
        )

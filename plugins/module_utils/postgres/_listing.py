# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres import _store
from ansible_collections.sluice.release.plugins.module_utils.postgres._store import Backup


def list_known(
    path: str,
    backup_id: Optional[str] = None,
    level: str = "restore",
    max_age_hours: Optional[float] = None,
    now: Optional[datetime] = None,
) -> dict[str, Any]:
    """Return the backups in a directory and what is known of them, as the module's result.

    SluiceError, with the same keys as fields, when none that was proven at ``level`` is young enough.
    """
    moment = now or datetime.now(timezone.utc)
    faults: list[str] = []
    if backup_id:
        backups = [_store.resolve(path, backup_id, faults.append)]
    else:
        backups, faults = _store.scan(path)
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
        check_age(path, known, proven, level, max_age_hours, result)
    return result


def describe(backup: Backup, level: str, now: datetime) -> dict[str, Any]:
    """Return what is known of one backup; ``proven`` at ``level`` or above."""
    note = backup.verification or {}
    held = note.get("level") if note.get("verified") is True else None
    whole = backup.as_result()
    return {
        **{key: whole[key] for key in ("id", "created", "bytes", "tables", "rows", "seconds")},
        "database_bytes": backup.manifest.database_bytes,
        "age_hours": round((now - backup.created).total_seconds() / 3600, 2),
        "proven": held is not None and _store.LEVELS.index(held) >= _store.LEVELS.index(level),
        "level": held,
        "checked": note.get("checked"),
        "proof_seconds": note.get("seconds"),
    }


def check_age(
    path: str,
    known: list[dict[str, Any]],
    proven: list[dict[str, Any]],
    level: str,
    limit: float,
    result: dict[str, Any],
) -> None:
    """Raise SluiceError unless the newest proven backup is young enough. ``limit`` in hours."""
    doing, remedy = f"rely on the backups in {path}", "See why backup.yml did not run, or failed; then run it"
    if not known:
        raise SluiceError(doing, "there is none", remedy, **result)
    if not proven:
        raise SluiceError(doing, f"none was proven at level {level}", remedy, **result)
    age = proven[0]["age_hours"]
    if age > limit:
        raise SluiceError(
            doing, f"the newest that is proven, {proven[0]['id']}, is {age:.1f} h old, and the limit is {limit:g} h",
            remedy, **result,
        )  # fmt: skip

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The second half of a restore in two steps: what was restored beside a database takes its place, or gives it back.

The names are agreed before, and written down by whoever calls, so that either step can be run again after a kill: it
sees by the names that are there what was done already.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.journal._fence import still_ours
from ansible_collections.sluice.release.plugins.module_utils.postgres import _databases, _replaced, _store
from ansible_collections.sluice.release.plugins.module_utils.postgres._backup import Means
from ansible_collections.sluice.release.plugins.module_utils.postgres._client import Database
from ansible_collections.sluice.release.plugins.module_utils.postgres._restore import (
    PREPARED,
    RESTORE,
    RestoreOptions,
    count_losses,
    forget,
    restore_backup,
    size_of,
    swap,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._store import Backup
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import SHADOW


def restore(options: RestoreOptions, means: Means) -> dict[str, Any]:
    """Bring about what ``options.state`` asks for and return the module's result."""
    return _STATES[options.state](options, means)


def _take_place(options: RestoreOptions, means: Means) -> dict[str, Any]:
    """Let the database that was prepared take the place of the live one."""
    started, live, prepared = time.monotonic(), options.url.database, options.prepared
    backup = _store.resolve(options.path, options.backup_id, means.warn, options.of_database)
    with means.connect(options.admin) as admin:
        if not _exists(admin, prepared):
            if not _exists(admin, live):
                raise SluiceError(
                    f"swap database {live}",
                    f"neither it nor {prepared} is there",
                    "Restore the backup with restore.yml",
                )
            changed = False
        else:
            changed = True
            if not means.check_mode:
                still_ours()
                means.progress.update(f"swap {prepared} with {live}")
                there = _exists(admin, live)
                swap(admin, means.connect, live, prepared or "", options.replaced if there else None, options.drain)
        kept = options.replaced if _exists(admin, options.replaced) else None
        lost = []
        if kept:
            # Nobody writes there any more, so this is all that was lost.
            lost = count_losses(options.url.with_database(kept), backup, means)
        removed = forget(options, means, admin, kept, datetime.now(timezone.utc))
    return _result(
        started,
        changed,
        {"database": live, "backup_id": backup.id, "created": backup.manifest.created},
        replaced=kept,
        prepared=None,
        removed=removed,
        losses=[loss.as_dict() for loss in lost],
        backup=backup,
    )


def _give_back(options: RestoreOptions, means: Means) -> dict[str, Any]:
    """Let the database that was replaced have its place again; what had taken it is kept under its first name."""
    started, live = time.monotonic(), options.url.database
    with means.connect(options.admin) as admin:
        changed = _exists(admin, options.replaced)
        if changed and not means.check_mode:
            still_ours()
            means.progress.update(f"give {live} its place back")
            swap(admin, means.connect, live, options.replaced or "", options.prepared, options.drain)
    restored = {"database": live, "backup_id": None, "created": None}
    return _result(started, changed, restored, replaced=None, prepared=options.prepared, removed=[], losses=[])


def _discard(options: RestoreOptions, means: Means) -> dict[str, Any]:
    """Drop what was prepared, or taken back, and is not needed any more."""
    started, live, prepared = time.monotonic(), options.url.database, options.prepared or ""
    if not prepared.startswith(_databases.temporary_prefix(live, PREPARED)):
        raise SluiceError(
            f"drop database {prepared}",
            f"it is none that was prepared for {live}",
            "Name the one that state prepared has returned",
        )
    with means.connect(options.admin) as admin:
        changed = _exists(admin, prepared)
        if changed and not means.check_mode:
            still_ours()
            _databases.drop(admin, prepared)
    restored = {"database": live, "backup_id": None, "created": None}
    return _result(
        started, changed, restored, replaced=None, prepared=None, removed=[prepared] if changed else [], losses=[]
    )


def _drop(options: RestoreOptions, means: Means) -> dict[str, Any]:
    """Drop a database that was made for a drill, and what restores of it have left."""
    started, name = time.monotonic(), options.url.database
    if not name.endswith(SHADOW):
        raise SluiceError(
            f"drop database {name}", f"its name does not end with {SHADOW}", "Drop it by hand, if you mean it"
        )
    with means.connect(options.admin) as admin:
        kept = [replaced for replaced, _time in _replaced.list_replaced(admin, name)]
        there = [one for one in (name, *kept) if _exists(admin, one)]
        if not means.check_mode:
            still_ours()
            for kind in (RESTORE, PREPARED):
                _databases.drop_leftovers(admin, _databases.temporary_prefix(name, kind))
            for one in there:
                _databases.drop(admin, one)
    restored = {"database": name, "backup_id": None, "created": None}
    return _result(started, bool(there), restored, replaced=None, prepared=None, removed=there, losses=[])


def _exists(admin: Database, name: Optional[str]) -> bool:
    return bool(name) and _databases.exists(admin, name or "")


def _result(
    started: float, changed: bool, restored: dict[str, Any], *, backup: Optional[Backup] = None, **more: Any
) -> dict[str, Any]:
    after = {"database": restored["database"], "backup_id": restored["backup_id"], "replaced": more["replaced"]}
    return {
        "changed": changed,
        "restored": restored,
        "roles": [],
        **size_of(backup),
        "seconds": round(time.monotonic() - started, 3),
        "diff": {"before": {"database": restored["database"]}, "after": after if changed else {}},
        **more,
    }


_STATES: dict[str, Callable[[RestoreOptions, Means], dict[str, Any]]] = {
    "restored": restore_backup,
    "prepared": restore_backup,
    "swapped": _take_place,
    "returned": _give_back,
    "discarded": _discard,
    "absent": _drop,
}

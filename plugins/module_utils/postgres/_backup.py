# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import host_lock, write_atomic
from ansible_collections.sluice.release.plugins.module_utils.postgres import _store
from ansible_collections.sluice.release.plugins.module_utils.postgres._client import Database
from ansible_collections.sluice.release.plugins.module_utils.postgres._databases import read_properties
from ansible_collections.sluice.release.plugins.module_utils.postgres._dump import (
    Tools,
    check_compression,
    check_dump_all,
    find_tools,
    mebibytes,
    needed_bytes,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._dumping import (
    BackupOptions,
    Means,
    Work,
    attend,
    discard,
    dump_and_digest,
    free_bytes,
    select,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._encryption import (
    Encryption,
    encrypt_set,
    prepare,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._inventory import database_size, list_tables
from ansible_collections.sluice.release.plugins.module_utils.postgres._manifest import FILE, Manifest
from ansible_collections.sluice.release.plugins.module_utils.postgres._retention import Candidate, plan
from ansible_collections.sluice.release.plugins.module_utils.postgres._schemas import held_size
from ansible_collections.sluice.release.plugins.module_utils.postgres._set import settle

__all__ = ["BackupOptions", "Means", "attend", "make_backup"]

# Seconds that another backup into the same directory may still need.
_LOCK_TIMEOUT = 60.0


def make_backup(options: BackupOptions, means: Means) -> dict[str, Any]:
    """Dump one snapshot of a database, together with the count and digest of every table in that snapshot.

    Until the backup is whole it lies under a name that nothing takes for a backup. Returns the module's result;
    raises SluiceError, and then nothing is left of it.
    """
    now = datetime.now(timezone.utc)
    backup_id = _store.check_id(options.backup_id) if options.backup_id else _store.new_id(options.path, now)
    with _alone(options, means):
        found = _store.find_backup(options.path, backup_id)
        if found is None:
            with means.connect(options.url) as database:
                result = _make(options, means, database, backup_id, now)
        else:
            _check_same(options, found)
            result = found.as_result()
        removed = _retain(options, means, now)
    made = found is None
    return {
        "changed": made or bool(removed),
        "backup": result,
        "removed": removed,
        "diff": {
            "before": {"removed": removed} if removed else {},
            "after": {"backup": result["path"]} if made else {},
        },
    }


def _check_same(options: BackupOptions, found: _store.Backup) -> None:
    """Refuse to take the backup of something else for the one that is to be made."""
    if found.subject != options.subject:
        raise SluiceError(
            options.doing,
            f"{found.path} is a backup of database {found.manifest.database}"
            + ("" if found.manifest.schemas is None else f", schemas {', '.join(found.manifest.schemas[:10])}"),
            "Choose another backup_id, or another path for each database",
        )
    if options.encryption != "none" and found.manifest.encryption is None:
        raise SluiceError(options.doing, f"{found.path} is there and is not encrypted", "Choose another backup_id")


@contextlib.contextmanager
def _alone(options: BackupOptions, means: Means) -> Iterator[None]:
    """Make one backup at a time in a directory, and clear away what a killed run left there."""
    if means.check_mode:
        yield
        return
    with host_lock(options.path, f"back up {options.url.shown}", _LOCK_TIMEOUT):
        _store.remove_leftovers(options.path)
        yield


def _make(options: BackupOptions, means: Means, database: Database, backup_id: str, now: datetime) -> dict[str, Any]:
    started = time.monotonic()
    tools = find_tools(database.server_version, options.bin_path, means.runner)
    check_compression(tools, options.form, means.runner)
    encryption = prepare(options.encryption, options.recipients, options.gnupg_home, means.runner, options.doing)
    passwords = _role_passwords(options, tools, database)
    selection = select(options, database)
    size = database_size(database) if selection.held is None else held_size(database, selection.held)
    estimate = _check_space(options, size, encryption)
    if means.check_mode:
        return {
            "id": backup_id,
            "path": os.path.join(options.path, backup_id),
            "format": options.form.format,
            "compression": options.form.compression,
            "files": None,
            "schemas": None if selection.held is None else list(selection.held),
            "role_passwords": passwords,
            "encryption": encryption.as_dict() if encryption else None,
            "bytes": estimate,
            "sha256": None,
            "tables": sum(selection.holds(table.name) for table in list_tables(database)),
            "rows": None,
            "created": None,
            "seconds": 0.0,
            "verified": False,
        }
    partial, created = "", now.isoformat(timespec="seconds")
    try:
        partial = _store.make_partial(options.path, backup_id)
        dumped = dump_and_digest(Work(options, means, database, tools, backup_id, partial, passwords))
        if encryption:
            encrypt_set(encryption, options.gnupg_home, partial, means.runner, options.doing, means.progress.update)
        manifest = Manifest(
            id=backup_id,
            created=created,
            release=options.release,
            database=options.url.database,
            properties=read_properties(database, options.url.database),
            database_bytes=size,
            server_version=_version_text(database.server_version),
            tool_version=tools.version,
            format=options.form.format,
            compression=options.form.compression,
            files=settle(partial),
            lsn=dumped.snapshot.lsn,
            origin=dumped.snapshot.origin,
            seconds=round(time.monotonic() - started, 3),
            inventory=dumped.inventory,
            schemas=dumped.selection.held,
            patterns=options.patterns,
            role_passwords=passwords,
            encryption=encryption,
            sorted_as=_store.sorted_as(options.path, created),
        )
        write_atomic(os.path.join(partial, FILE), manifest.render())
        _store.publish(options.path, backup_id, partial)
    except OSError as error:
        discard(partial)
        raise SluiceError(
            options.doing,
            f"{error.strerror} ({error.filename or partial or options.path})",
            "Free space, or place the backups elsewhere",
        ) from error
    except BaseException:
        discard(partial)
        raise
    backup = _store.find_backup(options.path, backup_id)
    if backup is None:
        raise SluiceError(options.doing, f"{backup_id} vanished from {options.path} at once")
    return backup.as_result()


def _version_text(server_version: int) -> str:
    return f"{server_version // 10000}.{server_version % 10000}"


def _role_passwords(options: BackupOptions, tools: Tools, database: Database) -> Optional[bool]:
    """Whether the roles will be dumped with their passwords; None when they are not dumped."""
    if not options.globals:
        return None
    check_dump_all(tools)
    [(may_read,)] = database.rows("SELECT pg_catalog.has_table_privilege('pg_catalog.pg_authid', 'SELECT')")
    return bool(may_read)


def _check_space(options: BackupOptions, database_bytes: int, encryption: Optional[Encryption]) -> int:
    """Return how large the backup will be, in bytes. SluiceError when there is no room for it."""
    earlier = (
        (backup.manifest.size, backup.manifest.database_bytes)
        for backup in _store.list_backups(options.path)
        if backup.subject == options.subject and backup.manifest.compression == options.form.compression
    )
    estimate = needed_bytes(database_bytes, earlier, options.form.compression)
    # While the archive is encrypted it is there twice.
    needed = estimate * 2 if encryption else estimate
    free = free_bytes(options.path)
    reserve = options.free_mb_min * 2**20
    if free < needed + reserve:
        raise SluiceError(
            options.doing,
            f"{options.path} has {mebibytes(free)} free; the backup needs about {mebibytes(needed)}, and"
            f" {mebibytes(reserve)} must stay free",
            "Free space, place the backups elsewhere, or lower free_mb_min",
            free_bytes=free,
            needed_bytes=needed + reserve,
        )
    return estimate


def _retain(options: BackupOptions, means: Means, now: datetime) -> list[str]:
    """Remove the backups that the limits no longer keep. Returns their ids."""
    candidates: Sequence[Candidate] = [
        Candidate(backup.id, backup.created, backup.verified, backup.subject, backup.order)
        for backup in _store.list_backups(options.path)
        # What is kept of another database is for its own runs to say.
        if backup.subject == options.subject
    ]
    decisions = plan(candidates, now=now, keep=options.keep, keep_days=options.keep_days)
    return [
        decision.id
        for decision in decisions
        if not decision.keep and (means.check_mode or _store.remove(options.path, decision.id))
    ]

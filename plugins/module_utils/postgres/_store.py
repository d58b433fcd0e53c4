# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import fsync_directory, host_lock, write_atomic
from ansible_collections.sluice.release.plugins.module_utils.postgres import _encryption
from ansible_collections.sluice.release.plugins.module_utils.postgres._manifest import FILE, Manifest, parse_manifest

VERIFIED = "verified.json"
LATEST = "latest"

# From the quickest to the most thorough.
LEVELS = ("manifest", "archive", "restore")

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_PARTIAL, _REMOVED = ".partial", ".removed"


@dataclass(frozen=True)
class Backup:
    """A whole backup in its directory."""

    id: str
    path: str
    manifest: Manifest
    manifest_sha256: str
    verification: Optional[dict[str, Any]]
    """What the last verification of exactly this backup found, or None."""

    @property
    def dump(self) -> str:
        """The archive: a file or a directory, as ``manifest.format`` says."""
        return os.path.join(self.path, self.manifest.archive)

    @property
    def verified(self) -> bool:
        """Whether its archive has been read to the end, or restored, without a fault."""
        known = self.verification or {}
        return known.get("verified") is True and known.get("level") in LEVELS[1:]

    @property
    def subject(self) -> str:
        return self.manifest.subject

    @property
    def created(self) -> datetime:
        return datetime.fromisoformat(self.manifest.created)

    @property
    def order(self) -> tuple[datetime, str]:
        """What backups are sorted by, the oldest first."""
        return datetime.fromisoformat(self.manifest.sorted_as or self.manifest.created), self.id

    def as_result(self) -> dict[str, Any]:
        """The backup as the modules return it."""
        return {
            "id": self.id,
            "path": self.path,
            "format": self.manifest.format,
            "compression": self.manifest.compression,
            "files": len(self.manifest.files),
            "schemas": None if self.manifest.schemas is None else list(self.manifest.schemas),
            "role_passwords": self.manifest.role_passwords,
            "encryption": self.manifest.encryption.as_dict() if self.manifest.encryption else None,
            "bytes": self.manifest.size,
            "sha256": self.manifest.sha256,
            "tables": len(self.manifest.inventory.tables),
            "rows": self.manifest.inventory.rows,
            "created": self.manifest.created,
            "seconds": self.manifest.seconds,
            "verified": self.verified,
        }


def check_id(backup_id: str) -> str:
    """Return the id, or raise SluiceError when it cannot name a directory."""
    if backup_id == LATEST or not _ID.fullmatch(backup_id):
        raise SluiceError(
            "name a backup",
            f"{backup_id!r} is not a backup id",
            "Use letters, digits, dots, dashes and underscores, at most 64, and not the word latest",
        )
    return backup_id


def new_id(root: str, now: datetime) -> str:
    """Name a backup after its time; sorting by name is sorting by time."""
    name = now.strftime("%Y%m%dT%H%M%SZ")
    count = 1
    chosen = name
    while os.path.lexists(os.path.join(root, chosen)):
        count += 1
        chosen = f"{name}-{count}"
    return chosen


def find_backup(root: str, backup_id: str) -> Optional[Backup]:
    """Read one backup; None when there is none. SluiceError when it cannot be trusted."""
    path = os.path.join(root, check_id(backup_id))
    try:
        with open(os.path.join(path, FILE), "rb") as stream:
            data = stream.read()
    except (FileNotFoundError, NotADirectoryError):
        if not os.path.lexists(path):
            return None
        raise SluiceError(
            f"trust backup {backup_id}", f"{path} has no {FILE}, so it never became whole", "Use another backup"
        ) from None
    except OSError as error:
        raise SluiceError(f"read backup {backup_id}", f"{error.strerror} ({error.filename})") from error
    digest = sha256(data).hexdigest()
    return Backup(backup_id, path, parse_manifest(data, backup_id), digest, _read_verification(path, digest))


def list_backups(root: str) -> list[Backup]:
    """Return all backups whose manifest can be trusted, newest first."""
    return scan(root)[0]


def scan(root: str) -> tuple[list[Backup], list[str]]:
    """Return all backups, newest first, and what is wrong with each directory that should be one."""
    backups, faults = [], []
    for name in _names(root):
        try:
            found = find_backup(root, name)
        except SluiceError as error:
            faults.append(str(error))
            continue
        if found:
            backups.append(found)
    return sorted(backups, key=lambda backup: backup.order, reverse=True), faults


def sorted_as(root: str, created: str) -> Optional[str]:
    """Return what a new backup is to be sorted by so that it is the newest of all; None where its own time says that.

    A clock that was wrong for a while leaves backups that bear a later time: the latest one would be one of them, until
    that time has come.
    """
    newest = max((backup.order[0] for backup in list_backups(root)), default=None)
    if newest is None or newest < datetime.fromisoformat(created):
        return None
    return (newest + timedelta(seconds=1)).isoformat(timespec="seconds")


def resolve(
    root: str,
    wanted: str,
    warn: Callable[[str], None],
    database: Optional[str] = None,
    subject: Optional[str] = None,
) -> Backup:
    """Return the backup that a person means: an id or ``latest``. SluiceError when there is none.

    ``latest`` passes over what cannot be trusted, and warns of it; it is that of ``database``, or of ``subject``, if
    one is named.
    """
    if wanted == LATEST:
        backups, faults = scan(root)
        backups = [
            backup
            for backup in backups
            if database in (None, backup.manifest.database) and subject in (None, backup.subject)
        ]
        if not backups:
            raise SluiceError(
                "find the latest backup", " ".join([f"there is none in {root}", *faults]), "Make one with pg_backup"
            )
        for fault in faults:
            warn(fault)
        return backups[0]
    found = find_backup(root, wanted)
    if found is None:
        known = ", ".join(backup.id for backup in list_backups(root)[:5]) or "none"
        raise SluiceError(f"find backup {wanted}", f"it is not in {root}", f"The newest there are: {known}")
    return found


def partial_path(root: str, backup_id: str) -> str:
    """Where a backup is copied to: a name that nothing takes for a backup."""
    return os.path.join(root, f".{backup_id}{_PARTIAL}")


def make_partial(root: str, backup_id: str) -> str:
    """Make the directory that a backup is made in, under a name that nothing takes for a backup. Raises OSError.

    Never twice the same: a tool of a killed run that lives on must not write into the backup of the next one.
    """
    return tempfile.mkdtemp(prefix=f".{backup_id}.", suffix=_PARTIAL, dir=root)


def publish(root: str, backup_id: str, partial: Optional[str] = None) -> None:
    """Give a finished backup its name, durably and in one step."""
    partial = partial or partial_path(root, backup_id)
    fsync_directory(partial)
    os.rename(partial, os.path.join(root, backup_id))
    fsync_directory(root)


def remove(root: str, backup_id: str) -> bool:
    """Remove a backup; False when somebody verifies or restores it just now."""
    path = os.path.join(root, backup_id)
    aside = os.path.join(root, f".{backup_id}{_REMOVED}")
    try:
        with host_lock(path, "remove this backup", timeout=0):
            # Half removed, it must not look like a backup.
            os.rename(path, aside)
    except SluiceError:
        return False
    shutil.rmtree(aside, ignore_errors=True)
    return True


def remove_leftovers(root: str) -> None:
    """Remove what killed runs left: half-made and half-removed backups."""
    for name in _names(root, hidden=True):
        if name.endswith((_PARTIAL, _REMOVED)):
            shutil.rmtree(os.path.join(root, name), ignore_errors=True)
    _encryption.remove_leftovers(root)


def record_verification(backup: Backup, level: str, differences: Sequence[dict[str, Any]], seconds: float) -> None:
    """Write beside the backup what a verification found.

    A quick verification that finds nothing does not take the rank of an earlier thorough one; one that finds
    something does.
    """
    verified = not differences
    rank = level
    if verified and backup.verified and backup.verification:
        rank = max(level, backup.verification["level"], key=LEVELS.index)
    note = {
        "backup_id": backup.id,
        "manifest_sha256": backup.manifest_sha256,
        "verified": verified,
        "level": rank,
        "checked": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "seconds": seconds,
        "differences": list(differences),
    }
    write_atomic(os.path.join(backup.path, VERIFIED), json.dumps(note, indent=1) + "\n")


def _read_verification(path: str, manifest_sha256: str) -> Optional[dict[str, Any]]:
    try:
        with open(os.path.join(path, VERIFIED), encoding="utf-8") as stream:
            note = json.load(stream)
    except (OSError, ValueError):
        return None
    # A note about another manifest says nothing about this one.
    if not isinstance(note, dict) or note.get("manifest_sha256") != manifest_sha256:
        return None
    return note


def _names(root: str, hidden: bool = False) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(root) if entry.is_dir() and entry.name.startswith(".") == hidden]
    except FileNotFoundError:
        return []

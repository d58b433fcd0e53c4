# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Optional, Protocol

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import fsync_directory, host_lock, write_atomic
from ansible_collections.sluice.release.plugins.module_utils._runner import redact
from ansible_collections.sluice.release.plugins.module_utils.postgres import _store
from ansible_collections.sluice.release.plugins.module_utils.postgres._backup import Means
from ansible_collections.sluice.release.plugins.module_utils.postgres._dump import mebibytes
from ansible_collections.sluice.release.plugins.module_utils.postgres._manifest import FILE
from ansible_collections.sluice.release.plugins.module_utils.postgres._retention import Candidate, plan
from ansible_collections.sluice.release.plugins.module_utils.postgres._set import faults
from ansible_collections.sluice.release.plugins.module_utils.postgres._store import VERIFIED, Backup
from ansible_collections.sluice.release.plugins.module_utils.postgres._verify import check_files, using

# Seconds that another copy to the same place may still need.
_LOCK_TIMEOUT = 60.0

_BLOCK = 1 << 20

# Faults that a message names; the result has all of them.
_NAMED = 5


@dataclass(frozen=True)
class CopyOptions:
    """What a person asks for. ``timeout`` in seconds, for each run of rsync."""

    path: str
    backup_id: str
    to: str
    keep: Optional[int] = None
    keep_days: Optional[int] = None
    free_mb_min: int = 256
    rsh: Optional[str] = None
    password_file: Optional[str] = None
    timeout: Optional[float] = None


class Place(Protocol):
    """Where copies lie. Until ``publish`` a copy has a name that nothing takes for a backup."""

    shown: str
    way: str
    """How it is reached: ``directory`` or ``rsync``."""

    def alone(self) -> contextlib.AbstractContextManager[None]:
        """Keep other copies out, and clear away what killed ones left."""

    def store(self) -> str:
        """A local directory in which the manifests of all copies can be read, as they were when this was called."""

    def check_space(self, needed: int) -> None:
        """Raise SluiceError when so many bytes have no room."""

    def faults(self, backup: Backup) -> dict[str, str]:
        """Read every file of a published copy again. Returns what is wrong, by name of a file."""

    def put(self, backup: Backup, report: Report) -> dict[str, str]:
        """Copy a backup under its temporary name, and read every file of it again. Returns what is wrong."""

    def publish(self, backup: Backup) -> None:
        """Give a copy its name, in the place of a damaged one."""

    def discard(self, backup: Backup) -> None:
        """Remove what ``put`` has left."""

    def put_note(self, backup: Backup) -> None:
        """Copy what is known of the backup's verification."""

    def remove(self, backup_id: str) -> bool:
        """Remove a copy; False when somebody uses it."""


Report = Callable[[str, Optional[float], Optional[float]], None]


def copy_backup(options: CopyOptions, means: Means, place: Place) -> dict[str, Any]:
    """Copy a backup to a second place, and prove the copy by reading it again.

    Returns the module's result; raises SluiceError, and then nothing that looks like a backup was added there.
    """
    started = time.monotonic()
    now = datetime.now(timezone.utc)
    backup = _store.resolve(options.path, options.backup_id, means.warn)
    with contextlib.ExitStack() as stack:
        stack.enter_context(using(backup, "copy", means))
        if not means.check_mode:
            stack.enter_context(place.alone())
        # A damaged backup must not drive out good copies of others.
        check_files(backup)
        damaged, there = _look(backup, place)
        copying = there is None or bool(damaged)
        if damaged:
            means.warn(f"The copy of backup {backup.id} in {place.shown} was damaged: {_listed(damaged)}")
        if copying and not means.check_mode:
            _copy(backup, place, means)
        noting = not copying and backup.verified and not (there and there.verified)
        if noting and not means.check_mode:
            place.put_note(backup)
        removed = _retain(options, means, place, backup, now)
    target = redact(os.path.join(place.shown, backup.id))
    return {
        "changed": copying or noting or bool(removed),
        "copy": {
            "backup_id": backup.id,
            "to": target,
            "way": place.way,
            # One that was there was read again as well.
            "verified": not (copying and means.check_mode),
            "bytes": backup.manifest.size,
            "files": len(backup.manifest.files),
            "sha256": backup.manifest.sha256,
            "copied": copying,
            "seconds": round(time.monotonic() - started, 3),
        },
        "damaged": [{"name": name, "what": what} for name, what in damaged.items()],
        "removed": removed,
        "diff": {
            "before": {"removed": removed} if removed else {},
            "after": {"copy": target} if copying else {},
        },
    }


def _look(backup: Backup, place: Place) -> tuple[dict[str, str], Optional[Backup]]:
    """Return what is wrong with the copy that is there already, and the copy itself when its manifest is right."""
    try:
        there = _store.find_backup(place.store(), backup.id)
    except SluiceError as error:
        return {FILE: error.cause}, None
    if there is None:
        return {}, None
    if there.manifest_sha256 != backup.manifest_sha256:
        raise SluiceError(
            f"copy backup {backup.id} to {place.shown}",
            f"another backup of this name lies there, made {there.manifest.created} of {there.manifest.database}",
            "Give every application a directory of its own",
        )
    return place.faults(backup), there


def _copy(backup: Backup, place: Place, means: Means) -> None:
    place.check_space(sum(file.size for file in backup.manifest.files.values()))
    try:
        found = place.put(backup, lambda line, done, total: means.progress.update(f"copy: {line}", done, total))
        if found:
            raise SluiceError(
                f"copy backup {backup.id} to {place.shown}",
                f"read again there, {_listed(found)}",
                "Nothing was kept of the copy: check that disk, memory and network",
                damaged=[{"name": name, "what": what} for name, what in found.items()],
            )
        place.publish(backup)
    finally:
        place.discard(backup)


def _listed(found: Mapping[str, str]) -> str:
    more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return "; ".join(list(found.values())[:_NAMED]) + more


def _retain(options: CopyOptions, means: Means, place: Place, backup: Backup, now: datetime) -> list[str]:
    candidates = [
        Candidate(copy.id, copy.created, copy.verified, copy.subject, copy.order)
        for copy in _store.list_backups(place.store())
        # What is kept of another database is for its own runs to say.
        if copy.subject == backup.subject
    ]
    decisions = plan(candidates, now=now, keep=options.keep, keep_days=options.keep_days)
    return [one.id for one in decisions if not one.keep and (means.check_mode or place.remove(one.id))]


class Directory:
    """A directory of this host, on another disk or one that is mounted from elsewhere."""

    way = "directory"

    def __init__(self, path: str, source: str, free_mb_min: int, warn: Callable[[str], None]) -> None:
        self.shown = self._path = path
        self._reserve = free_mb_min * 2**20
        doing = f"copy backups to {path}"
        parent = path if os.path.isdir(path) else os.path.dirname(os.path.abspath(path))
        if not os.path.isdir(parent):
            # Made on the wrong disk, it would hide that the right one is not mounted.
            raise SluiceError(doing, f"{parent} does not exist", "Mount the disk, or make the directory")
        ours = os.path.realpath(source)
        if os.path.commonpath([ours, os.path.realpath(path)]) == ours:
            raise SluiceError(doing, f"that is where the backups of {source} are", "Name a second place")
        if os.path.isdir(source) and os.stat(parent).st_dev == os.stat(source).st_dev:
            warn(f"{path} is on the same file system as {source}: if that is lost, so is the copy")

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        with host_lock(self._path, "copy a backup to it", _LOCK_TIMEOUT):
            _store.remove_leftovers(self._path)
            yield

    def store(self) -> str:
        return self._path

    def check_space(self, needed: int) -> None:
        status = os.statvfs(self._path)
        free = status.f_bavail * status.f_frsize
        if free < needed + self._reserve:
            raise SluiceError(
                f"copy backups to {self._path}",
                f"it has {mebibytes(free)} free; the copy needs {mebibytes(needed)}, and {mebibytes(self._reserve)}"
                " must stay free",
                "Free space there, or lower free_mb_min",
                free_bytes=free,
                needed_bytes=needed + self._reserve,
            )

    def faults(self, backup: Backup) -> dict[str, str]:
        return self._faults(backup, os.path.join(self._path, backup.id))

    @staticmethod
    def _faults(backup: Backup, place: str) -> dict[str, str]:
        for name in backup.manifest.files:
            _forget(os.path.join(place, name))
        return dict(faults(place, backup.manifest.archive, backup.manifest.files))

    def put(self, backup: Backup, report: Report) -> dict[str, str]:
        partial = _store.partial_path(self._path, backup.id)
        total = float(backup.manifest.size)
        done = 0.0
        try:
            os.mkdir(partial, 0o700)
            for name in names_of(backup):
                target = os.path.join(partial, name)
                os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
                for written in _copy_file(os.path.join(backup.path, name), target):
                    done += written
                    report(f"{mebibytes(done)} of {mebibytes(total)}", min(done, total), total)
            for directory, _directories, _files in os.walk(partial):
                fsync_directory(directory)
        except OSError as error:
            raise SluiceError(
                f"copy backup {backup.id} to {self._path}",
                f"{error.strerror} ({error.filename or partial})",
                "Free space there, or name another place",
            ) from error
        report("read it again", None, None)
        found = self._faults(backup, partial)
        if not found and _read(os.path.join(partial, FILE)) != _read(os.path.join(backup.path, FILE)):
            found = {FILE: f"{FILE} is not what was written"}
        return found

    def publish(self, backup: Backup) -> None:
        if os.path.lexists(os.path.join(self._path, backup.id)):
            self.remove(backup.id, damaged=True)
        _store.publish(self._path, backup.id)

    def discard(self, backup: Backup) -> None:
        shutil.rmtree(_store.partial_path(self._path, backup.id), ignore_errors=True)

    def put_note(self, backup: Backup) -> None:
        note = _read(os.path.join(backup.path, VERIFIED))
        write_atomic(os.path.join(self._path, backup.id, VERIFIED), note)

    def remove(self, backup_id: str, damaged: bool = False) -> bool:
        removed = _store.remove(self._path, backup_id)
        if damaged and not removed:
            raise SluiceError(
                f"replace the damaged copy of backup {backup_id} in {self._path}",
                "somebody verifies or restores it just now",
                "Wait until that has ended",
            )
        return removed


def names_of(backup: Backup) -> list[str]:
    """The files that make up a set: its manifest last, and with it what is known of its verification."""
    noted = os.path.isfile(os.path.join(backup.path, VERIFIED))
    return [*sorted(backup.manifest.files), *([VERIFIED] if noted else []), FILE]


def _copy_file(source: str, target: str) -> Iterator[int]:
    """Copy a file durably. Yields the bytes of each block that was written."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(source, "rb") as reader, os.fdopen(descriptor, "wb", buffering=0) as writer:
        for block in iter(lambda: reader.read(_BLOCK), b""):
            view = memoryview(block)
            while view:
                view = view[writer.write(view) :]
            yield len(block)
        os.fsync(writer.fileno())


def _forget(path: str) -> None:
    """Let the kernel drop what it still knows of a file: it is the disk that is to be read."""
    with contextlib.suppress(OSError, AttributeError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def _read(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()

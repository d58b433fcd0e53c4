# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, Optional, TypeVar

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import host_lock, write_atomic
from ansible_collections.sluice.release.plugins.module_utils._progress import Progress
from ansible_collections.sluice.release.plugins.module_utils._runner import CommandRunner, Completed
from ansible_collections.sluice.release.plugins.module_utils.postgres import _store
from ansible_collections.sluice.release.plugins.module_utils.postgres._client import Connect, Database
from ansible_collections.sluice.release.plugins.module_utils.postgres._databases import read_properties
from ansible_collections.sluice.release.plugins.module_utils.postgres._digest import Inventory, earliest, parse_objects
from ansible_collections.sluice.release.plugins.module_utils.postgres._dump import (
    Form,
    Tools,
    archived_definitions_argv,
    dump_argv,
    find_tools,
    list_argv,
    mebibytes,
    missing_tables,
    needed_bytes,
    run_tool,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._inventory import (
    DisturbedError,
    Snapshot,
    database_size,
    join_locks,
    list_tables,
    read_contents,
    read_extensions,
    read_large_objects,
    read_sequences,
    shared_snapshot,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._manifest import ARCHIVES, FILE, Manifest
from ansible_collections.sluice.release.plugins.module_utils.postgres._retention import Candidate, plan
from ansible_collections.sluice.release.plugins.module_utils.postgres._set import bytes_below, settle
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import DatabaseUrl

T = TypeVar("T")

# Seconds that another backup into the same directory may still need.
_LOCK_TIMEOUT = 60.0

# How often a dump begins anew because somebody wanted a table for himself at that very moment.
_ATTEMPTS = 10

# What pg_dump says of a table that was dropped after the snapshot.
_VANISHED = re.compile(r'relation ".*" does not exist|could not open relation|cache lookup failed')

# Seconds between two looks at a tool that runs beside us.
_TICK = 0.2


@dataclass(frozen=True)
class BackupOptions:
    """What a person asks for. ``timeout`` in seconds, for each run of a tool."""

    url: DatabaseUrl
    path: str
    backup_id: Optional[str] = None
    release: str = ""
    bin_path: Optional[str] = None
    free_mb_min: int = 256
    timeout: Optional[float] = None
    keep: Optional[int] = None
    keep_days: Optional[int] = None
    form: Form = field(default_factory=Form)


@dataclass(frozen=True)
class Means:
    """What the work is done with."""

    connect: Connect
    runner: CommandRunner
    unredacted: CommandRunner
    """For output that is compared and never shown. A password that is also the name of a table must not change it."""
    progress: Progress
    warn: Callable[[str], None]
    check_mode: bool = False


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
    size = database_size(database)
    estimate = _check_space(options, size)
    if means.check_mode:
        return {
            "id": backup_id,
            "path": os.path.join(options.path, backup_id),
            "format": options.form.format,
            "compression": options.form.compression,
            "files": None,
            "bytes": estimate,
            "sha256": None,
            "tables": len(list_tables(database)),
            "rows": None,
            "created": None,
            "seconds": 0.0,
            "verified": False,
        }
    partial = _store.partial_path(options.path, backup_id)
    try:
        os.mkdir(partial, 0o700)
        archive = os.path.join(partial, ARCHIVES[options.form.format])
        snapshot, inventory = _dump(options, means, database, tools, backup_id, archive)
        manifest = Manifest(
            id=backup_id,
            created=now.isoformat(timespec="seconds"),
            release=options.release,
            database=options.url.database,
            properties=read_properties(database, options.url.database),
            database_bytes=size,
            server_version=_version_text(database.server_version),
            tool_version=tools.version,
            format=options.form.format,
            compression=options.form.compression,
            files=settle(partial),
            lsn=snapshot.lsn,
            origin=snapshot.origin,
            seconds=round(time.monotonic() - started, 3),
            inventory=inventory,
        )
        write_atomic(os.path.join(partial, FILE), manifest.render())
        _store.publish(options.path, backup_id)
    except OSError as error:
        _discard(partial)
        raise SluiceError(
            f"back up {options.url.shown}",
            f"{error.strerror} ({error.filename or partial})",
            "Free space, or place the backups elsewhere",
        ) from error
    except BaseException:
        _discard(partial)
        raise
    backup = _store.find_backup(options.path, backup_id)
    if backup is None:
        raise SluiceError(f"back up {options.url.shown}", f"{backup_id} vanished from {options.path} at once")
    return backup.as_result()


def _discard(partial: str) -> None:
    shutil.rmtree(partial, ignore_errors=True)


def _version_text(server_version: int) -> str:
    return f"{server_version // 10000}.{server_version % 10000}"


def _check_space(options: BackupOptions, database_bytes: int) -> int:
    """Return how large the backup will be, in bytes. SluiceError when there is no room for it."""
    earlier = ((backup.manifest.size, backup.manifest.database_bytes) for backup in _store.list_backups(options.path))
    estimate = needed_bytes(database_bytes, earlier)
    place = os.path.abspath(options.path)
    while not os.path.isdir(place):
        place = os.path.dirname(place)
    status = os.statvfs(place)
    free = status.f_bavail * status.f_frsize
    reserve = options.free_mb_min * 2**20
    if free < estimate + reserve:
        raise SluiceError(
            f"back up {options.url.shown}",
            f"{options.path} has {mebibytes(free)} free; the backup needs about {mebibytes(estimate)}, and"
            f" {mebibytes(reserve)} must stay free",
            "Free space, place the backups elsewhere, or lower free_mb_min",
            free_bytes=free,
            needed_bytes=estimate + reserve,
        )
    return estimate


def _dump(
    options: BackupOptions, means: Means, database: Database, tools: Tools, backup_id: str, archive: str
) -> tuple[Snapshot, Inventory]:
    """Dump and digest one and the same snapshot, side by side. Returns its log position and what is in it."""
    doing = f"back up {options.url.shown}"
    # Before and after the snapshot's transaction: whoever waited for a lock of ours, pg_dump would wait for.
    first = read_sequences(database)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            snapshot, inventory = _dump_snapshot(options, means, database, tools, backup_id, archive)
            break
        except DisturbedError:
            if attempt == _ATTEMPTS:
                raise
    listing = run_tool(means.unredacted, list_argv(tools, archive), doing, timeout=options.timeout)
    missing = missing_tables(inventory.tables, listing.stdout)
    if missing:
        raise SluiceError(doing, f"pg_dump ended well and left out {', '.join(missing)}")
    schema = run_tool(means.unredacted, archived_definitions_argv(tools, archive), doing, timeout=options.timeout)
    return snapshot, replace(
        inventory,
        sequences=earliest(first, read_sequences(database)),
        objects=parse_objects(schema.stdout),
    )


def _dump_snapshot(
    options: BackupOptions, means: Means, database: Database, tools: Tools, backup_id: str, archive: str
) -> tuple[Snapshot, Inventory]:
    doing = f"back up {options.url.shown}"
    application = f"sluice backup {backup_id}"[:63]
    conninfo = options.url.conninfo(application)
    with contextlib.ExitStack() as stack:
        watcher = stack.enter_context(means.connect(options.url))
        snapshot = stack.enter_context(shared_snapshot(database))
        env = stack.enter_context(options.url.tool_environment())
        pool = stack.enter_context(ThreadPoolExecutor(max_workers=1))
        argv = dump_argv(tools, conninfo, snapshot.id, archive, options.form)
        dump = pool.submit(run_tool, means.runner, argv, doing, env=env, timeout=options.timeout)
        try:
            join_locks(database, watcher, snapshot, application, lambda: _ended(dump))
            inventory = _digest(database, snapshot, dump, means.progress, archive)
            attend(dump, lambda: means.progress.update(f"dump: {mebibytes(bytes_below(archive))} written"))
        except BaseException as error:
            # The pool waits for pg_dump, which would dump on to its end for nobody.
            _end_sessions(means.connect, options.url, application)
            if isinstance(error, SluiceError) and _VANISHED.search(error.cause):
                raise DisturbedError(error.verb_and_thing, error.cause, error.remedy) from error
            raise
        return snapshot, inventory


def _digest(
    database: Database, snapshot: Snapshot, dump: Future[Completed], progress: Progress, archive: str
) -> Inventory:
    def report(line: str, done: float, total: float) -> None:
        # A dump that failed early is no reason to read all other tables first.
        _ended(dump)
        progress.update(f"dump: {mebibytes(bytes_below(archive))} written; digest: {line}", done, total)

    tables = read_contents(database, snapshot.tables, report)
    large_objects = read_large_objects(database)
    return Inventory(
        tables=tables,
        large_objects=large_objects.total,
        large_object_digests=large_objects.each,
        extensions=read_extensions(database),
    )


def _ended(dump: Future[Completed]) -> bool:
    """Whether pg_dump has ended. Raises its error when it failed."""
    return dump.done() and bool(dump.result())


def attend(task: Future[T], tick: Callable[[], None]) -> T:
    """Wait for what runs in a thread, and call ``tick`` now and then."""
    while True:
        try:
            return task.result(timeout=_TICK)
        except NotYet:
            tick()


def _end_sessions(connect: Connect, url: DatabaseUrl, application: str) -> None:
    with contextlib.suppress(SluiceError), connect(url) as database:
        database.rows(
            "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE application_name = %s",
            (application,),
        )


def _retain(options: BackupOptions, means: Means, now: datetime) -> list[str]:
    """Remove the backups that the limits no longer keep. Returns their ids."""
    candidates: Sequence[Candidate] = [
        Candidate(backup.id, backup.created, backup.verified) for backup in _store.list_backups(options.path)
    ]
    decisions = plan(candidates, now=now, keep=options.keep, keep_days=options.keep_days)
    return [
        decision.id
        for decision in decisions
        if not decision.keep and (means.check_mode or _store.remove(options.path, decision.id))
    ]

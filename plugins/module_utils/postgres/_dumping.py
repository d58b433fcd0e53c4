# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import contextlib
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field, replace
from typing import Any, Optional, TypeVar

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._progress import Progress
from ansible_collections.sluice.release.plugins.module_utils._runner import CommandRunner, Completed
from ansible_collections.sluice.release.plugins.module_utils.postgres._client import Connect, Database
from ansible_collections.sluice.release.plugins.module_utils.postgres._digest import Inventory, earliest, parse_objects
from ansible_collections.sluice.release.plugins.module_utils.postgres._dump import (
    Form,
    Tools,
    archived_definitions_argv,
    dump_argv,
    globals_argv,
    list_argv,
    mebibytes,
    missing_tables,
    run_tool,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._inventory import (
    DisturbedError,
    Snapshot,
    join_locks,
    read_contents,
    read_extensions,
    read_large_objects,
    read_sequences,
    shared_snapshot,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._manifest import (
    ARCHIVES,
    GLOBALS,
    schema_patterns,
    subject,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._schemas import (
    Selection,
    read_schemas,
    select_schemas,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._set import bytes_below
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import DatabaseUrl

T = TypeVar("T")

# How often a dump begins anew because somebody wanted a table for himself at that very moment.
_ATTEMPTS = 10

# What pg_dump says of a table that was dropped after the snapshot, or that a worker of it finds locked.
_VANISHED = re.compile(
    r'relation ".*" does not exist|could not open relation|cache lookup failed|could not obtain lock'
)

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
    schemas: Sequence[str] = ()
    exclude_schemas: Sequence[str] = ()
    globals: bool = True
    encryption: str = "none"
    recipients: Sequence[str] = ()
    gnupg_home: Optional[str] = None

    @property
    def patterns(self) -> Optional[dict[str, list[str]]]:
        """How the schemas are chosen; None for the whole database."""
        return schema_patterns(self.schemas, self.exclude_schemas)

    @property
    def subject(self) -> str:
        """What is backed up: the same for sets of which a later one takes the place of an earlier one."""
        return subject(self.url.database, self.patterns)

    @property
    def doing(self) -> str:
        """How an error begins."""
        return f"back up {self.url.shown}"


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


def select(options: BackupOptions, database: Database) -> Selection:
    """Choose the schemas among those that there are now. SluiceError when that cannot be done."""
    return select_schemas(read_schemas(database), options.schemas, options.exclude_schemas, options.doing)


def discard(path: str) -> None:
    """Remove a file or directory that may not be there."""
    if os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)
    elif path:
        with contextlib.suppress(OSError):
            os.unlink(path)


def free_bytes(path: str) -> int:
    """Return what is free on the file system of a path, whose last parts may not exist yet."""
    place = os.path.abspath(path)
    while not os.path.isdir(place):
        place = os.path.dirname(place)
    status = os.statvfs(place)
    return status.f_bavail * status.f_frsize


@dataclass(frozen=True)
class Work:
    """One backup in the making. ``partial``: the directory that it is made in."""

    options: BackupOptions
    means: Means
    database: Database
    tools: Tools
    backup_id: str
    partial: str
    passwords: Optional[bool]

    @property
    def archive(self) -> str:
        return os.path.join(self.partial, ARCHIVES[self.options.form.format])

    @property
    def application(self) -> str:
        """What the sessions of the tools are called in pg_stat_activity."""
        return f"sluice backup {self.backup_id}"[:63]

    def run(self, argv: Sequence[str], env: Optional[Mapping[str, str]] = None) -> Completed:
        return run_tool(self.means.runner, argv, self.options.doing, env=env, timeout=self.options.timeout)

    def read(self, argv: Sequence[str]) -> str:
        """What a tool prints of the archive."""
        return run_tool(self.means.unredacted, argv, self.options.doing, timeout=self.options.timeout).stdout


@dataclass(frozen=True)
class Dumped:
    """What is in the archive, and of which moment it is."""

    snapshot: Snapshot
    selection: Selection
    inventory: Inventory


def dump_and_digest(work: Work) -> Dumped:
    """Dump and digest one and the same snapshot, side by side."""
    database = work.database
    # Before and after the snapshot's transaction: whoever waited for a lock of ours, pg_dump would wait for.
    first = read_sequences(database)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            dumped = _dump_snapshot(work)
            break
        except DisturbedError:
            if attempt == _ATTEMPTS:
                raise
            discard(work.archive)
    missing = missing_tables(dumped.inventory.tables, work.read(list_argv(work.tools, work.archive)))
    if missing:
        raise SluiceError(work.options.doing, f"pg_dump ended well and left out {', '.join(missing)}")
    sequences = earliest(first, read_sequences(database))
    inventory = replace(
        dumped.inventory,
        sequences={name: state for name, state in sequences.items() if dumped.selection.holds(name)},
        objects=parse_objects(work.read(archived_definitions_argv(work.tools, work.archive))),
    )
    return replace(dumped, inventory=inventory)


def _dump_snapshot(work: Work) -> Dumped:
    options, means, database = work.options, work.means, work.database
    conninfo = options.url.conninfo(work.application)
    with contextlib.ExitStack() as stack:
        watcher = stack.enter_context(means.connect(options.url))
        snapshot = stack.enter_context(shared_snapshot(database))
        selection = select(options, database)
        snapshot = replace(snapshot, tables=[table for table in snapshot.tables if selection.holds(table.name)])
        env = stack.enter_context(options.url.tool_environment())
        digest = _Digest(database, snapshot)
        pool = stack.enter_context(ThreadPoolExecutor(max_workers=3))
        argv = dump_argv(work.tools, conninfo, snapshot.id, work.archive, options.form, selection.left_out)
        dump = pool.submit(work.run, argv, env)
        tasks: list[Future[Any]] = [dump]
        try:
            if work.passwords is not None:
                file = os.path.join(work.partial, GLOBALS)
                argv = globals_argv(work.tools, conninfo, options.url.database, file, passwords=work.passwords)
                tasks.append(pool.submit(work.run, argv, env))
            join_locks(database, watcher, snapshot, work.application, lambda: _ended(dump))
            inventory = pool.submit(digest.read)
            tasks.append(inventory)
            _attend_all(work, digest, tasks)
        except BaseException as error:
            # The pool waits for tools and digest, which would go on to their end for nobody.
            _end_sessions(means.connect, options.url, work.application)
            digest.stop(watcher, tasks)
            if isinstance(error, SluiceError) and _VANISHED.search(error.cause):
                raise DisturbedError(error.verb_and_thing, error.cause, error.remedy) from error
            raise
        return Dumped(snapshot, selection, inventory.result())


class _StoppedError(Exception):
    """Nobody waits for the digest any more."""


class _Digest:
    """Reads all tables of a snapshot; another thread may look how far it is, and stop it."""

    def __init__(self, database: Database, snapshot: Snapshot) -> None:
        [(self._process,)] = database.rows("SELECT pg_catalog.pg_backend_pid()")
        self._database, self._snapshot = database, snapshot
        self._stopped = threading.Event()
        self.progress: tuple[str, float, float] = ("waits for pg_dump", 0, 0)

    def read(self) -> Inventory:
        tables = read_contents(self._database, self._snapshot.tables, self._report)
        large_objects = read_large_objects(self._database)
        return Inventory(
            tables=tables,
            large_objects=large_objects.total,
            large_object_digests=large_objects.each,
            extensions=read_extensions(self._database),
        )

    def _report(self, line: str, done: float, total: float) -> None:
        if self._stopped.is_set():
            raise _StoppedError
        self.progress = (line, done, total)

    def stop(self, watcher: Database, tasks: Sequence[Future[Any]]) -> None:
        """End the query that runs, and let no other begin."""
        self._stopped.set()
        with contextlib.suppress(SluiceError):
            # Again and again, for it may be between two queries.
            while wait(tasks, timeout=_TICK).not_done:
                watcher.rows("SELECT pg_catalog.pg_cancel_backend(%s)", (self._process,))


def _attend_all(work: Work, digest: _Digest, tasks: Sequence[Future[Any]]) -> None:
    """Wait until all is done; raise the first error at once, for then the rest is of no use."""
    reserve = work.options.free_mb_min * 2**20
    started = time.monotonic()
    waiting: set[Future[Any]] = set(tasks)
    while waiting:
        done, waiting = wait(waiting, timeout=_TICK, return_when=FIRST_COMPLETED)
        for task in done:
            task.result()
        free = free_bytes(work.partial)
        if free < reserve:
            raise SluiceError(
                work.options.doing,
                f"{work.options.path} has no more than {mebibytes(free)} free while the dump is written, and"
                f" {mebibytes(reserve)} must stay free",
                "Free space, place the backups elsewhere, or lower free_mb_min",
                free_bytes=free,
            )
        written = bytes_below(work.archive)
        rate = written / max(time.monotonic() - started, _TICK)
        line, read, total = digest.progress
        work.means.progress.update(
            f"dump: {mebibytes(written)} written, {mebibytes(rate)}/s; digest: {line}", read, total
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

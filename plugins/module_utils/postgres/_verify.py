# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import host_lock
from ansible_collections.sluice.release.plugins.module_utils.postgres import _store
from ansible_collections.sluice.release.plugins.module_utils.postgres._backup import Means, attend
from ansible_collections.sluice.release.plugins.module_utils.postgres._client import Database, DatabaseError
from ansible_collections.sluice.release.plugins.module_utils.postgres._databases import (
    check_server_space,
    drop_leftovers,
    temporary_database,
    temporary_name,
    temporary_prefix,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._digest import (
    Content,
    Difference,
    Inventory,
    compare,
    parse_objects,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._dump import (
    Tools,
    archived_definitions_argv,
    definitions_argv,
    find_tools,
    list_argv,
    mebibytes,
    missing_tables,
    read_argv,
    restore_argv,
    run_tool,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._embedded import Throwaway, throwaway_server
from ansible_collections.sluice.release.plugins.module_utils.postgres._encryption import (
    NO_KEY,
    BrokenError,
    Key,
    check_key,
    decrypted,
    plain_name,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._inventory import (
    Table,
    database_size,
    list_tables,
    read_contents,
    read_extensions,
    read_large_objects,
    read_sequences,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._set import faults
from ansible_collections.sluice.release.plugins.module_utils.postgres._sql import quote_identifier
from ansible_collections.sluice.release.plugins.module_utils.postgres._store import Backup
from ansible_collections.sluice.release.plugins.module_utils.postgres._target import (
    check_server,
    check_versions,
    known_roles,
    named_roles,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import DatabaseUrl

SCRATCH = "sluice_verify_"

# Seconds that another verification or restore of the same backup may still need.
_LOCK_TIMEOUT = 60.0

# What a restore that failed says when user or server are to blame for it, and not the backup.
_BLAMELESS = re.compile(
    r"permission denied|must be (?:owner|superuser|able to SET ROLE)|No space left|could not extend|it was ended after"
)

# Seconds between two looks at the size of a database that is restored.
_ASK = 1.0

# Differences that a message names; the result has all of them.
_NAMED = 5


@dataclass(frozen=True)
class VerifyOptions:
    """What a person asks for.

    Level restore needs ``admin``, who may create a scratch database, or ``throwaway``. ``timeout`` in seconds, for each
    run of a tool.
    """

    path: str
    backup_id: str
    level: str
    admin: Optional[DatabaseUrl] = None
    throwaway: Optional[Throwaway] = None
    bin_path: Optional[str] = None
    timeout: Optional[float] = None
    jobs: int = 2
    key: Key = NO_KEY


def verify_backup(options: VerifyOptions, means: Means) -> dict[str, Any]:
    """Prove a backup up to a level and write the outcome beside it.

    Returns the module's result; raises SluiceError, with the same keys as fields, when it does not hold. In check mode
    no database is made, so level ``restore`` ends as ``archive``.
    """
    started = time.monotonic()
    level = "archive" if means.check_mode and options.level == "restore" else options.level
    try:
        backup = _store.resolve(options.path, options.backup_id, means.warn)
    except SluiceError as error:
        error.fields.update(backup_id=options.backup_id, level=level, verified=False, differences=[])
        raise
    if level != "manifest" and backup.manifest.encryption:
        check_key(backup.manifest.encryption, options.key, backup.id)
    with using(backup, "verify", means):
        differences: list[Difference] = []
        failure: Optional[DamageError] = None
        try:
            differences = _prove(backup, level, options, means)
        except DamageError as error:
            failure = error
        seconds = round(time.monotonic() - started, 3)
        found = [difference.as_dict() for difference in differences]
        if failure:
            found = failure.found
        if not means.check_mode:
            _store.record_verification(backup, level, found, seconds)
    result = {
        "changed": False,
        "backup_id": backup.id,
        "level": level,
        "verified": not found,
        "differences": found,
        "seconds": seconds,
    }
    if failure:
        raise SluiceError(failure.verb_and_thing, failure.cause, failure.remedy, **result) from failure
    if differences:
        raise unlike(backup, differences, **result)
    return result


class DamageError(SluiceError):
    """The backup does not hold, while tools and server did their part. ``files``: what is wrong, by name of a file."""

    def __init__(self, backup: Backup, files: Mapping[str, str]) -> None:
        self.files = dict(files)
        said = "; ".join(list(self.files.values())[:_NAMED])
        more = f"; and {len(self.files) - _NAMED} more" if len(self.files) > _NAMED else ""
        super().__init__(f"trust backup {backup.id}", said + more, "Use another backup")

    @property
    def found(self) -> list[dict[str, Any]]:
        """As the differences of a result say it."""
        return [{"kind": "archive", "name": name, "what": what} for name, what in self.files.items()]


def _prove(backup: Backup, level: str, options: VerifyOptions, means: Means) -> list[Difference]:
    if level == "restore":
        with _scratch_server(backup, options, means) as url, means.connect(url) as admin:
            return _check_and_restore(backup, admin, options, means)
    check_files(backup)
    if level == "archive":
        tools = find_tools(backup.manifest.tool_major * 10000, options.bin_path, means.runner)
        with opened(backup, options.key, means, options.timeout) as plain:
            check_archive(plain, tools, means, options.timeout)
    return []


@contextlib.contextmanager
def _scratch_server(backup: Backup, options: VerifyOptions, means: Means) -> Iterator[DatabaseUrl]:
    if options.throwaway:
        least = max(int(backup.manifest.server_version.partition(".")[0]), backup.manifest.tool_major)
        size = backup.manifest.database_bytes
        with throwaway_server(options.throwaway, least, size, means.connect, means.runner) as url:
            yield url
    elif options.admin:
        yield options.admin
    else:
        raise SluiceError(
            f"restore backup {backup.id} into a scratch database",
            "no server is named",
            "Set database_url or admin_url, or let scratch be embedded",
        )


@contextlib.contextmanager
def using(backup: Backup, verb: str, means: Means) -> Iterator[None]:
    """Keep others from removing the backup, or from doing the same with it, meanwhile."""
    if means.check_mode:
        yield
        return
    with host_lock(backup.path, f"{verb} backup {backup.id}", _LOCK_TIMEOUT):
        yield


def unlike(backup: Backup, found: list[Difference], **fields: Any) -> SluiceError:
    """The error for a restored database that is not what the manifest says; names the tables."""
    named = "; ".join(str(difference) for difference in found[:_NAMED])
    more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return SluiceError(f"trust backup {backup.id}", f"restored, {named}{more}", "Use another backup", **fields)


def check_files(backup: Backup) -> None:
    """Compare every file of the set with its size and checksum. Raises DamageError that names those that differ."""
    manifest = backup.manifest
    found = dict(faults(backup.path, manifest.archive, manifest.files))
    if found:
        raise DamageError(backup, found)


@contextlib.contextmanager
def opened(backup: Backup, key: Key, means: Means, timeout: Optional[float]) -> Iterator[Backup]:
    """Decrypt a backup for as long as the block lasts; one in plain text is yielded as it is.

    Raises DamageError when a file is at fault, and SluiceError when the key is.
    """
    encryption, files = backup.manifest.encryption, backup.manifest.files
    if encryption is None:
        yield backup
        return
    sizes = {name: file.size for name, file in files.items()}
    plain = {plain_name(name, encryption): file for name, file in files.items()}
    with contextlib.ExitStack() as stack:
        try:
            place = stack.enter_context(
                decrypted(backup.path, sizes, encryption, key, means.runner, timeout, means.progress.update)
            )
        except BrokenError as error:
            raise DamageError(backup, {error.name: error.cause}) from error
        yield replace(backup, path=place, manifest=replace(backup.manifest, files=plain))


def check_archive(
    backup: Backup, tools: Tools, means: Means, timeout: Optional[float], *, restored: bool = False
) -> None:
    """Read the archive to its end and look for every table in its table of contents. Raises DamageError.

    With ``restored`` only the latter, for then a restore is to read it.
    """
    doing = f"trust backup {backup.id}"
    name = backup.manifest.archive
    try:
        listing = run_tool(means.unredacted, list_argv(tools, backup.dump), doing, timeout=timeout, quiet=True)
        if not restored:
            run_tool(means.runner, read_argv(tools, backup.dump), doing, timeout=timeout, quiet=True)
    except SluiceError as error:
        raise DamageError(backup, {name: error.cause}) from error
    missing = missing_tables(backup.manifest.inventory.tables, listing.stdout)
    if missing:
        raise DamageError(backup, {name: f"its archive lacks {', '.join(missing)}"})


def fitting_tools(backup: Backup, admin: Database, bin_path: Optional[str], means: Means, doing: str) -> Tools:
    """Find the tools that restore this backup on this server. SluiceError when backup or tools are too new for it."""
    manifest = backup.manifest
    tools = find_tools(admin.server_version, bin_path, means.runner)
    restore_major = int(tools.version.partition(".")[0])
    check_versions(backup.id, manifest.server_version, manifest.tool_major, admin.server_version, restore_major, doing)
    return tools


def read_roles(backup: Backup, tools: Tools, means: Means, timeout: Optional[float]) -> set[str]:
    """Return the roles that the definitions in an archive name. Raises DamageError."""
    argv = archived_definitions_argv(tools, backup.dump)
    try:
        return named_roles(run_tool(means.unredacted, argv, "read its definitions", timeout=timeout).stdout)
    except SluiceError as error:
        raise DamageError(backup, {backup.manifest.archive: error.cause}) from error


def _check_and_restore(backup: Backup, admin: Database, options: VerifyOptions, means: Means) -> list[Difference]:
    doing = f"restore backup {backup.id} into a scratch database"
    tools = fitting_tools(backup, admin, options.bin_path, means, doing)
    check_files(backup)
    with opened(backup, options.key, means, options.timeout) as plain:
        return _restore_and_compare(plain, admin, tools, options, means, doing)


def _restore_and_compare(
    backup: Backup, admin: Database, tools: Tools, options: VerifyOptions, means: Means, doing: str
) -> list[Difference]:
    manifest = backup.manifest
    check_archive(backup, tools, means, options.timeout, restored=True)
    absent = sorted(read_roles(backup, tools, means, options.timeout) - known_roles(admin))
    properties = manifest.properties
    if options.throwaway:
        # It is ours alone: owners and holders of grants need no more than a name there, and all data lies in one place.
        for role in absent:
            admin.run(f"CREATE ROLE {quote_identifier(role)}")
        absent, properties = [], {**properties, "tablespace": "pg_default"}
    remedy = "create the roles there, or let scratch be embedded"
    check_server(admin, manifest.inventory.extensions, properties, absent, remedy, doing)
    check_server_space(admin, manifest.database_bytes, doing)
    drop_leftovers(admin, temporary_prefix("", SCRATCH))
    name = temporary_name("", SCRATCH)
    with temporary_database(admin, means.connect, name, properties, doing):
        target = admin.url.with_database(name)
        more = ("--no-tablespaces",) if options.throwaway else ()
        try:
            restore_into(backup, tools, target, options.jobs, options.timeout, means, doing, more)
        except SluiceError as error:
            # Not its fault when the server has gone: then this raises, and nothing is said about the backup.
            admin.rows("SELECT 1")
            if _BLAMELESS.search(error.cause):
                raise
            raise DamageError(backup, {manifest.archive: error.cause}) from error
        found = read_inventory(target, tools, options.timeout, means, doing, options.jobs)
    return differences_of(backup, found, tools, admin.server_version, means)


def differences_of(
    backup: Backup, found: Inventory, tools: Tools, server_version: int, means: Means
) -> list[Difference]:
    """Compare a restored database with the backup's manifest.

    Another major version spells the same definitions otherwise: then only their names are compared, and a warning says
    so.
    """
    manifest, expected = backup.manifest, backup.manifest.inventory
    made = (manifest.server_version.partition(".")[0], str(manifest.tool_major))
    used = (str(server_version // 10000), tools.version.partition(".")[0])
    if made != used:
        means.warn(
            f"Backup {backup.id} is of PostgreSQL {made[0]} and was restored by {used[0]}: its definitions were"
            " compared by their names alone"
        )
        expected, found = (replace(one, objects=dict.fromkeys(one.objects, "")) for one in (expected, found))
    return compare(expected, found)


def restore_into(
    backup: Backup,
    tools: Tools,
    target: DatabaseUrl,
    jobs: int,
    timeout: Optional[float],
    means: Means,
    doing: str,
    more: Sequence[str] = (),
) -> None:
    """Restore an archive into an empty database; any error at all is one. ``more``: further options of pg_restore."""
    program, *arguments = restore_argv(tools, target.conninfo("sluice restore"), backup.dump, jobs)
    argv = [program, *more, *arguments]
    with target.tool_environment() as env, ThreadPoolExecutor(max_workers=1) as pool, means.connect(target) as watcher:
        task = pool.submit(run_tool, means.runner, argv, doing, env=env, timeout=timeout, quiet=True)
        attend(task, _Growth(watcher, backup.manifest.database_bytes, means).report)


class _Growth:
    """Tells how far a restore is, by the size that its database has got."""

    def __init__(self, watcher: Database, total: int, means: Means) -> None:
        self._watcher, self._total, self._means = watcher, total, means
        self._empty = database_size(watcher)
        self._started = self._asked = time.monotonic()

    def report(self) -> None:
        now = time.monotonic()
        if now - self._asked < _ASK:
            return
        self._asked = now
        try:
            size = database_size(self._watcher)
        except DatabaseError:
            # The restore itself will say why.
            return
        seconds = now - self._started
        rate = (size - self._empty) / seconds
        left = f", about {max(self._total - size, 0) / rate:.0f} s left" if rate > 0 else ""
        self._means.progress.update(
            f"restore into {self._watcher.url.database}: {mebibytes(size)} of about {mebibytes(self._total)},"
            f" {mebibytes(rate)}/s{left}",
            min(size, self._total),
            self._total,
        )


def read_inventory(
    target: DatabaseUrl, tools: Tools, timeout: Optional[float], means: Means, doing: str, jobs: int = 1
) -> Inventory:
    """Read all that a restored database holds, in the terms of a manifest. Nobody else may be in it.

    ``jobs``: number of sessions over which its tables are read.
    """
    with contextlib.ExitStack() as stack:
        database, *others = (stack.enter_context(means.connect(target)) for _session in range(max(jobs, 1)))
        tables = _with_sizes(database, list_tables(database))
        env = stack.enter_context(target.tool_environment())
        argv = definitions_argv(tools, target.conninfo("sluice verify"))
        done: dict[int, float] = {}
        total = sum(table.size for table in tables)

        def read(number: int, session: Database, share: Sequence[Table]) -> dict[str, Content]:
            def report(line: str, part: float, _total: float) -> None:
                done[number] = part
                means.progress.update(f"compare {target.database}: {line}", sum(done.values()), total)

            return read_contents(session, share, report)

        with ThreadPoolExecutor(max_workers=jobs + 1) as pool:
            schema = pool.submit(run_tool, means.unredacted, argv, doing, env=env, timeout=timeout)
            shares = _shares(tables, len(others) + 1)
            rest = [pool.submit(read, number, *one) for number, one in enumerate(zip(others, shares[1:]), start=1)]
            contents = read(0, database, shares[0])
            for part in rest:
                contents.update(part.result())
        large_objects = read_large_objects(database)
        return Inventory(
            tables=contents,
            large_objects=large_objects.total,
            sequences=read_sequences(database),
            objects=parse_objects(schema.result().stdout),
            extensions=read_extensions(database),
            large_object_digests=large_objects.each,
        )


def _with_sizes(database: Database, tables: Sequence[Table]) -> list[Table]:
    """Give tables their true sizes: of a database that has just been restored there are no estimates yet."""
    sizes = dict(
        database.rows(
            "SELECT o, pg_catalog.pg_table_size(o) FROM pg_catalog.unnest(%s::pg_catalog.oid[]) o",
            ([table.oid for table in tables],),
        )
    )
    return [replace(table, size=sizes[table.oid] or 0) for table in tables]


def _shares(tables: Sequence[Table], number: int) -> list[list[Table]]:
    """Divide tables into parts of about the same size."""
    parts: list[list[Table]] = [[] for _part in range(number)]
    for table in sorted(tables, key=lambda one: one.size, reverse=True):
        min(parts, key=lambda part: sum(one.size for one in part)).append(table)
    return parts

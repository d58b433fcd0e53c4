# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import host_lock
from ansible_collections.sluice.release.plugins.module_utils.postgres import _store
from ansible_collections.sluice.release.plugins.module_utils.postgres._backup import Means, attend
from ansible_collections.sluice.release.plugins.module_utils.postgres._client import Database
from ansible_collections.sluice.release.plugins.module_utils.postgres._databases import (
    check_server_space,
    drop_leftovers,
    temporary_database,
    temporary_name,
    temporary_prefix,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._digest import (
    Difference,
    Inventory,
    compare,
    parse_objects,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._dump import (
    Tools,
    definitions_argv,
    find_tools,
    list_argv,
    mebibytes,
    missing_tables,
    read_argv,
    restore_argv,
    run_tool,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._inventory import (
    list_tables,
    read_contents,
    read_extensions,
    read_large_objects,
    read_sequences,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._set import faults
from ansible_collections.sluice.release.plugins.module_utils.postgres._store import Backup
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import DatabaseUrl

SCRATCH = "sluice_verify_"

# Seconds that another verification or restore of the same backup may still need.
_LOCK_TIMEOUT = 60.0

# Differences that a message names; the result has all of them.
_NAMED = 5


@dataclass(frozen=True)
class VerifyOptions:
    """What a person asks for. ``timeout`` in seconds, for each run of a tool; ``admin`` is needed for level restore."""

    path: str
    backup_id: str
    level: str
    admin: Optional[DatabaseUrl] = None
    bin_path: Optional[str] = None
    timeout: Optional[float] = None
    jobs: int = 2


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
    with using(backup, "verify", means):
        differences: list[Difference] = []
        failure: Optional[SluiceError] = None
        try:
            differences = _prove(backup, level, options, means)
        except DamageError as error:
            failure = error
        seconds = round(time.monotonic() - started, 3)
        found = [difference.as_dict() for difference in differences]
        if failure:
            found = [{"kind": "archive", "name": backup.manifest.archive, "what": failure.cause}]
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
    """The backup does not hold, while tools and server did their part."""


def _prove(backup: Backup, level: str, options: VerifyOptions, means: Means) -> list[Difference]:
    check_file(backup)
    if level == "manifest":
        return []
    if level == "archive":
        tools = find_tools(backup.manifest.tool_major * 10000, options.bin_path, means.runner)
        check_archive(backup, tools, means, options.timeout)
        return []
    if options.admin is None:
        raise SluiceError(f"restore backup {backup.id} into a scratch database", "database_url is not set")
    with means.connect(options.admin) as admin:
        tools = find_tools(admin.server_version, options.bin_path, means.runner)
        check_archive(backup, tools, means, options.timeout)
        return _restore_and_compare(backup, tools, admin, options, means)


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


def check_file(backup: Backup) -> None:
    """Compare every file of the set with its size and checksum. Raises DamageError."""
    manifest = backup.manifest
    for _name, fault in faults(backup.path, manifest.archive, manifest.files):
        raise DamageError(f"trust backup {backup.id}", fault, "Use another backup")


def check_archive(backup: Backup, tools: Tools, means: Means, timeout: Optional[float]) -> None:
    """Read the archive to its end and look for every table in its table of contents. Raises DamageError."""
    doing = f"trust backup {backup.id}"
    try:
        listing = run_tool(means.unredacted, list_argv(tools, backup.dump), doing, timeout=timeout, quiet=True)
        run_tool(means.runner, read_argv(tools, backup.dump), doing, timeout=timeout, quiet=True)
    except SluiceError as error:
        raise DamageError(doing, error.cause, "Use another backup") from error
    missing = missing_tables(backup.manifest.inventory.tables, listing.stdout)
    if missing:
        raise DamageError(doing, f"its archive lacks {', '.join(missing)}", "Use another backup")


def _restore_and_compare(
    backup: Backup, tools: Tools, admin: Database, options: VerifyOptions, means: Means
) -> list[Difference]:
    doing = f"restore backup {backup.id} into a scratch database"
    check_server_space(admin, backup.manifest.database_bytes, doing)
    drop_leftovers(admin, temporary_prefix("", SCRATCH))
    name = temporary_name("", SCRATCH)
    with temporary_database(admin, means.connect, name, backup.manifest.properties, doing):
        target = admin.url.with_database(name)
        try:
            restore_into(backup, tools, target, options.jobs, options.timeout, means, doing)
        except SluiceError as error:
            # Not its fault when the server has gone: then this raises, and nothing is said about the backup.
            admin.rows("SELECT 1")
            raise DamageError(doing, error.cause, error.remedy) from error
        found = read_inventory(target, tools, options.timeout, means, doing)
    return compare(backup.manifest.inventory, found)


def restore_into(
    backup: Backup, tools: Tools, target: DatabaseUrl, jobs: int, timeout: Optional[float], means: Means, doing: str
) -> None:
    """Restore an archive into an empty database; any error at all is one."""
    argv = restore_argv(tools, target.conninfo("sluice restore"), backup.dump, jobs)
    started = time.monotonic()
    with target.tool_environment() as env, ThreadPoolExecutor(max_workers=1) as pool:
        task = pool.submit(run_tool, means.runner, argv, doing, env=env, timeout=timeout, quiet=True)
        attend(
            task,
            lambda: means.progress.update(
                f"restore into {target.database}: {mebibytes(backup.manifest.size)} archive,"
                f" {time.monotonic() - started:.0f} s"
            ),
        )


def read_inventory(target: DatabaseUrl, tools: Tools, timeout: Optional[float], means: Means, doing: str) -> Inventory:
    """Read all that a restored database holds, in the terms of a manifest. Nobody else may be in it."""
    with means.connect(target) as database:
        tables = list_tables(database)
        contents = read_contents(
            database,
            tables,
            lambda line, done, total: means.progress.update(f"compare {target.database}: {line}", done, total),
        )
        large_objects = read_large_objects(database)
        sequences = read_sequences(database)
        extensions = read_extensions(database)
    with target.tool_environment() as env:
        schema = run_tool(
            means.unredacted, definitions_argv(tools, target.conninfo("sluice verify")), doing, env=env, timeout=timeout
        )
    return Inventory(contents, large_objects, sequences, parse_objects(schema.stdout), extensions)

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.journal._fence import still_ours
from ansible_collections.sluice.release.plugins.module_utils.postgres import _databases, _replaced, _store
from ansible_collections.sluice.release.plugins.module_utils.postgres._backup import Means
from ansible_collections.sluice.release.plugins.module_utils.postgres._client import Connect, Database, DatabaseError
from ansible_collections.sluice.release.plugins.module_utils.postgres._dump import Tools
from ansible_collections.sluice.release.plugins.module_utils.postgres._encryption import NO_KEY, Key, check_key
from ansible_collections.sluice.release.plugins.module_utils.postgres._losses import Loss, losses, read_present
from ansible_collections.sluice.release.plugins.module_utils.postgres._manifest import GLOBALS
from ansible_collections.sluice.release.plugins.module_utils.postgres._roles import (
    made_roles,
    parse_globals,
    statements_for,
    wanted_roles,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._sql import quote_identifier
from ansible_collections.sluice.release.plugins.module_utils.postgres._store import Backup
from ansible_collections.sluice.release.plugins.module_utils.postgres._target import (
    check_server,
    known_roles,
    property_roles,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import DatabaseUrl
from ansible_collections.sluice.release.plugins.module_utils.postgres._verify import (
    check_archive,
    check_files,
    differences_of,
    fitting_tools,
    opened,
    read_inventory,
    read_roles,
    restore_into,
    unlike,
    using,
)

RESTORE = "__restore_"
PREPARED = "__prepared_"

_OBJECT_IN_USE = "55006"

# Seconds between two rounds of ending sessions during the swap.
_ROUND = 0.05

# Rounds of the swap after the drain; each waits up to 5 s inside the server for the last session to go.
_ATTEMPTS = 3


@dataclass(frozen=True)
class RestoreOptions:
    """What a person asks for.

    ``admin`` may create and rename databases. ``of_database``: name of the database that the backup must be of.
    ``make_roles``: those that the server lacks, from the backup. ``drain``: seconds that transactions in the old
    database may take to end. ``timeout`` in seconds, for each run of a tool. ``state``: of the module; ``prepared`` and
    ``replaced``: the names that the first of two steps has agreed.
    """

    url: DatabaseUrl
    admin: DatabaseUrl
    path: str
    backup_id: str
    of_database: str
    make_roles: bool = False
    drain: float = 2.0
    keep_replaced: Optional[int] = None
    keep_replaced_days: Optional[int] = None
    bin_path: Optional[str] = None
    timeout: Optional[float] = None
    jobs: int = 2
    key: Key = NO_KEY
    state: str = "restored"
    prepared: Optional[str] = None
    replaced: Optional[str] = None


@dataclass(frozen=True)
class _Place:
    """What the restored database will be: properties, the roles to make before, and the name of what it replaces."""

    properties: Mapping[str, Any]
    replaced: Optional[str]
    roles: Sequence[str] = ()
    role_statements: Sequence[str] = field(default=(), repr=False)


def restore_backup(options: RestoreOptions, means: Means) -> dict[str, Any]:
    """Put a backup in the place of a database, and keep what it replaces.

    The backup is restored beside the database and compared with its manifest first. Up to the swap, an error leaves
    the database untouched, and with ``state`` prepared there is no swap, and nothing is counted that may be written
    until there is. Returns the module's result.
    """
    started = time.monotonic()
    live = options.url.database
    doing = f"restore backup {options.backup_id} as database {live}"
    backup = _store.resolve(options.path, options.backup_id, means.warn, options.of_database)
    if backup.manifest.database != options.of_database:
        raise SluiceError(
            doing,
            f"it is a backup of database {backup.manifest.database}",
            f"Choose another backup, or set of_database to {backup.manifest.database} if you mean it",
        )
    if backup.manifest.encryption:
        check_key(backup.manifest.encryption, options.key, backup.id)
    now = datetime.now(timezone.utc)
    beside = _databases.temporary_name(live, PREPARED) if options.state == "prepared" else None
    with using(backup, "restore", means), means.connect(options.admin) as admin, contextlib.ExitStack() as stack:
        tools = fitting_tools(backup, admin, options.bin_path, means, doing)
        there = _databases.exists(admin, live)
        if there and backup.manifest.schemas is not None:
            raise SluiceError(
                doing,
                f"it holds only the schemas {', '.join(backup.manifest.schemas)}, and would replace all others, too",
                "Choose a backup of the whole database, or restore it under another name",
            )
        check_files(backup)
        backup = stack.enter_context(opened(backup, options.key, means, options.timeout))
        check_archive(backup, tools, means, options.timeout, restored=not means.check_mode)
        place = _prepare(options, means, admin, tools, backup, _replaced.new_name(admin, live, now) if there else None)
        lost = count_losses(options.url, backup, means) if there and (means.check_mode or not beside) else []
        if not means.check_mode:
            with made_roles(admin, place.roles, place.role_statements, doing):
                _replace(options, means, admin, tools, backup, place, beside)
            if place.replaced and not beside:
                # Once more, now that nobody writes there: what was written up to the swap counts, too.
                lost = count_losses(options.url.with_database(place.replaced), backup, means)
        removed = [] if beside else forget(options, means, admin, place.replaced, now)
    return {
        "changed": True,
        "restored": {"database": live, "backup_id": backup.id, "created": backup.manifest.created},
        "replaced": place.replaced,
        "prepared": beside,
        "removed": removed,
        "roles": list(place.roles),
        **size_of(backup),
        "losses": [loss.as_dict() for loss in lost],
        "seconds": round(time.monotonic() - started, 3),
        "diff": {
            "before": {"database": live if there else None, **({"removed": removed} if removed else {})},
            "after": {"database": live, "backup_id": backup.id, "replaced": place.replaced},
        },
    }


def size_of(backup: Optional[Backup]) -> dict[str, Optional[int]]:
    """Say in the module's result how much the backup is."""
    if backup is None:
        return {"bytes": None, "tables": None, "rows": None}
    inventory = backup.manifest.inventory
    return {"bytes": backup.manifest.size, "tables": len(inventory.tables), "rows": inventory.rows}


def _prepare(
    options: RestoreOptions, means: Means, admin: Database, tools: Tools, backup: Backup, replaced: Optional[str]
) -> _Place:
    """Find out what is needed, and refuse a server that lacks it. Changes nothing."""
    live, manifest = options.url.database, backup.manifest
    doing = f"restore backup {backup.id} as database {live}"
    properties = _databases.read_properties(admin, live) if replaced else manifest.properties
    needed = read_roles(backup, tools, means, options.timeout) | property_roles(properties)
    known = known_roles(admin)
    absent = needed - known
    roles: list[str] = []
    statements: list[str] = []
    remedy = "create the roles there, or set globals: true if the backup has them"
    if absent and options.make_roles:
        found = parse_globals(_read_globals(backup, doing))
        roles = wanted_roles(found, absent, known)
        statements = statements_for(found, roles, known)
        absent -= set(roles)
        remedy = "create the roles there, for the backup does not know them"
    check_server(admin, manifest.inventory.extensions, manifest.properties, sorted(absent), remedy, doing)
    return _Place(properties, replaced, roles, statements)


def _read_globals(backup: Backup, doing: str) -> str:
    if GLOBALS not in backup.manifest.files:
        raise SluiceError(
            doing, "there are no roles beside it", "Create them, or choose a backup that was made with globals: true"
        )
    with open(os.path.join(backup.path, GLOBALS), encoding="utf-8") as stream:
        return stream.read()


def forget(options: RestoreOptions, means: Means, admin: Database, replaced: Optional[str], now: datetime) -> list[str]:
    """Drop what earlier restores of this database have replaced, as far as the limits keep it no more."""
    known = _replaced.list_replaced(admin, options.url.database)
    if means.check_mode and replaced:
        known.insert(0, (replaced, now))
    old = _replaced.expired(known, now, options.keep_replaced, options.keep_replaced_days)
    return old if means.check_mode else _replaced.remove(admin, old, means.warn)


def _replace(
    options: RestoreOptions,
    means: Means,
    admin: Database,
    tools: Tools,
    backup: Backup,
    place: _Place,
    beside: Optional[str],
) -> None:
    live = options.url.database
    doing = f"restore backup {backup.id} as database {live}"
    name = _databases.temporary_name(live, RESTORE)
    _databases.check_server_space(admin, backup.manifest.database_bytes, doing)
    for kind in (RESTORE, PREPARED):
        _databases.drop_leftovers(admin, _databases.temporary_prefix(live, kind))
    _databases.take_lock(admin, live, doing)
    with _databases.temporary_database(admin, means.connect, name, backup.manifest.properties, doing):
        target = options.admin.with_database(name)
        restore_into(backup, tools, target, options.jobs, options.timeout, means, doing)
        found = read_inventory(target, tools, options.timeout, means, doing, options.jobs)
        differences = differences_of(backup, found, tools, admin.server_version, means)
        if differences:
            raise unlike(backup, differences)
        with means.connect(target) as restored:
            # Without statistics the first minutes after the swap would be slow ones.
            restored.run("ANALYZE")
        _give_properties(admin, name, place.properties, doing)
        still_ours()
        means.progress.update(f"swap {name} with {live}" if not beside else f"keep {beside} for the swap")
        swap(admin, means.connect, beside or live, name, None if beside else place.replaced, options.drain)


def _give_properties(admin: Database, name: str, properties: Mapping[str, Any], doing: str) -> None:
    try:
        for statement in _databases.property_statements(name, properties):
            admin.run(statement)
    except DatabaseError as error:
        raise SluiceError(
            doing, f"the settings of the database could not be kept: {error.cause}", "Use a superuser as admin_url"
        ) from error
    found = _databases.read_properties(admin, name)
    # Locale and tablespace are those of the backup; what follows belongs to the place that it takes.
    lost = [key for key in ("owner", "connection_limit", "settings", "comment") if found[key] != properties[key]]
    # A grant to the owner alone may be spelled by its absence.
    if sorted(found["grants"] or []) != sorted(properties["grants"] or []):
        lost.append("grants")
    if lost:
        raise SluiceError(doing, f"the database would lose its {', '.join(lost)}", "Use a superuser as admin_url")


def swap(
    admin: Database, connect: Connect, live: str, restored: str, replaced: Optional[str], drain: float = 0.0
) -> None:
    """Rename ``live`` to ``replaced`` and ``restored`` to ``live``, both or neither.

    It is one transaction, and nothing but this transaction keeps others out: RENAME locks the database against new
    sessions (they wait until it ends, and then find the new one or get one error) and waits for the present ones,
    which another session ends meanwhile: at once what is idle, and after ``drain`` seconds what is in a transaction.
    So whatever kills us, the server itself takes everything back; no database is left that refuses connections.
    """
    renames = [(restored, live)]
    if replaced:
        renames.insert(0, (live, replaced))
    statements = [f"ALTER DATABASE {quote_identifier(a)} RENAME TO {quote_identifier(b)}" for a, b in renames]
    drained = time.monotonic() + drain
    attempt = 0
    while True:
        attempt += time.monotonic() >= drained
        try:
            with _ending_sessions(connect, admin.url, [live, restored], drained):
                admin.run("BEGIN")
                for statement in statements:
                    admin.run(statement)
                admin.run("COMMIT")
        except DatabaseError as error:
            with contextlib.suppress(DatabaseError):
                admin.run("ROLLBACK")
            if error.sqlstate == _OBJECT_IN_USE and attempt < _ATTEMPTS:
                continue
            if not error.sqlstate and _has_swapped(connect, admin.url, restored, live):
                return
            raise _swap_failed(admin, live, restored, error) from error
        return


def _has_swapped(connect: Connect, url: DatabaseUrl, restored: str, live: str) -> bool:
    """Ask the server what became of a COMMIT whose answer was lost."""
    try:
        with connect(url) as admin:
            return _databases.exists(admin, live) and not _databases.exists(admin, restored)
    except SluiceError as error:
        raise SluiceError(
            f"swap database {live}",
            f"the connection was lost, and the server does not answer any more ({error.cause})",
            f"When it does: if there still is a database {restored}, nothing was swapped and this can be run again;"
            " if not, the swap took place",
        ) from error


def _swap_failed(admin: Database, live: str, restored: str, error: DatabaseError) -> SluiceError:
    cause, remedy = error.cause, error.remedy or "Remove the cause, then run this again"
    with contextlib.suppress(DatabaseError):
        sessions = _databases.sessions_of(admin, [live, restored])
        if error.sqlstate == _OBJECT_IN_USE and sessions:
            named = ", ".join(
                f"{pid} ({user}, {name or 'no name'})" for pid, _database, user, name, _busy in sessions[:5]
            )
            cause += f"; sessions that stayed: {named}"
            remedy = "Grant pg_signal_backend to the user, use a superuser as admin_url, or end these sessions"
    return SluiceError(f"swap database {live}", f"{cause}. It is as it was", remedy)


@contextlib.contextmanager
def _ending_sessions(connect: Connect, url: DatabaseUrl, names: list[str], drained: float) -> Iterator[None]:
    """End the sessions in the databases, again and again, as long as the block lasts.

    Those in a transaction only from the time ``drained`` on.
    """
    done = threading.Event()

    def rounds(database: Database) -> None:
        while True:
            for pid, *_rest, busy in _databases.sessions_of(database, names):
                # One that we may not end makes the rename fail, and is named then.
                if not busy or time.monotonic() >= drained:
                    with contextlib.suppress(DatabaseError):
                        database.rows("SELECT pg_catalog.pg_terminate_backend(%s)", (pid,))
            if done.wait(_ROUND):
                return

    def work() -> None:
        # Without it the rename fails, with a cause of its own.
        with contextlib.suppress(SluiceError), connect(url) as database:
            rounds(database)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def count_losses(url: DatabaseUrl, backup: Backup, means: Means) -> list[Loss]:
    """Compare what a database holds with what the backup holds.

    A database or table that cannot be read must not stand in the way of the restore that is to mend it.
    """
    try:
        with means.connect(url) as database:
            present = read_present(
                database,
                backup.manifest.origin,
                lambda number, total, name: means.progress.update(
                    f"count losses: table {number} of {total}, {name}", number, total
                ),
            )
    except SluiceError as error:
        means.warn(f"Nobody knows what is lost: {error}")
        return []
    return losses(present, backup.manifest.inventory.tables)

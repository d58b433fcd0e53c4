# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres._client import Database, DatabaseError
from ansible_collections.sluice.release.plugins.module_utils.postgres._digest import (
    EACH_LARGE_OBJECT_SQL,
    EXTENSIONS_SQL,
    LARGE_OBJECTS_SQL,
    LOCKED_SQL,
    REWRITTEN_SQL,
    SEQUENCES_SQL,
    TABLES_SQL,
    Content,
    SequenceState,
    digest_sql,
    sequences_sql,
)

_UNDEFINED_TABLE = "42P01"
_LOCK_NOT_AVAILABLE = "55P03"

# Seconds to wait for locks that pg_dump has got already: only somebody who waits for pg_dump can be in the way.
_JOIN_WAIT = 2

# Seconds between two looks at what pg_dump has locked.
_LOOK = 0.01

# Large objects that a manifest lists one by one; of more it has the digest over all of them.
_LISTED = 1000

_QUIETER = "Run this when nobody alters, truncates or drops tables"


class DisturbedError(SluiceError):
    """Somebody altered, truncated or dropped a table in the moment in which the backup began."""


@dataclass(frozen=True)
class Table:
    """A table to read. ``name`` is quoted where it has to be; ``size`` in bytes, estimated, for progress.

    ``columns``: as the digest reads them, see TABLES_SQL.
    """

    name: str
    size: int
    oid: int
    columns: Sequence[str]


@dataclass(frozen=True)
class Snapshot:
    """One moment of a database, open to other sessions under its ``id`` as long as the block lasts."""

    id: str
    lsn: str
    origin: Optional[Mapping[str, str]]
    """What :func:`read_origin` says of it."""
    tables: Sequence[Table]


def list_tables(database: Database) -> list[Table]:
    """Return the tables whose rows belong into a backup."""
    return [Table(name, size or 0, oid, tuple(columns or ())) for name, size, oid, columns in database.rows(TABLES_SQL)]


@contextlib.contextmanager
def shared_snapshot(database: Database) -> Iterator[Snapshot]:
    """Freeze the view of a database and let pg_dump have the same. No table is locked yet."""
    database.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        snapshot, lsn = _export(database)
        yield Snapshot(snapshot, lsn, read_origin(database), list_tables(database))
    finally:
        # Nothing was written; when the connection is lost, that error is on its way already.
        with contextlib.suppress(DatabaseError):
            database.run("ROLLBACK")


def join_locks(
    database: Database, watcher: Database, snapshot: Snapshot, application: str, has_ended: Callable[[], bool]
) -> None:
    """Lock the tables of a snapshot for reading, after pg_dump (``application``) has.

    In this order, because whoever wants a table for himself waits for the first who reads it, and everybody after him
    waits for him: were we the first, pg_dump would wait for somebody who waits for us, for ever. ``watcher`` is a
    session outside the snapshot's transaction. Raises DisturbedError when digest and dump could differ.
    """
    if not snapshot.tables:
        return
    oids = [table.oid for table in snapshot.tables]
    while not has_ended() and watcher.rows(LOCKED_SQL, (application, oids)) != [(len(oids),)]:
        time.sleep(_LOOK)
    doing = f"freeze a view of {database.url.shown}"
    names = ", ".join(f"ONLY {table.name}" for table in snapshot.tables)
    try:
        database.run(f"SET LOCAL lock_timeout = '{_JOIN_WAIT}s'")
        database.run(f"LOCK TABLE {names} IN ACCESS SHARE MODE")
    except DatabaseError as error:
        if error.sqlstate in (_UNDEFINED_TABLE, _LOCK_NOT_AVAILABLE):
            raise DisturbedError(doing, error.cause, _QUIETER) from error
        raise
    rewritten = database.rows(REWRITTEN_SQL, (oids,))
    if rewritten:
        raise DisturbedError(doing, f"table {rewritten[0][0]} was altered or truncated meanwhile", _QUIETER)


def _export(database: Database) -> tuple[str, str]:
    [(snapshot,)] = database.rows("SELECT pg_catalog.pg_export_snapshot()")
    [(lsn,)] = database.rows(
        "SELECT (CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()"
        " ELSE pg_catalog.pg_current_wal_lsn() END)::pg_catalog.text"
    )
    return snapshot, lsn or ""


def read_contents(
    database: Database, tables: Sequence[Table], report: Callable[[str, float, float], None]
) -> dict[str, Content]:
    """Count and digest the rows of every table.

    ``report`` is told which table comes next, and how many of how many bytes are done.
    """
    total = sum(table.size for table in tables)
    done = 0
    contents = {}
    for number, table in enumerate(tables, start=1):
        report(f"table {number} of {len(tables)}, {table.name}", done, total)
        contents[table.name] = _content(database.rows(digest_sql(table.name, table.columns)))
        done += table.size
    return contents


@dataclass(frozen=True)
class LargeObjects:
    """``total`` over all of them; ``each`` has the digest of each by its identifier, unless they are too many."""

    total: Content
    each: Mapping[str, str]


def read_large_objects(database: Database) -> LargeObjects:
    """Count and digest the large objects."""
    [(count,)] = database.rows("SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata")
    if count > _LISTED:
        return LargeObjects(_content(database.rows(LARGE_OBJECTS_SQL)), {})
    found = database.rows(EACH_LARGE_OBJECT_SQL)
    total = sum(hashed for _oid, _digest, hashed in found)
    return LargeObjects(Content(len(found), str(total)), {oid: digest for oid, digest, _hashed in found})


def read_origin(database: Database) -> Optional[dict[str, str]]:
    """Return system, database and snapshot of this moment; inside a snapshot's transaction, of that moment.

    So that another moment of the very same database can tell what was written since. None when that cannot be told: on
    a standby, whose snapshots are of another kind, and for a user who may not know which system it is.
    """
    [(known,)] = database.rows(
        "SELECT pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')"
        " AND NOT pg_catalog.pg_is_in_recovery()"
    )
    if not known:
        return None
    [(system, oid, snapshot)] = database.rows(
        "SELECT (SELECT system_identifier::pg_catalog.text FROM pg_catalog.pg_control_system()),"
        " (SELECT oid::pg_catalog.text FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()),"
        " pg_catalog.pg_current_snapshot()::pg_catalog.text"
    )
    return {"system": system, "database": oid, "snapshot": snapshot}


def _content(rows: Sequence[tuple[Any, ...]]) -> Content:
    [(count, digest)] = rows
    return Content(int(count), str(digest))


def read_sequences(database: Database) -> dict[str, SequenceState]:
    """Return where every sequence is at this moment: sequences are outside all snapshots."""
    known = database.rows(SEQUENCES_SQL)
    if not known:
        return {}
    states = {}
    for index, last, is_called in database.rows(sequences_sql([name for name, _increment, _cycle in known])):
        name, increment, cycle = known[index]
        states[name] = SequenceState(last + increment if is_called else last, increment, cycle)
    return states


def read_extensions(database: Database) -> dict[str, str]:
    """Return the version of every extension."""
    return dict(database.rows(EXTENSIONS_SQL))


def database_size(database: Database) -> int:
    """Return the size of the database on the server's disk, in bytes."""
    [(size,)] = database.rows("SELECT pg_catalog.pg_database_size(pg_catalog.current_database())")
    return int(size)

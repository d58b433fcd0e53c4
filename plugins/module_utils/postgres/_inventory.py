# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres._client import Database, DatabaseError
from ansible_collections.sluice.release.plugins.module_utils.postgres._digest import (
    EXTENSIONS_SQL,
    LARGE_OBJECTS_SQL,
    SEQUENCES_SQL,
    TABLES_SQL,
    Content,
    SequenceState,
    digest_sql,
    sequences_sql,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._dump import LOCK_WAIT

_UNDEFINED_TABLE = "42P01"
_LOCK_NOT_AVAILABLE = "55P03"

# How often the list of tables may change under our hands before we give up.
_ATTEMPTS = 5


@dataclass(frozen=True)
class Table:
    """A table to read. ``name`` is quoted where it has to be; ``size`` in bytes, for progress."""

    name: str
    size: int


@dataclass(frozen=True)
class Snapshot:
    """One moment of a database, open to other sessions under its ``id`` as long as the block lasts."""

    id: str
    lsn: str
    tables: Sequence[Table]


def list_tables(database: Database) -> list[Table]:
    """Return the tables whose rows belong into a backup."""
    return [Table(name, size or 0) for name, size in database.rows(TABLES_SQL)]


@contextlib.contextmanager
def shared_snapshot(database: Database) -> Iterator[Snapshot]:
    """Freeze the view of a database and share it with pg_dump.

    Every table is locked (ACCESS SHARE: only ALTER, DROP and TRUNCATE wait) before the view is frozen. TRUNCATE and
    some forms of ALTER TABLE ignore snapshots, so one between the snapshot and pg_dump's own lock would make digest
    and dump differ.
    """
    tables = list_tables(database)
    for _attempt in range(_ATTEMPTS):
        database.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            # LOCK TABLE freezes nothing yet; the first query after it does.
            locked = _lock(database, tables)
            now = list_tables(database) if locked else []
            if locked and {table.name for table in now} == {table.name for table in tables}:
                yield Snapshot(*_export(database), tables=now)
                return
        finally:
            # Without effect on what was read; the error that matters is the one that is on its way.
            with contextlib.suppress(DatabaseError):
                database.run("ROLLBACK")
        tables = list_tables(database)
    raise SluiceError(
        f"freeze a view of {database.url.shown}",
        f"its list of tables changed {_ATTEMPTS} times while they were locked",
        "Run this when nobody creates or drops tables",
    )


def _lock(database: Database, tables: Sequence[Table]) -> bool:
    """Lock the tables. False when one of them has gone in the meantime."""
    if not tables:
        return True
    names = ", ".join(f"ONLY {table.name}" for table in tables)
    try:
        database.run(f"SET LOCAL lock_timeout = '{LOCK_WAIT}s'")
        database.run(f"LOCK TABLE {names} IN ACCESS SHARE MODE")
    except DatabaseError as error:
        if error.sqlstate == _UNDEFINED_TABLE:
            return False
        if error.sqlstate == _LOCK_NOT_AVAILABLE:
            raise SluiceError(
                f"lock the tables of {database.url.shown}",
                f"another session has held one of them for {LOCK_WAIT} s",
                "Wait until its ALTER TABLE or LOCK has ended",
            ) from error
        raise
    return True


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
        contents[table.name] = _content(database.rows(digest_sql(table.name)))
        done += table.size
    return contents


def read_content_or_none(database: Database, table: Table) -> Optional[Content]:
    """Count and digest the rows of a table that may be damaged; None when it cannot be read."""
    try:
        return _content(database.rows(digest_sql(table.name)))
    except DatabaseError as error:
        if not error.sqlstate:
            raise
        return None


def read_large_objects(database: Database) -> Content:
    """Count and digest the large objects."""
    return _content(database.rows(LARGE_OBJECTS_SQL))


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
    return {name: version for name, version in database.rows(EXTENSIONS_SQL)}  # noqa: C416 - rows are tuples of Any


def database_size(database: Database) -> int:
    """Return the size of the database on the server's disk, in bytes."""
    [(size,)] = database.rows("SELECT pg_catalog.pg_database_size(pg_catalog.current_database())")
    return int(size)

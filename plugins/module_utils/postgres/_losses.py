# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils.postgres._client import Database, DatabaseError
from ansible_collections.sluice.release.plugins.module_utils.postgres._digest import Content, digest_columns
from ansible_collections.sluice.release.plugins.module_utils.postgres._inventory import Table, list_tables, read_origin

_SNAPSHOT = re.compile(r"(\d+):(\d+):((?:\d+(?:,\d+)*)?)")

# Transaction numbers in rows have 32 bits and go round; two of them can be told apart within half a round.
_ROUND = 2**32

_TIME_COLUMNS_SQL = """
SELECT a.attrelid, a.attname, pg_catalog.quote_ident(a.attname) FROM pg_catalog.pg_attribute a
WHERE a.attrelid = ANY(%s::pg_catalog.oid[]) AND a.attnum > 0 AND NOT a.attisdropped
  AND a.atttypid IN ('pg_catalog.timestamp'::pg_catalog.regtype, 'pg_catalog.timestamptz'::pg_catalog.regtype)
ORDER BY a.attrelid, a.attnum
"""


@dataclass(frozen=True)
class Present:
    """What a table holds now."""

    content: Content
    changed: Optional[int] = None
    """Rows written since the backup's snapshot; None when that cannot be told."""
    newest: tuple[tuple[str, str], ...] = ()
    """(column, newest time in it) of every column that holds times, in UTC."""


@dataclass(frozen=True)
class Loss:
    """What a table loses when a backup takes the place of a database."""

    table: str
    what: str
    """``rows``: fewer rows. ``content``: as many rows or more in the backup, but others. ``table``: no such table.
    ``unreadable``: nobody knows, for the table cannot be read."""
    rows_now: Optional[int]
    rows_in_backup: int
    rows_changed: Optional[int] = None
    newest: tuple[tuple[str, str], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return {
            "table": self.table,
            "what": self.what,
            "rows_now": self.rows_now,
            "rows_in_backup": self.rows_in_backup,
            "rows_lost": None if self.rows_now is None else max(self.rows_now - self.rows_in_backup, 0),
            "rows_changed": self.rows_changed,
            "newest": [{"column": column, "time": time} for column, time in self.newest],
        }


def losses(now: Mapping[str, Optional[Present]], backup: Mapping[str, Content]) -> list[Loss]:
    """Return what is in a database now and will not be there after the restore, by table.

    ``now`` has None for a table that cannot be read.
    """
    found = []
    for table, present in sorted(now.items()):
        kept = backup.get(table)
        rows = kept.rows if kept else 0
        if present is None:
            found.append(Loss(table, "unreadable", None, rows))
            continue
        content = present.content
        if content == kept:
            continue
        what = "table" if kept is None else "rows" if content.rows > rows else "content"
        found.append(Loss(table, what, content.rows, rows, present.changed, present.newest))
    return found


def written_since_sql(snapshot: str) -> str:
    """Return the condition that a row was written by a transaction that a snapshot does not see.

    ``snapshot`` as pg_current_snapshot prints it. The condition holds for rows of the same database, and as long as no
    more than 2^31 transactions have gone by.
    """
    matched = _SNAPSHOT.fullmatch(snapshot)
    if not matched:
        raise ValueError(snapshot)
    end = int(matched[2]) % _ROUND
    running = [str(int(number) % _ROUND) for number in matched[3].split(",") if number]
    row = '"sluice row".xmin::pg_catalog.text::pg_catalog.int8'
    later = f"({row} - {end} + {_ROUND}) % {_ROUND} < {_ROUND // 2}"
    if running:
        later += f" OR {row} IN ({', '.join(running)})"
    # Numbers below 3 belong to no transaction.
    return f"{row} >= 3 AND ({later})"


def read_present(
    database: Database, origin: Optional[Mapping[str, str]], report: Callable[[int, int, str], None]
) -> dict[str, Optional[Present]]:
    """Read in one pass a table what every table holds; None for one that cannot be read.

    ``origin``: where the backup's snapshot was taken, if that is known. ``report`` is told number, total and name of
    the table that comes next.
    """
    tables = list_tables(database)
    condition = _condition(database, origin)
    columns: dict[int, list[tuple[str, str]]] = {}
    for oid, name, quoted in database.rows(_TIME_COLUMNS_SQL, ([table.oid for table in tables],)):
        columns.setdefault(oid, []).append((name, quoted))
    present: dict[str, Optional[Present]] = {}
    for number, table in enumerate(tables, start=1):
        report(number, len(tables), table.name)
        present[table.name] = _read(database, table, condition, columns.get(table.oid, []))
    return present


def _condition(database: Database, origin: Optional[Mapping[str, str]]) -> Optional[str]:
    """Return the condition of rows written since a snapshot, or None when this is not where it was taken."""
    here = read_origin(database)
    if not origin or not here:
        return None
    same = all(origin.get(key) == here[key] for key in ("system", "database"))
    # A database that came back by an earlier restore is another one: all of its rows were written then.
    if not same or _end(here["snapshot"]) - _end(origin["snapshot"]) >= _ROUND // 2:
        return None
    return written_since_sql(origin["snapshot"])


def _end(snapshot: str) -> int:
    return int(snapshot.split(":")[1])


def _read(
    database: Database, table: Table, condition: Optional[str], columns: Sequence[tuple[str, str]]
) -> Optional[Present]:
    changed = f"pg_catalog.count(*) FILTER (WHERE {condition})" if condition else "NULL"
    newest = [f'pg_catalog.max("sluice row".{quoted})::pg_catalog.text' for _name, quoted in columns]
    sql = (
        f'SELECT {", ".join([digest_columns(table.columns), changed, *newest])} FROM ONLY {table.name} AS "sluice row"'  # noqa: S608
    )
    try:
        [(rows, digest, written, *times)] = database.rows(sql)
    except DatabaseError as error:
        if not error.sqlstate:
            raise
        return None
    known = tuple((name, time) for (name, _quoted), time in zip(columns, times) if time is not None)
    return Present(Content(int(rows), str(digest)), written, known)

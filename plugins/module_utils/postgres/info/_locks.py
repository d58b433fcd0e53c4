# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Who waits for whom, which tables are closed to writers, and what was prepared and never ended."""

from __future__ import annotations

from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils.postgres.info._model import (
    Answer,
    Options,
    Question,
    hidden,
    longest,
    rounded,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._session import LookingSession
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._text import shown

# Only those who wait are asked about: pg_blocking_pids() looks at the whole table of locks. Before 14 the begin of the
# statement is the nearest thing to the begin of the wait, as it is in the first moment of a wait.
_BLOCKED = """
SELECT w.pid, a.usename, a.application_name, w.locktype, w.mode,
    (SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.oid = w.relation),
    extract(epoch FROM clock_timestamp() - COALESCE({since}, a.query_start))::float8, a.query,
    pg_blocking_pids(w.pid), a.backend_type IS NULL
FROM (SELECT DISTINCT ON (pid) * FROM pg_locks WHERE NOT granted ORDER BY pid) w
JOIN pg_stat_activity a ON a.pid = w.pid
WHERE a.datname = current_database() AND w.pid <> pg_backend_pid()
"""

_BLOCKERS = """
SELECT pid, usename, application_name, state, extract(epoch FROM clock_timestamp() - xact_start)::float8, query
FROM pg_stat_activity WHERE pid = ANY(%s)
"""

# Those of a prepared transaction are held by nobody.
_TABLE_LOCKS = """
SELECT n.nspname || '.' || c.relname, l.mode, l.pid, a.usename, a.application_name,
    extract(epoch FROM clock_timestamp() - a.xact_start)::float8
FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.granted AND l.locktype = 'relation' AND c.relkind IN ('r', 'p', 'm')
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
    AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
    AND l.pid IS DISTINCT FROM pg_backend_pid()
ORDER BY 1, 2, 3
"""

_PREPARED = """
SELECT gid, owner::text, database::text, extract(epoch FROM clock_timestamp() - prepared)::float8
FROM pg_prepared_xacts ORDER BY prepared
"""


def _blocked(session: LookingSession, options: Options) -> Answer:
    since = "w.waitstart" if session.has("lock_waitstart") else "NULL::timestamptz"
    waiting = session.rows(_BLOCKED.format(since=since))
    pids = sorted({pid for row in waiting for pid in row[8] if pid})
    blockers = {row[0]: row for row in session.rows(_BLOCKERS, (pids,))} if pids else {}
    found = [
        {
            "pid": pid,
            "user": user,
            "application": application,
            "seconds": rounded(seconds),
            "locktype": locktype,
            "mode": mode,
            "relation": relation,
            "query": shown(query),
            "blocked_by": [_blocker(other, blockers.get(other)) for other in sorted(set(holders))],
        }
        for pid, user, application, locktype, mode, relation, seconds, query, holders, _hidden in waiting
        # Who waited when we began to look, and waits no more.
        if holders
    ]
    found.sort(key=lambda row: -(row["seconds"] or 0))
    # That they wait is known of all, but since when is not.
    unseen = sum(row["seconds"] is None for row in found)
    return Answer(
        {
            "blocked_sessions": found[: options.top],
            "blocked_sessions_count": len(found),
            "blocked_longest_seconds": None if unseen else longest(found),
        },
        hidden(unseen, "blocked_longest_seconds"),
    )


def _blocker(pid: int, row: Optional[tuple[Any, ...]]) -> dict[str, Any]:
    """One who blocks. PostgreSQL gives 0 for a prepared transaction, which has no session."""
    _pid, user, application, state, seconds, query = row or (pid, None, None, None, None, None)
    return {
        "pid": pid or None,
        "user": user,
        "application": application,
        "state": state if pid else "prepared transaction",
        "transaction_seconds": rounded(seconds),
        "query": shown(query),
    }


def _table_locks(session: LookingSession, options: Options) -> Answer:
    found = [
        {
            "table": table,
            "mode": mode,
            "pid": pid,
            "user": user,
            "application": application,
            "transaction_seconds": rounded(seconds),
        }
        for table, mode, pid, user, application, seconds in session.rows(_TABLE_LOCKS)
    ]
    return Answer({"table_locks": found[: options.top], "table_locks_count": len(found)})


def _prepared(session: LookingSession, options: Options) -> Answer:
    found = [
        {"gid": gid, "owner": owner, "database": database, "seconds": rounded(seconds)}
        for gid, owner, database, seconds in session.rows(_PREPARED)
    ]
    return Answer(
        {
            "prepared_transactions": found[: options.top],
            "prepared_transactions_count": len(found),
            "prepared_transactions_oldest_seconds": longest(found),
        }
    )


LOCKS = (
    Question(("blocked_sessions", "blocked_sessions_count", "blocked_longest_seconds"), _blocked),
    Question(("table_locks", "table_locks_count"), _table_locks),
)
PREPARED = (
    Question(
        ("prepared_transactions", "prepared_transactions_count", "prepared_transactions_oldest_seconds"), _prepared
    ),
)

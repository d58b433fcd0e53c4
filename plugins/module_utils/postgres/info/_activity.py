# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Who is connected against every limit that holds, and what takes long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils.postgres._sql import quote_identifier
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._model import (
    Answer,
    Options,
    Question,
    hidden,
    longest,
    ratio,
    rounded,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._session import (
    LookingSession,
    UnreadableError,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._text import shown

_NO_LIMIT = -1

# What counts against max_connections, but for this session. Of a session that may not be looked into, not even the
# kind is known; one with a database and a user is taken for a client.
_SESSIONS = """
SELECT a.datname = current_database(), a.usename, a.backend_type IS NULL, a.state, count(*),
    max(extract(epoch FROM clock_timestamp() - a.state_change))::float8
FROM pg_stat_activity a
WHERE a.pid <> pg_backend_pid() AND a.datid IS NOT NULL AND a.usesysid IS NOT NULL
    AND COALESCE(a.backend_type, 'client backend') = 'client backend'
GROUP BY 1, 2, 3, 4
"""

_LIMITS = """
SELECT current_setting('max_connections')::int, current_setting('superuser_reserved_connections')::int + {reserved},
    d.datconnlimit, w.role, (SELECT rolconnlimit FROM pg_roles WHERE rolname = w.role)
FROM pg_database d, (SELECT COALESCE(%s::name, current_user) AS role) w WHERE d.datname = current_database()
"""

_RUNNING = """
SELECT pid, usename, application_name, state, wait_event_type || ':' || wait_event,
    extract(epoch FROM clock_timestamp() - query_start)::float8,
    extract(epoch FROM clock_timestamp() - xact_start)::float8, query, backend_type IS NULL
FROM pg_stat_activity
WHERE datid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()
    AND usesysid IS NOT NULL AND COALESCE(backend_type, 'client backend') = 'client backend'
"""


@dataclass(frozen=True)
class Group:
    """Sessions that are alike."""

    here: bool
    """Whether they are in this database."""
    role: str
    is_hidden: bool
    state: Optional[str]
    count: int
    seconds: Optional[float]
    """The longest time that one of them has been in its state."""


@dataclass(frozen=True)
class Limits:
    """How many sessions there may be; None: as many as the server takes."""

    server: int
    reserved: int
    database: Optional[int]
    role: Optional[int]
    pool: Optional[int]


def connections(groups: list[Group], limits: Limits, role: str) -> dict[str, Any]:
    """Hold the sessions against every limit. ``role`` is the one whose own limit, and pool, is meant."""
    states: Counter[str] = Counter()
    for group in groups:
        states["hidden" if group.is_hidden else group.state or "unknown"] += group.count
    used = {
        "server": sum(group.count for group in groups),
        "database": sum(group.count for group in groups if group.here),
        "role": sum(group.count for group in groups if group.role == role),
        "pool": sum(group.count for group in groups if group.here and group.role == role),
    }
    usable = limits.server - limits.reserved
    limit: dict[str, Optional[int]] = {
        "server": usable,
        "database": limits.database,
        "role": limits.role,
        "pool": limits.pool,
    }
    ratios = {name: ratio(used[name], limit[name]) for name in used}
    tightest = max((name for name in ratios if ratios[name] is not None), key=lambda name: ratios[name] or 0)
    waiting = [{"seconds": group.seconds} for group in groups if (group.state or "").startswith("idle in transaction")]
    unseen = bool(states["hidden"])
    return {
        "connections_max": limits.server,
        "connections_reserved": limits.reserved,
        "connections_limit": usable,
        "connections_used": used["server"],
        "connections_free": usable - used["server"],
        "connections_used_ratio": ratios["server"],
        "connections_by_state": {state: count for state, count in sorted(states.items()) if count},
        "connections_active": None if unseen else states["active"],
        "connections_idle": None if unseen else states["idle"],
        "connections_idle_in_transaction": None
        if unseen
        else states["idle in transaction"] + states["idle in transaction (aborted)"],
        "connections_idle_in_transaction_max_seconds": None if unseen else rounded(longest(waiting)),
        "connections_database_used": used["database"],
        "connections_database_limit": limit["database"],
        "connections_database_used_ratio": ratios["database"],
        "connections_role": role,
        "connections_role_used": used["role"],
        "connections_role_limit": limit["role"],
        "connections_role_used_ratio": ratios["role"],
        "pool_used": used["pool"],
        "pool_size": limit["pool"],
        "pool_used_ratio": ratios["pool"],
        "connections_tightest": tightest,
        "connections_tightest_ratio": ratios[tightest],
    }


def _connections(session: LookingSession, options: Options) -> Answer:
    reserved = "current_setting('reserved_connections')::int" if session.has("reserved_connections") else "0"
    groups = [Group(*row) for row in session.rows(_SESSIONS)]
    [(server, kept, database, role, own)] = session.rows(_LIMITS.format(reserved=reserved), (options.pool_role,))
    limits = Limits(
        server=server,
        reserved=kept,
        database=None if database == _NO_LIMIT else database,
        role=None if own in (None, _NO_LIMIT) else own,
        pool=options.pool_size,
    )
    values = connections(groups, limits, role)
    unseen = sum(group.count for group in groups if group.is_hidden)
    return Answer(
        values,
        hidden(
            unseen,
            "connections_active",
            "connections_idle",
            "connections_idle_in_transaction",
            "connections_idle_in_transaction_max_seconds",
        ),
    )


def _slow(session: LookingSession, options: Options) -> Answer:
    found, running, transactions, unseen = [], [], [], 0
    for pid, user, application, state, wait, seconds, transaction, query, is_hidden in session.rows(_RUNNING):
        unseen += is_hidden
        if state in ("active", "fastpath function call"):
            running.append({"seconds": rounded(seconds)})
            if seconds is not None and seconds >= options.slow_seconds:
                found.append(
                    {
                        "pid": pid,
                        "user": user,
                        "application": application,
                        "seconds": rounded(seconds),
                        "wait": wait,
                        "query": shown(query),
                    }
                )
        if transaction is not None:
            transactions.append({"seconds": rounded(transaction)})
    found.sort(key=lambda row: -row["seconds"])
    numbers = {
        "slow_queries_count": len(found),
        "longest_query_seconds": longest(running),
        "longest_transaction_seconds": longest(transactions),
    }
    return Answer(
        {
            "slow_queries": found[: options.top],
            "sessions_hidden": unseen,
            **(dict.fromkeys(numbers) if unseen else numbers),
        },
        hidden(unseen, *numbers),
    )


def time_columns(version: str) -> Mapping[str, str]:
    """Return how a version of pg_stat_statements calls its times; a database may have an older one than its server."""
    numbers = tuple(int(part) for part in version.split(".") if part.isdigit())
    infix = "exec_time" if numbers >= (1, 8) else "time"
    return {word: f"{word}_{infix}" for word in ("mean", "max", "total")}


def _statements(session: LookingSession, options: Options) -> Answer:
    installed = session.rows(
        "SELECT e.extversion, n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
        " WHERE e.extname = 'pg_stat_statements'"
    )
    if not installed:
        raise UnreadableError("this database has no extension pg_stat_statements")
    [(version, schema)] = installed
    columns = time_columns(version)
    found = session.rows(
        f"SELECT query, calls, {columns['mean']}, {columns['max']}, {columns['total']}, rows"  # noqa: S608
        f" FROM {quote_identifier(schema)}.pg_stat_statements"
        " WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
        f" ORDER BY {columns['mean']} DESC LIMIT %s",
        (options.top,),
    )
    statements = [
        {
            "query": shown(query),
            "calls": calls,
            "mean_ms": rounded(mean),
            "max_ms": rounded(most),
            "total_ms": rounded(total),
            "rows": rows,
        }
        for query, calls, mean, most, total, rows in found
    ]
    return Answer({"statements": statements, "statements_slowest_mean_ms": longest(statements, "mean_ms")})


CONNECTIONS = (
    Question(
        (
            "connections_max",
            "connections_reserved",
            "connections_limit",
            "connections_used",
            "connections_free",
            "connections_used_ratio",
            "connections_by_state",
            "connections_active",
            "connections_idle",
            "connections_idle_in_transaction",
            "connections_idle_in_transaction_max_seconds",
            "connections_database_used",
            "connections_database_limit",
            "connections_database_used_ratio",
            "connections_role",
            "connections_role_used",
            "connections_role_limit",
            "connections_role_used_ratio",
            "pool_used",
            "pool_size",
            "pool_used_ratio",
            "connections_tightest",
            "connections_tightest_ratio",
        ),
        _connections,
    ),
)
SLOW = (
    Question(
        (
            "slow_queries",
            "slow_queries_count",
            "longest_query_seconds",
            "longest_transaction_seconds",
            "sessions_hidden",
        ),
        _slow,
    ),
)
STATEMENTS = (Question(("statements", "statements_slowest_mean_ms"), _statements),)

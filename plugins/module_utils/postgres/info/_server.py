# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the server is, how quickly it answers, how large the database is, and how far from a wraparound."""

from __future__ import annotations

from ansible_collections.sluice.release.plugins.module_utils._clock import utc_text
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._model import (
    Answer,
    Options,
    Question,
    median,
    ratio,
    rounded,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._session import LookingSession

_PROVIDERS = {"c": "libc", "i": "icu", "b": "builtin", "d": "default"}

# Transaction ids are compared modulo 2^32, so at 2^31 the oldest row would lie in the future.
_WRAPAROUND = 2**31


def _server(session: LookingSession, _options: Options) -> Answer:
    provider = "d.datlocprovider::text" if session.has("locale_provider") else "'c'"
    [(name, user, version, standby, started, uptime, encoding, collate, ctype, provided_by, monitor)] = session.rows(
        "SELECT d.datname, current_user, current_setting('server_version'), pg_is_in_recovery(),"  # noqa: S608
        " extract(epoch FROM pg_postmaster_start_time())::float8,"
        " extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8,"
        f" pg_encoding_to_char(d.encoding), d.datcollate::text, d.datctype::text, {provider},"
        " pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')"
        " FROM pg_database d WHERE d.datname = current_database()"
    )
    return Answer(
        {
            "database": name,
            "user": user,
            # Debian's packages add words of their own.
            "server_version": version.split(" ")[0],
            "server_version_num": session.server_version,
            "in_recovery": standby,
            "server_started": utc_text(started),
            "uptime_seconds": rounded(uptime, 0),
            "encoding": encoding,
            "locale_collate": collate,
            "locale_ctype": ctype,
            "locale_provider": _PROVIDERS.get(provided_by, provided_by),
            "sees_all_sessions": monitor,
        }
    )


def _collation(session: LookingSession, _options: Options) -> Answer:
    """When the operating system sorts text in a new way, indexes made in the old way miss rows."""
    if not session.has("collation_version"):
        return Answer({"collation_version_matches": None})
    [(matches,)] = session.rows(
        "SELECT datcollversion = pg_database_collation_actual_version(oid)"
        " FROM pg_database WHERE datname = current_database()"
    )
    return Answer({"collation_version_matches": matches})


def _latency(session: LookingSession, options: Options) -> Answer:
    samples = [session.select_1_ms() for _number in range(max(1, options.samples))]
    return Answer(
        {
            "connect_ms": rounded(session.connect_ms),
            "latency_p50_ms": rounded(median(samples)),
            "latency_max_ms": rounded(max(samples)),
            "latency_samples_ms": [rounded(sample) for sample in samples],
        }
    )


def _size(session: LookingSession, options: Options) -> Answer:
    [(size,)] = session.rows("SELECT pg_database_size(current_database())")
    before = options.baseline_size_bytes
    growth = None if before is None else size - before
    return Answer(
        {
            "database_size_bytes": size,
            "database_growth_bytes": growth,
            "database_growth_ratio": None if growth is None or not before else round(growth / before, 4),
        }
    )


def _largest(session: LookingSession, options: Options) -> Answer:
    """From the statistics: the functions for sizes open each table, and would wait for whoever alters it."""
    found = session.rows(
        "SELECT n.nspname || '.' || c.relname, c.relpages::bigint * current_setting('block_size')::int,"
        " greatest(c.reltuples, 0)::bigint, s.n_live_tup, s.n_dead_tup"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid"
        " WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
        " AND n.nspname NOT LIKE 'pg\\_toast%%' AND c.relpages > 0 ORDER BY c.relpages DESC, 1 LIMIT %s",
        (options.top,),
    )
    tables = [
        {"table": table, "size_bytes": size, "rows": count, "dead_ratio": ratio(dead, (live or 0) + (dead or 0))}
        for table, size, count, live, dead in found
    ]
    return Answer({"largest_tables": tables})


def _wraparound(session: LookingSession, _options: Options) -> Answer:
    [(database, age, multixact, limit)] = session.rows(
        "SELECT datname, age(datfrozenxid), max(mxid_age(datminmxid)) OVER (),"
        " current_setting('autovacuum_freeze_max_age')::bigint FROM pg_database ORDER BY 2 DESC, 1 LIMIT 1"
    )
    return Answer(
        {
            "wraparound_age_xids": age,
            "wraparound_ratio": ratio(age, _WRAPAROUND),
            "wraparound_database": database,
            "wraparound_age_multixacts": multixact,
            "wraparound_multixact_ratio": ratio(multixact, _WRAPAROUND),
            "wraparound_autovacuum_ratio": ratio(age, limit),
        }
    )


def _extensions(session: LookingSession, _options: Options) -> Answer:
    return Answer({"extensions": dict(session.rows("SELECT extname, extversion FROM pg_extension ORDER BY 1"))})


SERVER = (
    Question(
        (
            "database",
            "user",
            "server_version",
            "server_version_num",
            "in_recovery",
            "server_started",
            "uptime_seconds",
            "encoding",
            "locale_collate",
            "locale_ctype",
            "locale_provider",
            "sees_all_sessions",
        ),
        _server,
    ),
    Question(("collation_version_matches",), _collation),
)
LATENCY = (Question(("connect_ms", "latency_p50_ms", "latency_max_ms", "latency_samples_ms"), _latency),)
SIZE = (
    Question(("database_size_bytes", "database_growth_bytes", "database_growth_ratio"), _size),
    Question(("largest_tables",), _largest),
)
WRAPAROUND = (
    Question(
        (
            "wraparound_age_xids",
            "wraparound_ratio",
            "wraparound_database",
            "wraparound_age_multixacts",
            "wraparound_multixact_ratio",
            "wraparound_autovacuum_ratio",
        ),
        _wraparound,
    ),
)
EXTENSIONS = (Question(("extensions",), _extensions),)

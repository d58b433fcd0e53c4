# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Does PostgreSQL answer to the URL that the application will use?"""

from __future__ import annotations

import contextlib
import time

from ansible_collections.sluice.release.plugins.module_utils._runner import redact
from ansible_collections.sluice.release.plugins.module_utils.preflight._model import Finding, Kind, Params

_TABLES = """
SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast'
"""


def look(params: Params) -> Finding:
    import psycopg2  # the module has made sure that it is there

    url = params["url"]
    limit = max(1, round(params["timeout"]))
    try:
        with (
            contextlib.closing(
                psycopg2.connect(
                    url,
                    connect_timeout=limit,
                    application_name="sluice_preflight",
                    # Milliseconds until a server that went away is noticed.
                    tcp_user_timeout=limit * 1000,
                )
            ) as connection,
            connection.cursor() as cursor,
        ):
            started = time.monotonic()
            cursor.execute("SELECT 1")
            cursor.fetchone()
            latency = (time.monotonic() - started) * 1000
            cursor.execute("SELECT current_setting('server_version'), current_database(), pg_is_in_recovery()")
            version, database, standby = cursor.fetchone() or ("?", "?", False)
            cursor.execute(_TABLES)
            (tables,) = cursor.fetchone() or (0,)
    except psycopg2.Error as error:
        return Finding(False, f"PostgreSQL does not let us in: {_reason(str(error), url)}")
    value = {
        "latency_ms": round(latency, 1),
        "server_version": version.split(" ")[0],
        "database": database,
        "tables": tables,
        "standby": standby,
    }
    if standby:
        return Finding(False, f"database {database} is on a standby, which cannot be written to", value)
    most = params["max_latency_ms"]
    if most is not None and latency > most:
        return Finding(
            False, f"database {database} took {latency:.0f} ms for SELECT 1, at most {most:g} ms are allowed", value
        )
    return Finding(
        True, f"database {database} on PostgreSQL {value['server_version']} answered in {latency:.1f} ms", value
    )


def _reason(text: str, url: str) -> str:
    """The driver's own words on one line, without what must not be seen."""
    lines = [line.strip() for line in redact(text, [url]).splitlines() if line.strip()]
    return "; ".join(lines).replace("FATAL:  ", "").rstrip(".")


KIND = Kind(
    options={"url": {"type": "str", "no_log": True}, "max_latency_ms": {"type": "float"}},
    look=look,
    required=("url",),
    libraries=("psycopg2",),
)

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Does PostgreSQL answer to the URL that the application will use?"""

from __future__ import annotations

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import parse_url
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._gather import ask
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._model import Options
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._session import looking
from ansible_collections.sluice.release.plugins.module_utils.preflight._model import Finding, Kind, Params

_SUBJECTS = ("server", "latency", "objects", "connections")


def look(params: Params) -> Finding:
    timeout = params["timeout"]
    try:
        with looking(parse_url(params["url"], "url"), timeout, timeout) as session:
            found = ask(session, _SUBJECTS, Options(samples=3))
    except SluiceError as error:
        return Finding(False, f"PostgreSQL does not let us in: {error.cause.rstrip('.')}")
    value = {
        "connect_ms": found["connect_ms"],
        "latency_ms": found["latency_p50_ms"],
        "server_version": found["server_version"],
        "database": found["database"],
        "tables": found["tables_count"],
        "indexes": found["indexes_count"],
        "connections_free": found["connections_free"],
        "standby": found["in_recovery"],
    }
    database, latency, most = found["database"], found["latency_p50_ms"], params["max_latency_ms"]
    if found["in_recovery"]:
        return Finding(False, f"database {database} is on a standby, which cannot be written to", value)
    if most is not None and latency > most:
        return Finding(
            False, f"database {database} took {latency:.0f} ms for SELECT 1, at most {most:g} ms are allowed", value
        )
    return Finding(
        True,
        f"database {database} on PostgreSQL {value['server_version']} answered in {latency:.1f} ms, "
        f"and has {value['tables']} tables",
        value,
    )


KIND = Kind(
    options={"url": {"type": "str", "no_log": True}, "max_latency_ms": {"type": "float"}},
    look=look,
    required=("url",),
    libraries=("psycopg2",),
    group="database",
)

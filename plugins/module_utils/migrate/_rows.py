# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres._client import Connect
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import DatabaseUrl

# The sizes are those of the last VACUUM or ANALYZE: to know better would wait for whoever holds a table.
_TABLES_SQL = """
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), c.relpages * 8192::pg_catalog.int8
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY 1
"""

# Seconds to wait for a table that somebody holds, and for all the counting: it is evidence, not part of the migration.
_LOCK_TIMEOUT = "1s"
_STATEMENT_TIMEOUT = "30s"

# Tables that the result names.
_NAMED = 50


def count_rows(connect: Connect, url: DatabaseUrl, limit: float) -> Optional[dict[str, int]]:
    """Return the number of rows of every table; None when it would cost too much, or cannot be known.

    ``limit`` in bytes, for all tables together.
    """
    try:
        with connect(url) as database:
            tables = database.rows(_TABLES_SQL)
            if sum(size for _name, size in tables) > limit:
                return None
            for name, value in (("lock_timeout", _LOCK_TIMEOUT), ("statement_timeout", _STATEMENT_TIMEOUT)):
                database.rows("SELECT pg_catalog.set_config(%s, %s, false)", (name, value))
            return {name: database.rows(f"SELECT pg_catalog.count(*) FROM ONLY {name}")[0][0] for name, _size in tables}  # noqa: S608 - quoted by the server
    except SluiceError:
        return None


def compare_rows(before: Optional[Mapping[str, int]], after: Optional[Mapping[str, int]]) -> Optional[dict[str, Any]]:
    """Return what became of the tables; None when it is not known of both moments.

    A table that is gone has null rows after, a new one null rows before.
    """
    if before is None or after is None:
        return None
    changed = [
        {"table": name, "before": before.get(name), "after": after.get(name)}
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]
    return {
        "tables_before": len(before),
        "tables_after": len(after),
        "before": sum(before.values()),
        "after": sum(after.values()),
        "changed": changed[:_NAMED],
    }

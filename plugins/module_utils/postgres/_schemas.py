# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres._client import Database
from ansible_collections.sluice.release.plugins.module_utils.postgres._sql import split_names

# Every schema that is not the server's own, and the extensions that lie in it.
_SCHEMAS_SQL = """
SELECT n.nspname::pg_catalog.text, COALESCE(pg_catalog.array_agg(e.extname::pg_catalog.text ORDER BY e.extname)
                                            FILTER (WHERE e.oid IS NOT NULL), '{}')
FROM pg_catalog.pg_namespace n LEFT JOIN pg_catalog.pg_extension e ON e.extnamespace = n.oid
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
GROUP BY 1 ORDER BY 1
"""

# Size on disk of what lies in schemas, by the same estimate as that of the tables (see _digest).
_SIZE_SQL = """
SELECT COALESCE(pg_catalog.sum(GREATEST(c.relpages, 0) + GREATEST(COALESCE(t.relpages, 0), 0)), 0) * 8192
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid
WHERE n.nspname::pg_catalog.text = ANY(%s)
"""


# Schemas that a message names.
_NAMED = 10


@dataclass(frozen=True)
class Selection:
    """Which schemas a backup holds. ``held`` is None when it holds the whole database."""

    held: Optional[tuple[str, ...]] = None
    left_out: frozenset[str] = frozenset()

    def holds(self, name: str) -> bool:
        """Whether a table or sequence (``schema.name``, quoted where it has to be) is in the backup."""
        return split_names(name, ".")[0] not in self.left_out


def read_schemas(database: Database) -> dict[str, list[str]]:
    """Return the schemas of a database, and which extensions lie in each."""
    return {name: list(extensions) for name, extensions in database.rows(_SCHEMAS_SQL)}


def held_size(database: Database, held: Sequence[str]) -> int:
    """Return about how many bytes of the server's disk belong to schemas."""
    [(size,)] = database.rows(_SIZE_SQL, (list(held),))
    return int(size)


def select_schemas(
    found: Mapping[str, Sequence[str]], wanted: Sequence[str], unwanted: Sequence[str], doing: str
) -> Selection:
    """Choose schemas by glob patterns: those that are ``wanted`` (none: all) without those that are ``unwanted``.

    ``found`` has the extensions in each schema. SluiceError when a wanted pattern fits nothing, when nothing is left,
    or when the backup could not be restored.
    """
    if not wanted and not unwanted:
        return Selection()
    for pattern in wanted:
        if not any(fnmatchcase(name, pattern) for name in found):
            there = ", ".join(list(found)[:_NAMED]) or "none"
            raise SluiceError(doing, f"no schema is named like {pattern}", f"Correct schemas; the first are {there}")
    held = tuple(name for name in found if (not wanted or _fits(name, wanted)) and not _fits(name, unwanted))
    if not held:
        raise SluiceError(doing, "schemas and exclude_schemas leave no schema", "Correct one of them")
    # Extensions come back with every backup. The schema public is in every new database; any other must be in it, too.
    for name in found:
        if name not in held and name != "public" and found[name]:
            raise SluiceError(
                doing,
                f"schema {name} is left out, and without it its extension {found[name][0]} could not be restored",
                f"Add {name} to schemas, or take it out of exclude_schemas",
            )
    return Selection(held, frozenset(found).difference(held))


def _fits(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)

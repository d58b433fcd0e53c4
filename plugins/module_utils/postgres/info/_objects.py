# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Tables and indexes: how many, whether those that are needed are there, and whether the indexes can be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres._sql import split_names
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._model import Answer, Options, Question
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._session import LookingSession

_OURS = "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'"

# Partitions count: so they do in information_schema and for psql.
_TABLES = f"""
SELECT n.nspname, count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND {_OURS} GROUP BY 1 ORDER BY 1
"""  # noqa: S608

_INDEXES = f"""
SELECT n.nspname, count(*),
    count(*) FILTER (WHERE NOT EXISTS (
        SELECT FROM pg_constraint k WHERE k.conindid = c.oid AND k.contype IN ('p', 'u', 'x')))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('i', 'I') AND {_OURS} GROUP BY 1 ORDER BY 1
"""  # noqa: S608

_MISSING_RELATIONS = """
SELECT w.number FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS w(schema, name, number)
WHERE NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = w.schema AND c.relname = w.name AND c.relkind::text = ANY(%s)) ORDER BY 1
"""

_MISSING_COLUMNS = """
SELECT w.number FROM unnest(%s::text[], %s::text[], %s::text[]) WITH ORDINALITY AS w(schema, name, attribute, number)
WHERE NOT EXISTS (SELECT FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = w.schema AND c.relname = w.name AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND a.attname = w.attribute AND a.attnum > 0 AND NOT a.attisdropped) ORDER BY 1
"""

# An index that is being made is not valid yet. Who makes it is seen by everybody; which one, by few.
_INVALID = f"""
SELECT n.nspname || '.' || i.relname, n.nspname || '.' || t.relname,
    EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.oid)
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
JOIN pg_namespace n ON n.oid = i.relnamespace
WHERE NOT (x.indisvalid AND x.indisready AND x.indislive) AND {_OURS} ORDER BY 1
"""  # noqa: S608

_KINDS = {"tables": ("r", "p", "v", "m", "f"), "indexes": ("i", "I")}


def parts_of(kind: str, name: str) -> list[str]:
    """Return (schema, table or index) or (schema, table, column) of a name. Raises SluiceError when it is none."""
    parts = split_names(name, ".")
    shape = "schema.table.column" if kind == "columns" else f"schema.{'table' if kind == 'tables' else 'index'}"
    if len(parts) != shape.count(".") + 1 or not all(parts):
        raise SluiceError(f"use {name} of required.{kind}", "it is no full name", f"Write it as {shape}")
    return parts


def _missing(session: LookingSession, kind: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    columns = [list(column) for column in zip(*(parts_of(kind, name) for name in names))]
    if kind == "columns":
        found = session.rows(_MISSING_COLUMNS, columns)
    else:
        found = session.rows(_MISSING_RELATIONS, (*columns, list(_KINDS[kind])))
    return [names[number - 1] for (number,) in found]


def _objects(session: LookingSession, options: Options) -> Answer:
    wanted = options.schemas
    tables: Counter[str] = Counter(dict.fromkeys(wanted or (), 0))
    indexes: Counter[str] = Counter(dict.fromkeys(wanted or (), 0))
    secondary = 0
    for schema, count in session.rows(_TABLES):
        if wanted is None or schema in wanted:
            tables[schema] = count
    for schema, count, unconstrained in session.rows(_INDEXES):
        if wanted is None or schema in wanted:
            indexes[schema] = count
            secondary += unconstrained
    counts = {
        "tables": sum(tables.values()),
        "indexes": sum(indexes.values()),
        "secondary_indexes": secondary,
    }
    differences = {
        kind: {"expected": number, "found": counts[kind]}
        for kind, number in options.expected.items()
        if number is not None and number != counts[kind]
    }
    expected = any(number is not None for number in options.expected.values())
    return Answer(
        {
            "tables_count": counts["tables"],
            "indexes_count": counts["indexes"],
            "indexes_secondary_count": counts["secondary_indexes"],
            "tables_by_schema": dict(tables),
            "indexes_by_schema": dict(indexes),
            "counts_as_expected": not differences if expected else None,
            "counts_different": differences,
        }
    )


def _required(session: LookingSession, options: Options) -> Answer:
    kinds = ("tables", "columns", "indexes")
    missing = {kind: _missing(session, kind, options.required.get(kind) or ()) for kind in kinds}
    asked = any(options.required.get(kind) for kind in kinds)
    count = sum(map(len, missing.values()))
    return Answer(
        {**{f"{kind}_missing": missing[kind] for kind in kinds}, "required_missing_count": count if asked else None}
    )


def _invalid(session: LookingSession, _options: Options) -> Answer:
    found = [
        {"index": index, "table": table, "building": building} for index, table, building in session.rows(_INVALID)
    ]
    return Answer({"indexes_invalid": found, "indexes_invalid_count": sum(not row["building"] for row in found)})


OBJECTS = (
    Question(
        (
            "tables_count",
            "indexes_count",
            "indexes_secondary_count",
            "tables_by_schema",
            "indexes_by_schema",
            "counts_as_expected",
            "counts_different",
        ),
        _objects,
    ),
    Question(("tables_missing", "columns_missing", "indexes_missing", "required_missing_count"), _required),
)
INDEXES = (Question(("indexes_invalid", "indexes_invalid_count"), _invalid),)

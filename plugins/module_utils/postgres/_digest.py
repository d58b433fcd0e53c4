# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# Tables whose rows pg_dump dumps. Partitioned tables hold no rows of their own, materialised views are computed
# again at a restore, and what belongs to an extension comes from CREATE EXTENSION. The size is an estimate: to know it,
# pg_table_size would wait for whoever holds the table.
#
# Last come the columns as the digest reads them. The usual types are hashed as they are, or by their bytes, which takes
# less than half of the time that their text takes. By their bytes those whose own hash is blind: to the sign of a
# numeric and to its zeros, and to what distinguishes 1 from 2^32. All others as text: the hash of an enum changes with
# a restore, json has none, and so on.
TABLES_SQL = """
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), c.relpages * 8192::pg_catalog.int8, c.oid,
    (SELECT pg_catalog.array_agg(pg_catalog.format(CASE
         WHEN a.atttypid = 'int8'::pg_catalog.regtype THEN 'pg_catalog.int8send("sluice row".%I)'
         WHEN a.atttypid = 'timestamp'::pg_catalog.regtype THEN 'pg_catalog.timestamp_send("sluice row".%I)'
         WHEN a.atttypid = 'timestamptz'::pg_catalog.regtype THEN 'pg_catalog.timestamptz_send("sluice row".%I)'
         WHEN a.atttypid = 'numeric'::pg_catalog.regtype THEN 'pg_catalog.numeric_send("sluice row".%I)'
         WHEN a.atttypid = ANY('{bool,bytea,date,int2,int4,name,oid,uuid}'::pg_catalog.regtype[])
             THEN '"sluice row".%I'
         WHEN a.atttypid = ANY('{text,varchar}'::pg_catalog.regtype[])
             OR (a.atttypid = 'bpchar'::pg_catalog.regtype AND a.atttypmod > 0)
             THEN '"sluice row".%I COLLATE "C"'
         WHEN a.atttypid = 'bpchar'::pg_catalog.regtype
             THEN 'ROW("sluice row".%I)::pg_catalog.text COLLATE "C"' -- a cast alone takes spaces off
         ELSE '"sluice row".%I::pg_catalog.text COLLATE "C"' END, a.attname) ORDER BY a.attnum)
     FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1
"""

# TRUNCATE and some forms of ALTER TABLE ignore snapshots: the rows are gone for everybody at once. The catalogue table
# is read in the snapshot, the function tells the present.
REWRITTEN_SQL = """
SELECT c.relname FROM pg_catalog.pg_class c
WHERE c.oid = ANY(%s::pg_catalog.oid[]) AND c.relfilenode IS DISTINCT FROM pg_catalog.pg_relation_filenode(c.oid)
"""

# How many of these tables a session has locked for reading.
LOCKED_SQL = """
SELECT pg_catalog.count(DISTINCT l.relation) FROM pg_catalog.pg_locks l
JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE a.application_name = %s AND l.granted AND l.locktype = 'relation' AND l.mode = 'AccessShareLock'
  AND l.relation = ANY(%s::pg_catalog.oid[])
"""

SEQUENCES_SQL = """
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), s.seqincrement, s.seqcycle
FROM pg_catalog.pg_sequence s
JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1
"""

EXTENSIONS_SQL = "SELECT extname, extversion FROM pg_catalog.pg_extension ORDER BY 1"

# The object identifier belongs to the content: tables refer to large objects by it.
LARGE_OBJECTS_SQL = """
SELECT pg_catalog.count(*), COALESCE(pg_catalog.sum(pg_catalog.hashtextextended(
    oid::pg_catalog.text || ':' || pg_catalog.md5(pg_catalog.lo_get(oid)), 0)), 0)
FROM pg_catalog.pg_largeobject_metadata
"""


# The same for each, and what each adds to the sum above.
EACH_LARGE_OBJECT_SQL = """
SELECT oid::pg_catalog.text, digest, pg_catalog.hashtextextended(oid::pg_catalog.text || ':' || digest, 0)
FROM (SELECT oid, pg_catalog.md5(pg_catalog.lo_get(oid)) AS digest FROM pg_catalog.pg_largeobject_metadata) each
ORDER BY oid
"""


def digest_columns(columns: Sequence[str]) -> str:
    """Return the two columns of a query over ``"sluice row"``: the number of rows and the digest of their content.

    A sum over a 64-bit hash of each row: it needs no order and no key, counts duplicates, and runs in parallel. It
    finds accidents; against an attacker stands the SHA-256 of the files. ``columns`` as of TABLES_SQL.

    The hash of a record is linear in those of its columns: summed up, two rows that have swapped a value would look the
    same. So it is hashed once more. PostgreSQL distributes rows over partitions by these very hashes, so they do not
    change from version to version.
    """
    record = f"pg_catalog.hash_record_extended(ROW({', '.join(columns)}), 0)"
    row = f'pg_catalog.hashtextextended({record}::pg_catalog.text COLLATE "C", 0)'
    return f"pg_catalog.count(*), COALESCE(pg_catalog.sum({row}), 0)"


def digest_sql(table: str, columns: Sequence[str]) -> str:
    """Return the statement for the number of rows of a table, which is quoted already, and their digest."""
    return f'SELECT {digest_columns(columns)} FROM ONLY {table} AS "sluice row"'  # noqa: S608


def sequences_sql(names: Sequence[str]) -> str:
    """Return the statement that reads where all sequences are. ``names`` are quoted already and not empty."""
    return " UNION ALL ".join(
        f"SELECT {index}::pg_catalog.int4, last_value, is_called FROM {name}"  # noqa: S608 - quoted by the server
        for index, name in enumerate(names)
    )


@dataclass(frozen=True)
class Content:
    """How many rows, and the digest over them."""

    rows: int
    digest: str


@dataclass(frozen=True)
class SequenceState:
    """Where a sequence is: ``next`` is what it will give out next."""

    next: int
    increment: int = 1
    cycle: bool = False

    def reaches(self, other: SequenceState) -> bool:
        """Whether this one, restored, gives out nothing that ``other`` has given out already."""
        if self.cycle or other.cycle:
            return True
        return self.next >= other.next if self.increment > 0 else self.next <= other.next


@dataclass(frozen=True)
class Inventory:
    """All that a restored database must have, read in one snapshot."""

    tables: Mapping[str, Content]
    large_objects: Content = Content(0, "0")
    sequences: Mapping[str, SequenceState] = field(default_factory=dict)
    objects: Mapping[str, str] = field(default_factory=dict)
    """Digest of the definition of each table, index, view, function, grant and so on."""
    extensions: Mapping[str, str] = field(default_factory=dict)
    large_object_digests: Mapping[str, str] = field(default_factory=dict)
    """Digest of each large object; empty when there are too many of them to list."""

    @property
    def rows(self) -> int:
        return sum(content.rows for content in self.tables.values())


@dataclass(frozen=True)
class Difference:
    """One way in which a database is not what its backup says."""

    kind: str
    """``table``, ``large_object``, ``large_objects`` (too many to name them), ``sequence`` or ``object``."""
    name: str
    what: str
    """``missing``, ``unexpected``, ``rows``, ``content``, ``behind`` or ``definition``."""
    expected: str | int | None = None
    found: str | int | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "name": self.name,
            "what": self.what,
            "expected": self.expected,
            "found": self.found,
        }

    def __str__(self) -> str:
        if self.kind == "large_objects":
            return (
                f"the large objects: {self.found} instead of {self.expected}"
                if self.what == "rows"
                else ("the large objects have other content")
            )
        thing = f"{self.kind.replace('_', ' ')} {self.name}"
        return {
            "missing": f"{thing} is missing",
            "unexpected": f"{thing} is not in the backup's manifest",
            "rows": f"{thing} has {self.found} rows instead of {self.expected}",
            "content": f"{thing} has {self.found} rows as expected, with other content"
            if self.kind == "table"
            else f"{thing} has other content",
            "behind": f"{thing} would give out {self.found}, and {self.expected} is due",
            "definition": f"{thing} is defined otherwise",
        }[self.what]


def compare(expected: Inventory, found: Inventory) -> list[Difference]:
    """Return every difference between what a backup promises and what a database holds, tables first."""
    differences = [
        *_compare_names("table", expected.tables, found.tables),
        *_compare_contents("table", expected.tables, found.tables),
        *_compare_large_objects(expected, found),
        *_compare_names("sequence", expected.sequences, found.sequences),
    ]
    for name in sorted(expected.sequences.keys() & found.sequences.keys()):
        due, given = expected.sequences[name], found.sequences[name]
        if not given.reaches(due):
            differences.append(Difference("sequence", name, "behind", due.next, given.next))
    differences += _compare_names("object", expected.objects, found.objects)
    differences += [
        Difference("object", name, "definition")
        for name in sorted(expected.objects.keys() & found.objects.keys())
        if expected.objects[name] != found.objects[name]
    ]
    return differences


def _compare_names(kind: str, expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[Difference]:
    return [
        *(Difference(kind, name, "missing") for name in sorted(expected.keys() - found.keys())),
        *(Difference(kind, name, "unexpected") for name in sorted(found.keys() - expected.keys())),
    ]


def _compare_contents(kind: str, expected: Mapping[str, Content], found: Mapping[str, Content]) -> Iterable[Difference]:
    for name in sorted(expected.keys() & found.keys()):
        due, given = expected[name], found[name]
        if due.rows != given.rows:
            yield Difference(kind, name, "rows", due.rows, given.rows)
        elif due.digest != given.digest:
            yield Difference(kind, name, "content", due.rows, given.rows)


def _compare_large_objects(expected: Inventory, found: Inventory) -> list[Difference]:
    total = list(_compare_contents("large_objects", {"": expected.large_objects}, {"": found.large_objects}))
    due, given = expected.large_object_digests, found.large_object_digests
    listed = len(due) == expected.large_objects.rows and len(given) == found.large_objects.rows
    if not total or not listed:
        return total
    return [
        *_compare_names("large_object", due, given),
        *(
            Difference("large_object", name, "content")
            for name in sorted(due.keys() & given.keys())
            if due[name] != given[name]
        ),
    ]


def earliest(first: Mapping[str, SequenceState], second: Mapping[str, SequenceState]) -> dict[str, SequenceState]:
    """Return the least advanced state of each sequence that two readings agree to exist.

    A sequence is outside every snapshot: the dump holds whatever it was when pg_dump came to it, between the two
    readings. One that was set back in between must not look like damage.
    """
    return {name: (second[name] if one.reaches(second[name]) else one) for name, one in first.items() if name in second}


_HEADING = re.compile(r"^-- Name: (?P<name>.*); Type: (?P<type>.*?); Schema: (?P<schema>.*?); Owner: .*$")
# What a parsed and printed expression does not keep: PostgreSQL moves casts and parentheses about when it reads its own
# output, so the same CHECK constraint looks different before and after a restore.
_CAST = re.compile(r'::(?:\w+\.)?(?:"[^"]+"|\w+)(?: varying| precision| with(?:out)? time zone)?(?:\[\])*')
_LOOSE = re.compile(r"[()\s]+")


# Headings in an archive that announce content. What a database prints of itself lacks them.
_CONTENT = frozenset(
    ("BLOB", "BLOB METADATA", "BLOBS", "MATERIALIZED VIEW DATA", "SEQUENCE SET", "STATISTICS DATA", "TABLE DATA")
)


def parse_objects(schema_dump: str) -> dict[str, str]:
    r"""Read what ``--schema-only`` prints and return the digest of every object's definition, by type and name.

    Independent of their order, of comments and of the random ``\restrict`` token.
    """
    definitions: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in schema_dump.splitlines():
        heading = _HEADING.match(line)
        if heading and heading["type"] in _CONTENT:
            lines = []
        elif heading:
            schema = "" if heading["schema"] == "-" else f"{heading['schema']}."
            lines = definitions.setdefault(f"{heading['type']} {schema}{heading['name']}", [])
        elif not line.startswith(("--", "\\", "SET default_")):
            lines.append(_loosened(line))
    return {name: hashlib.sha256("".join(lines).encode()).hexdigest()[:16] for name, lines in definitions.items()}


def _loosened(line: str) -> str:
    return _LOOSE.sub("", _CAST.sub("", line))


def fingerprint(objects: Mapping[str, str]) -> str:
    """Return one digest over all definitions."""
    return hashlib.sha256("\n".join(f"{name} {objects[name]}" for name in sorted(objects)).encode()).hexdigest()

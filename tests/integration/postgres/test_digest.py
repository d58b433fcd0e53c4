# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The digest of a table's rows on a real server: it sees every change, and nothing but changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ansible_collections.sluice.release.plugins.module_utils.postgres._client import connect
from ansible_collections.sluice.release.plugins.module_utils.postgres._digest import Content
from ansible_collections.sluice.release.plugins.module_utils.postgres._inventory import list_tables, read_contents
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import parse_url

if TYPE_CHECKING:
    from tests.integration.postgres.conftest import Shop

# type -> values of which no two may look the same, equal to each other or not
TYPES = {
    "bool": "NULL true false",
    "bytea": r"NULL '' '\x00' '\x0000'",
    "char(4)": "NULL '' 'a' 'A'",
    "bpchar": "'a' 'a_'",
    "text": r"NULL '' 'a' 'A' 'a_' U&'\00e4' U&'a\0308'",  # one character, and two that look like it
    "varchar(9)": "NULL '' 'a' 'a_'",
    "smallint": "NULL 0 1 -1 256",
    "int": "NULL 0 1 -1 65536",
    "bigint": "NULL 0 1 -1 4294967296",
    "oid": "NULL 0 1",
    "name": "NULL '' 'a' 'A'",
    "time": "NULL '0:0' '0:1'",
    "timestamp": "NULL '2026-01-01' '2026-01-01_0:1' 'infinity'",
    "numeric": "NULL 1 1.0 1.00 'NaN'",
    "numeric(9,2)": "NULL 1 1.01 -1 'NaN'",
    "float8": "NULL 0 '-0' 1 1.0000000000000002 'NaN'",
    "date": "NULL '2026-01-01' 'infinity'",
    "timestamptz": "NULL '2026-01-01+00' '2026-01-01+01' '-infinity'",
    "interval": "'1_day' '24_hours'",
    "json": """'{"a":1}' '{"a":_1}'""",
    "jsonb": """'1' '1.0' '"1"' 'null' NULL""",
    "uuid": "NULL '00000000-0000-0000-0000-000000000000' '00000000-0000-0000-0000-000000000001'",
    "mood": "NULL 'good' 'bad'",
    "text[]": "NULL '{}' '{a}' '{NULL}' '{{a}}' '[2:2]={a}'",
    "inet": "'10.0.0.1' '10.0.0.1/8'",
    '"char"': "'a' 'b'",
}


def contents(shop: Shop) -> dict[str, Content]:
    with connect(parse_url(shop.url)) as database:
        return read_contents(database, list_tables(database), lambda line, done, total: None)


def test_every_type_tells_its_values_apart(shop: Shop) -> None:
    tables = {
        f"t{number}_{index}": (kind, value.replace("_", " "))
        for number, (kind, values) in enumerate(TYPES.items())
        for index, value in enumerate(values.split())
    }
    shop.query("; ".join(f"CREATE TABLE {name} (a int, b {kind})" for name, (kind, _value) in tables.items()))
    shop.query("; ".join(f"INSERT INTO {name} VALUES (1, {value})" for name, (_kind, value) in tables.items()))
    found = contents(shop)
    for number, (kind, values) in enumerate(TYPES.items()):
        digests = [found[f"public.t{number}_{index}"].digest for index in range(len(values.split()))]
        assert len(set(digests)) == len(digests), kind


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ("UPDATE orders SET total = total", True),
        ("VACUUM FULL orders", True),
        ("CREATE INDEX ON orders (total)", True),
        ("ALTER TABLE orders ADD x int; ALTER TABLE orders DROP x", True),  # a restored table has no dropped columns
        ("UPDATE orders SET total = total + 0.01 WHERE id = 7", False),
        ("UPDATE orders SET raw = NULL WHERE id = 7", False),
        ("UPDATE orders SET user_id = user_id + 1 WHERE id = 7; UPDATE orders SET user_id = 8 WHERE id = 8", False),
        ('UPDATE orders SET body = \'{"b": 1,  "a": 2}\' WHERE id = 7', False),
        ("DELETE FROM orders WHERE id = 7", False),
        ("INSERT INTO orders (user_id) VALUES (NULL)", False),
    ],
)
def test_changes(shop: Shop, change: str, same: bool) -> None:
    before = contents(shop)["public.orders"]
    for statement in change.split("; "):
        shop.query(statement)
    assert (contents(shop)["public.orders"] == before) is same


def test_two_rows_that_swap_a_value_differ(shop: Shop) -> None:
    """Every column holds the same values as before, in other rows: a hash that is linear in its columns is blind."""
    shop.query(
        "CREATE TABLE pairs (a int, b int, c text); INSERT INTO pairs SELECT i, i, i FROM generate_series(1, 20) i"
    )
    seen = {contents(shop)["public.pairs"]}
    for number in range(1, 20):
        shop.query(f"UPDATE pairs SET b = 2 * {number} + 1 - b WHERE a IN ({number}, {number + 1})")
        seen.add(contents(shop)["public.pairs"])
        shop.query("UPDATE pairs SET b = a")
    assert len(seen) == 20


def test_names_that_look_like_sql_and_no_columns_at_all(shop: Shop) -> None:
    shop.query('CREATE TABLE "100%%s" ("select" int, "a""b" text, "sluice row" text); CREATE TABLE nothing ()')
    shop.query("""INSERT INTO "100%%s" VALUES (1, 'x', 'y'); INSERT INTO nothing DEFAULT VALUES""")
    found = contents(shop)
    assert found['public."100%%s"'].rows == found["public.nothing"].rows == 1

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Queries as they may be shown: whatever a literal looks like, nothing of it is left."""

from __future__ import annotations

import pytest

from ansible_collections.sluice.release.plugins.module_utils.postgres.info._text import HIDDEN, shown


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (None, None),
        (HIDDEN, None),
        ("", ""),
        ("SELECT 1", "SELECT ?"),
        ("SELECT  *\n\tFROM t1 WHERE a2 = -1.5e-3", "SELECT * FROM t1 WHERE a2 = -?"),
        ("SELECT 0xFF, 1_000, .5, 5.", "SELECT ?, ..."),
        ("SELECT $1, x$2, t.c1", "SELECT $1, x$2, t.c1"),
        ("SELECT 'it''s geheim', x", "SELECT ?, x"),
        ("SELECT E'a\\'geheim', x", "SELECT ?, x"),
        ("SELECT E'a\\\\', geheim", "SELECT ?, geheim"),
        ("SELECT N'geheim', b'01', X'ff', U&'\\0041'", "SELECT ?, ..."),
        ("SELECT date'2026-01-01', typ_e'x'", "SELECT date?, typ_e?"),
        ("DO $$ geheim 'x' $$", "DO ?"),
        ("DO $a$ $$ geheim $$ $b$ $a$ ", "DO ?"),
        ("SELECT a$b$c FROM t", "SELECT a$b$c FROM t"),
        ('SELECT "Ein ""Name"" 7" FROM "O\'x"', 'SELECT "Ein ""Name"" 7" FROM "O\'x"'),
        ("SELECT x -- geheim 'x\nFROM t", "SELECT x FROM t"),
        ("SELECT /* geheim /* ' */ \" */ x", "SELECT x"),
        ("WHERE id IN (1, 2,3)", "WHERE id IN (?, ...)"),
        ("VALUES ('a', 1), ('b', 2),\n('c', 3)", "VALUES (?, ...), ..."),
        ("VALUES (1), (2)", "VALUES (?), ..."),
        ("ALTER ROLE x PASSWORD 'geheim'", "ALTER ROLE x PASSWORD ?"),
        ("SET app.user TO geheim", "SET app.user ?"),
        ("BEGIN; set local app.user = geheim; SELECT x", "BEGIN; set local app.user ?; SELECT x"),
        ("UPDATE t SET a = b", "UPDATE t SET a = b"),
        ("SELECT a->>'geheim', '{}'::jsonb", "SELECT a->>?, ...::jsonb"),
    ],
)
def test_no_literal_is_shown(query: str | None, text: str | None) -> None:
    assert shown(query) == text


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 'gehei",
        "SELECT E'gehei",
        "SELECT $x$ geheim $",
        "SELECT $x$ geheim",
        "SELECT x /* geheim",
        'SELECT x "geheim',
        # With standard_conforming_strings off, the string goes on; with it on, it ends: nobody knows.
        "SELECT 'a\\', 'geheim'",
        "SELECT 'a\\'geheim'",
        "SELECT 'a\\\\', 'geheim', geheim",
    ],
)
def test_where_the_end_of_a_literal_is_not_known_the_rest_is_left_out(query: str) -> None:
    text = shown(query)
    assert text is not None
    assert text.startswith("SELECT ")
    assert "gehei" not in text


def test_a_long_query_is_cut() -> None:
    text = shown("SELECT " + ", ".join(f"column{number}" for number in range(100)), length=50)
    assert text is not None
    assert (len(text), text[-3:]) == (50, "...")


@pytest.mark.parametrize("cut", range(1, 120))
def test_wherever_the_server_cuts_a_query_off_no_secret_is_left(cut: int) -> None:
    begin = "INSERT INTO t /* secret */ VALUES ('it''s secret', E'\\\\\\'secret', $q$secret$q$, 4711)"
    query = begin + " -- secret ' \n, 'secret'"
    text = shown(query[:cut]) or ""
    assert "4" not in text
    assert not any(part in text for part in ("secret", "ecre", "it's", "sec"))

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Comparing what a backup promises with what a database holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.sluice.release.plugins.module_utils.postgres._digest import (
    Content,
    Difference,
    Inventory,
    SequenceState,
    compare,
    digest_sql,
    earliest,
    fingerprint,
    parse_objects,
    sequences_sql,
)

SOURCE = Inventory(
    tables={"public.orders": Content(3, "11"), "public.users": Content(0, "0")},
    large_objects=Content(1, "5"),
    sequences={"public.orders_id_seq": SequenceState(4)},
    objects={"TABLE public.orders": "aa", "TABLE public.users": "bb"},
)


def test_the_same_has_no_differences() -> None:
    assert compare(SOURCE, replace(SOURCE)) == []


@pytest.mark.parametrize(
    ("change", "difference", "text"),
    [
        (
            {"tables": {**SOURCE.tables, "public.orders": Content(2, "9")}},
            Difference("table", "public.orders", "rows", 3, 2),
            "table public.orders has 2 rows instead of 3",
        ),
        (
            {"tables": {**SOURCE.tables, "public.orders": Content(3, "12")}},
            Difference("table", "public.orders", "content", 3, 3),
            "table public.orders has 3 rows as expected, with other content",
        ),
        (
            {"tables": {"public.orders": Content(3, "11")}},
            Difference("table", "public.users", "missing"),
            "table public.users is missing",
        ),
        (
            {"tables": {**SOURCE.tables, "public.x": Content(0, "0")}},
            Difference("table", "public.x", "unexpected"),
            "table public.x is not in the backup's manifest",
        ),
        (
            {"large_objects": Content(0, "0")},
            Difference("large_objects", "", "rows", 1, 0),
            "the large objects: 0 instead of 1",
        ),
        (
            {"sequences": {"public.orders_id_seq": SequenceState(3)}},
            Difference("sequence", "public.orders_id_seq", "behind", 4, 3),
            "sequence public.orders_id_seq would give out 3, and 4 is due",
        ),
        (
            {"objects": {**SOURCE.objects, "TABLE public.orders": "cc"}},
            Difference("object", "TABLE public.orders", "definition"),
            "object TABLE public.orders is defined otherwise",
        ),
    ],
)
def test_every_difference_is_named(change: dict[str, object], difference: Difference, text: str) -> None:
    found = compare(SOURCE, replace(SOURCE, **change))  # type: ignore[arg-type]
    assert found == [difference]
    assert str(found[0]) == text


@pytest.mark.parametrize(
    ("due", "given", "reached"),
    [
        (SequenceState(10), SequenceState(10), True),
        (SequenceState(10), SequenceState(12), True),  # taken after the snapshot, and in the dump all the same
        (SequenceState(10), SequenceState(9), False),
        (SequenceState(-10, -1), SequenceState(-12, -1), True),
        (SequenceState(-10, -1), SequenceState(-9, -1), False),
        (SequenceState(10, 1, True), SequenceState(1, 1, True), True),  # it may have begun again
    ],
)
def test_a_sequence_may_be_ahead_but_not_behind(due: SequenceState, given: SequenceState, reached: bool) -> None:
    assert given.reaches(due) is reached


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({"s": SequenceState(5)}, {"s": SequenceState(9)}, {"s": SequenceState(5)}),
        ({"s": SequenceState(9)}, {"s": SequenceState(5)}, {"s": SequenceState(5)}),  # set back in between
        ({"s": SequenceState(-5, -1)}, {"s": SequenceState(-9, -1)}, {"s": SequenceState(-5, -1)}),
        ({"s": SequenceState(5)}, {}, {}),
        ({}, {"s": SequenceState(5)}, {}),
    ],
)
def test_earliest(
    first: dict[str, SequenceState], second: dict[str, SequenceState], expected: dict[str, SequenceState]
) -> None:
    assert earliest(first, second) == expected


DUMP = r"""--
-- PostgreSQL database dump
--

\restrict 3KfYlqcGJcKbhn

SET statement_timeout = 0;

--
-- Name: f(integer); Type: FUNCTION; Schema: public; Owner: app
--

CREATE FUNCTION public.f(a integer) RETURNS integer
    LANGUAGE sql
    AS $$ select a $$;


SET default_tablespace = '';

--
-- Name: orders; Type: TABLE; Schema: public; Owner: app
--

CREATE TABLE public.orders (
    status character varying(10),
    CONSTRAINT c CHECK (((status)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])))
);


ALTER TABLE public.orders OWNER TO app;

--
-- Name: SCHEMA public; Type: ACL; Schema: -; Owner: app
--

GRANT USAGE ON SCHEMA public TO PUBLIC;

\unrestrict 3KfYlqcGJcKbhn
"""
AGAIN = (
    "((status)::text = ANY (ARRAY[('a'::character varying)::text, ('b'::character varying)::text]))",
    "(((status)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])))",
)


def test_objects_have_type_and_name() -> None:
    assert sorted(parse_objects(DUMP)) == ["ACL SCHEMA public", "FUNCTION public.f(integer)", "TABLE public.orders"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("3KfYlqcGJcKbhn", "anotherToken"),
        ("SET default_tablespace = '';\n", ""),
        # PostgreSQL moves the casts of a constraint when it reads its own output.
        (AGAIN[1], f"({AGAIN[0]})"),
    ],
)
def test_objects_do_not_depend_on_what_a_restore_changes_by_itself(old: str, new: str) -> None:
    assert old in DUMP
    assert parse_objects(DUMP.replace(old, new)) == parse_objects(DUMP)


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("varying(10)", "varying(11)", "TABLE public.orders"),
        ("'b'::character varying])", "'c'::character varying])", "TABLE public.orders"),
        ("OWNER TO app", "OWNER TO postgres", "TABLE public.orders"),
        ("select a", "select b", "FUNCTION public.f(integer)"),
        ("GRANT USAGE", "GRANT ALL", "ACL SCHEMA public"),
    ],
)
def test_a_changed_definition_is_found(old: str, new: str, name: str) -> None:
    before, after = parse_objects(DUMP), parse_objects(DUMP.replace(old, new))
    assert [key for key in before if before[key] != after[key]] == [name]
    assert fingerprint(before) != fingerprint(after)


def test_the_row_cannot_be_mistaken_for_a_column() -> None:
    # An alias is hidden by a column of the same name; few columns have a space in it.
    sql = digest_sql("public.t", ['"sluice row".a', '"sluice row".b::pg_catalog.text COLLATE "C"'])
    assert sql.endswith('FROM ONLY public.t AS "sluice row"')
    assert 'ROW("sluice row".a, "sluice row".b::pg_catalog.text COLLATE "C")' in sql
    assert sequences_sql(["a.b", "c.d"]).count(" UNION ALL ") == 1


LISTED = replace(SOURCE, large_objects=Content(2, "5"), large_object_digests={"7": "aa", "9": "bb"})


@pytest.mark.parametrize(
    ("total", "each", "named"),
    [
        (Content(2, "5"), {"7": "aa", "9": "bb"}, []),
        (Content(1, "4"), {"7": "aa"}, ["large object 9 is missing"]),
        (Content(2, "6"), {"7": "aa", "9": "cc"}, ["large object 9 has other content"]),
        (Content(3, "8"), {"7": "aa", "9": "bb", "11": "dd"}, ["large object 11 is not in the backup's manifest"]),
        (Content(2000, "6"), {}, ["the large objects: 2000 instead of 2"]),  # too many to list them
    ],
)
def test_the_large_object_that_differs_is_named(total: Content, each: dict[str, str], named: list[str]) -> None:
    found = replace(LISTED, large_objects=total, large_object_digests=each)
    assert [str(difference) for difference in compare(LISTED, found)] == named

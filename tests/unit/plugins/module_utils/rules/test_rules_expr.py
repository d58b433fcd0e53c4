# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the threshold of an expression is, and where there is none to be taken out."""

from __future__ import annotations

import pytest

from ansible_collections.sluice.release.plugins.module_utils.rules._expr import (
    Split,
    Whole,
    join,
    number_text,
    split,
    whole,
)


@pytest.mark.parametrize(
    ("expression", "query", "direction", "limit", "inclusive"),
    [
        ("sum(rate(x[5m])) > 5", "sum(rate(x[5m]))", "above", 5, False),
        ("a >= 0.05", "a", "above", 0.05, True),
        ("a < 1e-3", "a", "below", 0.001, False),
        ("a <= -2", "a", "below", -2, True),
        ("a == 0", "a", "equals", 0, True),
        ("a > +5", "a", "above", 5, False),
        ("a > (5)", "a", "above", 5, False),
        ("a > -(-5)", "a", "above", 5, False),
        ("a > 0x10", "a", "above", 16, False),
        # The number on the left
        ("5 < a", "a", "above", 5, False),
        ("5 >= a", "a", "below", 5, True),
        ("0 == a", "a", "equals", 0, True),
        # Operators that bind more tightly than the comparison belong to the query.
        ("a / b > 0.5", "a / b", "above", 0.5, False),
        ("a / on(x) group_left b > 0.5", "a / on(x) group_left b", "above", 0.5, False),
        ("-a > 5", "-a", "above", 5, False),
        ("a @ 5 offset 1m > 3", "a @ 5 offset 1m", "above", 3, False),
        # One pair of parentheses goes with the comparison.
        ("(a / b) > 5", "a / b", "above", 5, False),
        ("((a)) > 5", "(a)", "above", 5, False),
        ("(a) + (b) > 5", "(a) + (b)", "above", 5, False),
        # The comparison that counts is the outermost, and of several in a row the last.
        ("count(a > 5) > 2", "count(a > 5)", "above", 2, False),
        ("a > 5 > 3", "a > 5", "above", 3, False),
        ("(a > 5) / b < 3", "(a > 5) / b", "below", 3, False),
        # What looks like a comparison inside of strings and comments
        ('a{b=">5"} > 5', 'a{b=">5"}', "above", 5, False),
        ("a{b='\\'> 7'} > 5", "a{b='\\'> 7'}", "above", 5, False),
        ('a{b=`"> 7`} > 5', 'a{b=`"> 7`}', "above", 5, False),
        ('a{b!~"x|>"} > 5', 'a{b!~"x|>"}', "above", 5, False),
        ("a # > 7\n > 5 # for now", "a # > 7", "above", 5, False),
        ("# why\na > 5", "# why\na", "above", 5, False),
        ("\n  sum by (job) (\n    a\n  )\n  >\n  5\n", "sum by (job) (\n    a\n  )", "above", 5, False),
    ],
)
def test_a_threshold(expression: str, query: str, direction: str, limit: float, inclusive: bool) -> None:
    assert split(expression) == Split(query, direction, limit, inclusive)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("a > bool 5", "a bool"),
        ("a != 1", "every number but one"),
        ("a > 5 and b", "no comparison"),
        ("a > 5 or b > 5", "no comparison"),
        ("a > 5 unless b", "no comparison"),
        ("a > 5 and on(x) b > 3", "no comparison"),
        ("a > b", "no plain number"),
        ("a < on(x) group_left b", "no comparison with a number"),
        ("(a > 5) * on(x) group_left(y) b", "no comparison with a number"),
        ("a > 2 * 3", "no plain number"),
        ("a > 5 + b", "no plain number"),
        ("a > Inf", "no plain number"),
        ("a > NaN", "no plain number"),
        ("a > scalar(b)", "no plain number"),
        ("absent(up)", "no comparison"),
        ("count(a > 5)", "no comparison"),
        ("a", "no comparison"),
        ("-a", "no comparison"),
        ("a > ", "promql-parser"),
        ("a > 5)", "promql-parser"),
        ("a > on(x) 5", "promql-parser"),
        ("a{b='c} > 5", "promql-parser"),
        # Prometheus reads this one, promql-parser does not: in doubt whole.
        ("a{b=`\\`} > 5", "promql-parser"),
    ],
)
def test_an_expression_is_kept_whole(expression: str, reason: str) -> None:
    found = split(expression)
    assert isinstance(found, Whole)
    assert found.query == expression.strip()
    assert reason in found.reason


QUERIES = ["a", "sum(a)", "(a)", "((a))", "a / b", "-a", "a or b", "a > 5", "a and b > 5", "# why\na", "a # why",
           "(a) + (b)", 'a{b=">"}', "a @ 5"]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize(("direction", "inclusive"), [("above", True), ("below", False), ("equals", True)])
@pytest.mark.parametrize("limit", [0, -3, 0.1, 1e-9, 1e21, 123456789.125])
def test_what_is_joined_can_be_split(query: str, direction: str, inclusive: bool, limit: float) -> None:
    assert split(join(query, direction, limit, inclusive=inclusive)) == Split(query, direction, limit, inclusive)


@pytest.mark.parametrize("query", [*QUERIES, "a > b", "(a > 5)", "absent(a)"])
def test_what_is_written_whole_is_read_whole(query: str) -> None:
    found = split(whole(query))
    assert isinstance(found, Whole)
    assert found.query == query


@pytest.mark.parametrize(
    ("number", "text"), [(5.0, "5"), (-0.0, "0"), (0.1, "0.1"), (1e-7, "1e-07"), (1e300, "1e+300")]
)
def test_a_number(number: float, text: str) -> None:
    assert number_text(number) == text

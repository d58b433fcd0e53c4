# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Expressions of alerting rules: where the threshold of one is, and how one is made from a query and a threshold.

What an expression means is what promql-parser says of it. Its tree has no positions, so the place of the operator is
found in the text, and the tree has to confirm it: the text on each side must mean what the tree has on that side.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, Optional

_TOKEN = re.compile(
    r"""(?P<skip>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`|\#[^\n]*)"""
    r"""|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<compare>==|!=|>=|<=|>|<)""",
    re.DOTALL,
)

_MIRRORED = {">": "<", "<": ">", ">=": "<=", "<=": ">=", "==": "==", "!=": "!="}

_DIRECTIONS = {">": "above", ">=": "above", "<": "below", "<=": "below", "==": "equals"}

_OPERATORS = {("above", True): ">=", ("above", False): ">", ("below", True): "<=", ("below", False): "<"}


class Split(NamedTuple):
    """An expression as a query and what its values are compared with."""

    query: str
    direction: str
    limit: float
    inclusive: bool
    """Whether a value equal to the limit is past it."""


class Whole(NamedTuple):
    """An expression that is a query as it stands, of which every series is a finding."""

    query: str
    reason: str


def split(expression: str) -> Split | Whole:
    """Take the threshold out of an expression that compares series with a number; leave every other whole."""
    expression = expression.strip()
    tree = parse(expression)
    if tree is None:
        return Whole(expression, "it holds what promql-parser does not know")
    kind = _kind(tree)
    if kind == "ParenExpr":
        return Whole(_unwrapped(expression), "it is in parentheses as a whole")
    if kind != "BinaryExpr":
        return Whole(expression, "it is no comparison with a number")
    if tree.modifier is not None and tree.modifier.return_bool:
        return Whole(expression, "its comparison is a bool, so that every series is returned")
    for left, operator, right in _comparisons(expression):
        if _same(parse(left), tree.lhs) and _same(parse(right), tree.rhs):
            return _split(expression, tree, left, operator, right)
    return Whole(expression, "it is no comparison with a number")


def _split(expression: str, tree: Any, left: str, operator: str, right: str) -> Split | Whole:
    query, number = left, _number(tree.rhs)
    if number is None:
        query, number, operator = right, _number(tree.lhs), _MIRRORED[operator]
    if number is None:
        return Whole(expression, "it compares with no plain number")
    if operator == "!=":
        return Whole(expression, "every number but one is a breach")
    inclusive = operator in (">=", "<=", "==")
    return Split(_unwrapped(query.strip()), _DIRECTIONS[operator], number, inclusive)


def join(query: str, direction: str, limit: float, *, inclusive: bool) -> str:
    """The expression that has a result while the query is past the limit. ``split`` gives the parts back."""
    operator = "==" if direction == "equals" else _OPERATORS[direction, inclusive]
    return f"{operand(query)} {operator} {number_text(limit)}"


def operand(query: str) -> str:
    """The query as one side of an operator: in parentheses, where it could fall apart or lose its own."""
    tree = parse(query)
    plain = tree is not None and _kind(tree) not in ("BinaryExpr", "ParenExpr", "UnaryExpr") and "#" not in query
    return query if plain else wrapped(query)


def wrapped(query: str) -> str:
    """The query in parentheses."""
    # A comment would swallow the one that closes.
    return f"({query}\n)" if "#" in query else f"({query})"


def whole(query: str) -> str:
    """The expression whose every series is a finding, so written that ``split`` gives the same query back."""
    found = split(query)
    return query if isinstance(found, Whole) and found.query == query else wrapped(query)


def number_text(number: float) -> str:
    """A number as PromQL spells it, exactly."""
    return str(int(number)) if number == int(number) and abs(number) < 1e15 else repr(float(number))


def parse(expression: str) -> Optional[Any]:
    """The tree of an expression. None: promql-parser cannot read it."""
    import promql_parser  # the module has made sure that it is there

    try:
        return promql_parser.parse(expression)
    except ValueError:
        return None


def _kind(tree: Any) -> str:
    return type(tree).__name__


def _same(one: Any, other: Any) -> bool:
    return one is not None and str(one) == str(other)


def _comparisons(expression: str) -> Iterator[tuple[str, str, str]]:
    """Every comparison outside of brackets, strings and comments, as left side, operator and right side."""
    depth = 0
    for token in _TOKEN.finditer(expression):
        if token["open"]:
            depth += 1
        elif token["close"]:
            depth -= 1
        elif token["compare"] and depth == 0:
            yield expression[: token.start()], token["compare"], expression[token.end() :]


def _number(tree: Any) -> float | None:
    if _kind(tree) == "ParenExpr":
        return _number(tree.expr)
    if _kind(tree) == "UnaryExpr":
        number = _number(tree.expr)
        return None if number is None else -number
    if _kind(tree) != "NumberLiteral" or not math.isfinite(tree.val):
        return None
    return float(tree.val)


def _unwrapped(query: str) -> str:
    """The query without the one pair of parentheses around all of it, if there is one."""
    tree = parse(query)
    if tree is None or _kind(tree) != "ParenExpr" or not (query.startswith("(") and query.endswith(")")):
        return query
    inner = query[1:-1]
    return inner.strip() if _same(parse(inner), tree.expr) else query

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a variable is put in, and where it is not."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from ansible_collections.sluice.release.plugins.module_utils.flow._template import fill, fill_text, names_in

VARIABLES = {"id": 7, "name": "a/b", "on": True, "tags": ["x"], "none": None}


@pytest.mark.parametrize(
    ("value", "filled"),
    [
        ("/items/{id}", "/items/7"),
        ("{id}", 7),
        ("{on}", True),
        ("{tags}", ["x"]),
        ("{name}{id}", "a/b7"),
        ("{none} {on}", "null true"),
        ("{{id}}", "{id}"),
        ("a{{id}}b{id}", "a{id}b7"),
        ({"{name}": ["{id}", {"deep": "{id}!"}]}, {"a/b": [7, {"deep": "7!"}]}),
        ('{"id": 1}', '{"id": 1}'),
        ("x{3}y{1,2} {} {a b}", "x{3}y{1,2} {} {a b}"),
        (5, 5),
        (None, None),
    ],
)
def test_fill(value: Any, filled: Any) -> None:
    assert fill(value, VARIABLES) == filled


def test_a_value_is_passed_through_the_encoding_and_the_text_is_not() -> None:
    assert fill_text("/a/b/{name}", VARIABLES, lambda value: quote(value, safe="")) == "/a/b/a%2Fb"


def test_a_value_is_not_looked_through_for_more_variables() -> None:
    assert fill("{a}", {"a": "{b}", "b": 1}) == "{b}"


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("/{a}/{b}?{{c}}", {"a", "b"}),
        ({"{a}": [{"x": "{b}"}, 5, None]}, {"a", "b"}),
        (r"^\d{3}[{]x$", set()),
        ({}, set()),
    ],
)
def test_names_in(value: Any, names: set[str]) -> None:
    assert names_in(value) == names

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and values as SQL spells them."""

from __future__ import annotations

import pytest

from ansible_collections.sluice.release.plugins.module_utils.postgres._sql import (
    database_settings,
    derived_name,
    quote_identifier,
    quote_literal,
    split_names,
)


@pytest.mark.parametrize(
    ("text", "separator", "names"),
    [
        ("public.orders", ".", ["public", "orders"]),
        ('public."Order Lines"', ".", ["public", "Order Lines"]),
        ('"a.b"."say ""hi"""', ".", ["a.b", 'say "hi"']),
        ('"$user", public', ",", ["$user", "public"]),
        ('""', ",", [""]),
        ('"a,b",c', ",", ["a,b", "c"]),
    ],
)
def test_split_names(text: str, separator: str, names: list[str]) -> None:
    assert split_names(text, separator) == names


def test_quoting() -> None:
    assert quote_identifier('a"b') == '"a""b"'
    assert quote_literal("it's \\ here") == "'it''s \\ here'"


def test_a_derived_name_is_readable() -> None:
    suffix = "__restore_20261122T013000Z"
    assert derived_name("shop", suffix) == f"shop{suffix}"
    long = derived_name("d" * 63, suffix)
    assert long.startswith("d" * 20)
    assert long.endswith(suffix)


@pytest.mark.parametrize("database", ["d", "d" * 40, "d" * 63, "ü" * 31])
@pytest.mark.parametrize("suffix", ["__replaced_20261122T013000Z", "__restore_" + "i" * 64])
def test_derived_names_are_different_and_never_cut_off_by_the_server(database: str, suffix: str) -> None:
    name = derived_name(database, suffix)
    assert len(name.encode()) <= 63
    assert name not in (derived_name(database + "e", suffix), derived_name(database, suffix + "2"))


@pytest.mark.parametrize(
    ("setting", "statement"),
    [
        (["", "work_mem", "64MB"], """ALTER DATABASE "d" SET "work_mem" = '64MB'"""),
        (["", "search_path", '"$user", public'], """ALTER DATABASE "d" SET "search_path" = '$user', 'public'"""),
        (["", "search_path", '""'], """ALTER DATABASE "d" SET "search_path" = ''"""),
        (["app", "app.tenant", "it's"], """ALTER ROLE "app" IN DATABASE "d" SET "app"."tenant" = 'it''s'"""),
    ],
)
def test_database_settings(setting: list[str], statement: str) -> None:
    assert database_settings("d", [setting]) == [statement]

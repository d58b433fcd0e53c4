# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which schemas a backup holds."""

from __future__ import annotations

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres._schemas import Selection, select_schemas

FOUND: dict[str, list[str]] = {
    "Odd One": [],
    "extra": ["pg_trgm"],
    "public": ["citext"],
    "tenant_1": [],
    "tenant_2": [],
}


@pytest.mark.parametrize(
    ("wanted", "unwanted", "held"),
    [
        ("", "", None),
        ("*", "", "Odd One|extra|public|tenant_1|tenant_2"),
        ("extra|tenant_*", "", "extra|tenant_1|tenant_2"),
        ("extra|tenant_*", "tenant_2", "extra|tenant_1"),
        ("extra|tenant_[!1]", "", "extra|tenant_2"),
        ("Odd *|extra", "", "Odd One|extra"),
        ("", "tenant_*", "Odd One|extra|public"),
        ("", "public", "Odd One|extra|tenant_1|tenant_2"),  # its extension finds the public of every new database
        ("", "no_such_*", "Odd One|extra|public|tenant_1|tenant_2"),
    ],
)
def test_select(wanted: str, unwanted: str, held: str | None) -> None:
    chosen = select_schemas(FOUND, wanted.split("|") if wanted else [], unwanted.split("|") if unwanted else [], "x")
    assert chosen.held == (None if held is None else tuple(held.split("|")))
    assert chosen.left_out == (set() if held is None else FOUND.keys() - set(held.split("|")))


@pytest.mark.parametrize(
    ("wanted", "unwanted", "cause"),
    [
        (
            ["extra", "tennant_*"],
            [],
            "no schema is named like tennant_*. Correct schemas; the first are Odd One, extra",
        ),
        (["TENANT_1"], [], "no schema is named like TENANT_1"),
        (["tenant_1"], ["tenant_*"], "leave no schema"),
        (["tenant_1"], [], "schema extra is left out, and without it its extension pg_trgm could not be restored"),
        ([], ["extra"], "schema extra is left out"),
    ],
)
def test_what_could_not_be_restored_is_refused(wanted: list[str], unwanted: list[str], cause: str) -> None:
    with pytest.raises(SluiceError, match=r"^Cannot back up shop: ") as refused:
        select_schemas(FOUND, wanted, unwanted, "back up shop")
    assert cause in str(refused.value)


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("public.orders", True),
        ("tenant_1.orders", False),
        ('"Odd One"."Order Lines"', False),
        ('"a.b".orders', False),
        ("a.b", True),
    ],
)
def test_names_are_of_a_schema(name: str, held: bool) -> None:
    assert Selection(("public",), frozenset(("tenant_1", "Odd One", "a.b"))).holds(name) is held

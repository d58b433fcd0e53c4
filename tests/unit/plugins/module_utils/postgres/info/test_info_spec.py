# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of pg_info: what makes no sense is said before anybody is asked."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._objects import parts_of
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._spec import SPEC, gather_info, options_of

# Nobody listens there.
URL = "postgresql://u:geheim@127.0.0.1:1/x"


def params(**options: Any) -> dict[str, Any]:
    result = ArgumentSpecValidator(SPEC).validate({"database_url": URL, **options})
    assert not result.error_messages
    return dict(result.validated_parameters)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"statement_timeout": 0}, "Cannot use the options: statement_timeout is 0, it must be above 0 (s). Correct"),
        ({"connect_timeout": "nan"}, "Cannot use the options: connect_timeout is nan"),
        ({"samples": 0, "top": 0}, "Cannot use the options: samples is 0, it must be at least 1; top is 0"),
        ({"pool_size": 0}, "Cannot use the options: pool_size is 0"),
        ({"slow_seconds": -1}, "Cannot use the options: slow_seconds is -1"),
        ({"gather": ["x"]}, "Cannot gather x: "),
        ({"database_url": "mysql://u:geheim@h/x"}, "Cannot read database_url: it does not begin with postgresql://. "),
        ({}, "Cannot connect to postgresql://u@127.0.0.1:1/x: Connection refused"),
    ],
)
def test_what_cannot_be_done(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SluiceError) as error:
        gather_info(params(**options))
    assert str(error.value).startswith(message)
    assert "geheim" not in str(error.value)


@pytest.mark.parametrize(
    ("kind", "name", "parts"),
    [
        ("tables", "public.orders", ["public", "orders"]),
        ("tables", '"Odd One"."a.b"', ["Odd One", "a.b"]),
        ("columns", "public.orders.id", ["public", "orders", "id"]),
        ("indexes", "public.orders_pkey", ["public", "orders_pkey"]),
    ],
)
def test_a_full_name(kind: str, name: str, parts: list[str]) -> None:
    assert parts_of(kind, name) == parts


@pytest.mark.parametrize(
    ("kind", "name", "shape"),
    [
        ("tables", "orders", "schema.table"),
        ("tables", "public.orders.id", "schema.table"),
        ("columns", "public.orders", "schema.table.column"),
        ("indexes", ".x", "schema.index"),
    ],
)
def test_a_name_that_is_not_full(kind: str, name: str, shape: str) -> None:
    with pytest.raises(SluiceError) as error:
        parts_of(kind, name)
    assert str(error.value) == f"Cannot use {name} of required.{kind}: it is no full name. Write it as {shape}."


def test_options() -> None:
    options = options_of(
        params(
            tenants={"schemas": "t_.*", "pairs": [{"role": "a", "schema": "t_a"}]},
            migrations={"table": "m", "expected": ["1_a"]},
            required={"tables": ["public.orders"]},
        )
    )
    assert options.tenants is not None
    assert options.tenants.pairs == [("a", "t_a")]
    assert options.migrations is not None
    assert (options.migrations.column, options.migrations.expected) == ("name", ["1_a"])
    assert options.required["tables"] == ["public.orders"]

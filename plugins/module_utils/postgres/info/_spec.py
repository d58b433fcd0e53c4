# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The options of pg_info, and what makes sense of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import parse_url
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._gather import choose, look
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._migrations import PATTERN
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._model import Migrations, Options, Tenants

SPEC: dict[str, Any] = {
    "database_url": {"type": "str", "required": True, "no_log": True},
    "gather": {"type": "list", "elements": "str", "default": ["all"]},
    "statement_timeout": {"type": "float", "default": 5.0},
    "connect_timeout": {"type": "float", "default": 10.0},
    "samples": {"type": "int", "default": 5},
    "schemas": {"type": "list", "elements": "str"},
    "expected": {
        "type": "dict",
        "default": {},
        "options": {"tables": {"type": "int"}, "indexes": {"type": "int"}, "secondary_indexes": {"type": "int"}},
    },
    "required": {
        "type": "dict",
        "default": {},
        "options": {
            "tables": {"type": "list", "elements": "str"},
            "columns": {"type": "list", "elements": "str"},
            "indexes": {"type": "list", "elements": "str"},
        },
    },
    "slow_seconds": {"type": "float", "default": 1.0},
    "top": {"type": "int", "default": 10},
    "baseline_size_bytes": {"type": "int"},
    "pool_size": {"type": "int"},
    "pool_role": {"type": "str"},
    "migrations": {
        "type": "dict",
        "options": {
            "table": {"type": "str", "required": True},
            "column": {"type": "str", "default": "name"},
            "success_column": {"type": "str"},
            "expected": {"type": "list", "elements": "str"},
            "directory": {"type": "path"},
            "pattern": {"type": "str", "default": PATTERN},
        },
    },
    "tenants": {
        "type": "dict",
        "options": {
            "schemas": {"type": "str", "required": True},
            "role": {"type": "str"},
            "pairs": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "role": {"type": "str", "required": True},
                    "schema": {"type": "str", "required": True},
                },
            },
        },
    },
}


def gather_info(params: Mapping[str, Any]) -> dict[str, Any]:
    """Look at the database as the parameters of the module say, and return its result."""
    problems = list(_problems(params))
    if problems:
        raise SluiceError("use the options", "; ".join(problems), "Correct them")
    options = options_of(params)
    found = look(
        parse_url(params["database_url"]),
        choose(params["gather"], options),
        options,
        statement_timeout=params["statement_timeout"],
        connect_timeout=params["connect_timeout"],
    )
    return {"changed": False, **found}


def options_of(params: Mapping[str, Any]) -> Options:
    """Return the module's parameters as what to look at."""
    return Options(
        samples=params["samples"],
        schemas=params["schemas"],
        expected=params["expected"],
        required=params["required"],
        slow_seconds=params["slow_seconds"],
        top=params["top"],
        baseline_size_bytes=params["baseline_size_bytes"],
        pool_size=params["pool_size"],
        pool_role=params["pool_role"],
        migrations=None if params["migrations"] is None else Migrations(**params["migrations"]),
        tenants=_tenants(params["tenants"]),
    )


def _tenants(given: Optional[Mapping[str, Any]]) -> Optional[Tenants]:
    if given is None:
        return None
    pairs = [(pair["role"], pair["schema"]) for pair in given["pairs"] or ()]
    return Tenants(schemas=given["schemas"], role=given["role"], pairs=pairs)


def _problems(params: Mapping[str, Any]) -> Iterator[str]:
    for option in ("statement_timeout", "connect_timeout"):
        if not 0 < params[option] < 86400:
            yield f"{option} is {params[option]:g}, it must be above 0 (s)"
    for option in ("samples", "top", "pool_size"):
        if params[option] is not None and params[option] < 1:
            yield f"{option} is {params[option]}, it must be at least 1"
    if not params["slow_seconds"] >= 0:
        yield f"slow_seconds is {params['slow_seconds']:g}, it must be 0 or more"

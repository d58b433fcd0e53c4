# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The statements that make a database like another one."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.postgres._databases import create_sql, property_statements

PROPERTIES: dict[str, Any] = {
    "owner": "app",
    "encoding": "UTF8",
    "collate": "en_US.UTF-8",
    "ctype": "en_US.UTF-8",
    "provider": "c",
    "locale": None,
    "icu_rules": None,
    "connection_limit": 20,
    "tablespace": "pg_default",
    "comment": None,
    "grants": None,
    "settings": [],
}


@pytest.mark.parametrize(
    ("properties", "version", "end"),
    [
        # Naming the default tablespace would need a privilege on it.
        ({}, 140000, "LC_CTYPE 'en_US.UTF-8'"),
        ({"tablespace": "fast"}, 140000, "LC_CTYPE 'en_US.UTF-8' TABLESPACE \"fast\""),
        ({}, 150000, "LOCALE_PROVIDER libc"),
        ({"provider": "i", "locale": "de-AT"}, 150000, "LOCALE_PROVIDER icu ICU_LOCALE 'de-AT'"),
        ({"provider": "i", "locale": "und", "icu_rules": "&a < b"}, 160000, "ICU_LOCALE 'und' ICU_RULES '&a < b'"),
        ({"provider": "b", "locale": "C.UTF-8"}, 170000, "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"),
    ],
)
def test_create(properties: dict[str, Any], version: int, end: str) -> None:
    statement = create_sql('o"dd', {**PROPERTIES, **properties}, version)
    assert statement.startswith(
        "CREATE DATABASE \"o\"\"dd\" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'en_US.UTF-8'"
    )
    assert statement.endswith(end)


def test_properties_end_with_owner_and_grants() -> None:
    properties = {
        **PROPERTIES,
        "comment": "it's",
        "settings": [["", "work_mem", "64MB"]],
        "grants": [["", "CONNECT", False], ["app", "CREATE", True]],
    }
    assert property_statements("d", properties) == [
        'ALTER DATABASE "d" SET "work_mem" = \'64MB\'',
        'ALTER DATABASE "d" CONNECTION LIMIT 20',
        "COMMENT ON DATABASE \"d\" IS 'it''s'",
        'ALTER DATABASE "d" OWNER TO "app"',
        'REVOKE ALL ON DATABASE "d" FROM PUBLIC, "app"',
        'GRANT CONNECT ON DATABASE "d" TO PUBLIC',
        'GRANT CREATE ON DATABASE "d" TO "app" WITH GRANT OPTION',
    ]


def test_default_grants_need_no_statement() -> None:
    assert not [line for line in property_statements("d", PROPERTIES) if "GRANT" in line or "REVOKE" in line]

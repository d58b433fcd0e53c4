# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what a migration tool says about pending migrations."""

from __future__ import annotations

import re
from typing import Optional

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.migrate._pending import (
    compile_pattern,
    pending_names,
    read_environment,
    read_status,
    secret_values,
)

NODE_PG_MIGRATE = """dry run
> Migrating files:
> - 1732200000000_add-watchlists
> - 1732200000001_index-deals
### MIGRATION 1732200000000_add-watchlists (UP) ###
CREATE TABLE "watchlists" ();
### MIGRATION 1732200000001_index-deals (UP) ###
"""
KNEX = """Found 1 Completed Migration file/files.
20261101_users.js
Found 2 Pending Migration file/files.
20261122_orders.js
"""
DJANGO = """shop
 [X] 0001_initial
 [ ] 0002_orders
"""


@pytest.mark.parametrize(
    ("output", "pattern", "names"),
    [
        (
            NODE_PG_MIGRATE,
            r"^### MIGRATION (?P<name>\S+) \(UP\)",
            ["1732200000000_add-watchlists", "1732200000001_index-deals"],
        ),
        (NODE_PG_MIGRATE, r"^> - (\S+)", ["1732200000000_add-watchlists", "1732200000001_index-deals"]),
        # Named twice, pending once
        (NODE_PG_MIGRATE, r"(\d{13}_\S+)", ["1732200000000_add-watchlists", "1732200000001_index-deals"]),
        (DJANGO, r"^ \[ \] (\S+)", ["0002_orders"]),
        (DJANGO, r"^ \[ \]", ["[ ] 0002_orders"]),
        (KNEX, r"^nothing", []),
    ],
)
def test_pending_names(output: str, pattern: str, names: list[str]) -> None:
    assert pending_names(output, re.compile(pattern)) == names


@pytest.mark.parametrize(
    ("rc", "output", "none", "accepted", "expected"),
    [
        (0, "pending: a", None, [0], ["a"]),
        (0, "all applied", None, [0], []),
        (0, "all applied", "applied", [0], []),
        (0, "something else", "applied", [0], None),
        (0, "", "applied", [0], None),
        (1, "pending: a", None, [0, 1], ["a"]),
        (1, "pending: a", None, [0], None),
        # A tool that could not reach its database has nothing to do, either.
        (1, "connection refused", None, [0, 1], None),
    ],
)
def test_a_status_that_says_nothing_clear_is_an_error(
    rc: int, output: str, none: Optional[str], accepted: list[int], expected: Optional[list[str]]
) -> None:
    def read() -> list[str]:
        return read_status(
            rc,
            output,
            pending=re.compile(r"pending: (\S+)"),
            none=re.compile(none) if none else None,
            accepted=accepted,
        )

    if expected is None:
        with pytest.raises(SluiceError, match=r"^Cannot list the pending migrations: "):
            read()
    else:
        assert read() == expected


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("DATABASE_URL", "postgresql://u:p@h/d", True),
        ("DB_PASS", "hunter22", True),
        ("JWT_SECRET", "correct horse", True),
        ("STRIPE", "sk1live0123456789abc", True),  # its name does not say so
        ("NODE_ENV", "production", False),
        ("AUTH_MODE", "production", False),
        ("AUTH_ENABLED", "true", False),
        ("PORT", "3000", False),
        ("PIN_KEY", "123", False),  # too short to be told from other text
        ("LOG_DIR", "/var/log/dealradarus2026", False),
    ],
)
def test_secret_values(name: str, value: str, secret: bool) -> None:
    assert secret_values({name: value}) == ([value] if secret else [])


@pytest.mark.parametrize("content", ["", "[]", '{"A": 1}', '{"A": {"b": "c"}}'])
def test_an_environment_is_flat_and_of_strings(content: str) -> None:
    with pytest.raises(SluiceError, match=r"^Cannot read /c/env.json: "):
        read_environment(content, "/c/env.json")
    assert read_environment('{"A": "1"}', "/c/env.json") == {"A": "1"}


def test_a_bad_pattern_is_named() -> None:
    with pytest.raises(SluiceError, match=r"^Cannot use pending_pattern: '\(' is not a regular expression"):
        compile_pattern("(", "pending_pattern")

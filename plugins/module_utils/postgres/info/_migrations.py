# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Which migrations were applied, against those that there should be."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres._sql import quote_identifier, split_names
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._model import (
    Answer,
    Migrations,
    Options,
    Question,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._session import (
    LookingSession,
    UnreadableError,
)

# 0001_init.sql, 0001_init.up.sql and 0001_init are one migration, 0001_init.down.sql takes one back and is none, and
# neither are README.md and migration_lock.toml. Flyway writes V1__init.sql and R__views.sql.
PATTERN = r"(?!.*\.down\.)((?:[VB]?\d|R__).*?)(?:\.up)?(?:\.[A-Za-z]{2,4})?"

_MOST = 20_000


def name_of(entry: str, pattern: re.Pattern[str]) -> Optional[str]:
    """Return the name of the migration that a file holds: the first group of the pattern, or all that it matches."""
    found = pattern.fullmatch(entry)
    if found is None:
        return None
    return found[1] if pattern.groups else found[0]


def compare(
    recorded: Sequence[tuple[str, bool]], expected: Optional[Iterable[str]], pattern: re.Pattern[str]
) -> dict[str, Any]:
    """Compare what the database has recorded, as (name, whether it succeeded), with what is expected (None: nothing).

    A migration that failed, and succeeded later, was applied.
    """
    names = [(name_of(entry, pattern) or entry, succeeded) for entry, succeeded in recorded]
    applied = sorted({name for name, succeeded in names if succeeded})
    failed = sorted({name for name, _succeeded in names} - set(applied))
    pending = unknown = None
    if expected is not None:
        wanted = {name for name in (name_of(entry, pattern) for entry in expected) if name}
        pending = sorted(wanted - set(applied))
        unknown = sorted(set(applied) - wanted)
    return {
        "migrations_applied": applied,
        "migrations_applied_count": len(applied),
        "migrations_latest": applied[-1] if applied else None,
        "migrations_failed": failed,
        "migrations_failed_count": len(failed),
        "migrations_pending": pending,
        "migrations_pending_count": None if pending is None else len(pending),
        "migrations_unknown": unknown,
        "migrations_unknown_count": None if unknown is None else len(unknown),
        "migrations_complete": None if pending is None else not (pending or failed or unknown),
    }


def compiled(pattern: str) -> re.Pattern[str]:
    """Return the expression. Raises SluiceError when it is none."""
    try:
        return re.compile(pattern)
    except re.error as error:
        raise SluiceError("use migrations.pattern", f"it is no regular expression ({error})") from error


def expected_names(options: Migrations) -> Optional[list[str]]:
    """Return the entries that are expected: of the list and of the directory. Raises SluiceError without it."""
    if options.directory is None:
        return None if options.expected is None else list(options.expected)
    try:
        entries = [entry for entry in os.listdir(options.directory) if not entry.startswith(".")]
    except OSError as error:
        raise SluiceError(
            f"read the migrations of {options.directory}", error.strerror or str(error), "Correct migrations.directory"
        ) from error
    pattern = compiled(options.pattern)
    return [*(entry for entry in entries if name_of(entry, pattern)), *(options.expected or ())]


def _migrations(session: LookingSession, options: Options) -> Answer:
    chosen = options.migrations
    if chosen is None:
        raise TypeError("asked for migrations without their options")
    expected = expected_names(chosen)
    parts = split_names(chosen.table, ".")
    table = ".".join(map(quote_identifier, parts if len(parts) > 1 else ["public", *parts]))
    success = "true"
    if chosen.success_column:
        column = quote_identifier(chosen.success_column)
        # A flag (Flyway, Knex), or the moment of success (Prisma).
        success = f"COALESCE({column}::text NOT IN ('false', 'f', '0', ''), false)"
    found = session.rows(
        f"SELECT {quote_identifier(chosen.column)}::text, {success} FROM {table}"  # noqa: S608
        f" WHERE {quote_identifier(chosen.column)} IS NOT NULL LIMIT {_MOST + 1}"
    )
    if len(found) > _MOST:
        raise UnreadableError(f"{chosen.table} has more than {_MOST} rows")
    return Answer(compare(found, expected, compiled(chosen.pattern)))


MIGRATIONS = (
    Question(
        (
            "migrations_applied",
            "migrations_applied_count",
            "migrations_latest",
            "migrations_failed",
            "migrations_failed_count",
            "migrations_pending",
            "migrations_pending_count",
            "migrations_unknown",
            "migrations_unknown_count",
            "migrations_complete",
        ),
        _migrations,
    ),
)

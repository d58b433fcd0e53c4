# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from typing import Optional

from ansible_collections.sluice.release.plugins.module_utils.postgres._client import Database, DatabaseError
from ansible_collections.sluice.release.plugins.module_utils.postgres._databases import exists
from ansible_collections.sluice.release.plugins.module_utils.postgres._sql import derived_name, quote_identifier

_KIND = "__replaced_"
_TIME = "%Y%m%dT%H%M%SZ"
_SUFFIX = re.compile(rf"{_KIND}(?P<time>\d{{8}}T\d{{6}}Z)(?:_(?P<number>\d+))?$")


def new_name(admin: Database, database: str, now: datetime) -> str:
    """Name what a restore replaces, by the time."""
    stamp = _KIND + now.strftime(_TIME)
    name, number = derived_name(database, stamp), 1
    while exists(admin, name):
        # A second restore within the second.
        number += 1
        name = derived_name(database, f"{stamp}_{number}")
    return name


def list_replaced(admin: Database, database: str) -> list[tuple[str, datetime]]:
    """Return the databases that restores of this one have replaced, newest first."""
    names = (name for (name,) in admin.rows("SELECT datname FROM pg_catalog.pg_database"))
    return of_database(names, database)


def of_database(names: Iterable[str], database: str) -> list[tuple[str, datetime]]:
    """Return those of the names that :func:`new_name` has given for this database and no other, newest first."""
    found = []
    for name in names:
        suffix = _SUFFIX.search(name)
        # ``a`` and ``a__replaced_b`` are two databases; and a long name is cut.
        if suffix and derived_name(database, suffix[0]) == name:
            time = datetime.strptime(suffix["time"], _TIME).replace(tzinfo=timezone.utc)
            found.append((time, int(suffix["number"] or 1), name))
    return [(name, time) for time, _number, name in sorted(found, reverse=True)]


def expired(
    replaced: Iterable[tuple[str, datetime]], now: datetime, keep: Optional[int], keep_days: Optional[int]
) -> list[str]:
    """Return the names that the limits keep no more, of a list that begins with the newest, which always stays.

    With both limits a database goes when neither keeps it; without any, nothing goes.
    """
    if keep is None and keep_days is None:
        return []
    oldest = now - timedelta(days=keep_days or 0)
    return [
        name
        for number, (name, time) in enumerate(replaced)
        if number >= max(keep or 0, 1) and (keep_days is None or time <= oldest)
    ]


def remove(admin: Database, names: Iterable[str], warn: Callable[[str], None]) -> list[str]:
    """Drop databases; one that somebody is in stays, with a warning. Returns those that are gone."""
    dropped = []
    for name in names:
        try:
            admin.run(f"DROP DATABASE IF EXISTS {quote_identifier(name)}")
        except DatabaseError as error:
            warn(f"Database {name}, which a restore replaced, was not dropped: {error.cause}")
        else:
            dropped.append(name)
    return dropped

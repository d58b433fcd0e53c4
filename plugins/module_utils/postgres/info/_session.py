# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A session that only looks: every query in a read-only transaction of its own, bounded in time, waiting for nobody."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres._client import (
    DatabaseError,
    PsycopgDatabase,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import DatabaseUrl

# What came with which version of the server. Everything else that is asked exists since 13, the oldest that is served.
_SINCE = {
    "lock_waitstart": 140000,  # pg_locks.waitstart
    "collation_version": 150000,  # pg_database.datcollversion
    "locale_provider": 150000,  # pg_database.datlocprovider
    "reserved_connections": 160000,  # for roles with pg_use_reserved_connections
    "slot_inactive_since": 170000,  # pg_replication_slots.inactive_since
}

# Of every transaction, never of the session: behind a pooler the session is the application's too. In a session
# whose transaction is over, nothing of ours is left.
_OPENING = (
    "BEGIN READ ONLY;"
    " SET LOCAL statement_timeout = {statement};"
    " SET LOCAL lock_timeout = {lock};"
    " SET LOCAL search_path = pg_catalog, pg_temp;"
    # Rows that a policy hides would be missing without a word.
    " SET LOCAL row_security = off;"
    " SET LOCAL jit = off;"
    " SET LOCAL max_parallel_workers_per_gather = 0; "
)

# Seconds to wait for a lock. Only the table of migrations is read as a table, and someone may alter it.
_LOCK_TIMEOUT = 1.0

# Seconds that the server gets to end a statement by itself before the line is cut.
_SLACK = 2.0

# Classes of SQLSTATE after which the session is no more: connection exception, operator intervention.
_LOST = ("", "08000", "08003", "08006", "57P01", "57P02", "57P03", "57P05")


class UnreadableError(Exception):
    """The server refused a query, and why. The session lives on."""


class LookingSession:
    """A session that changes nothing and is in nobody's way."""

    def __init__(
        self, url: DatabaseUrl, statement_timeout: float, connect_timeout: float, *, watched: bool = True
    ) -> None:
        """Connect. Timeouts in seconds. Raises SluiceError when that fails, or when the server is too old.

        ``watched``: cut the line when the server has gone silent. Without it the owner must, by cut().
        """
        seconds = max(1, round(connect_timeout))
        # Milliseconds until a peer that went away is noticed. The URL may say otherwise.
        bounds = {"connect_timeout": str(seconds), "tcp_user_timeout": str(seconds * 1000), **dict(url.parameters)}
        started = time.monotonic()
        self._database = PsycopgDatabase(replace(url, parameters=tuple(bounds.items())), "sluice_info", settings={})
        self.connect_ms = (time.monotonic() - started) * 1000
        self.server_version: int = self._database.server_version
        self._statement_timeout = statement_timeout
        milliseconds = max(1, round(statement_timeout * 1000))
        self._opening = _OPENING.format(statement=milliseconds, lock=min(milliseconds, round(_LOCK_TIMEOUT * 1000)))
        self._begun = False
        self._is_watched = watched

    def rows(self, sql: str, arguments: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of one query. UnreadableError when the server refuses it, DatabaseError when it is gone."""
        # One trip to the server for all of it, and psycopg2 returns what the last statement did.
        opening = ("ROLLBACK; " if self._begun else "") + self._opening
        self._begun = True
        try:
            with self._watched():
                return self._database.rows(opening + sql, arguments)
        except DatabaseError as error:
            if error.sqlstate in _LOST:
                raise
            raise UnreadableError(self._reason(error)) from error
        except UnicodeDecodeError as error:
            raise UnreadableError("the database holds bytes that are no text in its encoding") from error

    def has(self, feature: str) -> bool:
        """Whether the server's version has a feature of the table above."""
        return self.server_version >= _SINCE[feature]

    def select_1_ms(self) -> float:
        """Return the milliseconds that `SELECT 1` takes, there and back."""
        self.rest()
        with self._watched():
            started = time.monotonic()
            self._database.rows("SELECT 1")
            return (time.monotonic() - started) * 1000

    def close(self) -> None:
        """Leave the server, or a pooler in between, with nothing of ours."""
        with contextlib.suppress(SluiceError):
            self.rest()
        self._database.close()

    def cut(self) -> None:
        """Cut the line, from another thread: what waits for the server fails at once."""
        self._database.hang_up()

    def rest(self) -> None:
        """End the transaction: until the next query the session holds nothing back."""
        if self._begun:
            self._begun = False
            with self._watched():
                self._database.run("ROLLBACK")

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Cut the line when the server is silent for longer than its own timeout would allow."""
        if not self._is_watched:
            yield
            return
        timer = threading.Timer(self._statement_timeout + _SLACK, self.cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _reason(self, error: DatabaseError) -> str:
        if error.sqlstate == "57014":
            return f"the query took longer than {self._statement_timeout:g} s"
        if error.sqlstate == "55P03":
            return f"another session has locked it for longer than {_LOCK_TIMEOUT:g} s"
        return error.cause.partition(" LINE 1: ")[0]


@contextlib.contextmanager
def looking(url: DatabaseUrl, statement_timeout: float, connect_timeout: float) -> Iterator[LookingSession]:
    """A session that ends with the block."""
    session = LookingSession(url, statement_timeout, connect_timeout)
    try:
        yield session
    finally:
        session.close()

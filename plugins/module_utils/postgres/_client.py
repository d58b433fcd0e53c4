# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import contextlib
import os
import re
import socket
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional, Protocol

from ansible.module_utils.basic import missing_required_lib

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import redact
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import DatabaseUrl

try:
    import psycopg2

    PSYCOPG2_IMPORT_ERROR = None
except ImportError:
    PSYCOPG2_IMPORT_ERROR = traceback.format_exc()

# The oldest server with hash_record_extended.
_OLDEST_SERVER = 140000

# What a row looks like as text depends on every one of these, and so does what a session may see. Both sides of every
# comparison have the same ones. Timeouts that someone set for the application must not end a backup.
_SESSION = {
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "client_min_messages": "warning",
    "extra_float_digits": "3",
    "idle_in_transaction_session_timeout": "0",
    "lc_monetary": "C",
    "lock_timeout": "60s",
    "row_security": "off",
    "search_path": "",
    "standard_conforming_strings": "on",
    "statement_timeout": "0",
    "xmlbinary": "base64",
}

# Beginnings of what libpq says -> what a person can do.
_REMEDIES = (
    ("password authentication failed", "Correct the user or the password in the URL"),
    ("no password supplied", "Put the password into the URL"),
    ("no pg_hba.conf entry", "Allow the connection in the server's pg_hba.conf"),
    ("not currently accepting connections", "Allow them again with ALTER DATABASE ... ALLOW_CONNECTIONS true"),
    ("does not exist", "Correct the URL, or create what it names"),
    ("could not translate host name", "Correct the host in the URL"),
    ("Connection refused", "Start the server, or correct host and port in the URL"),
    ("No such file or directory", "Start the server, or correct the host in the URL"),
    ("too many clients", "Free some of the server's connections"),
    ("remaining connection slots", "Free some of the server's connections"),
)


class DatabaseError(SluiceError):
    """A statement that failed. ``sqlstate`` is empty when the connection was lost."""

    def __init__(self, verb_and_thing: str, cause: str, remedy: str = "", sqlstate: str = "", **fields: Any) -> None:
        super().__init__(verb_and_thing, cause, remedy, **fields)
        self.sqlstate = sqlstate


class Database(Protocol):
    """A session in one database. Statements commit by themselves unless BEGIN was sent."""

    url: DatabaseUrl
    server_version: int

    def rows(self, sql: str, arguments: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows. ``%s`` stands for an argument only when there are any."""

    def run(self, sql: str, arguments: Sequence[object] = ()) -> None:
        """Run one statement that returns nothing."""

    def close(self) -> None: ...


class PsycopgDatabase:
    """The real one."""

    def __init__(self, url: DatabaseUrl, application: str, settings: Optional[Mapping[str, str]] = None) -> None:
        """Connect. Raises SluiceError when that fails, or when the server is too old.

        ``settings`` of the session: by default those under which contents are compared.
        """
        if PSYCOPG2_IMPORT_ERROR:
            raise SluiceError(f"connect to {url.shown}", missing_required_lib("psycopg2"))
        self.url = url
        try:
            self._connection = psycopg2.connect(**url.keywords(application))
        except psycopg2.Error as error:
            raise DatabaseError(f"connect to {url.shown}", *_explained(error, url)) from None
        self._connection.autocommit = True
        self.server_version = self._connection.server_version
        if self.server_version < _OLDEST_SERVER:
            self.close()
            raise SluiceError(f"use {url.shown}", "its server is older than PostgreSQL 14", "Upgrade the server")
        if settings is None:
            settings = {**_SESSION, **({"transaction_timeout": "0"} if self.server_version >= 170000 else {})}
        for name, value in settings.items():
            self.rows("SELECT pg_catalog.set_config(%s, %s, false)", (name, value))

    def rows(self, sql: str, arguments: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return self._execute(sql, arguments)

    def run(self, sql: str, arguments: Sequence[object] = ()) -> None:
        self._execute(sql, arguments)

    def _execute(self, sql: str, arguments: Sequence[object]) -> list[tuple[Any, ...]]:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql, tuple(arguments) or None)
                return list(cursor.fetchall()) if cursor.description else []
        except psycopg2.Error as error:
            cause, remedy = _explained(error, self.url)
            if self._connection.closed:
                cause = f"the connection to the server was lost ({cause})"
                remedy = "See that the server runs, then run this again"
            raise DatabaseError(f"query {self.url.shown}", cause, remedy, error.pgcode or "") from None

    def close(self) -> None:
        self._connection.close()

    def hang_up(self) -> None:
        """Cut the line, from another thread: a statement that waits for a server gone silent then fails."""
        with (
            contextlib.suppress(OSError, psycopg2.Error),
            socket.socket(fileno=os.dup(self._connection.fileno())) as line,
        ):
            line.shutdown(socket.SHUT_RDWR)


class Connect(Protocol):
    """Opens a session."""

    def __call__(self, url: DatabaseUrl) -> contextlib.AbstractContextManager[Database]: ...


@contextlib.contextmanager
def connect(url: DatabaseUrl) -> Iterator[Database]:
    """A session that ends with the block."""
    database = PsycopgDatabase(url, "sluice")
    try:
        yield database
    finally:
        database.close()


def _explained(error: Exception, url: DatabaseUrl) -> tuple[str, str]:
    """Cause and remedy of what the driver raised, on one line each and without the password."""
    text = re.sub(r"\s+", " ", redact(str(error), url.secrets)).strip()
    # 'connection to server at "h", port 5432 failed: FATAL:  ...': the address is in the message already.
    text = re.sub(r"^connection to server .*? failed: ", "", text)
    text = re.sub(r"^(FATAL|ERROR): +", "", text)
    remedy = next((remedy for words, remedy in _REMEDIES if words in text), "")
    return text or "the server did not say why", remedy

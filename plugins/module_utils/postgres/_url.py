# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError

_SHAPE = "Write it as postgresql://user:password@host:port/database, with special characters percent-encoded"

# What libpq itself knows. Application drivers add words of their own to the same URL (schema, connection_limit,
# pgbouncer); libpq refuses a URL for one of those, so they are left out.
_LIBPQ_PARAMETERS = frozenset(
    (
        "channel_binding",
        "client_encoding",
        "connect_timeout",
        "gssencmode",
        "hostaddr",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "krbsrvname",
        "options",
        "sslcert",
        "sslcrl",
        "sslkey",
        "sslmode",
        "sslnegotiation",
        "sslrootcert",
        "tcp_user_timeout",
    )
)

# Seconds for a connection to be made, unless the URL says otherwise: a dropped packet must not cost minutes.
_CONNECT_TIMEOUT = "10"


_PREFIX = "sluice-pg-"
_FILE = "pgpass"

# What the name of the database of a shadow ends with; a drill drops no other.
SHADOW = "__shadow"


@dataclass(frozen=True)
class DatabaseUrl:
    """Where a database is and who asks. The password is in no text that this class makes, ``repr`` included."""

    host: str
    port: str
    user: str
    database: str
    password: str = field(default="", repr=False)
    parameters: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def shown(self) -> str:
        """The URL for a person to read: without password and parameters."""
        user = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        return f"postgresql://{user}{self.host}{port}/{self.database}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no output may show."""
        return (self.password,) if self.password else ()

    @property
    def is_local(self) -> bool:
        """Whether the server runs on this machine, as far as the address tells."""
        return self.host in ("", "localhost", "127.0.0.1", "::1") or self.host.startswith("/")

    def with_database(self, database: str) -> DatabaseUrl:
        """The same server and user, another database."""
        return replace(self, database=database)

    def keywords(self, application: str) -> dict[str, Any]:
        """Connection keywords for psycopg2, password included. ``application`` is shown in pg_stat_activity."""
        words = {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "dbname": self.database,
            "password": self.password,
            "connect_timeout": _CONNECT_TIMEOUT,
            "application_name": application,
            **dict(self.parameters),
        }
        return {key: value for key, value in words.items() if value}

    def conninfo(self, application: str) -> str:
        """Connection string for an argument list: everything but the password."""
        words = self.keywords(application)
        words.pop("password", None)
        return " ".join(f"{key}={_quoted(value)}" for key, value in words.items())

    @contextlib.contextmanager
    def tool_environment(self) -> Iterator[dict[str, str]]:
        """Environment in which PostgreSQL's tools find the password: a file of mode 0600 that ends with the block.

        An environment variable would be readable in ``/proc/<pid>/environ``, an argument by everybody.
        """
        # Messages in English: they are read by this collection, too.
        environment = {"LC_ALL": "C"}
        if not self.password:
            yield environment
            return
        _remove_leftovers()
        with tempfile.TemporaryDirectory(prefix=_PREFIX) as directory:
            path = os.path.join(directory, _FILE)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                # As long as we live the lock says that the file is in use. Before, it holds no secret.
                fcntl.flock(stream, fcntl.LOCK_EX)
                escaped = self.password.replace("\\", "\\\\").replace(":", "\\:")
                stream.write(f"*:*:*:*:{escaped}\n")
                stream.flush()
                # An inherited PGPASSWORD would come before the file; empty is unset to libpq.
                yield {**environment, "PGPASSFILE": path, "PGPASSWORD": ""}


def _remove_leftovers() -> None:
    """Remove the password files of killed runs."""
    for path in glob.glob(os.path.join(tempfile.gettempdir(), _PREFIX + "*", _FILE)):
        # One of another user, or one that is in use, is none of our business.
        with contextlib.suppress(OSError), open(path, encoding="utf-8") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if stream.read(1):
                shutil.rmtree(os.path.dirname(path))


def parse_url(url: str, option: str = "database_url") -> DatabaseUrl:
    """Read a PostgreSQL URL.

    Raises SluiceError. Its message repeats nothing of the URL: a password with an unescaped special character ends up
    in any part of what a URL parser sees.
    """

    def refuse(cause: str) -> SluiceError:
        return SluiceError(f"read {option}", cause, _SHAPE)

    try:
        parts = urlsplit(url)
        netloc, query = parts.netloc, parse_qsl(parts.query)
    except ValueError:
        raise refuse("it is not a URL") from None
    if parts.scheme not in ("postgres", "postgresql"):
        raise refuse("it does not begin with postgresql://")
    credentials, _at, address = netloc.rpartition("@")
    user, _colon, password = credentials.partition(":")
    database = parts.path[1:]
    if parts.fragment or "#" in url or "/" in database or "@" in database:
        raise refuse("it has a #, / or @ in a place where none can be, so a part of it is not percent-encoded")
    if "," in address:
        raise refuse("it names more than one host, and a backup must know which server it asks")
    host, port = _host_and_port(address)
    if port and not port.isdigit():
        raise refuse("its port is not a number")
    words = dict(query)
    password = words.pop("password", "") or unquote(password)
    if any(character in password for character in "\n\r\0"):
        raise refuse("its password contains a line break")
    found = DatabaseUrl(
        host=words.pop("host", "") or unquote(host),
        port=words.pop("port", "") or port,
        user=words.pop("user", "") or unquote(user),
        database=words.pop("dbname", "") or unquote(database),
        password=password,
        parameters=tuple(_parameters(words).items()),
    )
    if not found.database:
        raise refuse("it names no database")
    return found


def _parameters(words: dict[str, str]) -> dict[str, str]:
    """Keep what libpq knows; say in its words what Node.js drivers say in theirs."""
    kept = {key: value for key, value in words.items() if key in _LIBPQ_PARAMETERS}
    if kept.get("sslmode") == "no-verify":
        kept["sslmode"] = "require"
    if "sslmode" not in kept and words.get("ssl") in ("true", "1"):
        kept["sslmode"] = "require"
    return kept


def _host_and_port(address: str) -> tuple[str, str]:
    if address.startswith("["):
        host, _bracket, rest = address[1:].partition("]")
        return host, rest[1:]
    host, _colon, port = address.partition(":")
    return host, port


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres._client import Connect, Database, DatabaseError
from ansible_collections.sluice.release.plugins.module_utils.postgres._dump import mebibytes
from ansible_collections.sluice.release.plugins.module_utils.postgres._sql import (
    database_settings,
    derived_name,
    quote_identifier,
    quote_literal,
)

_NOT_CREATED = "Give the user CREATEDB, or set admin_url to a user who has it"


# Characters that tell the temporary databases of one kind apart.
_MARK = 8


def exists(admin: Database, name: str) -> bool:
    """Whether the server has a database of that name."""
    return bool(admin.rows("SELECT 1 FROM pg_catalog.pg_database WHERE datname = %s", (name,)))


def read_properties(database: Database, name: str) -> dict[str, Any]:
    """Return what belongs to a database itself and is in no dump of it: owner, locale, settings, grants and so on.

    ``grants`` is null for the default ones, else [role ("" is everybody), privilege, with grant option].
    ``settings``: [role ("" is everybody), name, value].
    """
    version = database.server_version
    provider = "d.datlocprovider::pg_catalog.text" if version >= 150000 else "'c'"
    locale = "d.datlocale" if version >= 170000 else "d.daticulocale" if version >= 150000 else "NULL"
    rules = "d.daticurules" if version >= 160000 else "NULL"
    found = database.rows(
        "SELECT d.oid, pg_catalog.pg_get_userbyid(d.datdba), pg_catalog.pg_encoding_to_char(d.encoding),"  # noqa: S608
        f" d.datcollate::pg_catalog.text, d.datctype::pg_catalog.text, {provider}, {locale}, {rules}, d.datconnlimit,"
        " t.spcname, pg_catalog.shobj_description(d.oid, 'pg_database'), d.datacl IS NULL"
        " FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace"
        " WHERE d.datname = %s",
        (name,),
    )
    if not found:
        raise SluiceError(f"read the properties of database {name}", "there is no such database")
    [(oid, *values, default_grants)] = found
    keys = ("owner", "encoding", "collate", "ctype", "provider", "locale", "icu_rules", "connection_limit")
    grants = database.rows(
        "SELECT CASE WHEN a.grantee = 0 THEN '' ELSE pg_catalog.pg_get_userbyid(a.grantee) END, a.privilege_type,"
        " a.is_grantable FROM pg_catalog.pg_database d, pg_catalog.aclexplode(d.datacl) a WHERE d.oid = %s"
        " ORDER BY 1, 2",
        (oid,),
    )
    settings = database.rows(
        "SELECT COALESCE(r.rolname, ''), s.setting FROM pg_catalog.pg_db_role_setting c"
        " CROSS JOIN LATERAL pg_catalog.unnest(c.setconfig) WITH ORDINALITY AS s(setting, number)"
        " LEFT JOIN pg_catalog.pg_roles r ON r.oid = c.setrole WHERE c.setdatabase = %s ORDER BY 1, s.number",
        (oid,),
    )
    return {
        **dict(zip((*keys, "tablespace", "comment"), values)),
        "grants": None if default_grants else [list(grant) for grant in grants],
        "settings": [[role, *setting.split("=", 1)] for role, setting in settings],
    }


def create_sql(name: str, properties: Mapping[str, Any], server_version: int) -> str:
    """Return the statement that makes an empty database in which text means and sorts the same."""
    words = [
        f"CREATE DATABASE {quote_identifier(name)} TEMPLATE template0",
        f"ENCODING {quote_literal(properties['encoding'])}",
        f"LC_COLLATE {quote_literal(properties['collate'])}",
        f"LC_CTYPE {quote_literal(properties['ctype'])}",
    ]
    # The template's own tablespace needs no privilege, unless it is named.
    if properties["tablespace"] != "pg_default":
        words.append(f"TABLESPACE {quote_identifier(properties['tablespace'])}")
    if server_version >= 150000:
        locale = quote_literal(properties["locale"] or "")
        words.append(
            {
                "i": f"LOCALE_PROVIDER icu ICU_LOCALE {locale}",
                "b": f"LOCALE_PROVIDER builtin BUILTIN_LOCALE {locale}",
            }.get(properties["provider"], "LOCALE_PROVIDER libc")
        )
        if properties["icu_rules"]:
            words.append(f"ICU_RULES {quote_literal(properties['icu_rules'])}")
    return " ".join(words)


def property_statements(name: str, properties: Mapping[str, Any]) -> list[str]:
    """Return the statements that give a new database its owner, settings, grants, limit and comment.

    The owner comes last but for the grants: whoever gives a database away may not change it any more, while grants
    before that would be the giver's.
    """
    target = quote_identifier(name)
    statements = database_settings(name, properties["settings"])
    statements.append(f"ALTER DATABASE {target} CONNECTION LIMIT {int(properties['connection_limit'])}")
    if properties["comment"]:
        statements.append(f"COMMENT ON DATABASE {target} IS {quote_literal(properties['comment'])}")
    statements.append(f"ALTER DATABASE {target} OWNER TO {quote_identifier(properties['owner'])}")
    if properties["grants"] is not None:
        owner = quote_identifier(properties["owner"])
        statements.append(f"REVOKE ALL ON DATABASE {target} FROM PUBLIC, {owner}")
        for role, privilege, grantable in properties["grants"]:
            grantee = quote_identifier(role) if role else "PUBLIC"
            option = " WITH GRANT OPTION" if grantable else ""
            statements.append(f"GRANT {privilege} ON DATABASE {target} TO {grantee}{option}")
    return statements


def take_lock(admin: Database, name: str, doing: str) -> None:
    """Reserve a database name on this server for as long as this session lives, against whoever else means it.

    Unlike a file it works across hosts, and it ends with a killed process.
    """
    [(taken,)] = admin.rows(
        "SELECT pg_catalog.pg_try_advisory_lock(pg_catalog.hashtextextended(%s, 0))", (f"sluice {name}",)
    )
    if not taken:
        raise SluiceError(doing, f"another session works with database {name}", "Wait until it has ended")


def _release_lock(admin: Database, name: str) -> None:
    admin.rows("SELECT pg_catalog.pg_advisory_unlock(pg_catalog.hashtextextended(%s, 0))", (f"sluice {name}",))


def drop(admin: Database, name: str) -> None:
    """Drop a database of ours, whoever is in it."""
    admin.run(f"DROP DATABASE IF EXISTS {quote_identifier(name)} WITH (FORCE)")


def temporary_prefix(database: str, kind: str) -> str:
    """Return how the names of a database's temporary databases of one kind begin, see :func:`drop_leftovers`."""
    return derived_name(database, kind + "0" * _MARK)[:-_MARK]


def temporary_name(database: str, kind: str) -> str:
    """Name a temporary database, never twice the same.

    The tools of a killed run may live on and open further sessions: they must not find the database of a later run.
    """
    return temporary_prefix(database, kind) + secrets.token_hex(_MARK // 2)


def drop_leftovers(admin: Database, prefix: str) -> list[str]:
    """Drop the databases of this prefix that killed runs left; those that a session has reserved are in use."""
    dropped = []
    for (name,) in admin.rows(
        "SELECT datname FROM pg_catalog.pg_database WHERE pg_catalog.starts_with(datname, %s)", (prefix,)
    ):
        # One of another user is that user's to drop; it must not be in our way.
        with contextlib.suppress(SluiceError):
            take_lock(admin, name, "drop a leftover")
            try:
                drop(admin, name)
                dropped.append(name)
            finally:
                _release_lock(admin, name)
    return dropped


@contextlib.contextmanager
def temporary_database(
    admin: Database, connect: Connect, name: str, properties: Mapping[str, Any], doing: str
) -> Iterator[None]:
    """Make an empty database that is gone when the block ends, however it ends, unless it was renamed in it."""
    take_lock(admin, name, doing)
    drop(admin, name)
    try:
        admin.run(create_sql(name, properties, admin.server_version))
    except DatabaseError as error:
        raise SluiceError(doing, f"database {name} was not created: {error.cause}", _NOT_CREATED) from error
    try:
        yield
    except BaseException as error:
        if not _gone(admin, connect, name) and isinstance(error, SluiceError):
            error.fields["left_behind"] = name
        raise
    if not _gone(admin, connect, name):
        raise SluiceError(doing, f"the temporary database {name} could not be dropped", "Drop it by hand")


def _gone(admin: Database, connect: Connect, name: str) -> bool:
    """Drop a database, with a new session when the old one is lost. Whether that was possible."""
    try:
        drop(admin, name)
    except DatabaseError:
        try:
            with connect(admin.url) as again:
                drop(again, name)
        except SluiceError:
            # A later run drops it.
            return False
    return True


def check_server_space(admin: Database, needed: int, doing: str) -> None:
    """Refuse to fill the disk of the server that also serves, as far as that can be known.

    That is: when the server runs on this machine and the user may know its data directory. ``needed`` in bytes.
    """
    free = _server_free_bytes(admin) if admin.url.is_local else None
    if free is not None and free < needed:
        raise SluiceError(
            doing,
            f"the server's disk has {mebibytes(free)} free, and a second copy of the data needs {mebibytes(needed)}",
            "Free space on the server's data directory",
        )


def _server_free_bytes(admin: Database) -> Optional[int]:
    try:
        [(directory,)] = admin.rows("SELECT pg_catalog.current_setting('data_directory')")
        # Readable only to the server's user, but its file system can be asked through any name in it.
        status = os.statvfs(directory)
    except (DatabaseError, OSError):
        return None
    return status.f_bavail * status.f_frsize


def sessions_of(admin: Database, names: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return (pid, database, user, application, whether in a transaction) of everybody in the databases.

    Of a session that we may know nothing about, it is assumed.
    """
    return admin.rows(
        "SELECT pid, datname, usename, application_name,"
        " backend_type IS NULL"
        " OR (backend_type IN ('client backend', 'parallel worker') AND state IS DISTINCT FROM 'idle')"
        " FROM pg_catalog.pg_stat_activity"
        " WHERE datname = ANY(%s) AND pid <> pg_catalog.pg_backend_pid()",
        (list(names),),
    )

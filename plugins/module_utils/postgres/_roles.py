# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres._client import Database, DatabaseError
from ansible_collections.sluice.release.plugins.module_utils.postgres._sql import quote_identifier, split_names

_NAME = r'"(?:[^"]|"")+"|[^\s;,"]+'
_OF_ROLE = re.compile(rf"(?:CREATE ROLE|ALTER ROLE|COMMENT ON ROLE) (?P<role>{_NAME})[ ;]")
_MEMBERSHIP = re.compile(rf"GRANT (?P<group>{_NAME}) TO (?P<member>{_NAME})[ ;]")
_GRANTOR = re.compile(rf" GRANTED BY (?:{_NAME});$")
# A statement ends at a semicolon outside quotes.
_STATEMENT = re.compile(r"""((?:[^;'"]|'(?:[^']|'')*'|"(?:[^"]|"")*")*;)""")


@dataclass(frozen=True)
class Statement:
    """A statement about roles: about one (``group`` is empty), or ``role`` becoming a member of ``group``."""

    sql: str
    role: str
    group: str = ""


def parse_globals(text: str) -> list[Statement]:
    """Read what ``pg_dumpall --globals-only`` or ``--roles-only`` prints. Tablespaces are left out."""
    # Comments, and the commands of psql that enclose the rest.
    lines = [line for line in text.splitlines() if not line.startswith(("--", "\\"))]
    found = []
    for sql in _STATEMENT.findall("\n".join(lines)):
        statement = sql.strip()
        about, member = _OF_ROLE.match(statement), _MEMBERSHIP.match(statement)
        if about:
            found.append(Statement(statement, _plain(about["role"])))
        elif member:
            # Whoever granted it there may not exist here: then it is granted by whoever restores.
            statement = _GRANTOR.sub(";", statement)
            found.append(Statement(statement, _plain(member["member"]), _plain(member["group"])))
    return found


def _plain(name: str) -> str:
    return split_names(name, ".")[0] if name.startswith('"') else name


def wanted_roles(statements: Sequence[Statement], needed: Collection[str], known: Collection[str]) -> list[str]:
    """Return the roles to make: those of ``needed`` that are not ``known``, and who belongs with them.

    That is, their members and the groups that they are members of, and so on. A needed role that the statements do not
    make is not among them.
    """
    made = {one.role for one in statements if one.sql.startswith("CREATE ROLE")} - set(known)
    wanted = made & set(needed)
    while True:
        near = {one.group for one in statements if one.group and one.role in wanted}
        near |= {one.role for one in statements if one.group in wanted}
        if near & made <= wanted:
            return sorted(wanted)
        wanted |= near & made


def statements_for(statements: Sequence[Statement], roles: Collection[str], known: Collection[str]) -> list[str]:
    """Return the statements that make these roles.

    What is known stays as it is, but that it becomes a member of a new role, or a new role its member.
    """
    there = {*roles, *known}
    return [
        one.sql
        for one in statements
        if (one.group and {one.role, one.group} <= there and {one.role, one.group} & set(roles))
        or (not one.group and one.role in roles)
    ]


@contextlib.contextmanager
def made_roles(admin: Database, roles: Sequence[str], statements: Sequence[str], doing: str) -> Iterator[None]:
    """Make roles, all or none, and drop them again when the block fails."""
    if not roles:
        yield
        return
    try:
        admin.run("BEGIN")
        for sql in statements:
            admin.run(sql)
        admin.run("COMMIT")
    except DatabaseError as error:
        with contextlib.suppress(DatabaseError):
            admin.run("ROLLBACK")
        # What follows quotes the statement, and with it a password.
        cause = error.cause.partition(" LINE ")[0]
        raise SluiceError(
            doing, f"the roles {', '.join(roles)} were not created: {cause}", "Use a superuser as admin_url"
        ) from None
    try:
        yield
    except BaseException:
        for role in roles:
            # One that something belongs to meanwhile stays.
            with contextlib.suppress(DatabaseError):
                admin.run(f"DROP ROLE IF EXISTS {quote_identifier(role)}")
        raise

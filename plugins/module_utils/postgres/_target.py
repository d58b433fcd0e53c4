# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres._client import Database, DatabaseError
from ansible_collections.sluice.release.plugins.module_utils.postgres._sql import split_names

_HEADING = re.compile(r"^-- Name: .*; Type: (?P<type>.*?); Schema: .*?; Owner: (?P<owner>.*?)(?:; Tablespace: .*)?$")
_NAME = r'(?:"(?:[^"]|"")+"|[^\s;"]+)'
_GRANTEE = re.compile(rf"^(?:ALTER DEFAULT .*|GRANT .*|REVOKE .*) (?:TO|FROM) ({_NAME})(?: WITH GRANT OPTION)?;$")
_GRANTOR = re.compile(rf"^(?:ALTER DEFAULT PRIVILEGES FOR ROLE|SET SESSION AUTHORIZATION) ({_NAME})")
_POLICY = re.compile(rf"^CREATE POLICY .*? TO ({_NAME}(?:, {_NAME})*)(?: USING | WITH CHECK |;)")
# Not the names of roles.
_WORDS = frozenset(("", "-", "PUBLIC", "CURRENT_USER", "SESSION_USER", "CURRENT_ROLE"))

_UNKNOWN_LOCALE = "22023"


def named_roles(definitions: str) -> set[str]:
    """Return the roles that own, hold or give anything, by what ``pg_restore --schema-only`` prints."""
    roles: set[str] = set()
    kind = ""
    for line in definitions.splitlines():
        heading = _HEADING.match(line)
        if heading:
            kind = heading["type"]
            roles.add(heading["owner"])
            continue
        # Only there: the body of a function can have lines that look the same.
        patterns = {"ACL": (_GRANTEE, _GRANTOR), "DEFAULT ACL": (_GRANTEE, _GRANTOR), "POLICY": (_POLICY,)}
        for pattern in patterns.get(kind, ()):
            found = pattern.match(line)
            if found:
                roles.update(_names(found[1]))
    return roles - _WORDS


def _names(text: str) -> list[str]:
    return [name for name in split_names(text, ",") if name not in _WORDS]


def property_roles(properties: Mapping[str, Any]) -> set[str]:
    """Return the roles that the owner, grants and settings of a database itself name."""
    return {
        properties["owner"],
        *(grantee for grantee, _privilege, _grantable in properties["grants"] or ()),
        *(role for role, _name, _value in properties["settings"]),
    } - {""}


def check_versions(
    backup_id: str, server_version: str, tool_major: int, target_version: int, restore_major: int, doing: str
) -> None:
    """Refuse to take a database back in time, before anything is made.

    ``server_version`` and ``tool_major`` made the backup; ``target_version`` (a number, 180006 is 18.6) and
    ``restore_major`` would restore it.
    """
    made_on, target = int(server_version.partition(".")[0]), target_version // 10000
    if made_on > target:
        raise SluiceError(
            doing,
            f"backup {backup_id} is of a server of version {made_on}, and this server has version {target}",
            f"Use a server of version {made_on} or newer",
        )
    if tool_major > restore_major:
        raise SluiceError(
            doing,
            f"backup {backup_id} was made by pg_dump {tool_major}, and pg_restore here has version {restore_major}",
            f"Use a server of version {tool_major} or newer, or set bin_path to tools of version {tool_major} that fit"
            " this one",
        )


def known_roles(admin: Database) -> set[str]:
    """Return the roles of a server."""
    return {name for (name,) in admin.rows("SELECT rolname FROM pg_catalog.pg_roles")}


def check_server(
    admin: Database,
    extensions: Iterable[str],
    properties: Mapping[str, Any],
    absent_roles: list[str],
    roles_remedy: str,
    doing: str,
) -> None:
    """Refuse a server that lacks what a backup needs, and name all of it at once.

    ``absent_roles``: roles that are missing and that nobody makes, and what to do then.
    """
    lacks, remedies = [], []
    extensions = _missing_extensions(admin, extensions)
    if extensions:
        lacks.append(_counted("extension", extensions))
        remedies.append("install the packages of the extensions on the server")
    locales = _missing_locales(admin, properties)
    if locales:
        lacks.append(_counted("locale", locales))
        remedies.append("generate the locales on the server's host and start the server anew")
    tablespace = properties["tablespace"]
    if not admin.rows("SELECT 1 FROM pg_catalog.pg_tablespace WHERE spcname = %s", (tablespace,)):
        lacks.append(_counted("tablespace", [tablespace]))
        remedies.append("create the tablespace")
    if absent_roles:
        lacks.append(_counted("role", absent_roles))
        remedies.append(roles_remedy)
    if lacks:
        remedy = "; ".join(remedies)
        raise SluiceError(doing, f"the server lacks {'; '.join(lacks)}", remedy[0].upper() + remedy[1:])


def _counted(word: str, names: list[str]) -> str:
    return f"{word}{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _missing_extensions(admin: Database, extensions: Iterable[str]) -> list[str]:
    known = {name for (name,) in admin.rows("SELECT name FROM pg_catalog.pg_available_extensions")}
    return sorted(set(extensions) - known)


def _missing_locales(admin: Database, properties: Mapping[str, Any]) -> list[str]:
    """Return the locales of the operating system that the server cannot use."""
    missing = []
    for locale in sorted({properties["collate"], properties["ctype"]}):
        try:
            # Nothing tells whether a locale is there but the attempt to use it.
            admin.rows("SELECT pg_catalog.set_config('lc_monetary', %s, false)", (locale,))
        except DatabaseError as error:
            if error.sqlstate != _UNKNOWN_LOCALE:
                raise
            missing.append(locale)
    admin.rows("SELECT pg_catalog.set_config('lc_monetary', 'C', false)")
    icu = "SELECT 1 FROM pg_catalog.pg_collation WHERE collprovider = 'i'"
    if properties["provider"] == "i" and not admin.rows(icu):
        missing.append(f"{properties['locale']} (ICU)")
    return missing

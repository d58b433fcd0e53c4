# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import hashlib
from collections.abc import Sequence

# PostgreSQL cuts longer names off without an error.
_NAME_BYTES = 63
_SUFFIX_BYTES = 40


def quote_identifier(name: str) -> str:
    """Return the name as SQL spells any name."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def split_names(text: str, separator: str) -> list[str]:
    """Split names, quoted or not, at a separator: ``public."Order Lines"`` or ``"$user", public``."""
    names: list[str] = []
    word, quoted, index = "", False, 0
    while index < len(text):
        character = text[index]
        if character == '"':
            if quoted and text[index + 1 : index + 2] == '"':
                word += '"'
                index += 1
            else:
                quoted = not quoted
        elif character == separator and not quoted:
            names.append(word)
            word = ""
        elif quoted or not character.isspace():
            word += character
        index += 1
    return [*names, word]


def quote_literal(text: str) -> str:
    """Return the text as an SQL literal (standard_conforming_strings is on, see ``_client``)."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


def derived_name(database: str, suffix: str) -> str:
    """Name a database after another one, within the 63 bytes that PostgreSQL keeps.

    The suffix stays whole if it leaves some room; what is cut off lives on as a short hash that keeps two such names
    apart.
    """
    name = (database + suffix).encode()
    if len(name) <= _NAME_BYTES:
        return database + suffix
    # A whole suffix tells two names of one database apart already.
    end, hashed = (suffix.encode(), database.encode()) if len(suffix.encode()) <= _SUFFIX_BYTES else (b"", name)
    mark = b"_" + hashlib.sha256(hashed).hexdigest()[:8].encode()
    return (name[: _NAME_BYTES - len(mark) - len(end)] + mark + end).decode(errors="ignore")


# Their values are lists of names; set from one literal, the whole list would become one name.
_LIST_SETTINGS = frozenset(
    (
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "shared_preload_libraries",
        "temp_tablespaces",
        "unix_socket_directories",
    )
)


def setting_value(name: str, value: str) -> str:
    """Return the right-hand side of ``SET <name> = ...`` for a value as pg_db_role_setting stores it."""
    if name.lower() in _LIST_SETTINGS and value:
        return ", ".join(quote_literal(word) for word in split_names(value, ","))
    return quote_literal(value)


def setting_name(name: str) -> str:
    """Return the name of a setting as SQL spells it; that of an extension has parts (``app.tenant``)."""
    return ".".join(quote_identifier(part) for part in name.split("."))


def database_settings(database: str, settings: Sequence[Sequence[str]]) -> list[str]:
    """Return the statements that give a database its settings.

    ``settings``: (role or "", name, value) each.
    """
    statements = []
    for role, name, value in settings:
        target = f"DATABASE {quote_identifier(database)}"
        if role:
            target = f"ROLE {quote_identifier(role)} IN {target}"
        statements.append(f"ALTER {target} SET {setting_name(name)} = {setting_value(name, value)}")
    return statements

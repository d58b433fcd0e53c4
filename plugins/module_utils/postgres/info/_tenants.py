# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Tenants with a schema each: whether one can reach what belongs to another."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres._sql import split_names
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._model import (
    Answer,
    Options,
    Question,
    Tenants,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._session import LookingSession

# One wrong grant to PUBLIC is a breach for every pair of tenants.
_MOST = 100

_DEFAULT_PATH = '"$user", public'

_SCHEMAS = r"""
SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1
"""

_ROLES = "SELECT rolname, rolsuper FROM pg_roles WHERE rolname = ANY(%s)"

# These functions count what is granted to PUBLIC and what a role inherits.
_GRANTS = """
SELECT r.role, n.nspname, has_schema_privilege(r.role, n.oid, 'USAGE'), has_schema_privilege(r.role, n.oid, 'CREATE'),
    t.number, t.example
FROM unnest(%s::name[]) AS r(role) CROSS JOIN pg_namespace n CROSS JOIN LATERAL (
    SELECT count(*), min(c.relname) FROM pg_class c
    WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND (has_any_column_privilege(r.role, c.oid, 'SELECT, INSERT, UPDATE')
            OR has_table_privilege(r.role, c.oid, 'DELETE, TRUNCATE'))
) AS t(number, example)
WHERE n.nspname = ANY(%s) AND (r.role, n.nspname) NOT IN (SELECT * FROM unnest(%s::name[], %s::name[]))
    AND (has_schema_privilege(r.role, n.oid, 'USAGE, CREATE') OR t.number > 0)
ORDER BY 1, 2
"""

_MEMBERSHIPS = """
SELECT r.role, o.role FROM unnest(%s::name[]) AS r(role) CROSS JOIN unnest(%s::name[]) AS o(role)
WHERE r.role <> o.role AND pg_has_role(r.role, o.role, 'MEMBER') ORDER BY 1, 2
"""

_FOREIGN_KEYS = """
SELECT n.nspname, c.relname, k.conname, fn.nspname, f.relname
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class f ON f.oid = k.confrelid JOIN pg_namespace fn ON fn.oid = f.relnamespace
WHERE k.contype = 'f' AND n.nspname <> fn.nspname AND n.nspname = ANY(%s) AND fn.nspname = ANY(%s) ORDER BY 1, 2, 3
"""

# A view may read another view that reads the table. Rules of tables read, too.
_VIEWS = """
WITH RECURSIVE direct AS (
    SELECT DISTINCT r.ev_class AS viewer, d.refobjid AS source
    FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class AND r.ev_class >= 16384
), reads AS (
    SELECT viewer, source FROM direct UNION SELECT r.viewer, d.source FROM reads r JOIN direct d ON d.viewer = r.source
)
SELECT vn.nspname, v.relname, tn.nspname, min(t.relname), ARRAY(
    SELECT role FROM unnest(%s::name[]) AS role WHERE has_any_column_privilege(role, v.oid, 'SELECT') ORDER BY 1
)::text[]
FROM reads r JOIN pg_class v ON v.oid = r.viewer JOIN pg_namespace vn ON vn.oid = v.relnamespace
JOIN pg_class t ON t.oid = r.source JOIN pg_namespace tn ON tn.oid = t.relnamespace
WHERE vn.nspname <> tn.nspname AND tn.nspname = ANY(%s) GROUP BY 1, 2, 3, v.oid ORDER BY 1, 2, 3
"""

_PATHS = """
SELECT COALESCE(r.rolname, ''), s.setdatabase <> 0, substr(c.setting, length('search_path=') + 1)
FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole CROSS JOIN LATERAL unnest(s.setconfig) AS c(setting)
WHERE starts_with(c.setting, 'search_path=')
    AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
"""


@dataclass(frozen=True)
class Facts:
    """What the server says about the tenants."""

    schemas: Sequence[str]
    owned: Mapping[str, frozenset[str]]
    """Role -> the schemas that are its own. Only roles that exist."""
    missing_roles: Sequence[str] = ()
    superusers: frozenset[str] = frozenset()
    grants: Sequence[tuple[str, str, bool, bool, int, str]] = ()
    """(role, schema, USAGE, CREATE, number of tables, one of them)"""
    memberships: Sequence[tuple[str, str]] = ()
    """(role, the role that it may become)"""
    foreign_keys: Sequence[tuple[str, str, str, str, str]] = ()
    """(schema, table, constraint, schema, table that it points to)"""
    views: Sequence[tuple[str, str, str, str, Sequence[str]]] = ()
    """(schema, view, schema, table that it reads, roles that may read the view)"""
    paths: Mapping[tuple[str, bool], str] = field(default_factory=dict)
    """(role or "" for all, whether for this database alone) -> search_path"""


def _breach(kind: str, schema: str, role: str | None, thing: str, detail: str) -> dict[str, Any]:
    return {"kind": kind, "schema": schema, "role": role, "object": thing, "detail": detail}


def search_path_of(role: str, paths: Mapping[tuple[str, bool], str]) -> str:
    """Return the search_path that a role's sessions begin with, the most particular setting first."""
    for key in ((role, True), (role, False), ("", True)):
        if key in paths:
            return paths[key]
    return _DEFAULT_PATH


def path_names(path: str, role: str) -> list[str]:
    """Return the schemas of a search_path."""
    return [role if name == "$user" else name for name in split_names(path, ",") if name]


def breaches(facts: Facts) -> Iterator[dict[str, Any]]:
    """Everything by which one tenant reaches what belongs to another."""
    for role in sorted(facts.superusers):
        yield _breach("superuser", "", role, role, f"{role} is a superuser, who reads everything")
    yield from _grant_breaches(facts)
    for schema, table, name, other, target in facts.foreign_keys:
        detail = f"foreign key {name} of {schema}.{table} points to {other}.{target}"
        yield _breach("foreign_key", other, None, f"{schema}.{table}", detail)
    yield from _view_breaches(facts)
    yield from _path_breaches(facts)


def _grant_breaches(facts: Facts) -> Iterator[dict[str, Any]]:
    for role, schema, usage, create, number, example in facts.grants:
        if role in facts.superusers:
            continue
        for right, word in ((usage, "USAGE"), (create, "CREATE")):
            if right:
                yield _breach("schema", schema, role, schema, f"{role} has {word} on schema {schema}")
        if number:
            more = f" and {number - 1} more" if number > 1 else ""
            detail = f"{role} has rights on {schema}.{example}{more}"
            yield _breach("table", schema, role, f"{schema}.{example}", detail)
    for role, other in facts.memberships:
        for schema in sorted(facts.owned[other] - facts.owned[role] if role not in facts.superusers else ()):
            yield _breach("membership", schema, role, other, f"{role} is a member of {other}, who owns {schema}")


def _view_breaches(facts: Facts) -> Iterator[dict[str, Any]]:
    united: dict[tuple[str, str], set[str]] = {}
    for schema, view, other, table, readers in facts.views:
        thing = f"{schema}.{view}"
        if schema in facts.schemas:
            yield _breach("view", other, None, thing, f"view {thing} reads {other}.{table}")
            continue
        for role in readers:
            if role not in facts.superusers and other not in facts.owned[role]:
                yield _breach("view", other, role, thing, f"view {thing} shows {other}.{table} to {role}")
        united.setdefault((schema, view), set()).add(other)
    if facts.owned:
        return
    # Nobody said who reads it.
    for (schema, view), others in united.items():
        if len(others) > 1:
            names = ", ".join(sorted(others))
            thing = f"{schema}.{view}"
            yield _breach("view", min(others), None, thing, f"view {thing} reads {len(others)} tenants: {names}")


def _path_breaches(facts: Facts) -> Iterator[dict[str, Any]]:
    for role, owned in facts.owned.items():
        path = search_path_of(role, facts.paths)
        for name in path_names(path, role):
            if name in facts.schemas and name not in owned:
                yield _breach("search_path", name, role, role, f"search_path of {role} names {name}")
    common = facts.paths.get(("", True), "")
    if not facts.owned:
        for name in path_names(common, ""):
            if name in facts.schemas:
                yield _breach("search_path", name, None, "", f"search_path of the whole database names {name}")


def matching(names: Sequence[str], pattern: str) -> dict[str, str]:
    """Return schema -> tenant for the schemas that the pattern matches as a whole. SluiceError when it is none."""
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise SluiceError("use tenants.schemas", f"it is no regular expression ({error})") from error
    found = {name: expression.fullmatch(name) for name in names}
    return {
        name: (match[1] or name) if expression.groups else name for name, match in found.items() if match is not None
    }


def owners(chosen: Tenants, tenants: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """Return role -> the schemas that are its own, as the caller says it. SluiceError for a pair of no tenant."""
    owned: dict[str, set[str]] = {}
    if chosen.role:
        for schema, tenant in tenants.items():
            role = chosen.role.replace("{tenant}", tenant).replace("{schema}", schema)
            owned.setdefault(role, set()).add(schema)
    for role, schema in chosen.pairs:
        if schema not in tenants:
            raise SluiceError(
                f"use the pair of {role} and {schema}", "tenants.schemas matches no such schema", "Correct the pair"
            )
        owned.setdefault(role, set()).add(schema)
    return {role: frozenset(schemas) for role, schemas in owned.items()}


def verdict(facts: Facts) -> Answer:
    """Return what is known. Where no tenant is, or a role that should be there is not, nothing is proven."""
    found = list(breaches(facts))
    reason = ""
    if not facts.schemas:
        reason = "no schema matches tenants.schemas"
    elif facts.missing_roles and not found:
        reason = f"there is no role {', '.join(facts.missing_roles[:5])}"
    return Answer(
        {
            "tenants_schemas": list(facts.schemas),
            "tenants_count": len(facts.schemas),
            "tenants_roles_checked": len(facts.owned),
            "tenants_roles_missing": list(facts.missing_roles),
            "tenants_search_paths": {role: search_path_of(role, facts.paths) for role in sorted(facts.owned)},
            "tenants_breaches": found[:_MOST],
            "tenants_breaches_count": None if reason else len(found),
            "tenants_isolated": None if reason else not found,
        },
        dict.fromkeys(("tenants_breaches_count", "tenants_isolated"), reason) if reason else {},
    )


def _tenants(session: LookingSession, options: Options) -> Answer:
    chosen = options.tenants
    if chosen is None:
        raise TypeError("asked for tenants without their options")
    tenants = matching([name for (name,) in session.rows(_SCHEMAS)], chosen.schemas)
    schemas = sorted(tenants)
    wanted = owners(chosen, tenants)
    known = dict(session.rows(_ROLES, (sorted(wanted),)))
    owned = {role: wanted[role] for role in sorted(known)}
    pairs = [(role, schema) for role, own in owned.items() for schema in sorted(own)]
    roles = list(owned)
    own_roles, own_schemas = [role for role, _schema in pairs], [schema for _role, schema in pairs]
    facts = Facts(
        schemas=schemas,
        owned=owned,
        missing_roles=sorted(set(wanted) - set(known)),
        superusers=frozenset(role for role, is_superuser in known.items() if is_superuser),
        grants=[tuple(row) for row in session.rows(_GRANTS, (roles, schemas, own_roles, own_schemas))] if roles else [],
        memberships=session.rows(_MEMBERSHIPS, (roles, roles)) if roles else [],
        foreign_keys=session.rows(_FOREIGN_KEYS, (schemas, schemas)),
        views=session.rows(_VIEWS, (roles, schemas)),
        paths={(role, here): path for role, here, path in session.rows(_PATHS)},
    )
    return verdict(facts)


TENANTS = (
    Question(
        (
            "tenants_schemas",
            "tenants_count",
            "tenants_roles_checked",
            "tenants_roles_missing",
            "tenants_search_paths",
            "tenants_breaches",
            "tenants_breaches_count",
            "tenants_isolated",
        ),
        _tenants,
    ),
)

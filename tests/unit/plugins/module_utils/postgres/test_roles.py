# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles from the file beside a backup: those that are missing, and no others."""

from __future__ import annotations

import pytest

from ansible_collections.sluice.release.plugins.module_utils.postgres._roles import (
    parse_globals,
    statements_for,
    wanted_roles,
)

GLOBALS = r"""--
-- PostgreSQL database cluster dump
--

\restrict abc

SET default_transaction_read_only = off;

CREATE ROLE app;
ALTER ROLE app WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB LOGIN PASSWORD 'SCRAM-SHA-256$4096:a;b''c';
COMMENT ON ROLE app IS 'it''s
the app;';
CREATE ROLE "app owner";
ALTER ROLE "app owner" WITH NOSUPERUSER NOLOGIN;
ALTER ROLE "app owner" SET search_path TO 'a', 'b;c';
CREATE ROLE stranger;
ALTER ROLE stranger WITH NOSUPERUSER LOGIN;
CREATE ROLE postgres;
ALTER ROLE postgres WITH SUPERUSER LOGIN;

GRANT "app owner" TO app WITH INHERIT TRUE GRANTED BY postgres;
GRANT app TO postgres GRANTED BY postgres;

CREATE TABLESPACE fast OWNER postgres LOCATION '/fast';
\unrestrict abc
"""


@pytest.mark.parametrize(
    ("needed", "known", "expected"),
    [
        ({"app"}, {"postgres"}, ["app", "app owner"]),
        ({"app owner"}, {"postgres"}, ["app", "app owner"]),
        ({"app", "app owner"}, {"postgres", "app"}, ["app owner"]),
        ({"stranger"}, {"postgres"}, ["stranger"]),
        ({"nobody"}, {"postgres"}, []),
        (set(), {"postgres"}, []),
    ],
)
def test_who_is_made(needed: set[str], known: set[str], expected: list[str]) -> None:
    assert wanted_roles(parse_globals(GLOBALS), needed, known) == expected


def test_a_new_role_gets_all_that_is_said_of_it() -> None:
    made = statements_for(parse_globals(GLOBALS), ["app", "app owner"], {"postgres"})
    assert made == [
        "CREATE ROLE app;",
        "ALTER ROLE app WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB LOGIN PASSWORD 'SCRAM-SHA-256$4096:a;b''c';",
        "COMMENT ON ROLE app IS 'it''s\nthe app;';",
        'CREATE ROLE "app owner";',
        'ALTER ROLE "app owner" WITH NOSUPERUSER NOLOGIN;',
        "ALTER ROLE \"app owner\" SET search_path TO 'a', 'b;c';",
        'GRANT "app owner" TO app WITH INHERIT TRUE;',
        "GRANT app TO postgres;",
    ]


def test_a_role_that_exists_keeps_what_it_has() -> None:
    made = statements_for(parse_globals(GLOBALS), ["app owner"], {"postgres", "app"})
    assert not [sql for sql in made if sql.startswith(("ALTER ROLE app ", "CREATE ROLE app;", "ALTER ROLE postgres"))]
    assert 'GRANT "app owner" TO app WITH INHERIT TRUE;' in made
    assert "GRANT app TO postgres;" not in made

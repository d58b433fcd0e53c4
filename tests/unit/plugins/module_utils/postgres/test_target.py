# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server must have before a backup is restored there."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres._target import (
    check_versions,
    named_roles,
    property_roles,
)

DEFINITIONS = """
--
-- Name: orders; Type: TABLE; Schema: public; Owner: app owner; Tablespace: fast
--

CREATE TABLE public.orders (id integer);
ALTER TABLE public.orders OWNER TO "app owner";

--
-- Name: EXTENSION citext; Type: COMMENT; Schema: -; Owner: -
--

--
-- Name: f(); Type: FUNCTION; Schema: public; Owner: coder
--

CREATE FUNCTION public.f() RETURNS void LANGUAGE sql AS $$
GRANT SELECT ON TABLE x TO dynamic;
$$;

--
-- Name: orders mine; Type: POLICY; Schema: public; Owner: app owner
--

CREATE POLICY mine ON public.orders FOR SELECT TO tenant, "Other One" USING ((id > 0));

--
-- Name: TABLE orders; Type: ACL; Schema: public; Owner: app owner
--

REVOKE ALL ON TABLE public.orders FROM "app owner";
SET SESSION AUTHORIZATION giver;
GRANT SELECT ON TABLE public.orders TO reader WITH GRANT OPTION;
RESET SESSION AUTHORIZATION;
GRANT SELECT(id),UPDATE(id) ON TABLE public.orders TO "a ""b"" c";
GRANT SELECT ON TABLE public.orders TO PUBLIC;

--
-- Name: DEFAULT PRIVILEGES FOR TABLES; Type: DEFAULT ACL; Schema: public; Owner: maker
--

ALTER DEFAULT PRIVILEGES FOR ROLE maker IN SCHEMA public GRANT SELECT ON TABLES TO viewer;
"""


def test_who_owns_holds_or_gives() -> None:
    expected = {"app owner", "coder", "tenant", "Other One", "giver", "reader", 'a "b" c', "maker", "viewer"}
    assert named_roles(DEFINITIONS) == expected


def test_who_a_database_itself_names() -> None:
    properties: dict[str, Any] = {
        "owner": "app",
        "grants": [["", "CONNECT", False], ["reader", "CONNECT", True]],
        "settings": [["", "work_mem", "7MB"], ["writer", "statement_timeout", "5s"]],
    }
    assert property_roles(properties) == {"app", "reader", "writer"}
    assert property_roles({**properties, "grants": None}) == {"app", "writer"}


@pytest.mark.parametrize(
    ("made_on", "dumped_by", "target", "restored_by", "cause"),
    [
        ("15.18", 15, 150018, 15, ""),
        ("15.18", 15, 180006, 18, ""),
        ("18.6", 18, 180001, 18, ""),  # minor versions make no difference
        ("18.6", 18, 150018, 15, "of a server of version 18, and this server has version 15"),
        ("18.6", 18, 170001, 18, "of a server of version 18"),
        ("15.18", 16, 150018, 15, "made by pg_dump 16, and pg_restore here has version 15"),
        ("15.18", 16, 150018, 16, ""),
    ],
)
def test_versions(made_on: str, dumped_by: int, target: int, restored_by: int, cause: str) -> None:
    def check() -> None:
        check_versions("b", made_on, dumped_by, target, restored_by, "restore backup b")

    if not cause:
        check()
        return
    with pytest.raises(SluiceError, match=r"^Cannot restore backup b: backup b ") as refused:
        check()
    assert cause in str(refused.value)

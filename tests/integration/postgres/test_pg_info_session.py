# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The session that pg_info looks through: it leaves nothing behind, waits for nobody, and knows its server."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from ansible_collections.sluice.release.plugins.module_utils.postgres._client import DatabaseError
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import parse_url
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._gather import SUBJECTS, TOLD, ask
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._model import Options
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._session import UnreadableError, looking

if TYPE_CHECKING:
    from tests.integration.conftest import Postgres


def test_a_session_is_left_as_it_was_found(postgres: Postgres) -> None:
    names = ("statement_timeout", "lock_timeout", "search_path", "row_security", "jit", "transaction_read_only")
    settings = "SELECT " + ", ".join(f"current_setting('{name}')" for name in names)
    with looking(parse_url(postgres.url), 5.0, 5.0) as session:
        before = session._database.rows(settings)
        assert session.rows(settings) != before
        with pytest.raises(UnreadableError, match="division by zero"):
            session.rows("SELECT 1 / 0")
        session.select_1_ms()
        assert session._database.rows(settings) == before
        assert session.rows("SELECT %s || '%%'", ("x",)) == [("x%",)]


def test_a_server_that_goes_silent(postgres: Postgres) -> None:
    with looking(parse_url(postgres.url), 0.2, 5.0) as session:
        [(pid,)] = session.rows("SELECT pg_backend_pid()")
        os.kill(pid, signal.SIGSTOP)
        try:
            started = time.monotonic()
            with pytest.raises(DatabaseError, match="the connection to the server was lost"):
                session.rows("SELECT 1")
            assert time.monotonic() - started < 5
        finally:
            os.kill(pid, signal.SIGCONT)


def test_a_server_is_asked_for_nothing_that_came_after_its_version(postgres: Postgres) -> None:
    with looking(parse_url(postgres.url), 5.0, 5.0) as session:
        session.server_version = 130000
        found = ask(session, [subject for subject in SUBJECTS if subject not in TOLD], Options())
    assert set(found["unreadable"]) == {"statements", "statements_slowest_mean_ms"}
    assert (found["collation_version_matches"], found["connections_reserved"]) == (None, 3)

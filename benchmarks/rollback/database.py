# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Level 3: what a rollback with the database takes, beside `pg_restore` alone."""

from __future__ import annotations

import sys
from typing import Any

from benchmarks.database.sample import dump, fill, restore
from benchmarks.database.server import BIN, Server
from benchmarks.rollback.ground import Ground, Took
from benchmarks.switching.site import VERSIONS

# By the requirements of the project: so many times the bare restore, and so many seconds for the rest.
FACTOR, REST = 1.3, 20.0


def prepare(server: Server, megabytes: int) -> dict[str, Any]:
    """Fill a database; return its size and what PostgreSQL's own tool takes to restore it."""
    server.query("CREATE DATABASE source")
    size = fill(server, megabytes)
    file = server.home / "bare.dump"
    dump(server, "custom", 1, str(file))
    try:
        return {"megabytes": round(size / 2**20), "pg_restore": round(restore(server, str(file)), 1)}
    finally:
        file.unlink()


def roll_back(ground: Ground, server: Server, name: str) -> Took:
    """Release the first version and, with a backup, the second; return what the way back with the database takes."""
    ground.extend(
        backup_enabled=True,
        sluice_database_url=server.text_url("source"),
        sluice_postgres_bin=str(BIN),
        rollback_revert=False,
    )
    for version in VERSIONS:
        ground.play("deploy.yml", release_version=version)
    server.query("CREATE TABLE written_since ()", "source")
    took = ground.play("rollback.yml", rollback_level=3)
    if server.query("SELECT to_regclass('written_since')", "source") != [(None,)]:
        raise SystemExit("Cannot measure: the database is not the one of the backup.")
    server.query("CHECKPOINT")
    print(f"{name}, level 3: {took.switched} s, ended after {took.ended} s", file=sys.stderr, flush=True)
    return took

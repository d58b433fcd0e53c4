# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database of a given size, and what PostgreSQL's own tools take for it."""

from __future__ import annotations

from benchmarks.database.server import Server

JOBS = 2

# Rows like those of an application, about 500 bytes each, in tables that can be dumped and restored side by side.
TABLES = 8
TABLE = """
CREATE TABLE part_{number} (
    id bigint PRIMARY KEY, user_id int, created timestamptz, total numeric(12, 2), status text, body jsonb, note text
)
"""
ROWS = """
INSERT INTO part_{number}
SELECT i, i % 50000, '2026-01-01'::timestamptz + i * interval '1 second', i / 7.0, (ARRAY['open', 'paid'])[1 + i % 2],
       jsonb_build_object('item', md5(i::text), 'by', md5((i + {number})::text), 'count', i % 9),
       md5((i * 3)::text) || ' a note as people write them ' || md5((i * 7)::text)
FROM generate_series({first}, {last}) i
"""
INDEX = "CREATE INDEX ON part_{number} (user_id)"
BATCH = 20000


def fill(server: Server, megabytes: int) -> int:
    """Fill the database up to a size; return the size in bytes."""
    for number in range(TABLES):
        server.query(TABLE.format(number=number), "source")
    first, size = 1, 0
    while size < megabytes * 2**20 * 0.95:
        for number in range(TABLES):
            rows = BATCH if megabytes >= 500 else BATCH // 10
            server.query(ROWS.format(number=number, first=first, last=first + rows - 1), "source")
        first += rows
        [(size,)] = server.query("SELECT pg_database_size('source')")
    for number in range(TABLES):
        server.query(INDEX.format(number=number), "source")
    server.query("VACUUM ANALYZE", "source")
    server.query("CHECKPOINT", "source")
    [(size,)] = server.query("SELECT pg_database_size('source')")
    return int(size)


def dump(server: Server, form: str, jobs: int, path: str) -> float:
    """Dump the database with `pg_dump`; return seconds."""
    conninfo = server.in_database("source").conninfo("benchmark")
    arguments = [f"--format={form}", f"--jobs={jobs}", "--compress=6", f"--file={path}", f"--dbname={conninfo}"]
    return server.tool("pg_dump", *arguments)


def restore(server: Server, path: str) -> float:
    """Restore a dump with `pg_restore` into a database of its own; return seconds."""
    server.query("CREATE DATABASE alone TEMPLATE template0")
    conninfo = server.in_database("alone").conninfo("benchmark")
    try:
        return server.tool("pg_restore", "--exit-on-error", f"--jobs={JOBS}", f"--dbname={conninfo}", path)
    finally:
        server.query("DROP DATABASE alone WITH (FORCE)")

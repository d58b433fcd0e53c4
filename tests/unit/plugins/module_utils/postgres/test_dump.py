# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command lines of PostgreSQL's tools, and what they print."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Optional

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import Completed
from ansible_collections.sluice.release.plugins.module_utils.postgres._dump import (
    Form,
    Tools,
    choose_form,
    dump_argv,
    find_tools,
    fits,
    missing_tables,
    needed_bytes,
    read_argv,
    restore_argv,
    run_tool,
)

TOOLS = Tools("/bin/pg_dump", "/bin/pg_restore", "18.6")


class Says:
    """A runner whose every program ends the same way."""

    def __init__(self, stdout: str = "", stderr: str = "", rc: int = 0) -> None:
        self.completed = Completed(rc, stdout, stderr, 0.1)

    def __call__(
        self,
        argv: Sequence[str],
        *,
        cwd: Optional[str] = None,
        env: Optional[Mapping[str, str]] = None,
        stdin: Optional[str] = None,
        timeout: Optional[float] = None,
    ) -> Completed:
        return self.completed


@pytest.mark.parametrize(
    ("asked", "form", "words"),
    [
        (("custom", "gzip", None, None), Form("custom", "gzip:6", 1), "--format=custom --compress=6 --jobs=1"),
        (("custom", "gzip", 1, 1), Form("custom", "gzip:1", 1), "--compress=1"),
        (("directory", "zstd", None, None), Form("directory", "zstd:3", 2), "--jobs=2 --compress=zstd:3"),
        (("directory", "zstd", 19, 5), Form("directory", "zstd:19", 5), "--jobs=5 --compress=zstd:19"),
        (("directory", "none", None, 1), Form("directory", "none", 1), "--format=directory --jobs=1 --compress=0"),
    ],
)
def test_the_archive_is_of_one_snapshot_and_in_the_form_that_was_asked_for(
    asked: tuple[str, str, Optional[int], Optional[int]], form: Form, words: str
) -> None:
    assert choose_form(*asked) == form
    argv = dump_argv(TOOLS, "host='h'", "00000004-1", "/b/database.dump", form)
    assert {"--snapshot=00000004-1", "--no-password", *words.split()} <= set(argv)


@pytest.mark.parametrize(
    ("asked", "cause"),
    [
        (("custom", "gzip", None, 2), "several jobs cannot write into the one file of format custom. Set format: dir"),
        (("directory", "gzip", None, 0), "jobs is 0"),
        (("custom", "gzip", 0, None), "gzip has no level 0. Choose one from 1 to 9"),
        (("custom", "zstd", 23, None), "zstd has no level 23. Choose one from 1 to 22"),
        (("custom", "none", 1, None), "compression none has no level"),
    ],
)
def test_a_form_that_makes_no_sense_is_refused(
    asked: tuple[str, str, Optional[int], Optional[int]], cause: str
) -> None:
    with pytest.raises(SluiceError) as refused:
        choose_form(*asked)
    assert cause in str(refused.value)


def test_a_restore_stops_at_the_first_error_and_reading_connects_to_nothing() -> None:
    assert "--exit-on-error" in restore_argv(TOOLS, "host='h'", "/b/database.dump", 2)
    assert f"--file={os.devnull}" in read_argv(TOOLS, "/b/database.dump")


@pytest.mark.parametrize(
    ("tool", "server", "expected"),
    [(15, 15, True), (16, 15, True), (17, 15, False), (15, 18, False), (17, 17, True), (18, 17, True), (18, 16, False)],
)
def test_fits(tool: int, server: int, expected: bool) -> None:
    assert fits(tool, server) is expected


def program(path: Path) -> None:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


def test_find_tools(tmp_path: Path) -> None:
    for name in ("pg_dump", "pg_restore"):
        program(tmp_path / name)
    found = find_tools(150018, str(tmp_path), Says("pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"))
    assert found == Tools(f"{tmp_path}/pg_dump", f"{tmp_path}/pg_restore", "15.18")
    with pytest.raises(SluiceError) as wrong:
        find_tools(180006, str(tmp_path), Says("pg_dump (PostgreSQL) 15.18\n"))
    assert "no pg_dump and pg_restore for a server of version 18" in str(wrong.value)
    assert "has version 15.18" in str(wrong.value)
    assert "set bin_path" in str(wrong.value)


def test_half_of_the_tools_is_none(tmp_path: Path) -> None:
    program(tmp_path / "pg_dump")
    with pytest.raises(SluiceError, match="none in "):
        find_tools(180006, str(tmp_path), Says("pg_dump (PostgreSQL) 18.6\n"))


LISTING = """;
; Archive created at 2026-11-22 01:30:00 UTC
;     dbname: shop
;     TOC Entries: 12
;
; Selected TOC Entries:
;
215; 1259 16385 TABLE public orders app
3501; 0 16385 TABLE DATA public orders app
3502; 0 16390 TABLE DATA Odd Schema Order Lines some owner
"""


@pytest.mark.parametrize(
    ("tables", "missing"),
    [
        (["public.orders"], []),
        (['"Odd Schema"."Order Lines"'], []),
        (["public.orders", "public.users"], ["public.users"]),
        (["public.order"], ["public.order"]),
        ([], []),
    ],
)
def test_missing_tables(tables: list[str], missing: list[str]) -> None:
    assert missing_tables(tables, LISTING) == missing


@pytest.mark.parametrize(
    ("size", "earlier", "expected"),
    [
        (1000, [], 1000),
        (1000, [(100, 800)], 156),
        (1000, [(0, 0), (100, 800)], 156),
    ],
)
def test_needed_bytes(size: int, earlier: list[tuple[int, int]], expected: int) -> None:
    assert needed_bytes(size, earlier) == expected


@pytest.mark.parametrize(
    ("runner", "quiet", "message"),
    [
        (Says(rc=1, stderr="pg_dump: error: x"), False, "pg_dump ended with status 1 and said: pg_dump: error: x"),
        (Says(rc=-9), False, "pg_dump was killed by signal 9 and said: nothing"),
        (Says(rc=1, stderr="write: No space left on device"), False, "Free space on the file system"),
        (Says(rc=0, stderr="pg_restore: error: x"), True, "ended with status 0 and said: pg_restore: error: x"),
    ],
)
def test_a_failed_tool_is_an_error(runner: Says, quiet: bool, message: str) -> None:
    with pytest.raises(SluiceError) as failed:
        run_tool(runner, ["/bin/pg_dump"], "back up shop", quiet=quiet)
    assert str(failed.value).startswith("Cannot back up shop: ")
    assert message in str(failed.value)


def test_a_warning_is_no_error() -> None:
    said = "pg_dump: warning: there are circular foreign-key constraints on this table:"
    assert run_tool(Says(stderr=said), ["pg_dump"], "back up shop", quiet=True).rc == 0

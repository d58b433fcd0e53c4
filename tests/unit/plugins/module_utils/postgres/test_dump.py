# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command lines of PostgreSQL's tools, and what they print."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Optional

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import Completed
from ansible_collections.sluice.release.plugins.module_utils.postgres import _dump
from ansible_collections.sluice.release.plugins.module_utils.postgres._dump import (
    Form,
    Tools,
    check_compression,
    choose_form,
    dump_argv,
    find_tools,
    fits,
    globals_argv,
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


@pytest.mark.parametrize(
    ("server", "version", "why"),
    [
        (180006, "15.18", "has version 15.18, which refuses a newer server"),
        (150018, "17.2", "whose pg_restore sends what a server before 17 does not understand"),
        (150018, "nonsense", "has version unknown, which nobody knows"),
    ],
)
def test_why_tools_do_not_fit(tmp_path: Path, server: int, version: str, why: str) -> None:
    for name in ("pg_dump", "pg_restore"):
        program(tmp_path / name)
    with pytest.raises(SluiceError) as refused:
        find_tools(server, str(tmp_path), Says(f"pg_dump (PostgreSQL) {version}\n"))
    assert why in str(refused.value)


def test_newer_tools_are_found_where_distributions_put_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for major in (14, 16, 9):
        (tmp_path / f"{major}/bin").mkdir(parents=True)
        for name in ("pg_dump", "pg_restore"):
            program(tmp_path / f"{major}/bin/{name}")
    monkeypatch.setattr(_dump, "_PLACES", (f"{tmp_path}/{{major}}/bin",))
    monkeypatch.setenv("PATH", str(tmp_path))
    found = find_tools(150018, None, Says("pg_dump (PostgreSQL) 16.3\n"))
    assert found.dump == f"{tmp_path}/16/bin/pg_dump"
    assert found.dump_all == f"{tmp_path}/16/bin/pg_dumpall"


@pytest.mark.parametrize(
    ("compression", "version", "stderr", "cause"),
    [
        ("gzip:6", "15.18", "", ""),
        ("none", "15.18", "", ""),
        ("zstd:3", "15.18", "", "has version 15.18, and zstd came with 16. Use other tools by bin_path"),
        ("zstd:3", "17.2", 'pg_dump: error: connection to server on socket "/dev/null/x" failed', ""),
        (
            "zstd:3",
            "18.6",
            "pg_dump: error: invalid compression specification: this build does not support compression with ZSTD\n",
            "this build does not support compression with ZSTD. Use other tools",
        ),
    ],
)
def test_a_compression_that_the_tools_lack_is_refused(compression: str, version: str, stderr: str, cause: str) -> None:
    tools = Tools("/bin/pg_dump", "/bin/pg_restore", version)
    if not cause:
        return check_compression(tools, Form("custom", compression), Says(stderr=stderr, rc=1))
    with pytest.raises(SluiceError) as refused:
        check_compression(tools, Form("custom", compression), Says(stderr=stderr, rc=1))
    assert cause in str(refused.value)
    return None


def test_schemas_are_left_out_by_their_exact_names() -> None:
    argv = dump_argv(TOOLS, "host='h'", "00000004-1", "/b/database.dump", Form(), ["t*", 'a"b'])
    assert [word for word in argv if "schema" in word] == ['--exclude-schema="a""b"', '--exclude-schema="t*"']


@pytest.mark.parametrize(("passwords", "expected"), [(True, False), (False, True)])
def test_passwords_are_asked_for_only_by_whoever_may_read_them(passwords: bool, expected: bool) -> None:
    argv = globals_argv(TOOLS, "host='h'", "shop", "/b/globals.sql", passwords=passwords)
    assert ("--no-role-passwords" in argv) is expected
    assert {"/bin/pg_dumpall", "--globals-only", "--database=shop", "--no-password"} <= set(argv)


def test_a_tool_ends_with_the_process_that_runs_it(tmp_path: Path) -> None:
    """However that ends: here it is killed."""
    started = tmp_path / "pid"
    code = (
        "import sys; from ansible_collections.sluice.release.plugins.module_utils.postgres._dump import run_tool;"
        "from ansible_collections.sluice.release.plugins.module_utils._runner import SubprocessRunner;"
        "run_tool(SubprocessRunner(), ['/bin/sh', '-c', 'echo $$ > \"$0\"; exec sleep 60', sys.argv[1]], 'wait')"
    )
    collections = Path(__file__).parents[5] / "collections"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(started)], env={**os.environ, "PYTHONPATH": str(collections)}
    )
    try:
        until(lambda: started.exists() and started.read_text().endswith("\n"))
    finally:
        process.kill()
        process.wait()
    # Whether it exists at all, or is dead and nobody has asked for its status yet.
    status = Path(f"/proc/{started.read_text().strip()}/stat")
    until(lambda: not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z")


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


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


def test_uncompressed_an_archive_may_be_larger_than_its_database() -> None:
    assert needed_bytes(1000, [], "none") == 2000
    assert needed_bytes(1000, [(900, 900)], "none") == 1250


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

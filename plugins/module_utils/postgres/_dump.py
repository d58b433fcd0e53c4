# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import CommandRunner, Completed, tail
from ansible_collections.sluice.release.plugins.module_utils.postgres._sql import split_names

_PLACES = ("/usr/lib/postgresql/{major}/bin", "/usr/pgsql-{major}/bin", "/opt/homebrew/opt/postgresql@{major}/bin")
_VERSION = re.compile(r"\(PostgreSQL\) (?P<version>(?P<major>\d+)\S*)")

# Seconds to wait for a table that another session holds, by ALTER TABLE for example.
LOCK_WAIT = 60


@dataclass(frozen=True)
class Tools:
    """pg_dump and pg_restore of one version."""

    dump: str
    restore: str
    version: str


def find_tools(server_version: int, bin_path: Optional[str], runner: CommandRunner) -> Tools:
    """Find the tools that fit a server (its number, 180006 is 18.6).

    Looks in ``bin_path`` alone when it is given, else on PATH and where distributions put them. Raises SluiceError
    when there are none, or only some whose archives this server could not take back.
    """
    major = server_version // 10000
    if bin_path:
        places = [bin_path]
    else:
        places = [place.format(major=major) for place in _PLACES]
        on_path = shutil.which("pg_dump")
        places[:0] = [os.path.dirname(on_path)] if on_path else []
    seen = []
    for place in places:
        dump, restore = (os.path.join(place, name) for name in ("pg_dump", "pg_restore"))
        if not (os.access(dump, os.X_OK) and os.access(restore, os.X_OK)):
            continue
        version = _VERSION.search(runner([dump, "--version"], timeout=20).stdout)
        if version and fits(int(version["major"]), major):
            return Tools(dump, restore, version["version"])
        seen.append(f"{dump} has version {version['version'] if version else 'unknown'}")
    raise SluiceError(
        "back up or restore a database",
        f"no pg_dump and pg_restore for a server of version {major}: "
        + ("; ".join(seen) or "none in " + ", ".join(places)),
        f"Install postgresql-client-{major}, or set bin_path to the directory of the tools of that version",
    )


def fits(tool: int, server: int) -> bool:
    """Whether tools of one major version can both dump and restore a server of another.

    pg_dump refuses a newer server. From 17 on, pg_restore sets a parameter that an older server does not know.
    """
    return tool == server or (tool > server and (tool < 17 or server >= 17))


# Lowest, highest and usual level of each method.
_LEVELS = {"gzip": (1, 9, 6), "zstd": (1, 22, 3)}


@dataclass(frozen=True)
class Form:
    """How an archive is written: ``format`` as pg_dump calls it, ``compression`` as the manifest spells it."""

    format: str = "custom"
    compression: str = "gzip:6"
    jobs: int = 1


def choose_form(format_: str, method: str, level: Optional[int], jobs: Optional[int]) -> Form:
    """Return the form that a person asks for. SluiceError when it makes no sense."""
    doing = "use the options of the dump"
    if jobs is not None and jobs < 1:
        raise SluiceError(doing, f"jobs is {jobs}", "Set it to 1 or more")
    if format_ == "custom" and (jobs or 1) > 1:
        raise SluiceError(
            doing, "several jobs cannot write into the one file of format custom", "Set format: directory"
        )
    if method == "none":
        if level is not None:
            raise SluiceError(doing, "compression none has no level", "Leave compression_level out")
        compression = "none"
    else:
        lowest, highest, usual = _LEVELS[method]
        chosen = usual if level is None else level
        if not lowest <= chosen <= highest:
            raise SluiceError(doing, f"{method} has no level {chosen}", f"Choose one from {lowest} to {highest}")
        compression = f"{method}:{chosen}"
    return Form(format_, compression, jobs or (2 if format_ == "directory" else 1))


def dump_argv(tools: Tools, conninfo: str, snapshot: str, path: str, form: Form) -> list[str]:
    """Command that dumps one snapshot into a file or a directory."""
    return [
        tools.dump,
        f"--format={form.format}",
        f"--jobs={form.jobs}",
        f"--compress={_compress(form.compression)}",
        "--no-password",
        f"--snapshot={snapshot}",
        f"--lock-wait-timeout={LOCK_WAIT}s",
        f"--file={path}",
        f"--dbname={conninfo}",
    ]


def _compress(compression: str) -> str:
    # The spelling that pg_dump before 16 knows, too.
    return {"none": "0"}.get(compression, compression.replace("gzip:", ""))


def definitions_argv(tools: Tools, conninfo: str) -> list[str]:
    """Command that prints all definitions of a database."""
    return [tools.dump, "--schema-only", "--no-password", f"--dbname={conninfo}"]


def archived_definitions_argv(tools: Tools, path: str) -> list[str]:
    """Command that prints all definitions in an archive, in the same words."""
    return [tools.restore, "--schema-only", "--file=-", path]


def list_argv(tools: Tools, path: str) -> list[str]:
    """Command that prints the table of contents of an archive."""
    return [tools.restore, "--list", path]


def read_argv(tools: Tools, path: str) -> list[str]:
    """Command that reads and decompresses every byte of an archive, and connects to nothing."""
    return [tools.restore, f"--file={os.devnull}", path]


def restore_argv(tools: Tools, conninfo: str, path: str, jobs: int) -> list[str]:
    """Command that restores an archive into an empty database and stops at the first error."""
    return [
        tools.restore,
        "--exit-on-error",
        "--no-password",
        f"--jobs={jobs}",
        f"--dbname={conninfo}",
        path,
    ]


def run_tool(
    runner: CommandRunner,
    argv: Sequence[str],
    doing: str,
    *,
    env: Optional[Mapping[str, str]] = None,
    timeout: Optional[float] = None,
    quiet: bool = False,
) -> Completed:
    """Run a tool and raise SluiceError when it fails; with ``quiet`` also when it wrote any error at all."""
    completed = runner(argv, env=env, timeout=timeout)
    if completed.rc != 0 or (quiet and complaints(completed.stderr)):
        program = os.path.basename(argv[0])
        # The first error is the cause, the last lines are but its consequences.
        said = " ".join(complaints(completed.stderr)[:2]) or tail(completed.stderr, 6) or "nothing"
        ended = f"was killed by signal {-completed.rc}" if completed.rc < 0 else f"ended with status {completed.rc}"
        raise SluiceError(doing, f"{program} {ended} and said: {said}", _remedy(completed.stderr))
    return completed


def complaints(stderr: str) -> list[str]:
    """Return the lines of a tool's output that are neither notes nor warnings about circular foreign keys."""
    return [
        line
        for line in stderr.splitlines()
        if re.search(r"\b(error|ERROR|FATAL|PANIC|warning: errors ignored)\b", line)
    ]


def _remedy(stderr: str) -> str:
    for words, remedy in (
        ("No space left on device", "Free space on the file system, or place the backups elsewhere"),
        ("File too large", "Raise the limit on file sizes, or place the backups elsewhere"),
        ("permission denied", "Grant the user of the URL what it needs, or use a user who has it"),
        # That is how pg_dump limits its wait for locks.
        ("due to statement timeout", "Wait until the ALTER TABLE or LOCK that holds a table has ended"),
        ("row-level security", "Use a user with BYPASSRLS, or the backup would lack rows"),
        ("is not available", "Install the extension on the server"),
    ):
        if words in stderr:
            return remedy
    return ""


def missing_tables(tables: Iterable[str], listing: str) -> list[str]:
    """Return those of the tables whose rows are not in an archive, by its table of contents.

    ``tables`` as the inventory spells them. An entry reads ``3501; 0 16398 TABLE DATA <schema> <name> <owner>``, where
    every part can have spaces.
    """
    entries = [line.partition(" TABLE DATA ")[2] for line in listing.splitlines() if not line.startswith(";")]
    exact = {entry.rpartition(" ")[0] for entry in entries}
    missing = []
    for table in tables:
        name = " ".join(split_names(table, "."))
        if name not in exact and not any(entry.startswith(f"{name} ") for entry in entries):
            missing.append(table)
    return missing


def mebibytes(size: float) -> str:
    """Return a size in bytes as a person reads it."""
    return f"{size / 2**20:.1f} MiB"


def needed_bytes(database_bytes: int, earlier: Iterable[tuple[int, int]]) -> int:
    """Estimate how large the next archive gets.

    ``earlier``: (size of the archive, size of the database then) of backups, newest first. Their ratio, with a quarter
    on top, is the best guess; without any, an archive has so far always been smaller than its database.
    """
    for archive, database in earlier:
        if database > 0:
            return int(database_bytes * archive / database * 1.25)
    return database_bytes

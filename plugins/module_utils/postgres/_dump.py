# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import glob
import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import CommandRunner, Completed, tail
from ansible_collections.sluice.release.plugins.module_utils.postgres._sql import quote_identifier, split_names

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

    @property
    def dump_all(self) -> str:
        """The pg_dumpall beside them; not every installation has one."""
        return os.path.join(os.path.dirname(self.dump), "pg_dumpall")


def find_tools(server_version: int, bin_path: Optional[str], runner: CommandRunner) -> Tools:
    """Find the tools that fit a server (its number, 180006 is 18.6).

    Looks in ``bin_path`` alone when it is given, else on PATH and where distributions put them: those of the server's
    version first, then newer ones. Raises SluiceError when there are none, or only some whose archives this server
    could not take back.
    """
    major = server_version // 10000
    places = [bin_path] if bin_path else _usual_places(major)
    seen = []
    for place in places:
        dump, restore = (os.path.join(place, name) for name in ("pg_dump", "pg_restore"))
        if not (os.access(dump, os.X_OK) and os.access(restore, os.X_OK)):
            continue
        version = _VERSION.search(runner([dump, "--version"], timeout=20).stdout)
        misfit = _misfit(int(version["major"]), major) if version else "which nobody knows"
        if version and not misfit:
            return Tools(dump, restore, version["version"])
        seen.append(f"{dump} has version {version['version'] if version else 'unknown'}, {misfit}")
    raise SluiceError(
        "back up or restore a database",
        f"no pg_dump and pg_restore for a server of version {major}: "
        + ("; ".join(seen) or "none in " + ", ".join(places)),
        f"Install postgresql-client-{major}, or set bin_path to the directory of the tools of that version",
    )


def _usual_places(major: int) -> list[str]:
    on_path = shutil.which("pg_dump")
    places = [os.path.dirname(on_path)] if on_path else []
    places += [place.format(major=major) for place in _PLACES]
    newer = []
    for place in _PLACES:
        before, after = place.split("{major}")
        for found in glob.glob(place.format(major="[1-9][0-9]")):
            number = int(found[len(before) : len(found) - len(after)])
            if number > major:
                newer.append((number, found))
    return places + [place for _number, place in sorted(newer)]


def fits(tool: int, server: int) -> bool:
    """Whether tools of one major version can both dump and restore a server of another."""
    return not _misfit(tool, server)


def _misfit(tool: int, server: int) -> str:
    """Say why tools of one major version cannot both dump and restore a server of another; empty when they can."""
    if tool < server:
        return "which refuses a newer server"
    if tool > server and tool >= 17 > server:
        # It sets transaction_timeout.
        return "whose pg_restore sends what a server before 17 does not understand"
    return ""


def check_compression(tools: Tools, form: Form, runner: CommandRunner) -> None:
    """Raise SluiceError when the tools cannot write the compression. No server is asked."""
    if not form.compression.startswith("zstd"):
        return
    doing = f"compress with {form.compression}"
    remedy = "Use other tools by bin_path, or compression gzip"
    if int(tools.version.split(".")[0]) < 16:
        raise SluiceError(doing, f"{tools.dump} has version {tools.version}, and zstd came with 16", remedy)
    # There cannot be a server at this address, and only who knows the compression looks for one.
    nowhere = f"host='{os.devnull}' port=1"
    argv = [tools.dump, f"--compress={form.compression}", f"--file={os.devnull}", "--no-password"]
    said = runner([*argv, f"--dbname={nowhere}"], env={"LC_ALL": "C"}, timeout=20).stderr
    if "compression" in said:
        raise SluiceError(doing, f"{tools.dump} said: {said.strip().splitlines()[0]}", remedy)


def check_dump_all(tools: Tools) -> None:
    """Raise SluiceError when there is no pg_dumpall beside pg_dump."""
    if not os.access(tools.dump_all, os.X_OK):
        raise SluiceError(
            "back up the roles of the server",
            f"there is no {tools.dump_all}",
            "Install it, or set globals to false if the roles are kept elsewhere",
        )


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


def dump_argv(
    tools: Tools, conninfo: str, snapshot: str, path: str, form: Form, left_out: Iterable[str] = ()
) -> list[str]:
    """Command that dumps one snapshot into a file or a directory, without the schemas that are ``left_out``.

    To name what stays out, not what goes in: then extensions, large objects and all else that belongs to no schema go
    in, and the schema public is treated as every database has it.
    """
    return [
        tools.dump,
        f"--format={form.format}",
        f"--jobs={form.jobs}",
        f"--compress={_compress(form.compression)}",
        "--no-password",
        f"--snapshot={snapshot}",
        f"--lock-wait-timeout={LOCK_WAIT}s",
        *(f"--exclude-schema={quote_identifier(name)}" for name in sorted(left_out)),
        f"--file={path}",
        f"--dbname={conninfo}",
    ]


def globals_argv(tools: Tools, conninfo: str, database: str, path: str, *, passwords: bool) -> list[str]:
    """Command that dumps roles and tablespaces of the server. ``passwords``: only for who may read pg_authid."""
    return [
        tools.dump_all,
        "--globals-only",
        "--no-password",
        *([] if passwords else ["--no-role-passwords"]),
        f"--file={path}",
        # It takes the name of the database from here, whatever the connection string says.
        f"--database={database}",
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
    completed = runner(_tethered(argv), env=env, timeout=timeout)
    if completed.rc != 0 or (quiet and complaints(completed.stderr)):
        program = os.path.basename(argv[0])
        # The first error is the cause, the last lines are but its consequences.
        said = " ".join(complaints(completed.stderr)[:2]) or tail(completed.stderr, 6) or "nothing"
        ended = f"was killed by signal {-completed.rc}" if completed.rc < 0 else f"ended with status {completed.rc}"
        raise SluiceError(doing, f"{program} {ended} and said: {said}", _remedy(completed.stderr))
    return completed


# Linux: a process asks to be ended when its parent ends; whoever lost it already ends at once.
_TETHER = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 15, 0, 0, 0)
if os.getppid() != int(sys.argv[1]): sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


def _tethered(argv: Sequence[str]) -> list[str]:
    """Return the command so that it ends with this process, even when that is killed.

    A pg_dump that lives on would hold locks, and write on, for nobody.
    """
    if not sys.platform.startswith("linux") or not sys.executable or not os.path.isabs(argv[0]):
        return list(argv)
    return [sys.executable, "-I", "-S", "-c", _TETHER, str(os.getpid()), *argv]


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


def needed_bytes(database_bytes: int, earlier: Iterable[tuple[int, int]], compression: str = "gzip:6") -> int:
    """Estimate how large the next archive gets.

    ``earlier``: (size of the archive, size of the database then) of backups like it, newest first. Their ratio, with a
    quarter on top, is the best guess. Without any, a compressed archive has so far always been smaller than its
    database; as text, which bytes and numbers are longer in, it can be twice as large.
    """
    for archive, database in earlier:
        if database > 0:
            return int(database_bytes * archive / database * 1.25)
    return database_bytes * (2 if compression == "none" else 1)

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import exclusive
from ansible_collections.sluice.release.plugins.module_utils._runner import CommandRunner, Completed
from ansible_collections.sluice.release.plugins.module_utils.postgres._backup import attend
from ansible_collections.sluice.release.plugins.module_utils.postgres._copy import CopyOptions, Report
from ansible_collections.sluice.release.plugins.module_utils.postgres._dump import mebibytes
from ansible_collections.sluice.release.plugins.module_utils.postgres._manifest import FILE
from ansible_collections.sluice.release.plugins.module_utils.postgres._store import VERIFIED, Backup

LOCK = "copy.lock"

# Never asks: nobody could answer.
_RSH = "ssh -o BatchMode=yes"

# host:path, user@host:path, host::module and rsync://host/module, as rsync tells them from a path.
_REMOTE = re.compile(r"rsync://|[^/:]+:|\[[0-9A-Fa-f:.]+\]:")

# An item of --itemize-changes: what is done, to which kind of thing.
_ITEM = re.compile(r"(?P<item>[<>ch.*]\S*) +(?P<name>.+)")

_LOCK_TIMEOUT = 60.0


def is_remote(to: str) -> bool:
    """Whether rsync would go to another host for this."""
    return bool(_REMOTE.match(to))


def filters(names: Sequence[str]) -> list[str]:
    """Options that let rsync see these files of a set, and nothing else there."""
    tops = sorted({name.split("/")[0] for name in names})
    seen = [f"--include=/{_literal(top)}{rest}" for top in tops for rest in ("", "/**")]
    return [*seen, "--exclude=*"]


def _literal(name: str) -> str:
    return re.sub(r"([\[\]*?\\])", r"\\\1", name)


def changes(output: str) -> dict[str, str]:
    """Return what a dry run would do to files, by name: what the other side has otherwise."""
    found = {}
    for line in output.splitlines():
        match = _ITEM.fullmatch(line)
        if not match or match["name"].endswith("/"):
            continue
        item, name = match["item"], match["name"]
        if item.startswith("*deleting"):
            found[name] = f"{name} does not belong to it"
        elif item[1:2] == "f" and item.endswith("+++"):
            found[name] = f"{name} is missing"
        elif item[:1] in "<>" and item[1:2] == "f":
            found[name] = f"the checksum of {name} is not that of the backup"
    return found


class Rsync:
    """A directory of another host. rsync alone is spoken with it, so a restricted account will do."""

    way = "rsync"

    def __init__(self, options: CopyOptions, runner: CommandRunner) -> None:
        self.shown = options.to.rstrip("/")
        self._options, self._runner = options, runner
        self._doing = f"copy backups to {self.shown}"
        if shutil.which("rsync") is None:
            raise SluiceError(self._doing, "this host has no rsync", "Install the package rsync")
        self._store: Optional[str] = None
        self._stack = contextlib.ExitStack()
        # Says whether the place can be reached at all, before anything is read or written.
        self._rsync(["--list-only", "--dirs"], [f"{self.shown}/"])

    def close(self) -> None:
        self._stack.close()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        # rsync has no locks; one host fills a place.
        with exclusive(os.path.join(self._options.path, LOCK), "copy backups elsewhere", _LOCK_TIMEOUT):
            self._delete("/.*.partial/***")
            yield

    def store(self) -> str:
        if self._store is None:
            # Of everything there, the two small files that say what it is.
            self._store = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-copies-"))
            wanted = [f"--include=/*/{name}" for name in (FILE, VERIFIED)]
            self._rsync(
                ["--recursive", "--exclude=/.*", "--include=/*/", *wanted, "--exclude=*"],
                [f"{self.shown}/", f"{self._store}/"],
            )
        return self._store

    def check_space(self, needed: int) -> None:
        """Nobody can ask: rsync says it when it is full, and what is there then has no name."""

    def faults(self, backup: Backup) -> dict[str, str]:
        return self._faults(backup, backup.id)

    def _faults(self, backup: Backup, name: str) -> dict[str, str]:
        """Let the other side read all its files and compare their checksums with those of the files here."""
        done = self._rsync(
            [
                "--dry-run",
                "--recursive",
                "--checksum",
                "--delete",
                "--out-format=%i %n",
                *filters([*backup.manifest.files, FILE]),
            ],
            [f"{backup.path}/", f"{self.shown}/{name}/"],
        )
        return changes(done.stdout)

    def put(self, backup: Backup, report: Report) -> dict[str, str]:
        size = mebibytes(backup.manifest.size)
        started = time.monotonic()
        names = [*backup.manifest.files, FILE, VERIFIED]
        with ThreadPoolExecutor(max_workers=1) as pool:
            sent = pool.submit(self._send, backup, names, _partial(backup.id))
            attend(sent, lambda: report(f"{size} to {self.shown}, {time.monotonic() - started:.0f} s", None, None))
            read = pool.submit(self._faults, backup, _partial(backup.id))
            return attend(read, lambda: report(f"{self.shown} reads it again", None, None))

    def publish(self, backup: Backup) -> None:
        # A damaged copy: its manifest first.
        self.remove(backup.id)
        # rsync cannot rename, but it links what is there already. The manifest comes last and makes it a backup.
        done = self._send(
            backup,
            list(backup.manifest.files),
            backup.id,
            f"--link-dest=../{_partial(backup.id)}",
            "--out-format=%i %n",
        )
        if any(line[:1] in "<>c" and line[1:2] == "f" for line in done.stdout.splitlines()):
            # No links on that file system: these are other files than those that were read.
            found = {name: what for name, what in self._faults(backup, backup.id).items() if name != FILE}
            if found:
                raise SluiceError(self._doing, f"read again there, {'; '.join(found.values())}", "Check that disk")
        self._send(backup, [VERIFIED], backup.id)
        self._send(backup, [FILE], backup.id)

    def discard(self, backup: Backup) -> None:
        self._delete(f"/{_literal(_partial(backup.id))}/***")

    def put_note(self, backup: Backup) -> None:
        self._send(backup, [VERIFIED], backup.id)

    def remove(self, backup_id: str) -> bool:
        if os.path.isdir(os.path.join(self.store(), backup_id)):
            # Half removed, it must not look like a backup.
            self._delete(f"/{FILE}", f"{backup_id}/")
            self._delete(f"/{_literal(backup_id)}/***")
        return True

    def _send(self, backup: Backup, names: Sequence[str], to: str, *more: str) -> Completed:
        return self._rsync(
            ["--recursive", "--times", "--perms", "--chmod=D0700,F0600", *more, *filters(names)],
            [f"{backup.path}/", f"{self.shown}/{to}/"],
        )

    def _delete(self, pattern: str, below: str = "") -> None:
        with tempfile.TemporaryDirectory(prefix="sluice-empty-") as empty:
            self._rsync(
                ["--recursive", "--delete", f"--include={pattern}", "--exclude=*"],
                [f"{empty}/", f"{self.shown}/{below}"],
            )

    def _rsync(self, arguments: Sequence[str], places: Sequence[str]) -> Completed:
        # With a remote shell, rsync would start a daemon of its own over it.
        rsh = self._options.rsh or (_RSH if not self.shown.startswith("rsync://") and "::" not in self.shown else "")
        options = [f"--rsh={rsh}"] if rsh else []
        if self._options.password_file:
            options.append(f"--password-file={self._options.password_file}")
        argv = ["rsync", *options, *arguments, "--", *places]
        done = self._runner(argv, env={"LC_ALL": "C"}, timeout=self._options.timeout)
        if done.rc != 0:
            raise SluiceError(self._doing, f"rsync ended with status {done.rc} and said: {_said(done.stderr)}")
        return done


def _partial(backup_id: str) -> str:
    return f".{backup_id}.partial"


def _said(stderr: str) -> str:
    """The cause comes first, then what follows of it."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith("rsync error:")] or lines
    return " ".join(telling[:2]) or "nothing"

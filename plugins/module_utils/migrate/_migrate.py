# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._progress import Progress
from ansible_collections.sluice.release.plugins.module_utils._runner import CommandRunner, Completed, tail
from ansible_collections.sluice.release.plugins.module_utils.journal._fence import acting, still_ours
from ansible_collections.sluice.release.plugins.module_utils.migrate._pending import compile_pattern, read_status
from ansible_collections.sluice.release.plugins.module_utils.migrate._rows import compare_rows, count_rows
from ansible_collections.sluice.release.plugins.module_utils.migrate._session import pg_options
from ansible_collections.sluice.release.plugins.module_utils.migrate._watch import LockWatch
from ansible_collections.sluice.release.plugins.module_utils.postgres._client import Connect, connect
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import DatabaseUrl

# Seconds for a look at what a migration left that was ended at its budget.
_LAST_LOOK = 15.0

# Lines of output in the result.
_LINES = 40


@dataclass(frozen=True)
class MigrateOptions:
    """What a person asks for. ``budget`` in seconds, for everything together.

    ``lock_timeout`` and ``statement_timeout`` in seconds, for each statement; ``blocked_max`` in seconds that others
    may stand in a queue with the migration. 0 is no limit. ``count_rows_mb``: rows are counted up to this size.
    """

    state: str
    status: Sequence[str]
    command: Sequence[str]
    revert: Sequence[str]
    pending_pattern: str
    none_pattern: Optional[str]
    status_rc: Sequence[int]
    chdir: str
    path_prepend: Sequence[str]
    budget: float
    state_dir: str
    migrations: Sequence[str] = ()
    lock_timeout: float = 0.0
    statement_timeout: Optional[float] = None
    blocked_max: float = 0.0
    count_rows_mb: float = 0.0
    token: Optional[str] = None


@dataclass
class Migrator:
    """Runs one application's migration tool.

    ``url``: the database, to watch its locks; None when it is none of PostgreSQL.
    """

    options: MigrateOptions
    environment: Mapping[str, str]
    runner: CommandRunner
    progress: Progress
    warn: Callable[[str], None]
    check_mode: bool = False
    url: Optional[DatabaseUrl] = None
    connect: Connect = connect
    deadline: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = time.monotonic()
        self.deadline = self.started + self.options.budget
        self._pending = compile_pattern(self.options.pending_pattern, "pending_pattern")
        self._none = compile_pattern(self.options.none_pattern, "none_pattern") if self.options.none_pattern else None
        self._output: list[str] = []
        self._watch = LockWatch(self.connect, self.url, self.options.blocked_max, self.warn)
        self._rows: Optional[dict[str, Any]] = None

    def run(self) -> dict[str, Any]:
        """Bring the schema to the state that is asked for and return the module's result."""
        act = self._apply if self.options.state == "applied" else self._revert
        if self.check_mode:
            return act()
        # A module that a killed controller left behind may still be migrating.
        patience = min(30.0, self.options.budget)
        with acting(self.options.state_dir, self.options.token, "migrate the database", timeout=patience):
            return act()

    def _apply(self) -> dict[str, Any]:
        before = self._status()
        if not before:
            return self._result(before, before)
        if self.check_mode:
            return self._result(before, [])
        rows = self._count()
        self._act(self.options.command, before, f"apply {', '.join(before)}")
        after = self._status()
        self._rows = compare_rows(rows, self._count())
        if after:
            raise SluiceError(
                "apply the migrations",
                f"the command ended well, and still pending are {', '.join(after)}",
                "Run it by hand in the release's directory",
                **self._result(before, after),
            )
        return self._result(before, after)

    def _revert(self) -> dict[str, Any]:
        """Take back the named migrations; without names, run the command once.

        Most tools take back one migration a run, others several: it is run again as long as some are left.
        """
        before = self._status()
        wanted = list(self.options.migrations)
        left = [name for name in wanted if name not in before]
        if wanted and not left:
            return self._result(before, before)
        if self.check_mode:
            return self._result(before, [*left, *before])
        after, rows = before, self._count()
        for _run in range(max(len(left), 1)):
            was = after
            self._act(self.options.revert, before, f"take back {', '.join(left) or 'the last migration'}")
            after = self._status()
            left = [name for name in wanted if name not in after]
            if not left:
                break
            if set(after) <= set(was):
                break
        self._rows = compare_rows(rows, self._count())
        if left:
            raise SluiceError(
                "take back the migrations",
                f"the command ended well, and still applied are {', '.join(left)}",
                "Run it by hand in the release's directory",
                **self._result(before, after),
            )
        more = [name for name in after if wanted and name not in before and name not in wanted]
        if more:
            self.warn(f"More was taken back than asked for: {', '.join(more)}")
        return self._result(before, after)

    def _status(self, timeout: Optional[float] = None) -> list[str]:
        completed = self._run(self.options.status, timeout)
        return read_status(
            completed.rc,
            completed.stdout + completed.stderr,
            pending=self._pending,
            none=self._none,
            accepted=self.options.status_rc,
        )

    def _act(self, argv: Sequence[str], before: Sequence[str], doing: str) -> None:
        still_ours()
        self.progress.update(doing)
        try:
            with self._watch.watching(lambda met: self._show(doing, met)):
                completed = self._run(argv)
        except SluiceError as error:
            self._output += [str(error.fields.get("stdout", "")), str(error.fields.get("stderr", ""))]
            # Without its client a statement runs on in the server, and keeps its locks.
            self._watch.end_sessions()
            raise SluiceError(
                doing,
                f"it did not end within the budget of {self.options.budget:g} s{self._blame()}"
                if time.monotonic() >= self.deadline
                else error.cause,
                error.remedy or "See in pending_after how far it came",
                **self._aftermath(before),
            ) from error
        self._output += [completed.stdout, completed.stderr]
        if self._watch.aborted:
            raise SluiceError(
                doing,
                f"it was ended because of a lock: {self._watch.aborted}",
                "Migrate when the application is quiet, or in smaller steps; see in pending_after how far it came",
                rc=completed.rc,
                **self._aftermath(before),
            )
        if completed.rc != 0:
            raise SluiceError(
                doing,
                f"the command ended with status {completed.rc} and said: "
                + (tail(completed.stderr, 8) or tail(completed.stdout, 8) or "nothing")
                + self._blame(),
                "See in pending_after how far it came",
                rc=completed.rc,
                **self._aftermath(before),
            )

    def _show(self, doing: str, met: str) -> None:
        seconds = time.monotonic() - self.started
        self.progress.update(f"{doing}, {seconds:.0f} s of {self.options.budget:g} s" + (f"; {met}" if met else ""))

    def _blame(self) -> str:
        """Who stood in the way when the command was looked at last."""
        met = self._watch.blame()
        return f" (when it was looked at last: {met})" if met else ""

    def _count(self) -> Optional[dict[str, int]]:
        if self.url is None or not self.options.count_rows_mb:
            return None
        return count_rows(self.connect, self.url, self.options.count_rows_mb * 1e6)

    def _aftermath(self, before: Sequence[str]) -> dict[str, Any]:
        """What a failed command left, as far as the tool can still say."""
        after: Optional[list[str]] = None
        with contextlib.suppress(SluiceError):
            after = self._status(_LAST_LOOK)
        return self._result(before, after)

    def _run(self, argv: Sequence[str], timeout: Optional[float] = None) -> Completed:
        if timeout is None:
            timeout = self.deadline - time.monotonic()
        if timeout <= 0:
            raise SluiceError(f"run {argv[0]}", f"the budget of {self.options.budget:g} s is used up")
        search = [*self.options.path_prepend, self.environment.get("PATH") or os.environ.get("PATH", os.defpath)]
        environment = {**self.environment, "PATH": os.pathsep.join(search), **self._session()}
        return self.runner(argv, cwd=self.options.chdir, env=environment, timeout=timeout)

    def _session(self) -> dict[str, str]:
        """What libpq, and drivers that follow it, give to the sessions of the commands."""
        if self.url is None:
            return {}
        budget = self.options.budget
        statement_timeout = budget if self.options.statement_timeout is None else self.options.statement_timeout
        inherited = self.environment.get("PGOPTIONS") or os.environ.get("PGOPTIONS", "")
        options = pg_options(inherited, self.options.lock_timeout, statement_timeout)
        return {"PGAPPNAME": self._watch.application, **({"PGOPTIONS": options} if options else {})}

    def _result(self, before: Sequence[str], after: Optional[Sequence[str]]) -> dict[str, Any]:
        """The module's result. ``after`` is None when nobody knows."""
        known = before if after is None else after
        return {
            "changed": after is None or list(before) != list(after),
            "pending_before": list(before),
            "pending_after": None if after is None else list(after),
            "applied": [name for name in before if name not in known],
            "reverted": [name for name in known if name not in before],
            "seconds": round(time.monotonic() - self.started, 3),
            "blocking": self._watch.evidence(),
            "rows": self._rows,
            "output": tail("\n".join(text.rstrip() for text in self._output if text.strip()), _LINES).splitlines(),
            "diff": {"before": {"pending": list(before)}, "after": {"pending": list(known)}},
        }

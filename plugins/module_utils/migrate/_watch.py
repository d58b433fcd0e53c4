# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.migrate._session import Judge, meetings
from ansible_collections.sluice.release.plugins.module_utils.postgres._client import Connect, Database, DatabaseError
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import DatabaseUrl

# Everybody may read pg_locks whole, while pg_stat_activity hides of others' sessions that they wait.
_WAITING_SQL = """
SELECT w.pid, w.usename, w.application_name, w.state, b.pid, b.usename, b.application_name, b.state
FROM (SELECT DISTINCT pid FROM pg_catalog.pg_locks WHERE NOT granted) AS l
JOIN pg_catalog.pg_stat_activity w ON w.pid = l.pid AND w.datname = pg_catalog.current_database()
CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(l.pid)) AS x(pid)
JOIN pg_catalog.pg_stat_activity b ON b.pid = x.pid
"""

_OWN_SQL = "SELECT pid FROM pg_catalog.pg_stat_activity WHERE application_name = %s"

# Seconds that the server may take to end a session.
_END = 5.0

# Looks after which a migration that was never seen is taken for one that cannot be.
_BLIND = 5


class LockWatch:
    """Looks every second for sessions that a migration blocks, or that block it; ends the migration's when it is time.

    The sessions of a migration are told by their application name, which libpq and most drivers take from PGAPPNAME.
    They are ended by the server: that frees their locks at once, whatever the tool does. No failure of the watch itself
    ends a migration.
    """

    def __init__(
        self,
        connect: Connect,
        url: Optional[DatabaseUrl],
        limit: float,
        warn: Callable[[str], None],
        interval: float = 1.0,
    ) -> None:
        self.application = f"sluice_migrate_{secrets.token_hex(4)}"
        self.aborted: Optional[str] = None
        self._connect, self._url, self._warn, self._interval = connect, url, warn, interval
        self._judge = Judge(limit)
        self._tell: Callable[[str], None] = lambda _words: None
        self._looks = self._sights = 0
        self._fault: Optional[str] = None
        self._warned = False

    @contextlib.contextmanager
    def watching(self, tell: Callable[[str], None]) -> Iterator[None]:
        """Watch as long as the block lasts. ``tell`` is called at each look with whom the migration meets."""
        if self._url is None:
            yield
            return
        self._tell = tell
        done = threading.Event()
        thread = threading.Thread(target=self._work, args=(self._url, done), daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            # A server that has gone silent keeps the thread, and must not keep the migration.
            thread.join(_END)
            self._say_what_was_not_seen()

    def end_sessions(self) -> None:
        """End what is left of the migration on the server: a client that was killed may leave its statement running."""
        if self._url is None:
            return
        with contextlib.suppress(SluiceError), self._connect(self._url) as database:
            deadline = time.monotonic() + _END
            while self._end(database) and time.monotonic() < deadline:
                time.sleep(0.1)

    def blame(self) -> str:
        """Whom the migration met when it was looked at last, in words; '' for nobody."""
        return self._judge.sentence()

    def evidence(self) -> Optional[dict[str, Any]]:
        """What was seen; None without a database that can be watched."""
        if self._url is None:
            return None
        return {
            "watched": self._sights > 0,
            "aborted": self.aborted is not None,
            "seconds": round(self._judge.longest, 3),
            "sessions": [
                {key: value for key, value in one.items() if key != "since"} for one in self._judge.evidence()
            ],
        }

    def _work(self, url: DatabaseUrl, done: threading.Event) -> None:
        started = time.monotonic()
        try:
            with self._connect(url) as database:
                while not done.wait(self._interval):
                    self._look(database, time.monotonic() - started)
        except SluiceError as error:
            self._fault = str(error)

    def _look(self, database: Database, now: float) -> None:
        self._looks += 1
        self._sights += bool(database.rows(_OWN_SQL, (self.application,)))
        reason = self._judge.look(now, meetings(database.rows(_WAITING_SQL), self.application))
        words = self._judge.sentence()
        self._tell(words)
        if words and not self._warned:
            self._warned = True
            self._warn(f"A lock stands between the migration and others: {words}")
        self.aborted = self.aborted or reason
        if self.aborted:
            # Again at each look: the tool may have connected anew.
            self._end(database)

    def _end(self, database: Database) -> bool:
        """Ask the server to end the migration's sessions; whether there were any."""
        own = database.rows(_OWN_SQL, (self.application,))
        for (pid,) in own:
            # One that we may not end is one of another user: the tool did not connect by the URL that we were given.
            with contextlib.suppress(DatabaseError):
                database.rows("SELECT pg_catalog.pg_terminate_backend(%s)", (pid,))
        return bool(own)

    def _say_what_was_not_seen(self) -> None:
        if self._fault:
            self._warn(f"Nobody watches what the migration blocks: {self._fault}")
        elif self._looks >= _BLIND and not self._sights:
            self._warn(
                "Nobody watches what the migration blocks: its sessions are not known, for the tool does not take its"
                " application name from PGAPPNAME, or connects elsewhere than to database_url"
            )

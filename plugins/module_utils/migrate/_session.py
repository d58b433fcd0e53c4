# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the sessions of a migration are given, and what is to be made of those that they meet. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

# Where an application's environment names its database; this one goes past a pooler.
DIRECT_URL_VARIABLE = "DIRECT_DATABASE_URL"
URL_VARIABLES = (DIRECT_URL_VARIABLE, "DATABASE_URL")

_POSTGRES = ("postgres://", "postgresql://")

# Sessions that a message or a result names.
_NAMED = 3
_KEPT = 20


def choose_url(given: Optional[str], environment: Mapping[str, str]) -> Optional[str]:
    """Return the URL that a migration connects to: the one that is given, else the most direct that it would find."""
    return given or next((environment[name] for name in URL_VARIABLES if environment.get(name)), None)


def is_postgres(url: Optional[str]) -> bool:
    """Whether a URL is one of PostgreSQL; other databases have no locks that we could watch."""
    return bool(url) and str(url).startswith(_POSTGRES)


def pg_options(inherited: str, lock_timeout: float, statement_timeout: float) -> str:
    """Return PGOPTIONS with these limits, in seconds; 0 leaves one as it is.

    The last word on a setting counts, so what the application's own sessions are limited to does not count here.
    """
    limits = {"lock_timeout": lock_timeout, "statement_timeout": statement_timeout}
    words = [f"-c {name}={max(1, round(1000 * seconds))}" for name, seconds in limits.items() if seconds > 0]
    return " ".join(filter(None, [inherited.strip(), *words]))


@dataclass(frozen=True)
class Session:
    """Somebody else's session in the database."""

    pid: int
    user: str
    application: str
    state: str

    def __str__(self) -> str:
        known = [word for word in (self.user, self.application, self.state) if word]
        return f"session {self.pid} ({', '.join(known) or 'of which nothing is known'})"


@dataclass(frozen=True)
class Meeting:
    """A session that waits for the migration (``waits``), or that the migration waits for."""

    session: Session
    waits: bool

    def __str__(self) -> str:
        return f"{self.session} waits for it" if self.waits else f"it waits for {self.session}"


def meetings(rows: Sequence[Sequence[Any]], own: str) -> list[Meeting]:
    """Return whom the sessions of application name ``own`` meet.

    ``rows``: (pid, user, application, state) of one who waits, then the same of the one that it waits for.
    """
    found: dict[Meeting, None] = {}
    for row in rows:
        waiter, blocker = (Session(row[at], *(str(word or "") for word in row[at + 1 : at + 4])) for at in (0, 4))
        if (waiter.application == own) == (blocker.application == own):
            # Strangers, or two sessions of the migration.
            continue
        found.setdefault(Meeting(waiter, True) if blocker.application == own else Meeting(blocker, False))
    return list(found)


@dataclass
class Judge:
    """Says when a migration has stood in the way, or has been kept waiting, for too long.

    It is not enough that somebody waits all the time; who it is may change: requests give up, and others come.
    """

    limit: float
    """Seconds; 0 for a migration that may block others for as long as it takes."""
    longest: float = 0.0
    seen: dict[tuple[int, bool], dict[str, Any]] = field(default_factory=dict)
    present: list[Meeting] = field(default_factory=list)
    _since: Optional[float] = None

    def look(self, now: float, present: Sequence[Meeting]) -> Optional[str]:
        """Take note of whom the migration meets at second ``now``; return why it has to end, or None."""
        self.present = list(present)
        if not present:
            self._since = None
            return None
        if self._since is None:
            self._since = now
        self.longest = max(self.longest, now - self._since)
        for meeting in present:
            self._remember(now, meeting)
        if not self.limit or now - self._since < self.limit:
            return None
        return f"for {now - self._since:.0f} s, {self.sentence()}"

    def sentence(self) -> str:
        """Whom the migration meets now, in words; '' for nobody."""
        words = [str(meeting) for meeting in self.present[:_NAMED]]
        more = len(self.present) - _NAMED
        return "; ".join([*words, *([f"and {more} more"] if more > 0 else [])])

    def evidence(self) -> list[dict[str, Any]]:
        """Return everybody whom it met, those first that met it longest."""
        return sorted(self.seen.values(), key=lambda one: -one["seconds"])[:_KEPT]

    def _remember(self, now: float, meeting: Meeting) -> None:
        session = meeting.session
        known = self.seen.setdefault(
            (session.pid, meeting.waits),
            {
                "pid": session.pid,
                "user": session.user,
                "application": session.application,
                "state": session.state,
                "waits_for": "migration" if meeting.waits else "session",
                "since": now,
                "seconds": 0.0,
            },
        )
        known["seconds"] = round(now - known["since"], 3)

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Checks of a database: one look at it, and what one key of that look says."""

from __future__ import annotations

import difflib
import math
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._within import within
from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Sample
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._kind import (
    EXPECT,
    Begin,
    Kind,
    Raw,
    found_sample,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import parse_url
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._gather import KEYS, TOLD, ask
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._model import Options
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._session import LookingSession

# Endings of keys -> units.
_UNITS = {"_ms": "ms", "_seconds": "s", "_bytes": "B"}

# Keys of pg_info that a check may name.
_VALUES = tuple(key for key, subject in KEYS.items() if subject not in TOLD)

KEPT = 15.0
"""Seconds for which a session serves. To connect costs four times as much as to look; but who never does so again does
not see that a server lets nobody in any more, or that another one has its name."""


@dataclass(frozen=True)
class Answer:
    """What a look has seen, in the words of pg_info, or why it has seen nothing."""

    found: Mapping[str, Any]
    error: str = ""


class _Line:
    """The session of a gate with one database. It is with the look that uses it, or here."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._session: LookingSession | None = None
        self._until = -math.inf
        self._ended = False

    def take(self) -> LookingSession | None:
        """The session, unless it is too old."""
        with self._lock:
            session, self._session = self._session, None
        if session is None or time.monotonic() < self._until:
            return session
        session.close()
        return None

    def give(self, session: LookingSession, *, is_new: bool) -> None:
        """Keep it for the next look, if there is one."""
        with self._lock:
            if is_new:
                self._until = time.monotonic() + KEPT
            if not self._ended:
                self._session = session
                return
        session.close()

    def end(self) -> None:
        """Close it, now or when it comes back."""
        with self._lock:
            self._ended = True
            session, self._session = self._session, None
        if session:
            session.close()


class _Round:
    """What one look uses, for who has waited too long for it."""

    def __init__(self) -> None:
        self.is_late = False
        self.session: LookingSession | None = None

    def abandon(self) -> None:
        """End it: a frozen server does not end its own queries, and libpq has no limit for a whole exchange."""
        self.is_late = True
        if self.session:
            self.session.cut()


@dataclass(frozen=True)
class Look:
    """One look at a database. Checks with equal looks share its answers."""

    url: str = field(repr=False)
    subjects: tuple[str, ...]
    """What is looked at, in the words of pg_info."""
    timeout: float = 5.0
    """Seconds for the whole look."""
    anew: bool = False
    """Whether each look connects, because that is measured."""
    line: _Line = field(default_factory=_Line, compare=False, repr=False)

    def ask(self) -> Answer:
        """Look once, in the session of the look before where there is one."""
        this = _Round()
        try:
            return within(self.timeout, lambda: self._look(this))
        except SluiceError as error:
            return Answer({}, error.cause.rstrip("."))
        except TimeoutError:
            this.abandon()
            return Answer({}, f"no answer within {self.timeout:g} s")

    def end(self) -> None:
        """Close the session."""
        self.line.end()

    def _look(self, this: _Round) -> Answer:
        this.session = None if self.anew else self.line.take()
        if this.session:
            try:
                return self._asked(this.session, is_new=False)
            except SluiceError:
                # Lost since the look before: whether the server is there now, only a new one can say.
                if this.is_late:
                    raise
        this.session = LookingSession(parse_url(self.url), self.timeout, self.timeout, watched=False)
        if this.is_late:
            this.session.close()
            raise TimeoutError
        return self._asked(this.session, is_new=True)

    def _asked(self, session: LookingSession, *, is_new: bool) -> Answer:
        try:
            # The gate itself looks again and again: one sample each time.
            found = ask(session, self.subjects, Options(samples=1))
            session.rest()
        except BaseException:
            session.close()
            raise
        if self.anew:
            session.close()
        else:
            self.line.give(session, is_new=is_new)
        return Answer(found)


class _Postgres:
    def __init__(self, check: Check, key: str) -> None:
        self.check, self.key = check, key

    def sample(self, t: float, answer: Answer) -> Sample:
        if answer.error:
            return Sample(t, None, f"could not look at the database ({answer.error})")
        value = answer.found.get(self.key)
        if value is None:
            reason = answer.found["unreadable"].get(self.key, "there is none")
            return Sample(t, None, f"{self.key} is not known ({reason})")
        if self.check.limits.expect is None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            return Sample(t, None, f"{self.key} is no number")
        return found_sample(self.check, t, value, self.key)


def _problems(raw: Raw, _gate: Raw) -> Iterator[str]:
    if not raw["database_url"]:
        yield "it has no database_url"
    else:
        try:
            parse_url(raw["database_url"])
        except SluiceError as error:
            yield f"its database_url cannot be read: {error.cause}"
    if not raw["value"]:
        yield "it has no value, a key of pg_info"
    elif raw["value"] not in _VALUES:
        near = difflib.get_close_matches(raw["value"], _VALUES, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        yield f"its value is {raw['value']}, which is no key of pg_info that a check can read{hint}"


def _target(raw: Raw, gate: Raw) -> Look:
    # One look serves every check of the same database: they then speak of the same moment.
    same = [
        other["value"]
        for other in gate["checks"]
        if all(other[option] == raw[option] for option in ("type", "database_url", "timeout"))
    ]
    subjects = {KEYS[value] for value in same if value in _VALUES}
    return Look(raw["database_url"], tuple(sorted(subjects)), raw["timeout"], "connect_ms" in same)


def _begin(raw: Raw) -> Begin:
    key = raw["value"]
    return lambda check, _begun: _Postgres(check, key)


KIND = Kind(
    options={**EXPECT, "database_url": {"type": "str", "no_log": True}, "value": {"type": "str"}},
    target=_target,
    begin=_begin,
    problems=_problems,
    unit=lambda raw: next((unit for ending, unit in _UNITS.items() if raw["value"].endswith(ending)), ""),
    libraries=lambda _raw: {"psycopg2"},
)

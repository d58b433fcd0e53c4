# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Checks of a database: one look at it, and what one key of that look says."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Sample
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._kind import (
    EXPECT,
    Begin,
    Kind,
    Raw,
    found_sample,
    within,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import parse_url
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._gather import KEYS, TOLD, look
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._model import Options

# Endings of keys -> units.
_UNITS = {"_ms": "ms", "_seconds": "s", "_bytes": "B"}

# Keys of pg_info that a check may name.
_VALUES = tuple(key for key, subject in KEYS.items() if subject not in TOLD)


@dataclass(frozen=True)
class Answer:
    """What a look has seen, in the words of pg_info, or why it has seen nothing."""

    found: Mapping[str, Any]
    error: str = ""


@dataclass(frozen=True)
class Look:
    """One look at a database. Checks with equal looks share its answers."""

    url: str = field(repr=False)
    subjects: tuple[str, ...]
    """What is looked at, in the words of pg_info."""
    timeout: float = 5.0
    """Seconds for the whole look."""

    def ask(self) -> Answer:
        """Look once, on a connection of its own."""
        try:
            # A frozen server does not end its own queries, and libpq has no limit for the whole of an exchange.
            return within(self.timeout, self._look)
        except SluiceError as error:
            return Answer({}, error.cause.rstrip("."))
        except TimeoutError:
            return Answer({}, f"no answer within {self.timeout:g} s")

    def _look(self) -> Answer:
        # The gate itself looks again and again: one sample each time.
        return Answer(
            look(
                parse_url(self.url),
                self.subjects,
                Options(samples=1),
                statement_timeout=self.timeout,
                connect_timeout=self.timeout,
            )
        )


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
    return Look(raw["database_url"], tuple(sorted(subjects)), raw["timeout"])


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

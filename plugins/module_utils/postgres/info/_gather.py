# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""All subjects by the name under which they are gathered, and how some or all of them are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import DatabaseUrl
from ansible_collections.sluice.release.plugins.module_utils.postgres.info import (
    _activity,
    _locks,
    _migrations,
    _objects,
    _replication,
    _server,
    _tenants,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._model import Options, Question
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._session import (
    LookingSession,
    UnreadableError,
    looking,
)

SUBJECTS: Mapping[str, tuple[Question, ...]] = {
    "server": _server.SERVER,
    "latency": _server.LATENCY,
    "size": _server.SIZE,
    "objects": _objects.OBJECTS,
    "indexes": _objects.INDEXES,
    "connections": _activity.CONNECTIONS,
    "slow": _activity.SLOW,
    "statements": _activity.STATEMENTS,
    "locks": _locks.LOCKS,
    "prepared": _locks.PREPARED,
    "replication": _replication.REPLICATION,
    "migrations": _migrations.MIGRATIONS,
    "tenants": _tenants.TENANTS,
    "wraparound": _server.WRAPAROUND,
    "extensions": _server.EXTENSIONS,
}

ALWAYS = "server"
"""Gathered in every case: what the others are read against."""

TOLD = ("migrations", "tenants")
"""Subjects that are nothing without the option of their name."""

KEYS: Mapping[str, str] = {
    key: subject for subject, questions in SUBJECTS.items() for question in questions for key in question.keys
}
"""Every key of a result -> its subject."""


def choose(gather: Iterable[str], options: Options) -> list[str]:
    """Return the subjects that a list like ``["all", "!size"]`` or ``["latency"]`` means, in their order.

    With nothing but exclusions, all others. Raises SluiceError when the list names what is not there.
    """
    words = list(gather)
    added = {word for word in words if not word.startswith("!")}
    removed = {word[1:] for word in words if word.startswith("!")}
    strange = sorted((added | removed) - set(SUBJECTS) - {"all"})
    if strange:
        raise SluiceError(
            f"gather {', '.join(strange)}", "there is no such subject", f"Name some of all, {', '.join(SUBJECTS)}"
        )
    told = {"migrations": options.migrations, "tenants": options.tenants}
    untold = {subject for subject in TOLD if told[subject] is None}
    for subject in sorted(untold & added):
        raise SluiceError(f"gather {subject}", f"option {subject} does not say what to look at", f"Set {subject}")
    if "all" in added or not added:
        added = set(SUBJECTS) - untold
    if "all" in removed:
        removed = set(SUBJECTS)
    return [subject for subject in SUBJECTS if subject == ALWAYS or (subject in added and subject not in removed)]


def ask(session: LookingSession, subjects: Sequence[str], options: Options) -> dict[str, Any]:
    """Ask everything about the subjects. What the server refuses is null, and ``unreadable`` says why."""
    values: dict[str, Any] = {}
    unreadable: dict[str, str] = {}
    for question in (question for subject in subjects for question in SUBJECTS[subject]):
        try:
            answer = question.ask(session, options)
        except UnreadableError as error:
            values.update(dict.fromkeys(question.keys))
            unreadable.update(dict.fromkeys(question.keys, str(error)))
        else:
            values.update({key: answer.values[key] for key in question.keys})
            unreadable.update(answer.unreadable)
    return {**values, "gathered": list(subjects), "unreadable": unreadable}


def look(
    url: DatabaseUrl, subjects: Sequence[str], options: Options, *, statement_timeout: float, connect_timeout: float
) -> dict[str, Any]:
    """Connect, ask, and leave. Timeouts in seconds. Raises SluiceError when the server is not reached, or lost."""
    with looking(url, statement_timeout, connect_timeout) as session:
        return ask(session, subjects, options)

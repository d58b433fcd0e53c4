# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Checks of a database: one look at it, and what one key of that look says."""

from __future__ import annotations

import json
import time
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._http import Response
from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Look, Sample
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import parse_url
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._gather import KEYS, TOLD, look
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._model import Options

UNITS = {"_ms": "ms", "_seconds": "s", "_bytes": "B"}
"""Endings of keys -> units."""

VALUES = tuple(key for key, subject in KEYS.items() if subject not in TOLD)
"""Keys of pg_info that a check may name."""


def subject_of(value: str) -> str:
    """Return the subject that a key belongs to."""
    return KEYS[value]


def ask_database(wanted: Look) -> Response:
    """Look once, on a connection of its own, and return the result as if a page had shown it."""
    started = time.monotonic()
    try:
        found = look(
            parse_url(wanted.url),
            wanted.subjects,
            # The gate itself looks again and again.
            Options(samples=1),
            statement_timeout=wanted.timeout,
            connect_timeout=wanted.timeout,
        )
    except SluiceError as error:
        return Response(0, {}, b"", time.monotonic() - started, error.cause.rstrip("."), "other")
    return Response(200, {}, json.dumps(found).encode(), time.monotonic() - started)


class DatabaseMeasure:
    """From looks to samples of one key."""

    def __init__(self, check: Check) -> None:
        self.check = check

    def sample(self, t: float, response: Response) -> Sample | None:
        check, key = self.check, self.check.query or ""
        if response.error:
            return Sample(t, None, f"could not look at the database ({response.error})")
        found: dict[str, Any] = json.loads(response.body)
        value = found.get(key)
        if value is None:
            return Sample(t, None, f"{key} is not known ({found['unreadable'].get(key, 'there is none')})")
        if check.limits.expect is not None:
            text = value if isinstance(value, str) else json.dumps(value)
            good = text == check.limits.expect
            return Sample(t, text, "" if good else f"was {text} instead of {check.limits.expect}", good)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return Sample(t, None, f"{key} is no number")
        return Sample(t, value * check.scale)

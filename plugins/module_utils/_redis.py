# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What everybody does who looks at a Redis. The module has made sure that redis-py is there; nothing is written."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._runner import redact

MAX_KEYS = 10_000
"""Keys that a pattern may match: locks and heartbeats are few, and no check may keep a server busy."""

# Keys of one round trip.
_BATCH = 500


class LookError(Exception):
    """Keys could not be looked at. Its text says why."""


def client_of(url: str, timeout: float, **more: Any) -> Any:
    """A client that makes one honest attempt: who waits for a server asks again. ValueError for a URL of no use.

    ``more``: settings of the client that the URL does not give.
    """
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return redis.Redis.from_url(
        url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=Retry(NoBackoff(), 0), **more
    )


def described(error: Exception, url: str) -> str:
    """Why it does not answer, without the password."""
    return redact(str(error), [url]).strip().rstrip(".") or type(error).__name__


def names_of(client: Any, pattern: str, deadline: float) -> list[bytes]:
    """The keys that match a pattern, in order. LookError when there are too many, or it takes until the deadline."""
    found: set[bytes] = set()
    cursor: Any = 0
    while True:
        cursor, batch = client.scan(cursor, match=pattern, count=1000)
        found.update(batch)
        if len(found) > MAX_KEYS:
            raise LookError(f"more than {MAX_KEYS} keys match {pattern}")
        if not int(cursor):
            return sorted(found)
        if time.monotonic() > deadline:
            raise LookError("looking through all keys takes too long")


def ask_all(client: Any, command: str, names: Sequence[bytes], *before: str) -> list[Any]:
    """The answers of one command for all names, some hundred in one round trip; an error is an answer too."""
    answers: list[Any] = []
    for start in range(0, len(names), _BATCH):
        with client.pipeline(transaction=False) as pipeline:
            for name in names[start : start + _BATCH]:
                getattr(pipeline, command)(*before, name)
            answers += pipeline.execute(raise_on_error=False)
    return answers


def refusal(answers: Iterable[Any]) -> Exception | None:
    """The first error among answers."""
    return next((answer for answer in answers if isinstance(answer, Exception)), None)


def moment_of(text: str) -> float | None:
    """The Unix time (s) that a heartbeat holds: seconds, milliseconds or ISO 8601 (UTC unless it says otherwise)."""
    text = text.strip().strip('"')
    try:
        number = float(text)
    except ValueError:
        pass
    else:
        # No clock says 10^11 seconds before the year 5138, and every one has said so many milliseconds since 1973.
        return (number / 1000 if number > 1e11 else number) if math.isfinite(number) else None
    # Python 3.9 and 3.10 know no Z and only three or six digits of a second.
    text = re.sub(r"(\.\d{1,6})\d*", lambda match: match.group(1).ljust(7, "0"), re.sub(r"[zZ]$", "+00:00", text))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The words of warming over HTTP as values: what is sent, what came back, what is allowed, what is wanted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple, Optional

COMPLETE, TARGET, BUDGET, FAILING, GONE, NOTHING = "complete", "target", "budget", "failing", "gone", "nothing"
"""Why warming has stopped."""

REFUSED, RESET, TIMEOUT, TLS, DNS, TOO_LARGE = "refused", "reset", "timeout", "tls", "dns", "too_large"
ELSEWHERE, REDIRECTS, EXCLUDED, INVALID, OTHER = "elsewhere", "redirects", "excluded", "invalid", "other"
"""What can become of a request that failed, beside status_4xx and status_5xx."""

Headers = tuple[tuple[str, str], ...]


class Request(NamedTuple):
    """What is sent: a GET of a path, with its query, and headers of its own."""

    path: str
    headers: Headers = ()


class Outcome(NamedTuple):
    """What became of a request. ``kind`` is None when it went well."""

    kind: Optional[str]
    reason: str
    """In words, why it failed."""
    ms: float
    size: int
    """Bytes of its body."""
    hit: Optional[bool]
    """Whether a cache has answered. None: the answer did not say."""


@dataclass(frozen=True)
class Instance:
    """Whom to ask, and as whom."""

    origin: str
    """scheme://host[:port], without a slash at the end: it gives the Host header and the name in TLS."""
    host: str
    """Where to connect to: a name or an address."""
    port: int
    validate_certs: bool = True
    ca_file: Optional[str] = None
    headers: Headers = ()


@dataclass(frozen=True)
class Limits:
    """What a run may cost. Seconds and bytes."""

    budget: float
    timeout: float
    concurrency: int
    rate: float
    max_body: int
    max_failed_pct: float
    failed_window: int
    gone_after: int
    max_urls: int


@dataclass(frozen=True)
class Cache:
    """How an answer says that it comes from a cache."""

    header: str
    pattern: re.Pattern[str]


@dataclass(frozen=True)
class Wanted:
    """What has to be reached for the instance to be warm, beside the end of the list."""

    hit_pct: Optional[float] = None
    second_pass_p95_ms: Optional[float] = None
    second_pass: int = 0
    """How many URLs are asked for a second time."""

    @property
    def any(self) -> bool:
        return self.hit_pct is not None or self.second_pass_p95_ms is not None


@dataclass(frozen=True)
class Plan:
    """One run."""

    instance: Instance
    limits: Limits
    wanted: Wanted
    cache: Optional[Cache] = None
    required: bool = True

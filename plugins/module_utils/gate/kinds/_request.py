# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One HTTP request as the target of checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.sluice.release.plugins.module_utils._http import Response, fetch
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._kind import Raw

OPTIONS: dict[str, dict[str, Any]] = {
    "url": {"type": "str"},
    "method": {"type": "str", "default": "GET"},
    "headers": {"type": "dict", "default": {}},
    "secret_headers": {"type": "dict", "no_log": True},
    "body": {"type": "str"},
    "validate_certs": {"type": "bool", "default": True},
    "expect_status": {"type": "list", "elements": "int", "default": [200]},
}


@dataclass(frozen=True)
class Request:
    """One HTTP request. Checks with equal requests share its answers, but for those that measure the request itself."""

    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: str | None = None
    timeout: float = 5.0
    """Seconds for the whole exchange."""
    validate_certs: bool = True
    of: str = ""
    """The check that it is sent for alone; empty when its answer may be shared."""

    def ask(self) -> Response:
        """Send it; what the server does never raises."""
        return fetch(
            self.url,
            method=self.method,
            headers=dict(self.headers),
            body=self.body,
            timeout=self.timeout,
            validate_certs=self.validate_certs,
        )


def request_of(raw: Raw, *, alone: bool = False) -> Request:
    """The request that a check's options describe."""
    return Request(
        url=raw["url"],
        method=raw["method"].upper(),
        headers=_pairs(raw["headers"], raw["secret_headers"]),
        body=raw["body"],
        timeout=raw["timeout"],
        validate_certs=raw["validate_certs"],
        of=raw["name"] if alone else "",
    )


def _pairs(*headers: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...]:
    return tuple((str(name), str(value)) for some in headers for name, value in (some or {}).items())


def request_problems(raw: Raw) -> Iterator[str]:
    """Yield what makes no sense about a request."""
    try:
        parts = urlsplit(raw["url"] or "")
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
        parts = None
    if not valid or parts is None:
        yield "its url must be http://host... or https://host..."
    elif parts.password is not None:
        yield "its url holds a password; put it into secret_headers (Authorization)"
    if not raw["expect_status"]:
        yield "expect_status is empty"


def unanswered(response: Response) -> str:
    """Say why there is no answer."""
    return f"got no usable answer ({response.error})"


def misanswered(response: Response, expected: tuple[int, ...]) -> str:
    """Say why an answer is not an expected one; empty when it is."""
    if response.error:
        return unanswered(response)
    if response.status not in expected:
        return f"answered {response.status} instead of {', '.join(map(str, expected))}"
    return ""

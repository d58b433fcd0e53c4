# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The cookies of one flow, kept as a browser keeps them: by http.cookiejar."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import Message
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request

# The jar knows these two by the spelling that they came in.
_SPELLING = re.compile(r";\s*(httponly|samesite)(?=\s*(?:[=;]|$))", re.IGNORECASE)
_NAMES = {"httponly": "HttpOnly", "samesite": "SameSite"}


@dataclass(frozen=True)
class Flags:
    """How an answer has set a cookie."""

    secure: bool
    http_only: bool
    same_site: str | None
    """Lower case; None when the server said nothing."""


class _Answer:
    """As much of an answer as the jar looks at."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._message = Message()
        for name, value in pairs:
            if name == "set-cookie":
                value = _SPELLING.sub(lambda match: f"; {_NAMES[match.group(1).lower()]}", value)
                self._message.add_header("Set-Cookie", value)

    def info(self) -> Message:
        return self._message


def _request(url: str) -> Request:
    # The jar asks it for its address alone; nothing is opened.
    return Request(url)  # noqa: S310


class Jar:
    """What the server has set, and what goes back to it."""

    def __init__(self) -> None:
        self._plain = CookieJar(DefaultCookiePolicy())
        # A browser trusts its own machine: there, Secure cookies also travel without TLS.
        self._local = CookieJar(DefaultCookiePolicy(secure_protocols=("https", "http")))

    def _jar(self, url: str) -> CookieJar:
        return self._local if urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost") else self._plain

    def header(self, url: str) -> str | None:
        """The Cookie header of a request for this URL; None without any cookie for it."""
        request = _request(url)
        self._jar(url).add_cookie_header(request)
        return request.get_header("Cookie")

    def keep(self, url: str, pairs: Iterable[tuple[str, str]]) -> dict[str, Flags]:
        """Keep and forget cookies as the answer's headers say, and return what it has set, by name."""
        jar, request = self._jar(url), _request(url)
        # http.cookiejar asks an answer for info() alone.
        answer: Any = _Answer(pairs)
        # Looking must not remove: a jar forgets an expired cookie while it reads the headers.
        seen = CookieJar(DefaultCookiePolicy()).make_cookies(answer, request)
        jar.extract_cookies(answer, request)
        return {cookie.name: _flags(cookie) for cookie in seen}

    def value(self, name: str) -> str | None:
        """The value of a cookie that is kept, on whatever path."""
        return next((cookie.value for jar in (self._local, self._plain) for cookie in jar if cookie.name == name), None)

    def values(self) -> list[str]:
        """The values of all cookies."""
        return [cookie.value for jar in (self._local, self._plain) for cookie in jar if cookie.value]


def _flags(cookie: Cookie) -> Flags:
    same_site = cookie.get_nonstandard_attr("SameSite")
    return Flags(
        secure=bool(cookie.secure),
        http_only=cookie.has_nonstandard_attr("HttpOnly"),
        same_site=same_site.lower() if same_site else None,
    )

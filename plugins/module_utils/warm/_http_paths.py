# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Which path a text stands for, whether it may be asked for, and how it may be shown. Pure."""

from __future__ import annotations

import re
from typing import Union
from urllib.parse import quote, unquote, urljoin, urlsplit

from ansible_collections.sluice.release.plugins.module_utils._runner import REDACTED
from ansible_collections.sluice.release.plugins.module_utils.flow._exchange import origin
from ansible_collections.sluice.release.plugins.module_utils.warm._model import ELSEWHERE

LONGEST = 4096
"""Characters of a URL: servers refuse longer ones."""

SHOWN = 160
"""Characters of a path that a result shows."""

BAD = "bad"

# What may stand in a request as it is. Everything else is encoded.
_PLAIN = re.compile(r"/[A-Za-z0-9/:@!$&'()*+,;=?~._%-]*")
_SAFE = "/:@!$&'()*+,;=?~._%-[]"
_FORBIDDEN = re.compile("[\x00-\x20\x7f\\\\\ufffd]")

UNSAFE = re.compile(
    r"""(?ix) (?: ^ | [/?&=;] ) (?:
      (?: log | sign )[-_]?(?: out | off )
    | delete | destroy | remove | purge | flush | truncate | wipe | reset | clear[-_]?cache
    | unsubscribe | opt[-_]?out | cancel | revoke | disable | deactivate
    | approve | confirm | activate | verify | checkout | refund | restart | shutdown | reindex
    | (?: reset | forgot | change )[-_]?password | password[-_]?reset | magic[-_]?link | oauth2? | callback | webhooks?
    ) (?: _\w+ | (?-i:[A-Z]\w*) )? (?: $ | [/?&=;.] )"""
)
"""Paths that do something when they are asked for, in applications that misuse GET: a whole segment or value."""

_SECRET = re.compile(
    r"""(?ix) ^ (?: auth | code | key | otp | pass | pin | pw | sess | sid | sig | sign | ticket ) $
    | token | passw | passphrase | pwd | secret | session | sessid | credential | (?: api | access | private )[-_]?key
    | authori[sz] | signature | jwt | csrf | xsrf | nonce | hmac | x-amz- | x-goog-"""
)
# A value that is long and random is a secret under whatever name.
_RANDOM = re.compile(r"eyJ[\w-]+\.[\w-]+.*|(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9_.-]{32,}")

_ID = re.compile(
    r"""(?ix) \d+ | [0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12} | (?=.*\d)[0-9a-f]{8,} | (?=.*\d)[0-9a-z_]{20,}
    | \d{4}-\d\d(?:-\d\d)? | [^@]+@[^@]+ | (?=(?:.*\d){6})[\w.:-]{8,}"""
)


class Refused(str):
    """Why a text is no path of the origin: bad or elsewhere."""

    __slots__ = ()


def path_of(text: str, base: str) -> Union[str, Refused]:
    """The path, with its query, that a path or URL stands for; or why there is none that may be asked for.

    ``base`` is the origin. A fragment is dropped, segments of dots are resolved, what is not ASCII is encoded.
    A path begins with a slash.
    """
    if _PLAIN.fullmatch(text) and "/." not in text and not text.startswith("//") and len(text) <= LONGEST:
        return text
    if not text or len(text) > LONGEST or _FORBIDDEN.search(text):
        return Refused(BAD)
    if not text.startswith("/") and "://" not in text[:12]:
        return Refused(BAD)
    try:
        if not text.startswith("/") and not urlsplit(text).hostname:
            return Refused(BAD)
        joined = urljoin(f"{base}/", text)
        parts = urlsplit(joined)
        if parts.username is not None or not parts.hostname:
            return Refused(BAD)
        if origin(joined) != origin(base):
            return Refused(ELSEWHERE)
        return quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_SAFE)
    except ValueError:
        return Refused(BAD)


def is_unsafe(path: str) -> bool:
    """Whether asking for it may do something, by its words."""
    return UNSAFE.search(path) is not None or ("%" in path and UNSAFE.search(unquote(path)) is not None)


def has_secret(path: str) -> bool:
    """Whether the query holds what looks like a secret: by its name, or long and random."""
    query = path.partition("?")[2]
    return bool(query) and any(_is_secret(*_pair(part)) for part in re.split("[&;]", query))


def shown(path: str) -> str:
    """A path as a result may show it: without the values of the query that may be secrets, and not too long."""
    way, mark, query = path.partition("?")
    if mark:
        parts = []
        for part in re.split("[&;]", query):
            name, value = _pair(part)
            parts.append(f"{part.partition('=')[0]}={REDACTED}" if _is_secret(name, value) else part)
        path = f"{way}?{'&'.join(parts)}"
    return path if len(path) <= SHOWN else f"{path[: SHOWN - 3]}..."


def endpoint_of(path: str) -> str:
    """The path with what looks like an identifier replaced by {id}, and of the query only the names."""
    way, mark, query = path.partition("?")
    segments = ["{id}" if segment and _ID.fullmatch(unquote(segment)) else segment for segment in way.split("/")]
    names = sorted({part.partition("=")[0] for part in query.split("&") if part}) if mark else []
    return "/".join(segments) + (f"?{'&'.join(names)}" if names else "")


def _pair(part: str) -> tuple[str, str]:
    name, _equals, value = part.partition("=")
    return unquote(name), unquote(value)


def _is_secret(name: str, value: str) -> bool:
    return _SECRET.search(name) is not None or _RANDOM.fullmatch(value) is not None

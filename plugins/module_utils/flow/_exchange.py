# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One step's way to an answer: what is sent, where a redirect may lead, which cookies go along."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urldefrag, urlencode, urljoin, urlsplit

from ansible_collections.sluice.release.plugins.module_utils._http import MAX_REDIRECTS, Fetch
from ansible_collections.sluice.release.plugins.module_utils.flow._cookies import Flags, Jar
from ansible_collections.sluice.release.plugins.module_utils.flow._expect import Answer
from ansible_collections.sluice.release.plugins.module_utils.flow._model import Flow, Step
from ansible_collections.sluice.release.plugins.module_utils.flow._template import fill, fill_text

# What stands in an address as it is; everything else is encoded, so that a probe string or a title can be sent at all.
_SAFE = "/%:@!$&'()*+,;=?~-._#[]"

_TYPES = {"json": "application/json", "form": "application/x-www-form-urlencoded", "body": "text/plain; charset=utf-8"}


@dataclass(frozen=True)
class Sent:
    """A request with everything put in."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: str | None


def origin(url: str) -> tuple[str, str | None, int | None]:
    """What two addresses must have in common to belong to one site."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def address(base: str, path: str, variables: Mapping[str, Any]) -> str:
    """The whole URL of a step. ValueError when a captured value leads out of the site that was named."""
    if path.startswith("{") and path.endswith("}") and path[1:-1] in variables:
        # A link or a Location that an answer gave is used as it is, but never to leave the site.
        url = urljoin(f"{base}/", str(variables[path[1:-1]]))
        if origin(url) != origin(base):
            raise ValueError(f"{path} leads to another site")
    else:
        # Within a path a value is one segment: a slash in it must not lead elsewhere.
        text = fill_text(path, variables, lambda value: quote(value, safe=""))
        url = text if "://" in text.partition("?")[0] else base + text
    return quote(urldefrag(url).url, safe=_SAFE)


def request(flow: Flow, step: Step, variables: Mapping[str, Any]) -> Sent:
    """The request of a step. ValueError when a value cannot be sent."""
    headers: dict[str, str] = {}
    for some in (flow.headers, flow.secret_headers, step.headers, step.secret_headers):
        for name, value in some.items():
            # Names of headers know no case: a step's own replaces the flow's.
            headers = {known: text for known, text in headers.items() if known.lower() != name.lower()}
            headers[name] = fill_text(value, variables)
    if any(sign in value for value in headers.values() for sign in "\r\n\0"):
        raise ValueError("a captured value with more than one line cannot go into a header")
    if step.body_type == "none":
        body = None
    elif step.body_type == "json":
        body = json.dumps(fill(step.body, variables))
    elif step.body_type == "form":
        body = urlencode(fill(step.body, variables), doseq=True)
    else:
        body = fill_text(step.body, variables)
    if body is not None and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = _TYPES[step.body_type]
    return Sent(step.method, address(flow.base_url, step.path, variables), headers, body)


def exchange(
    sent: Sent, jar: Jar, *, fetch: Fetch, follow: bool, remaining: Callable[[], float], validate_certs: bool
) -> Answer:
    """Send the request with the cookies of the jar, follow where that is wanted, and keep what is set on the way.

    `remaining` gives the seconds that are left for all of it. A redirect that leads out of the site, or round in a
    circle, is an answer with an error: what is asked is the application and nobody else.
    """
    spent, flags = 0.0, dict[str, Flags]()
    first, seen = sent, set[tuple[str, str]]()
    while True:
        headers = dict(sent.headers)
        cookie = jar.header(sent.url)
        if cookie and not any(name.lower() == "cookie" for name in headers):
            headers["Cookie"] = cookie
        response = fetch(
            sent.url,
            method=sent.method,
            headers=headers,
            body=sent.body,
            # Rounded, for messages name it.
            timeout=max(0.05, round(remaining(), 1)),
            validate_certs=validate_certs,
        )
        flags |= jar.keep(sent.url, response.pairs)
        spent += response.seconds
        seen.add((sent.method, sent.url))
        target = response.headers.get("location")
        if not follow or response.error or response.status not in (301, 302, 303, 307, 308) or target is None:
            break
        step = _redirected(sent, response.status, target)
        trouble = None
        if step is None or origin(step.url) != origin(first.url):
            trouble = f"it redirects out of the site, to {target}"
        elif (step.method, step.url) in seen:
            trouble = f"it redirects in a circle, to {target}"
        elif len(seen) > MAX_REDIRECTS:
            trouble = f"it redirects more than {MAX_REDIRECTS} times"
        if step is None or trouble:
            response = response._replace(error=trouble, kind="redirect")
            break
        sent = step
    return Answer(response._replace(seconds=spent), flags, jar.value)


def _redirected(sent: Sent, status: int, target: str) -> Sent | None:
    try:
        url = quote(urldefrag(urljoin(sent.url, target)).url, safe=_SAFE)
    except ValueError:
        return None
    if status == 303 or (status in (301, 302) and sent.method == "POST"):
        headers = {name: value for name, value in sent.headers.items() if name.lower() != "content-type"}
        return Sent("GET", url, headers, None)
    return Sent(sent.method, url, sent.headers, sent.body)

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Sends requests over a fixed number of kept connections, by libcurl; it alone knows pycurl.

A transfer costs Python some 30 µs, where an HTTP client written in Python takes three times as long: warming must not
be what the release waits for.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._http import AGENT, MAX_REDIRECTS
from ansible_collections.sluice.release.plugins.module_utils.warm import _model
from ansible_collections.sluice.release.plugins.module_utils.warm._http_paths import Refused, path_of, shown
from ansible_collections.sluice.release.plugins.module_utils.warm._model import (
    ELSEWHERE,
    EXCLUDED,
    INVALID,
    OTHER,
    REDIRECTS,
    REFUSED,
    RESET,
    TOO_LARGE,
    Cache,
    Headers,
    Instance,
    Limits,
    Outcome,
    Request,
)

if TYPE_CHECKING:
    import pycurl

_LOOK = 0.1
"""Seconds that libcurl waits at most before somebody looks at the clock."""

MOST_CONNECTIONS = 256
"""libcurl waits by select(2), which knows 1,024 descriptors."""

# CURLcode; see https://curl.se/libcurl/c/libcurl-errors.html
_KINDS = {
    1: INVALID, 3: INVALID, 8: INVALID, 61: INVALID, 43: INVALID,
    5: _model.DNS, 6: _model.DNS, 7: REFUSED,
    16: RESET, 18: RESET, 52: RESET, 55: RESET, 56: RESET, 92: RESET,
    23: TOO_LARGE, 63: TOO_LARGE, 100: TOO_LARGE, 28: _model.TIMEOUT,
    35: _model.TLS, 51: _model.TLS, 53: _model.TLS, 54: _model.TLS, 58: _model.TLS, 59: _model.TLS, 60: _model.TLS,
    64: _model.TLS, 66: _model.TLS, 77: _model.TLS, 80: _model.TLS, 82: _model.TLS, 83: _model.TLS, 90: _model.TLS,
    91: _model.TLS,
}  # fmt: skip


def kind_of(code: int) -> str:
    """The fixed word for an error of libcurl."""
    return _KINDS.get(code, OTHER)


def reason_of(kind: str, text: str, limits: Limits) -> str:
    """An error of libcurl in words."""
    if kind == _model.TIMEOUT:
        return f"no whole answer within {limits.timeout:g} s"
    if kind == TOO_LARGE:
        return f"its answer is larger than {limits.max_body} bytes"
    if kind == REFUSED:
        return "connection refused"
    if kind == RESET:
        return "the connection was closed before the answer was whole"
    # A server or a certificate may have its say in it.
    return text.encode("ascii", "replace").decode().strip()[:120] or "it failed"


def status_of(status: int) -> Optional[str]:
    """What a final status counts as: None for a good answer."""
    if status < 400:
        return None
    return "status_4xx" if status < 500 else "status_5xx"


class Slot:
    """One easy handle with what it fetches now."""

    __slots__ = ("handle", "hit", "hops", "limit", "pattern", "prefix", "received", "request", "sink", "spent")

    def __init__(self, handle: pycurl.Curl, limit: int, cache: Optional[Cache]) -> None:
        self.handle = handle
        self.limit = limit
        self.prefix = f"{cache.header}:".lower().encode() if cache else b""
        self.pattern = cache.pattern if cache else None
        self.sink: Optional[Callable[[bytes], Any]] = None
        self.request = Request("/")
        self.received = self.hops = 0
        self.spent = 0.0
        self.hit: Optional[bool] = None

    def begin(self, request: Request) -> None:
        self.request = request
        self.received = self.hops = 0
        self.spent = 0.0
        self.hit = None

    def receive(self, block: bytes) -> Optional[int]:
        """Count what comes and throw it away. What is returned makes libcurl give up when it is too much."""
        self.received += len(block)
        if self.received > self.limit:
            return 0
        if self.sink is not None:
            self.sink(block)
        return None

    def header(self, line: bytes) -> None:
        """Look for what says whether a cache has answered."""
        if self.pattern is not None and line[: len(self.prefix)].lower() == self.prefix:
            value = line[len(self.prefix) :].strip().decode("latin-1")
            self.hit = self.pattern.search(value) is not None


class Sender:
    """Asks one instance. Redirects are followed inside its origin, at most five of them."""

    def __init__(
        self,
        instance: Instance,
        address: str,
        limits: Limits,
        *,
        cache: Optional[Cache] = None,
        is_excluded: Callable[[str], bool] = lambda _path: False,
    ) -> None:
        """``address``: the IP address that the instance's name stands for."""
        import pycurl

        self._curl = pycurl
        # What every request needs is looked up once.
        self._url, self._status, self._time = pycurl.URL, pycurl.RESPONSE_CODE, pycurl.TOTAL_TIME
        self._instance, self._limits, self._is_excluded = instance, limits, is_excluded
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, limits.concurrency)
        bracketed = f"[{address}]" if ":" in address else address
        self._base = instance.origin
        self._slots: dict[pycurl.Curl, Slot] = {}
        for _number in range(limits.concurrency):
            handle = self._handle(f"::{bracketed}:{instance.port}")
            slot = Slot(handle, limits.max_body, cache)
            handle.setopt(pycurl.WRITEFUNCTION, slot.receive)
            if cache is not None:
                handle.setopt(pycurl.HEADERFUNCTION, slot.header)
            self._slots[handle] = slot
        self._free = list(self._slots.values())

    def _handle(self, connect_to: str) -> pycurl.Curl:
        curl, limits = self._curl, self._limits
        handle = curl.Curl()
        handle.setopt(curl.NOSIGNAL, 1)
        handle.setopt(curl.CONNECT_TO, [connect_to])
        # What is asked is this instance and nobody else, whatever the environment says.
        handle.setopt(curl.PROXY, "")
        handle.setopt(curl.PROTOCOLS, curl.PROTO_HTTP | curl.PROTO_HTTPS)
        handle.setopt(curl.HTTP_VERSION, curl.CURL_HTTP_VERSION_1_1)
        handle.setopt(curl.FOLLOWLOCATION, 0)
        # What was judged is what is sent.
        handle.setopt(curl.PATH_AS_IS, 1)
        handle.setopt(curl.TIMEOUT_MS, max(1, int(limits.timeout * 1000)))
        handle.setopt(curl.CONNECTTIMEOUT_MS, max(1, int(limits.timeout * 1000)))
        handle.setopt(curl.USERAGENT, AGENT)
        handle.setopt(curl.HTTPHEADER, self._lines(()))
        handle.setopt(curl.SSL_VERIFYPEER, 1 if self._instance.validate_certs else 0)
        handle.setopt(curl.SSL_VERIFYHOST, 2 if self._instance.validate_certs else 0)
        for option, path in authorities(self._instance.ca_file).items():
            handle.setopt(getattr(curl, option), path)
        return handle

    def _lines(self, more: Headers) -> list[str]:
        """All headers of a request; its own replace the general ones. An empty one has to end with a semicolon."""
        named: dict[str, tuple[str, str]] = {}
        for name, value in (*self._instance.headers, *more):
            named[name.lower()] = (name, value)
        return [f"{name}: {value}" if value else f"{name};" for name, value in named.values()]

    @property
    def active(self) -> int:
        """Requests under way."""
        return len(self._slots) - len(self._free)

    @property
    def room(self) -> int:
        """How many more may leave now."""
        return len(self._free)

    def send(self, request: Request, sink: Optional[Callable[[bytes], Any]] = None) -> None:
        """Let a request leave. Only where there is room. ``sink`` takes the body, which else is thrown away."""
        slot = self._free.pop()
        had_own = bool(slot.request.headers)
        slot.begin(request)
        slot.sink = sink
        if request.headers or had_own:
            slot.handle.setopt(self._curl.HTTPHEADER, self._lines(request.headers))
        slot.handle.setopt(self._url, self._base + request.path)
        self._multi.add_handle(slot.handle)

    def ended(self, wait: float) -> Iterator[tuple[Request, Outcome]]:
        """What has ended meanwhile; waits for at most ``wait`` seconds, and not at all where anything has."""
        multi = self._multi
        # What is new leaves now, and not only when something else has come back.
        _code, running = multi.perform()
        if wait > 0 and running == self.active:
            if not running:
                time.sleep(min(wait, _LOOK))
            elif multi.select(min(wait, _LOOK)) <= 0:
                # Where libcurl knows of nothing to wait for yet it comes back at once, and must not do so for ever.
                time.sleep(0.001)
            multi.perform()
        more = True
        while more:
            more, good, bad = multi.info_read()
            for handle in good:
                slot = self._slots[handle]
                multi.remove_handle(handle)
                self._free.append(slot)
                outcome = self._answered(slot)
                if outcome is not None:
                    yield slot.request, outcome
            for handle, code, text in bad:
                slot = self._slots[handle]
                multi.remove_handle(handle)
                self._free.append(slot)
                kind = kind_of(code)
                yield slot.request, self._outcome(slot, kind, reason_of(kind, text, self._limits))

    def _answered(self, slot: Slot) -> Optional[Outcome]:
        """The outcome of an answer; None when it leads on and that is asked for now."""
        handle = slot.handle
        status = handle.getinfo(self._status)
        if status < 300:
            return self._outcome(slot, None, "")
        if status < 400:
            # It may be no text at all.
            target = handle.getinfo_raw(self._curl.REDIRECT_URL)
            if target:
                return self._redirected(slot, status, target.decode("utf-8", "replace"))
        kind = status_of(status)
        return self._outcome(slot, kind, "" if kind is None else f"it answered {status}")

    def _redirected(self, slot: Slot, status: int, target: str) -> Optional[Outcome]:
        path = path_of(target, self._base)
        if isinstance(path, Refused):
            kind = ELSEWHERE if path == ELSEWHERE else INVALID
            return self._outcome(slot, kind, f"it answered {status} and leads to {shown(_without_password(target))}")
        if self._is_excluded(path):
            return self._outcome(slot, EXCLUDED, f"it answered {status} and leads to {shown(path)}, which is excluded")
        if slot.hops >= MAX_REDIRECTS:
            return self._outcome(slot, REDIRECTS, f"it led on more than {MAX_REDIRECTS} times")
        slot.hops += 1
        slot.spent += slot.handle.getinfo(self._time)
        slot.hit = None
        slot.handle.setopt(self._url, self._base + path)
        self._free.remove(slot)
        self._multi.add_handle(slot.handle)
        return None

    def _outcome(self, slot: Slot, kind: Optional[str], reason: str) -> Outcome:
        seconds = slot.spent + slot.handle.getinfo(self._time)
        return Outcome(kind, reason, 1000.0 * seconds, slot.received, slot.hit)

    def close(self) -> None:
        """Give up what is under way, and let go of every connection."""
        for slot in self._slots.values():
            if slot not in self._free:
                self._multi.remove_handle(slot.handle)
            slot.handle.close()
        self._multi.close()


def authorities(ca_file: Optional[str]) -> dict[str, str]:
    """Options of libcurl for the certificate authorities: the given ones, or else those that Python trusts.

    A libcurl that comes with a wheel has been told where they are on the machine that built it.
    """
    if ca_file:
        return {"CAINFO": ca_file}
    paths = ssl.get_default_verify_paths()
    found = {"CAINFO": paths.cafile, "CAPATH": paths.capath}
    return {option: path for option, path in found.items() if path and os.path.exists(path)}


def _without_password(url: str) -> str:
    head, at, tail = url.partition("@")
    return url if not at or "/" in head.partition("://")[2] else f"{head.partition('://')[0]}://{tail}"

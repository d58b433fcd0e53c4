# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The proof that workers are ready: every single one has to answer, itself and with its own version."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import ssl
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._http import describe

try:
    import jmespath

    HAS_JMESPATH = True
except ImportError:
    HAS_JMESPATH = False

_PLAIN_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\Z")
_MAX_BODY = 1 << 20
# The line of a stack trace that says what happened.
_ERROR_LINE = re.compile(r"^(Uncaught )?\w*Error\b.*")


@dataclass(frozen=True)
class Ready:
    """How a worker proves itself. Times in seconds."""

    url: str
    version: str
    version_url: str = ""
    status: tuple[int, ...] = (200,)
    version_query: str = "version"
    instance_query: str = "pid"
    successes: int = 3
    timeout: float = 30.0
    interval: float = 0.2
    request_timeout: float = 5.0
    validate_certs: bool = True

    def at_port(self, port: int) -> Ready:
        """Return the same with ``{port}`` in the URLs filled in."""
        urls = {key: getattr(self, key).replace("{port}", str(port)) for key in ("url", "version_url")}
        return Ready(**{**self.__dict__, **urls})


@dataclass(frozen=True)
class Answer:
    """One look at whichever worker took the connection. ``seconds`` is the wall time of the look.

    ``status`` 0: no answer, ``error`` says why. ``whole``: the version came over the same connection, hence from the
    same worker; when it is false neither version nor pid count.
    """

    status: int = 0
    pid: int | None = None
    version: str | None = None
    error: str | None = None
    whole: bool = True
    seconds: float = 0.0
    lacks: str | None = None
    """What it still lacks, where that is known better than by a status."""


def query(expression: str, document: Any) -> Any:
    """Evaluate a JMESPath expression; a plain dotted path needs no library. None when it finds nothing."""
    if _PLAIN_PATH.match(expression):
        for name in expression.split("."):
            document = document.get(name) if isinstance(document, dict) else None
        return document
    if not HAS_JMESPATH:
        raise SluiceError(f"evaluate {expression!r}", "the Python library jmespath is missing", "Install jmespath")
    try:
        return jmespath.search(expression, document)
    except jmespath.exceptions.JMESPathError as error:
        raise SluiceError(f"evaluate {expression!r}", str(error), "Correct the expression") from error


def check(ready: Ready) -> None:
    """Refuse a proof that could never succeed."""
    for expression in (ready.version_query, ready.instance_query):
        query(expression, {})
    for url in (ready.url, ready.version_url or ready.url):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SluiceError(f"prove readiness by {url}", "it is no http or https URL", "Correct ready.url")
    if _origin(ready.url) != _origin(ready.version_url or ready.url):
        raise SluiceError(
            f"prove readiness by {ready.url} and {ready.version_url}",
            "they lie on different servers, so one worker cannot answer both",
            "Use one host and port for ready.url and ready.version_url",
        )


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def look(ready: Ready) -> Answer:
    """Ask readiness and version over one new connection: a cluster gives each connection to one worker.

    Ends within twice the request timeout, however slowly a server drips.
    """
    answers: list[Answer] = []
    limit = 2 * ready.request_timeout
    # A socket's own timeout starts anew with every byte that arrives. Only a second thread bounds the whole.
    thread = threading.Thread(target=lambda: answers.append(_look(ready)), daemon=True)
    thread.start()
    thread.join(limit)
    return answers[0] if answers else Answer(error=f"no answer within {limit:g} s", seconds=limit)


def _look(ready: Ready) -> Answer:
    started = time.monotonic()
    connection = _connect(ready)
    two = bool(ready.version_url) and ready.version_url != ready.url
    try:
        status, body, open_still = _get(connection, ready.url, last=not two)
        if two and open_still:
            body = _get(connection, ready.version_url, last=True)[1]
    except Exception as problem:  # noqa: BLE001 - whatever a server can do wrong, it is an answer to be counted
        return Answer(error=describe(problem, ready.request_timeout)[0], seconds=time.monotonic() - started)
    finally:
        connection.close()
    seconds = time.monotonic() - started
    if two and not open_still:
        return Answer(status, whole=False, seconds=seconds)
    pid, version = read(ready, body)
    return Answer(status, pid, version, seconds=seconds)


def _connect(ready: Ready) -> http.client.HTTPConnection:
    parts = urlsplit(ready.url)
    host = parts.hostname or ""
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, parts.port, timeout=ready.request_timeout)
    context = ssl.create_default_context()
    if not ready.validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, parts.port, timeout=ready.request_timeout, context=context)


def _get(connection: http.client.HTTPConnection, url: str, *, last: bool) -> tuple[int, bytes, bool]:
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"Accept": "application/json", "User-Agent": "sluice-release"}
    connection.request("GET", target, headers={**headers, "Connection": "close" if last else "keep-alive"})
    response = connection.getresponse()
    return response.status, response.read(_MAX_BODY), not response.will_close


def read(ready: Ready, body: bytes) -> tuple[int | None, str | None]:
    """Return the pid and the version that a worker reports about itself."""
    document: Any = None
    with contextlib.suppress(ValueError):
        document = json.loads(body)
    pid, version = query(ready.instance_query, document), query(ready.version_query, document)
    return (pid if isinstance(pid, int) else None), (None if version is None else str(version))


@dataclass
class Record:
    """What one worker has shown so far. Times in seconds since the proof began."""

    successes: int = 0
    last: float = float("-inf")
    ready_at: float | None = None
    seen: str = "never answered"


@dataclass
class Proof:
    """Counts answers until every wanted worker has been ready, with its version, as often in a row as is asked."""

    ready: Ready
    pids: Collection[int]
    anonymous: bool = False
    """The one worker has the address for itself: an answer need not say who gives it."""
    name: str = ""
    """What messages call that one."""
    records: dict[int, Record] = field(default_factory=dict)
    looks: int = 0
    last_error: str | None = None
    wrong: str | None = None
    """Why this can never succeed, however long one waits."""

    def __post_init__(self) -> None:
        self.records = {pid: Record() for pid in self.pids}

    def see(self, answer: Answer, at: float) -> bool:
        """Take one answer into account; ``at`` = seconds since the proof began. Returns whether it was a wanted one's.

        Successes closer together than the interval count as one, or three answers within a millisecond would do.
        """
        self.looks += 1
        if answer.error or not answer.status:
            self.last_error = answer.error or "no answer"
            if self.anonymous:
                self._reset(next(iter(self.records)), self.last_error)
            return False
        pid = next(iter(self.records)) if self.anonymous and answer.pid is None else answer.pid
        if pid is None:
            self.last_error = (
                f"HTTP {answer.status}, and the connection was closed before the version could be asked"
                if not answer.whole
                else f"HTTP {answer.status}, and the answer does not say which process gives it"
            )
            return False
        if pid not in self.records:
            return False
        if answer.status not in self.ready.status:
            self._reset(pid, answer.lacks or f"not ready, HTTP {answer.status}")
        elif answer.version != self.ready.version:
            # A process does not change its version: no use to wait.
            self._reset(pid, f"ready, but it reports version {answer.version}")
            self.wrong = f"{self._who(pid)} reports version {answer.version} instead of {self.ready.version}"
        else:
            record = self.records[pid]
            record.seen = "ready"
            if at - record.last >= self.ready.interval:
                record.successes, record.last = record.successes + 1, at
            if record.successes >= self.ready.successes and record.ready_at is None:
                record.ready_at = at
        return True

    def _who(self, pid: int) -> str:
        return self.name or f"process {pid}"

    def _reset(self, pid: int, seen: str) -> None:
        self.records[pid] = Record(seen=seen)

    @property
    def complete(self) -> bool:
        """Whether every wanted worker is proven."""
        return self.wrong is None and all(record.ready_at is not None for record in self.records.values())

    def shortfall(self) -> str:
        """Say what is missing, for a person."""
        if self.wrong:
            return self.wrong
        open_ones = [
            f"{self._who(pid)} {record.seen} ({record.successes} of {self.ready.successes} in a row)"
            for pid, record in sorted(self.records.items())
            if record.ready_at is None
        ]
        error = f"; the last failed request: {self.last_error}" if self.last_error else ""
        return f"{', '.join(open_ones)} after {self.looks} requests{error}"


def from_options(options: dict[str, Any]) -> Ready:
    """Build it from the module's option ``ready``."""
    status: Sequence[int] = options["status"]
    values = {key: value for key, value in options.items() if value is not None and key != "status"}
    return Ready(status=tuple(status), **values)


def telling_line(lines: Sequence[str]) -> str:
    """Return the line of a log that tells most about an end: the last that names an error, or else the last."""
    errors = [line for line in lines if _ERROR_LINE.match(line)]
    return (errors or list(lines))[-1]

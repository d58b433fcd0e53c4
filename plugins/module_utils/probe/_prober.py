# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Sends requests at a steady rate until it is told to stop, and the one who tells it.

The two are different processes, often of different Ansible runs. They meet in a directory:

- ``probe.lock`` is held (flock) by the prober while it runs; the kernel frees it however the prober ends,
- ``stop`` holds the name of the release whose prober is to stop,
- ``result.json`` is what the prober has counted, renewed every few seconds so that a kill loses little.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import write_atomic
from ansible_collections.sluice.release.plugins.module_utils._http import Fetch, fetch
from ansible_collections.sluice.release.plugins.module_utils.probe._tally import Tally

SAVE_EVERY = 2.0
"""Seconds between two writes of the result while the prober runs."""

POLL = 0.1
"""Seconds between two looks for the stop file, or for the end of a prober."""

NOTHING: dict[str, Any] = {
    "sent": 0,
    "failed": 0,
    "longest_gap_ms": 0,
    "slowest_ms": 0.0,
    "started": None,
    "seconds": 0.0,
    "errors": {},
    "series": [],
    "complete": False,
}


@dataclass(frozen=True)
class Plan:
    """What is sent, and how often. Times in seconds."""

    url: str
    rate: float
    timeout: float
    expect_status: tuple[int, ...]
    limit: float
    validate_certs: bool = True
    release: str = ""


@dataclass(frozen=True)
class Place:
    """The directory in which a prober and the one who stops it meet."""

    path: str

    @property
    def lock(self) -> str:
        return os.path.join(self.path, "probe.lock")

    @property
    def stop(self) -> str:
        return os.path.join(self.path, "stop")

    @property
    def result(self) -> str:
        return os.path.join(self.path, "result.json")

    def make(self) -> None:
        try:
            os.makedirs(self.path, mode=0o700, exist_ok=True)
        except OSError as error:
            raise SluiceError(f"use {self.path} for the prober", error.strerror or str(error)) from error

    def is_running(self) -> bool:
        """Whether a prober holds the lock."""
        try:
            with _flock(self.lock):
                return False
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False

    def asked_to_stop(self) -> str | None:
        """The release whose prober is to stop; empty for any. None: nobody asked."""
        try:
            with open(self.stop, encoding="utf-8") as stream:
                return stream.read()
        except FileNotFoundError:
            return None

    def read(self) -> dict[str, Any] | None:
        try:
            with open(self.result, encoding="utf-8") as stream:
                found = json.load(stream)
        except (FileNotFoundError, ValueError):
            return None
        return found if isinstance(found, dict) else None


@contextlib.contextmanager
def _flock(path: str, *, create: bool = False) -> Iterator[None]:
    """Hold a file's lock. BlockingIOError when somebody else does."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def run_probe(place: Place, plan: Plan, *, send: Fetch = fetch) -> dict[str, Any]:
    """Probe until the stop file names this release, or for ``limit`` seconds; returns and leaves the result.

    A prober that another run has left behind is stopped first; one of the same release goes on, and counts it all.
    """
    place.make()
    if place.asked_to_stop() == plan.release and plan.release:
        # Whoever waits for us was faster: the release is over before the first request.
        result = {**NOTHING, "release": plan.release, "complete": True}
        write_atomic(place.result, json.dumps(result))
        return result
    if place.is_running():
        found = place.read() or {}
        if plan.release and found.get("release") == plan.release and not found.get("complete"):
            return found
        _tell_to_stop(place, "")
        _await_end(place, plan.timeout + 10)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(place.stop)
    try:
        with _flock(place.lock, create=True):
            return _probe(place, plan, send)
    except BlockingIOError as error:
        raise SluiceError("start the prober", f"another one has just been started in {place.path}") from error


def _probe(place: Place, plan: Plan, send: Fetch) -> dict[str, Any]:
    tally = Tally()
    since = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    started = time.monotonic()

    def save(elapsed: float, *, complete: bool) -> dict[str, Any]:
        result = {**tally.summary(elapsed), "started": since, "release": plan.release, "complete": complete}
        write_atomic(place.result, json.dumps(result))
        return result

    def ask(t: float) -> None:
        response = send(plan.url, timeout=plan.timeout, validate_certs=plan.validate_certs)
        kind = response.kind
        if kind is None and response.status not in plan.expect_status:
            kind = f"http_{response.status}"
        tally.answered(t, response.seconds, kind)

    save(0.0, complete=False)
    saved = looked = 0.0
    number = 0
    threads: list[threading.Thread] = []
    while (now := time.monotonic() - started) < plan.limit:
        if now - looked >= POLL:
            looked = now
            if place.asked_to_stop() in ("", plan.release):
                break
        if now - saved >= SAVE_EVERY:
            saved = now
            save(now, complete=False)
        # Open loop: the clock alone says when the next one leaves, not the answers to those before it. A server that
        # hangs gets all the requests that people would have sent, and they all count.
        due = number / plan.rate
        if now < due:
            time.sleep(min(due - now, POLL))
            continue
        tally.sent(now)
        thread = threading.Thread(target=ask, args=(now,), daemon=True)
        thread.start()
        threads = [*filter(threading.Thread.is_alive, threads), thread]
        # After a pause of the whole machine the missed ones are not sent in a burst.
        number = max(number + 1, int(now * plan.rate))
    ended = time.monotonic() - started
    for thread in threads:
        thread.join(plan.timeout + 1)
    return save(ended, complete=True)


def stop_probe(place: Place, release: str, patience: float) -> dict[str, Any]:
    """Ask the prober of a release to stop, wait for at most ``patience`` seconds, and return what it counted.

    Without a prober, now or before, the result is empty (``sent`` is 0). A prober that was killed leaves what it had
    counted until then, with ``complete`` false.
    """
    place.make()
    _tell_to_stop(place, release)
    _await_end(place, patience)
    found = read_probe(place, release)
    if found["started"]:
        # It has done its work. Without a prober it stays: the one that starts late must end at once.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(place.stop)
    return found


def read_probe(place: Place, release: str) -> dict[str, Any]:
    """What a prober has counted so far, without asking it to stop."""
    found = place.read()
    if found is None or (release and found.get("release") != release):
        return {**NOTHING, "release": release}
    return found


def _tell_to_stop(place: Place, release: str) -> None:
    write_atomic(place.stop, release)


def _await_end(place: Place, patience: float) -> None:
    deadline = time.monotonic() + patience
    while place.is_running():
        if time.monotonic() >= deadline:
            raise SluiceError(
                "stop the prober",
                f"it still holds {place.lock} after {patience:g} s",
                "End the process that holds it",
                requests=place.read() or dict(NOTHING),
            )
        time.sleep(POLL)

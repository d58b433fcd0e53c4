# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Checks of a TCP port: does somebody listen, and how long does it take to get through?"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._http import describe
from ansible_collections.sluice.release.plugins.module_utils._within import within
from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Sample
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._kind import (
    EXPECT,
    VALUE,
    Begin,
    Kind,
    Raw,
    state_sample,
    value_problems,
)

PLACE: dict[str, dict[str, Any]] = {"host": {"type": "str"}, "port": {"type": "int"}}

_VALUES = ("open", "latency_ms")


@dataclass(frozen=True)
class Answer:
    """How long connecting took, in seconds, or why there was no connection."""

    seconds: float
    error: str = ""
    known: bool = True
    """Whether it is at least clear that nobody answers there; not so when the host's name cannot be looked up."""


@dataclass(frozen=True)
class Port:
    """One attempt to connect. Checks of one port share it."""

    host: str
    port: int
    timeout: float = 5.0
    """Seconds, the look-up of the host's name included."""

    def ask(self) -> Answer:
        """Connect once, and hang up."""
        started = time.monotonic()
        try:
            seconds = within(self.timeout, self._connect)
        except Exception as problem:  # noqa: BLE001 - whatever a network or a resolver comes up with
            text, kind = describe(problem, self.timeout)
            return Answer(time.monotonic() - started, text, kind in ("refused", "timeout", "reset", "other"))
        return Answer(seconds)

    def _connect(self) -> float:
        started = time.monotonic()
        with socket.create_connection((self.host, self.port), timeout=self.timeout):
            return time.monotonic() - started


class _Port:
    def __init__(self, check: Check, value: str) -> None:
        self.check, self.value = check, value

    def sample(self, t: float, answer: Answer) -> Sample:
        fault = f"could not be reached ({answer.error})" if answer.error else ""
        if self.value == "open":
            if fault and not answer.known:
                return Sample(t, None, fault)
            return state_sample(self.check, t, "closed" if fault else "open", fault)
        return Sample(t, None, fault) if fault else Sample(t, answer.seconds * 1000 * self.check.scale)


def place_problems(raw: Raw) -> Iterator[str]:
    """Yield what makes no sense about a host and a port."""
    if raw["port"] is not None and not 0 < raw["port"] < 65536:
        yield f"port is {raw['port']}, which is no TCP port"


def _problems(raw: Raw, _gate: Raw) -> Iterator[str]:
    if raw["port"] is None:
        yield "it has no port"
    yield from place_problems(raw)
    if raw["value"]:
        yield from value_problems(raw, _VALUES)


def _begin(raw: Raw) -> Begin:
    value = raw["value"] or "open"
    return lambda check, _begun: _Port(check, value)


KIND = Kind(
    options={**EXPECT, **VALUE, **PLACE},
    target=lambda raw, _gate: Port(raw["host"] or "127.0.0.1", raw["port"], raw["timeout"]),
    begin=_begin,
    problems=_problems,
    unit=lambda raw: "ms" if raw["value"] == "latency_ms" else "",
    state=lambda raw: "open" if raw["value"] in (None, "open") else None,
    stated_by="value=open",
)

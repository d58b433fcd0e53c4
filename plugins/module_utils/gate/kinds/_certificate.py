# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Checks of the certificate that a server presents: who trusts it, whom it names, how long it lasts."""

from __future__ import annotations

import ipaddress
import os
import ssl
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ansible_collections.sluice.release.plugins.module_utils._certificate import days_left, fetch_certificate
from ansible_collections.sluice.release.plugins.module_utils._clock import utc_text
from ansible_collections.sluice.release.plugins.module_utils._http import describe
from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Sample
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._kind import (
    VALUE,
    Begin,
    Kind,
    Raw,
    state_sample,
    value_problems,
)
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._port import PLACE, place_problems

_VALUES = ("trusted", "days_left")

_DAY = 86400.0

# X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED.
_TIME_FAULTS = {9: "not yet valid", 10: "expired"}

Name = tuple[str, str]
"""A subject alternative name: its type (DNS, IP Address) and the name."""


@dataclass(frozen=True)
class Answer:
    """What a server has presented, or why nothing of it is known."""

    error: str = ""
    """Why there was no handshake."""
    fault: str = ""
    """What is wrong with the certificate: untrusted, expired, not yet valid; empty when it is trusted."""
    why: str = ""
    days_left: float | None = None
    """Until the server's own certificate expires; negative afterwards. None: not known."""
    names: tuple[Name, ...] = ()


def covers(names: Iterable[Name], wanted: str) -> bool:
    """Whether one of a certificate's names is the wanted host; `*` stands for one whole label at the left."""
    try:
        address = ipaddress.ip_address(wanted)
    except ValueError:
        host = wanted.lower().rstrip(".")
        parent = host.partition(".")[2]
        dns = {name.lower() for kind, name in names if kind == "DNS"}
        return host in dns or ("." in parent and f"*.{parent}" in dns)
    return any(kind == "IP Address" and ipaddress.ip_address(name.strip()) == address for kind, name in names)


@dataclass(frozen=True)
class Handshake:
    """One TLS handshake. Checks of one server share it."""

    host: str
    port: int
    server_name: str
    ca_file: str | None = None
    timeout: float = 5.0

    def ask(self) -> Answer:
        """Shake hands once, and hang up; what the server presents never raises."""
        deadline = time.monotonic() + self.timeout
        try:
            return self._read(deadline, in_time=True)
        except ssl.SSLCertVerificationError as error:
            fault, why = _TIME_FAULTS.get(error.verify_code, "untrusted"), error.verify_message
            if fault == "untrusted":
                return Answer(fault=fault, why=f"is not trusted ({why})")
        except Exception as error:  # noqa: BLE001 - whatever a network, a resolver or a file comes up with
            return Answer(error=self._describe(error))
        try:
            # A certificate of the chain may be the one that is out of its time: then the days left are no good news.
            found = self._read(deadline, in_time=False)
        except Exception:  # noqa: BLE001 - what is known already is worth more
            return Answer(fault=fault, why=f"is {fault}")
        when = "" if found.days_left is None else f" since {utc_text(time.time() + found.days_left * _DAY)[:10]}"
        if fault == "expired" and found.days_left is not None and found.days_left < 0:
            return Answer(fault=fault, why=f"has expired{when}", days_left=found.days_left, names=found.names)
        return Answer(fault=fault, why=f"is {fault}, or one above it is ({why})", names=found.names)

    def _read(self, deadline: float, *, in_time: bool) -> Answer:
        left = max(0.01, deadline - time.monotonic())
        # Names are compared here, so that all that are missing can be told.
        certificate = fetch_certificate(
            (self.host, self.port), self.server_name, left, ca_file=self.ca_file, named=False, in_time=in_time
        )
        return Answer(
            days_left=days_left(certificate, time.time()),
            names=tuple(certificate.get("subjectAltName", ())),
        )

    def _describe(self, error: Exception) -> str:
        if self.ca_file and not os.access(self.ca_file, os.R_OK):
            return f"ca_file {self.ca_file} cannot be read"
        return describe(error, self.timeout)[0]


class _Certificate:
    def __init__(self, check: Check, value: str, names: tuple[str, ...]) -> None:
        self.check, self.value, self.names = check, value, names

    def sample(self, t: float, answer: Answer) -> Sample:
        if answer.error:
            return Sample(t, None, f"showed no certificate ({answer.error})")
        missing = [name for name in self.names if not covers(answer.names, name)]
        if self.value == "trusted":
            if answer.fault:
                return state_sample(self.check, t, answer.fault, f"shows a certificate that {answer.why}")
            return state_sample(self.check, t, "wrong name" if missing else "trusted", self._missing(answer, missing))
        if answer.days_left is None:
            return Sample(t, None, f"shows a certificate that {answer.why}")
        if missing:
            # The days of somebody else's certificate say nothing.
            return Sample(t, None, self._missing(answer, missing))
        return Sample(t, answer.days_left * self.check.scale)

    @staticmethod
    def _missing(answer: Answer, missing: list[str]) -> str:
        covered = ", ".join(name for _kind, name in answer.names[:5]) or "nothing"
        return f"shows a certificate that does not cover {', '.join(missing)}, but {covered}" if missing else ""


def _problems(raw: Raw, _gate: Raw) -> Iterator[str]:
    if not raw["host"]:
        yield "it has no host"
    yield from place_problems(raw)
    if raw["value"]:
        yield from value_problems(raw, _VALUES)


def _target(raw: Raw, _gate: Raw) -> Handshake:
    return Handshake(
        host=raw["host"],
        port=raw["port"] or 443,
        server_name=raw["server_name"] or raw["host"],
        ca_file=raw["ca_file"],
        timeout=raw["timeout"],
    )


def _begin(raw: Raw) -> Begin:
    value = raw["value"] or "trusted"
    names = tuple(dict.fromkeys([raw["server_name"] or raw["host"], *raw["names"]]))
    return lambda check, _begun: _Certificate(check, value, names)


KIND = Kind(
    options={
        **VALUE,
        **PLACE,
        "server_name": {"type": "str"},
        "names": {"type": "list", "elements": "str", "default": []},
        "ca_file": {"type": "path"},
    },
    target=_target,
    begin=_begin,
    problems=_problems,
    unit=lambda raw: "days" if raw["value"] == "days_left" else "",
    direction=lambda _raw: "below",
    state=lambda raw: "trusted" if raw["value"] in (None, "trusted") else None,
    stated_by="value=trusted",
)

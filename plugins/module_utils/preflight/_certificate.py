# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Is the certificate that visitors of each domain get trusted, made out to that name, and good for long enough?

OpenSSL decides about chain and name, as it does for every client, and each domain is asked for by its own name, for a
server chooses the certificate by it.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._certificate import days_left, fetch_certificate
from ansible_collections.sluice.release.plugins.module_utils._clock import utc_text
from ansible_collections.sluice.release.plugins.module_utils._http import describe
from ansible_collections.sluice.release.plugins.module_utils.preflight._model import Finding, Kind, Params

_MIN_DAYS = 30.0


def split(domain: str, port: int | None) -> tuple[str, int]:
    """Name and port of `example.com` or `example.com:8443`. ValueError when the port is none."""
    name, colon, own = domain.strip().partition(":")
    number = int(own) if colon else port or 443
    if not name or not 0 < number < 65536:
        raise ValueError
    return name, number


def summary(certificate: Mapping[str, Any], now: float) -> dict[str, Any]:
    """What a person wants to know of a certificate, out of the form that Python's ssl gives it."""
    ends = ssl.cert_time_to_seconds(certificate["notAfter"])
    issuer = {key: text for pairs in certificate.get("issuer", ()) for key, text in pairs}
    return {
        "days_left": round(days_left(certificate, now), 1),
        "expires": utc_text(ends),
        "issuer": issuer.get("organizationName") or issuer.get("commonName") or "",
        "names": [text for kind, text in certificate.get("subjectAltName", ()) if kind in ("DNS", "IP Address")],
    }


def judge(found: Mapping[str, Mapping[str, Any]], wrong: Mapping[str, str], min_days: float) -> Finding:
    """Judge the certificates that were found, by domain, and the reasons why there is none."""
    problems = [f"{domain}: {reason}" for domain, reason in wrong.items()]
    for domain, certificate in found.items():
        if certificate["days_left"] <= min_days:
            problems.append(
                f"{domain}: its certificate is good for another {certificate['days_left']:g} days, "
                f"more than {min_days:g} are needed"
            )
    value = {"domains": {**dict.fromkeys(wrong), **found}}
    if problems:
        return Finding(False, "; ".join(problems), value)
    least = min(certificate["days_left"] for certificate in found.values())
    count = len(found)
    return Finding(
        True, f"{count} domain{'s have' if count > 1 else ' has'} a certificate for another {least:g} days", value
    )


def look(params: Params) -> Finding:
    found: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    now = time.time()
    for domain in params["domains"]:
        try:
            name, port = split(domain, params["port"])
        except ValueError:
            wrong[domain] = "it must be a name, or name:port"
            continue
        try:
            address = (params["address"] or name, port)
            certificate = fetch_certificate(address, name, params["timeout"], ca_file=params["ca_file"])
            found[domain] = summary(certificate, now)
        except OSError as error:
            wrong[domain] = describe(error, params["timeout"])[0]
    return judge(found, wrong, _MIN_DAYS if params["min_days"] is None else params["min_days"])


KIND = Kind(
    options={
        "domains": {"type": "list", "elements": "str"},
        "port": {"type": "int"},
        "address": {"type": "str"},
        "ca_file": {"type": "path"},
        "min_days": {"type": "float"},
    },
    look=look,
    required=("domains",),
    group="security",
)

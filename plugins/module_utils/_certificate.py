# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Reads the certificate that a server presents. OpenSSL decides whether it is to be trusted, as for every client."""

from __future__ import annotations

import functools
import socket
import ssl
from collections.abc import Mapping
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._within import within

# X509_V_FLAG_NO_CHECK_TIME of OpenSSL. Without it, nothing can be read of a certificate that has expired.
_ANY_TIME = 0x200000

_DAY = 86400.0


def fetch_certificate(
    address: tuple[str, int],
    name: str,
    timeout: float,
    *,
    ca_file: str | None = None,
    named: bool = True,
    in_time: bool = True,
) -> Mapping[str, Any]:
    """Shake hands, hang up, and return the certificate as Python's ssl gives it.

    ``name``: by which the server is asked, for it chooses the certificate by it. ``named``: it must be made out to that
    name. ``in_time``: it, and those above it, must be neither expired nor not yet valid. Raises OSError, which SSLError
    is, when it is not to be trusted or nobody answers, TimeoutError after ``timeout`` seconds in all.
    """

    def shake() -> Mapping[str, Any]:
        connection = socket.create_connection(address, timeout=timeout)
        with connection, _context(ca_file, named, in_time).wrap_socket(connection, server_hostname=name) as tls:
            return dict(tls.getpeercert() or {})

    return within(timeout, shake)


def days_left(certificate: Mapping[str, Any], now: float) -> float:
    """Days until a certificate expires; negative afterwards."""
    return (ssl.cert_time_to_seconds(certificate["notAfter"]) - now) / _DAY


@functools.lru_cache(maxsize=32)
def _context(ca_file: str | None, named: bool, in_time: bool) -> ssl.SSLContext:
    # Reading the certificate authorities takes tens of milliseconds; one context serves every look.
    context = ssl.create_default_context(cafile=ca_file)
    context.check_hostname = named
    if not in_time:
        context.verify_flags |= _ANY_TIME
    return context

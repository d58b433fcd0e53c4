# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import re
import socket
from collections.abc import Callable

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError

# Sends HAProxy one command and returns its answer, without the empty lines at its end.
Ask = Callable[[str], str]

_PATIENCE = 10.0
_ADDRESS = re.compile(r"\[?(?P<host>[^/\[\]]+)\]?:(?P<port>\d+)")


def connect(address: str, timeout: float = _PATIENCE) -> socket.socket:
    """Open HAProxy's socket: a path, or ``host:port``. Raises OSError."""
    tcp = _ADDRESS.fullmatch(address)
    if tcp:
        return socket.create_connection((tcp["host"], int(tcp["port"])), timeout)
    unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        unix.settimeout(timeout)
        unix.connect(address)
    except BaseException:
        unix.close()
        raise
    return unix


def asker(address: str, what: str = "ask HAProxy") -> Ask:
    """Return how to ask the HAProxy whose socket is at ``address``. ``what`` begins the errors."""

    def ask(command: str) -> str:
        parts = []
        try:
            with connect(address) as stream:
                stream.sendall(f"{command}\n".encode())
                # It answers one command and closes.
                while part := stream.recv(65536):
                    parts.append(part)
        except OSError as error:
            raise SluiceError(
                what,
                f"HAProxy does not answer at {address}: {error.strerror or error}",
                "Name a stats socket of level admin that this user may write to, and see that HAProxy runs",
            ) from error
        answer = b"".join(parts).decode(errors="replace")
        if not answer:
            raise SluiceError(what, f"HAProxy at {address} has closed the connection without an answer")
        return answer.strip()

    return ask

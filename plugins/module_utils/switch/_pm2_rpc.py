# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Calls of the PM2 daemon by its own socket, as the command ``pm2`` makes them.

That command is a Node.js that loads all of PM2: a third of a second of a core for a list, on the host that is serving
and measuring at that moment. The form is the one of pm2-axon-rpc, which PM2 5, 6 and 7 have; it is not documented, so
who calls must be able to do without (`UnansweredError`).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils.switch import _messages

_ID = "sluice:0"

Ask = Callable[..., Any]
"""``ask(home, method, *arguments, timeout=seconds)``, as below."""


class UnansweredError(Exception):
    """There is no answer, or none that we understand. Whether the call was carried out is not known."""


class LateError(Exception):
    """The daemon has taken the call and not answered in time. The command ``pm2`` would wait for the same socket."""


class RefusedError(Exception):
    """The daemon has refused, with these words."""


def ask(home: str, method: str, *arguments: Any, timeout: float) -> Any:
    """Call a method of the daemon of that home directory; return its first result.

    RefusedError with its words when it says no, LateError after ``timeout`` seconds, UnansweredError for any other
    reason.
    """
    deadline = time.monotonic() + timeout
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(os.path.join(home, "rpc.sock"))
            connection.sendall(_messages.pack({"type": "call", "method": method, "args": list(arguments)}, _ID))
            reply = _reply(connection, deadline)
        if "error" in reply:
            raise RefusedError(str(reply["error"]))
        return reply["args"][0]
    # A class of its own before Python 3.10.
    except socket.timeout as error:
        raise LateError(f"no answer within {timeout:g} s") from error
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise UnansweredError(str(error)) from error


def _reply(connection: socket.socket, deadline: float) -> dict[str, Any]:
    buffer = bytearray()
    while True:
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        block = connection.recv(1 << 16)
        if not block:
            raise ValueError("the daemon has closed the connection")
        buffer += block
        for arguments in _messages.take(buffer):
            if arguments[-1] == _ID:
                return dict(arguments[0])

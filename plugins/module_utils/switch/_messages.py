# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The form of the messages on the sockets of a PM2 daemon: AMP, as the packages amp and amp-message of npm have it.

A message is one byte (version in the upper, number of arguments in the lower half), then each argument as four bytes of
length and its content: ``s:`` and text, or ``j:`` and JSON.
"""

from __future__ import annotations

import json
from typing import Any

_VERSION = 1
_MAX_ARGUMENT = 1 << 24


def pack(*arguments: Any) -> bytes:
    """Return the arguments, at most 15, as one message. Text goes as text, everything else as JSON."""
    contents = [f"s:{it}".encode() if isinstance(it, str) else b"j:" + json.dumps(it).encode() for it in arguments]
    return bytes([_VERSION << 4 | len(contents)]) + b"".join(len(it).to_bytes(4, "big") + it for it in contents)


def take(buffer: bytearray) -> list[list[Any]]:
    """Remove every whole message from the buffer and return their arguments. ValueError when it is no such stream."""
    messages: list[list[Any]] = []
    while buffer:
        arguments: list[Any] = []
        offset = 1
        for _number in range(buffer[0] & 0x0F):
            size = int.from_bytes(buffer[offset : offset + 4], "big")
            if size > _MAX_ARGUMENT:
                raise ValueError("no message of PM2")
            if len(buffer) < offset + 4 + size:
                return messages
            arguments.append(_argument(bytes(buffer[offset + 4 : offset + 4 + size])))
            offset += 4 + size
        messages.append(arguments)
        del buffer[:offset]
    return messages


def _argument(content: bytes) -> Any:
    if content.startswith(b"j:"):
        return json.loads(content[2:])
    return content[2:].decode(errors="replace") if content.startswith(b"s:") else content

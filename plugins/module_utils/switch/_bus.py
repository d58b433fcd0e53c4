# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What workers write, heard on the event bus of the PM2 daemon.

A worker in cluster mode that throws while it loads ends before its log file is written: the one line that says why a
release does not start is then heard here or nowhere. Hearing is best effort; no failure of it is ever an error.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections import defaultdict, deque
from types import TracebackType
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils.switch import _messages

_KEPT_LINES = 50


class Bus:
    """Listens while the body of a ``with`` runs and keeps the last lines of every worker, by its id in PM2."""

    def __init__(self, home: str) -> None:
        self._path = os.path.join(home, "pub.sock")
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._lines: defaultdict[int, deque[str]] = defaultdict(lambda: deque(maxlen=_KEPT_LINES))

    def __enter__(self) -> Bus:  # noqa: PYI034 - typing.Self came after the Python of many hosts
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(self._path)
        except OSError:
            connection.close()
            return self
        self._socket = connection
        self._thread = threading.Thread(target=self._listen, args=(connection,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._socket is not None and self._thread is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._thread.join(2.0)
            self._socket.close()

    def lines(self, worker: int) -> list[str]:
        """Return what the worker wrote last, on standard output and error alike. Not redacted."""
        return list(self._lines[worker])

    def _listen(self, connection: socket.socket) -> None:
        buffer = bytearray()
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            while True:
                block = connection.recv(65536)
                if not block:
                    return
                buffer += block
                for message in _messages.take(buffer):
                    self._note(message)

    def _note(self, message: list[Any]) -> None:
        if len(message) == 2 and message[0] in ("log:err", "log:out"):
            text = str(message[1]["data"])
            self._lines[int(message[1]["process"]["pm_id"])].extend(line for line in text.splitlines() if line.strip())

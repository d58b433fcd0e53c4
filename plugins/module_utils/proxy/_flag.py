# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Two slots behind nginx that looks at every request whether a file is there, so that a move needs no reload.

A reload ends nginx's workers, and with them the idle connections of its clients; this does not.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import fsync_directory, write_atomic
from ansible_collections.sluice.release.plugins.module_utils.proxy._route import check_percent, members, other

_MODE = 0o644


@dataclass
class FlagRoute:
    """The file that is there while the second slot serves. Times in seconds."""

    path: str
    ports: Sequence[int]
    instances: int = 1
    settle_seconds: float = 1.0
    sleep: Callable[[float], object] = time.sleep

    def live(self) -> int | None:
        return self.ports[1] if os.path.exists(self.path) else self.ports[0]

    def points_at(self, port: int) -> bool:
        other(self.ports, port)
        return self.live() == port

    def point(self, port: int) -> None:
        other(self.ports, port)
        directory = os.path.dirname(os.path.abspath(self.path))
        try:
            if port == self.ports[1]:
                check_seen(directory, f"point the proxy at port {port}", "proxy.flag")
                write_atomic(self.path, f"{port}\n", _MODE)
            else:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.path)
                    fsync_directory(directory)
        except OSError as error:
            raise SluiceError(
                f"point the proxy at port {port}",
                f"{self.path}: {error.strerror or error}",
                "Make its directory writable, or correct proxy.flag",
            ) from error

    def weigh(self, port: int, percent: int) -> None:
        if check_percent(percent) not in (0, 100):
            raise SluiceError(
                "weigh the slots", "a file is there or not", "Use proxy.content with {servers}, or proxy.type haproxy"
            )
        self.point(port if percent else other(self.ports, port))

    def snapshot(self) -> int | None:
        return self.live()

    def restore(self, snapshot: object) -> None:
        if isinstance(snapshot, int):
            self.point(snapshot)

    def settle(self, port: int) -> None:  # noqa: ARG002 - it waits for requests that have chosen before the move
        self.sleep(self.settle_seconds)

    def describe(self) -> list[dict[str, Any]]:
        live = self.live()
        return [
            {
                "name": f"127.0.0.1:{member}",
                "slot": port,
                "state": "ready" if port == live else "drain",
                "weight": 100,
                "own_weight": 100,
                "sessions": None,
            }
            for port in self.ports
            for member in members(port, self.instances)
        ]


def check_seen(directory: str, what: str, option: str) -> None:
    """For nginx a file that its workers may not see is not there, and it would say nothing."""
    path = directory
    while True:
        if not os.stat(path).st_mode & stat.S_IXOTH:
            raise SluiceError(
                what,
                f"nginx's workers may not look into {path}",
                f"Let others search it (mode o+x), or correct {option}",
            )
        if path == os.path.dirname(path):
            return
        path = os.path.dirname(path)

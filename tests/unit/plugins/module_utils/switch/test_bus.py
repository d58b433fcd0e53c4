# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listening to what workers write."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

from ansible_collections.sluice.release.plugins.module_utils.switch._bus import Bus
from ansible_collections.sluice.release.plugins.module_utils.switch._messages import pack


def log(worker: int, text: str, event: str = "log:err") -> bytes:
    return pack(event, {"data": text, "process": {"pm_id": worker, "name": "shop"}})


def test_lines_are_kept_by_worker() -> None:
    with tempfile.TemporaryDirectory(prefix="sluice-") as home, socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(f"{home}/pub.sock")
        daemon.listen()
        with Bus(home) as bus:
            connection, _ = daemon.accept()
            with connection:
                connection.sendall(
                    log(3, "one\n\ntwo\n") + log(4, "other", "log:out") + pack("x", {}) + log(3, "three")
                )
            assert bus._thread is not None
            bus._thread.join(5)
        assert (bus.lines(3), bus.lines(4), bus.lines(5)) == (["one", "two", "three"], ["other"], [])


def test_without_a_daemon_nothing_is_heard(tmp_path: Path) -> None:
    with Bus(str(tmp_path)) as bus:
        assert bus.lines(0) == []

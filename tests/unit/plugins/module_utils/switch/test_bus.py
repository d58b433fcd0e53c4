# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listening to what workers write."""

from __future__ import annotations

import json
import socket
import tempfile
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.switch._bus import Bus, take_messages


def message(*arguments: Any) -> bytes:
    contents = [f"s:{a}".encode() if isinstance(a, str) else b"j:" + json.dumps(a).encode() for a in arguments]
    return bytes([0x10 | len(contents)]) + b"".join(len(c).to_bytes(4, "big") + c for c in contents)


def log(worker: int, text: str, event: str = "log:err") -> bytes:
    return message(event, {"data": text, "process": {"pm_id": worker, "name": "shop"}})


def test_messages_are_taken_whole_wherever_the_stream_is_cut() -> None:
    stream = log(1, "a") + message("process:event", {"x": [1]}) + log(2, "b")
    whole = take_messages(bytearray(stream))
    assert [arguments[0] for arguments in whole] == ["log:err", "process:event", "log:err"]
    for cut in range(len(stream)):
        buffer = bytearray(stream[:cut])
        first = take_messages(buffer)
        buffer += stream[cut:]
        assert first + take_messages(buffer) == whole
        assert not buffer


def test_another_stream_is_refused() -> None:
    with pytest.raises(ValueError, match="no message"):
        take_messages(bytearray(b"HTTP/1.1 200 OK\r\n"))


def test_lines_are_kept_by_worker() -> None:
    with tempfile.TemporaryDirectory(prefix="sluice-") as home, socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(f"{home}/pub.sock")
        daemon.listen()
        with Bus(home) as bus:
            connection, _ = daemon.accept()
            with connection:
                connection.sendall(
                    log(3, "one\n\ntwo\n") + log(4, "other", "log:out") + message("x", {}) + log(3, "three")
                )
            assert bus._thread is not None
            bus._thread.join(5)
        assert (bus.lines(3), bus.lines(4), bus.lines(5)) == (["one", "two", "three"], ["other"], [])


def test_without_a_daemon_nothing_is_heard(tmp_path: Path) -> None:
    with Bus(str(tmp_path)) as bus:
        assert bus.lines(0) == []

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of the daemon by its socket."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.switch._messages import pack, take
from ansible_collections.sluice.release.plugins.module_utils.switch._pm2_rpc import (
    LateError,
    RefusedError,
    UnansweredError,
    ask,
)


@contextlib.contextmanager
def daemon(*replies: bytes) -> Iterator[tuple[str, list[Any]]]:
    """A socket that answers one call in these pieces, and then closes; its home, and what it was asked."""
    asked: list[Any] = []
    with tempfile.TemporaryDirectory(prefix="sluice-") as home, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{home}/rpc.sock")
        listening.listen()

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                asked.extend(take(bytearray(connection.recv(1 << 16))))
                for reply in replies:
                    connection.sendall(reply)

        thread = threading.Thread(target=answer)
        thread.start()
        yield home, asked
        thread.join(5)


def test_the_first_result_comes_back_however_the_answer_is_cut() -> None:
    foreign, ours = pack({"args": ["of another"]}, "x:1"), pack({"args": [[{"pm_id": 1}]]}, "sluice:0")
    with daemon(foreign + ours[:7], ours[7:]) as (home, asked):
        assert ask(home, "getMonitorData", {}, timeout=5) == [{"pm_id": 1}]
    assert asked == [[{"type": "call", "method": "getMonitorData", "args": [{}]}, "sluice:0"]]


def test_a_refusal_is_told_in_the_daemons_words() -> None:
    reply = pack({"error": "3 id unknown", "stack": "at God"}, "sluice:0")
    with daemon(reply) as (home, _asked), pytest.raises(RefusedError, match=r"^3 id unknown$"):
        ask(home, "deleteProcessId", 3, timeout=5)


@pytest.mark.parametrize(
    "reply", [b"", b"HTTP/1.1 200 OK\r\n", pack({"args": []}, "sluice:0"), pack(None, "sluice:0"), pack({}, "sluice:0")]
)
def test_what_is_no_answer_is_said_to_be_none(reply: bytes) -> None:
    with daemon(reply) as (home, _asked), pytest.raises(UnansweredError):
        ask(home, "getMonitorData", {}, timeout=5)


def test_a_daemon_that_says_nothing_is_not_waited_for() -> None:
    with tempfile.TemporaryDirectory(prefix="sluice-") as home:
        with pytest.raises(UnansweredError):
            ask(home, "getMonitorData", {}, timeout=5)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(f"{home}/rpc.sock")
            listening.listen()
            with pytest.raises(LateError, match=r"no answer within 0\.05 s"):
                ask(home, "getMonitorData", {}, timeout=0.05)

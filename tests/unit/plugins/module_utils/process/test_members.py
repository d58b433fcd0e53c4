# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from ansible_collections.sluice.release.plugins.module_utils import _proc
from ansible_collections.sluice.release.plugins.module_utils.process import _members


def test_this_process_is_one_of_its_session() -> None:
    assert os.getpid() in _members.session(os.getsid(0))
    assert _members.environment(2**22 + 1) == {}


@pytest.mark.parametrize(
    ("cgroup", "belongs"),
    [
        ("0::/system.slice/system-shop.slice/shop@3000.service\n", True),
        ("0::/system.slice/system-shop.slice/shop@3000.service/child\n", True),
        ("8:pids:/x\n1:name=systemd:/docker/1/shop@3000.service\n", True),
        ("0::/system.slice/my-shop@3000.service\n", False),
        ("0::/system.slice/shop@3000.service.d\n", False),
        ("", False),
    ],
)
def test_the_unit_of_a_process(monkeypatch: pytest.MonkeyPatch, cgroup: str, belongs: bool) -> None:
    monkeypatch.setattr(_proc, "read", lambda pid, name: cgroup)
    assert _members.in_unit(1, "shop@3000.service") is belongs


def test_connections_are_those_that_the_process_holds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            # In the kernel's queue, and no process has it.
            assert _members.connections([os.getpid()], port, alone=True) == 0
            accepted, _address = server.accept()
            with accepted:
                assert _members.connections([os.getpid()], port, alone=True) == 1
                # The other end of it is a connection to the port, not one of the port.
                assert _members.connections([os.getpid()], client.getsockname()[1], alone=True) == 1
                assert _members.connections([], port, alone=True) == 0


def test_where_nobody_may_see_who_holds_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            monkeypatch.setattr(_members, "_sockets", lambda pid: None)
            assert _members.connections([os.getpid()], port, alone=True) == 1
            assert _members.connections([os.getpid()], port, alone=False) is None


def test_what_cannot_be_read_is_nothing() -> None:
    assert _members.connections([2**22 + 1], 80, alone=True) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a namespace of process ids, as a container has one")
def test_the_processes_of_a_container_are_none_of_this_host() -> None:
    with subprocess.Popen(["unshare", "--pid", "--fork", "sleep", "60"]) as outer:
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
        deadline = time.monotonic() + 10
        while not (inner := children.read_text().split()) and time.monotonic() < deadline:
            time.sleep(0.01)
        found = {one.pid for one in _members.processes()}
        os.kill(int(inner[0]), signal.SIGKILL)
        assert outer.pid in found
        assert int(inner[0]) not in found

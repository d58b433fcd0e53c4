# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports that are taken, and connections that are still there: real ones, on loopback."""

from __future__ import annotations

import os
import socket

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.switch._connections import check_free, established


def test_a_port_is_taken_while_something_listens() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        server.listen()
        with pytest.raises(SluiceError, match=f"Cannot start an instance on port {port}: another process listens"):
            check_free(port)
    check_free(port)


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_connections_are_counted_until_they_end(family: socket.AddressFamily, address: str) -> None:
    with socket.socket(family) as server:
        server.bind((address, 0))
        port = server.getsockname()[1]
        server.listen()
        assert established(os.getpid(), port) == 0
        with socket.create_connection((address, port)):
            accepted, _peer = server.accept()
            assert established(os.getpid(), port) == 1
            accepted.close()
        assert established(os.getpid(), port) == 0


def test_a_process_that_has_gone_has_none_to_count() -> None:
    assert established(4_194_304 + 1, 80) is None

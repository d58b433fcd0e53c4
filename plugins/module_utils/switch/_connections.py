# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""TCP ports of this host and of its processes: which are taken, and which connections are still there."""

from __future__ import annotations

import socket

from ansible_collections.sluice.release.plugins.module_utils import _proc
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError


def check_free(port: int) -> None:
    """Refuse a port that something listens on, before an instance trips over it."""
    with socket.socket() as probe:
        probe.settimeout(2.0)
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise SluiceError(
                f"start an instance on port {port}", "another process listens there", f"See: ss -ltnp 'sport = :{port}'"
            )


def established(pid: int, port: int) -> int | None:
    """Count the connections to a local port as the process sees them, in a network namespace of its own perhaps.

    None when that cannot be read: the process has gone, or is another user's.
    """
    total = 0
    for name in ("tcp", "tcp6"):
        try:
            with open(f"/proc/{pid}/net/{name}", encoding="ascii") as stream:
                total += sum(1 for _inode in _proc.established(stream.read(), port))
        except FileNotFoundError:
            if name == "tcp":
                return None
        except OSError:
            return None
    return total

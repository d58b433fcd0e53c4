# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What HAProxy says of its servers, and what follows from it: decisions over plain data."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import write_atomic

# Bits of srv_admin_state. That the configuration says `disabled` is one as well, but only where a server begins.
_MAINTAINED = 0x01 | 0x02 | 0x20 | 0x40
_DRAINED = 0x08 | 0x10
# Values of srv_op_state: starting and running.
_RUNNING = (1, 2)
# Bit of srv_check_state: enabled.
_CHECKED = 0x04
# How HAProxy shows a server whose checks have not made up its mind: `DRAIN 1/2`; and a check that is still to come.
_UNSURE = re.compile(r"\d+/\d+$")
_NO_CHECK_YET = "INI"
_VERSION = "1"
_MODE = 0o644


@dataclass(frozen=True)
class Server:
    """One server of a backend. ``status`` and ``check`` in HAProxy's own words."""

    name: str
    state: str
    """``ready``, ``drain`` or ``maint``: what it was told."""
    up: bool
    """Whether it can take traffic, as far as HAProxy knows; without checks it thinks so of every server."""
    weight: int
    own_weight: int
    """The one of the configuration."""
    sessions: int
    status: str
    check: str = ""
    checked: bool = False
    port: int = 0
    """0 where HAProxy says none: the address is no port, or it is too old to say."""

    @property
    def proven(self) -> bool:
        """Whether its checks say that it is up. One that leaves maintenance is up before it was checked."""
        return self.up and not (self.checked and (_UNSURE.search(self.status) or self.check == _NO_CHECK_YET))

    @property
    def maintained(self) -> bool:
        return self.state == "maint"

    @property
    def has_own_weight(self) -> bool:
        return self.weight == self.own_weight

    @property
    def serves(self) -> bool:
        return self.state == "ready" and self.up and self.weight > 0

    def result(self) -> dict[str, Any]:
        """Return what a person wants to see of it."""
        return {
            "name": self.name,
            "state": self.state,
            "status": self.status,
            "check": self.check,
            "weight": self.weight,
            "own_weight": self.own_weight,
            "sessions": self.sessions,
        }


def servers(state: str, stat: str, backend: str) -> dict[str, Server]:
    """Return the servers from the answers to ``show servers state BACKEND`` and ``show stat``, by name.

    ValueError when these are no such answers.
    """
    lines = state.splitlines()
    if len(lines) < 2 or lines[0] != _VERSION or not lines[1].startswith("# "):
        # What it says instead says why: "Can't find backend."
        raise ValueError(lines[0] if lines else "HAProxy says nothing of its servers")
    names = lines[1][2:].split()
    numbers = {
        row["svname"]: row
        for row in csv.DictReader(stat.removeprefix("# ").splitlines())
        if row.get("pxname") == backend
    }
    found = {}
    for line in lines[2:]:
        row = dict(zip(names, line.split()))
        if row.get("be_name") == backend:
            found[row["srv_name"]] = _server(row, numbers.get(row["srv_name"], {}))
    return found


def _server(row: Mapping[str, str], numbers: Mapping[str, str]) -> Server:
    admin = int(row["srv_admin_state"])
    return Server(
        name=row["srv_name"],
        state="maint" if admin & _MAINTAINED else "drain" if admin & _DRAINED else "ready",
        up=int(row["srv_op_state"]) in _RUNNING,
        weight=int(row["srv_uweight"]),
        own_weight=int(row["srv_iweight"]),
        sessions=int(numbers.get("scur") or 0),
        status=numbers.get("status") or "unknown",
        # A star says that the next one is under way.
        check=(numbers.get("check_status") or "").lstrip("* "),
        port=int(row.get("srv_port") or 0),
        checked=bool(int(row["srv_check_state"]) & _CHECKED),
    )


def live(slots: Mapping[int, Sequence[Server]]) -> int | None:
    """Return the base port of the slot that takes the traffic, or the most of it; None when that cannot be told."""
    told = [port for port, members in slots.items() if any(server.state == "ready" for server in members)]
    if len(told) == 1:
        return told[0]
    shares = {port: sum(server.weight for server in members if server.serves) for port, members in slots.items()}
    most = max(shares.values())
    first = [port for port, share in shares.items() if share == most]
    return first[0] if most and len(first) == 1 else None


def merged(text: str, answer: str, backend: str) -> str:
    """Return the state file with the backend's lines from the answer; those of other backends stay."""
    head, kept = answer.splitlines()[:2], []
    for line in text.splitlines():
        fields = line.split()
        if len(fields) > 2 and not line.startswith("#") and fields[1] != backend:
            kept.append(line)
    return "\n".join([*head, *kept, *answer.splitlines()[2:], ""])


def save(path: str, answer: str, backend: str) -> None:
    """Write the backend's state to the file. SluiceError when that is not possible."""
    try:
        text = ""
        if os.path.exists(path):
            with open(path, encoding="utf-8") as stream:
                text = stream.read()
        # HAProxy reads it as its own user.
        write_atomic(path, merged(text, answer, backend), _MODE)
    except OSError as error:
        raise SluiceError(
            f"keep the state of backend {backend}", f"{path}: {error.strerror or error}", "Correct proxy.state_file"
        ) from error

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Is a port free, or held by the application itself? Read from /proc, so that no tool need be installed."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ansible_collections.sluice.release.plugins.module_utils.preflight._model import Finding, Kind, Params

_LISTEN = "0A"


class Socket(NamedTuple):
    """A listening TCP socket."""

    inode: int
    uid: int


@dataclass(frozen=True)
class Holder:
    """A process that listens on the port. ``pid`` is None when its file descriptors may not be seen."""

    pid: int | None
    command: str
    user: str

    def __str__(self) -> str:
        if self.pid is None:
            return f"a process of user {self.user}"
        return f"pid {self.pid} ({self.command}) of user {self.user}"


def listening(table: str, port: int) -> Iterator[Socket]:
    """The sockets that listen on ``port``, out of the text of /proc/net/tcp or tcp6."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
            yield Socket(inode=int(fields[9]), uid=int(fields[7]))


def holders(port: int, proc: str = "/proc") -> list[Holder]:
    """Who listens on the port, on whatever address."""
    sockets: dict[int, int] = {}
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError), open(f"{proc}/net/{name}", encoding="ascii") as stream:
            sockets.update((socket.inode, socket.uid) for socket in listening(stream.read(), port))
    found: dict[int, list[int]] = {inode: [] for inode in sockets}
    if sockets:
        for pid in _pids(proc):
            for inode in _socket_inodes(pid, proc):
                if inode in found:
                    found[inode].append(pid)
    result: dict[int | None, Holder] = {}
    for inode, pids in found.items():
        user = _user(sockets[inode])
        for pid in pids:
            result[pid] = Holder(pid, _command(pid, proc), user)
        if not pids:
            result[None] = Holder(None, "", user)
    return sorted(result.values(), key=lambda holder: holder.pid or 0)


def _pids(proc: str) -> Iterable[int]:
    return [int(name) for name in os.listdir(proc) if name.isdigit()]


def _socket_inodes(pid: int, proc: str) -> Iterator[int]:
    # A process may end, or belong to somebody else, at any moment.
    with contextlib.suppress(OSError):
        for entry in os.listdir(f"{proc}/{pid}/fd"):
            with contextlib.suppress(OSError):
                match = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(f"{proc}/{pid}/fd/{entry}"))
                if match:
                    yield int(match.group(1))


def _command(pid: int, proc: str) -> str:
    """The name of a process. Not its arguments: they may hold what nobody should read."""
    with contextlib.suppress(OSError):
        with open(f"{proc}/{pid}/cmdline", "rb") as stream:
            first = stream.read().split(b"\0")[0].decode(errors="replace")
        # PM2 and others write a whole sentence into their title; a path is shown by its last part.
        if first:
            return os.path.basename(first) if first.startswith("/") else first[:60]
        with open(f"{proc}/{pid}/comm", encoding="utf-8", errors="replace") as stream:
            return stream.read().strip()
    return "?"


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def parent(pid: int, proc: str = "/proc") -> int:
    """The parent of a process; 0 when there is none or it has gone."""
    try:
        with open(f"{proc}/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            # The name in parentheses may hold spaces and parentheses of its own.
            return int(stream.read().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def pm2_pids(pm2_home: str, process: str) -> tuple[int | None, list[int]]:
    """The PM2 daemon and the processes that it runs under a name, as far as they are alive."""
    daemon = _pid_of(os.path.join(pm2_home, "pm2.pid"))
    own: list[int] = []
    directory = os.path.join(pm2_home, "pids")
    # PM2 replaces what a file name cannot hold; a run id follows the name.
    name = re.escape(re.sub(r"[^a-zA-Z0-9\\.\-]", "-", process))
    with contextlib.suppress(OSError):
        for entry in sorted(os.listdir(directory)):
            if re.fullmatch(rf"(?:{name}|{re.escape(process)})-\d+\.pid", entry):
                pid = _pid_of(os.path.join(directory, entry))
                if pid is not None:
                    own.append(pid)
    return daemon, own


def _pid_of(path: str) -> int | None:
    try:
        with open(path, encoding="ascii") as stream:
            pid = int(stream.read().strip())
    except (OSError, ValueError):
        return None
    return pid if os.path.isdir(f"/proc/{pid}") else None


def is_cluster_worker(pid: int, proc: str = "/proc") -> bool:
    """Whether Node.js runs a process as a worker that shares the sockets of its parent, here the PM2 daemon."""
    try:
        with open(f"{proc}/{pid}/environ", "rb") as stream:
            return any(line.startswith(b"NODE_UNIQUE_ID=") for line in stream.read().split(b"\0"))
    except OSError:
        return True  # it may not be looked at; that is no reason to accuse it


def foreign(found: list[Holder], daemon: int | None, own: list[int]) -> list[Holder]:
    """The holders that are not the application.

    In cluster mode the daemon itself listens, for every application that it runs: it is let pass only when it runs
    ours in that mode. In fork mode the process listens, or a child of it (`npm start`).
    """

    def is_ours(holder: Holder) -> bool:
        if holder.pid is None:
            return False
        if holder.pid == daemon:
            return any(map(is_cluster_worker, own))
        pid = holder.pid
        while pid > 1:
            if pid in own:
                return True
            pid = parent(pid)
        return False

    return [holder for holder in found if not is_ours(holder)]


def look(params: Params) -> Finding:
    port = params["port"]
    if not 0 < port < 65536:
        return Finding(False, f"{port} is no TCP port")
    found = holders(port)
    value = {"port": port, "holders": [{"pid": holder.pid, "command": holder.command} for holder in found]}
    if not found:
        return Finding(True, f"port {port} is free", value)
    daemon: int | None = None
    own: list[int] = []
    if params["process"]:
        # Where PM2 itself looks when nobody tells it.
        home = params["pm2_home"] or os.environ.get("PM2_HOME") or os.path.expanduser("~/.pm2")
        daemon, own = pm2_pids(home, params["process"])
    strangers = foreign(found, daemon, own)
    if strangers:
        remedy = "stop it or choose another port"
        return Finding(False, f"port {port} is taken by {' and '.join(map(str, strangers))}; {remedy}", value)
    return Finding(True, f"port {port} is held by {params['process']} itself", value)


KIND = Kind(
    options={"port": {"type": "int"}, "pm2_home": {"type": "path"}, "process": {"type": "str"}},
    look=look,
    required=("port",),
)

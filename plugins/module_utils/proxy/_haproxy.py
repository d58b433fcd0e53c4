# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Servers of an HAProxy backend, moved through its runtime API: no reload, so no connection is closed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.proxy import _haproxy_state
from ansible_collections.sluice.release.plugins.module_utils.proxy._haproxy_socket import Ask
from ansible_collections.sluice.release.plugins.module_utils.proxy._haproxy_state import Server
from ansible_collections.sluice.release.plugins.module_utils.proxy._route import check_percent, other

_POLL = 0.05
# How often in a row no session has to be seen: a request that has chosen its server is counted a moment later.
_EMPTY = 2


@dataclass
class Backend:
    """One backend of a running HAProxy. ``timeout`` in seconds."""

    name: str
    ask: Ask
    state_file: str | None = None
    timeout: float = 10.0
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep

    def servers(self) -> dict[str, Server]:
        """Return the servers of the backend as they are now, by name."""
        state = self.ask(f"show servers state {self.name}")
        try:
            return _haproxy_state.servers(state, self.ask("show stat -1 4 -1"), self.name)
        except ValueError as error:
            raise self.error(str(error), "Name a backend that this HAProxy has") from error

    def some(self, names: Collection[str]) -> dict[str, Server]:
        """Return the named ones of its servers. SluiceError when one is not there."""
        servers = self.servers()
        unknown = [name for name in names if name not in servers]
        if unknown:
            raise self.error(
                f"it has no server {' and no '.join(unknown)}",
                f"Its servers are {', '.join(servers) or 'none'}",
            )
        return {name: servers[name] for name in names}

    def set(self, server: str, what: str) -> None:
        """``set server``: what is ``state ready``, ``state drain``, ``state maint``, or ``weight N``."""
        answer = self.ask(f"set server {self.name}/{server} {what}")
        # It is silent when it has done it, and has no other sign of success.
        if answer:
            raise self.error(f"HAProxy refused {what} for {server}: {answer}", "Its socket needs level admin")

    def wait_up(self, names: Sequence[str]) -> None:
        """Wait until HAProxy's own checks, where there are any, have seen all of them up. They get no traffic yet."""
        for name, server in self.some(names).items():
            # It checks no server in maintenance, and one that comes back is up before its first check has passed.
            if server.maintained:
                self.set(name, "state drain")
        began = self.now()
        while True:
            servers = self.some(names)
            down = [server for server in servers.values() if not server.proven]
            if not down:
                return
            if self.now() - began >= self.timeout:
                seen = ", ".join(f"{server.name} is {server.status} ({server.check or 'unchecked'})" for server in down)
                raise self.error(f"after {self.timeout:g} s its server {seen}", "See why its health check fails")
            self.sleep(_POLL)

    def wait_empty(self, names: Sequence[str]) -> int:
        """Wait until they have no session left, or time is up. Returns how many there are still."""
        began, empty = self.now(), 0
        while True:
            left = sum(server.sessions for server in self.some(names).values())
            empty = 0 if left else empty + 1
            if empty >= _EMPTY or self.now() - began >= self.timeout:
                return left
            self.sleep(_POLL)

    def save(self) -> None:
        """Write the servers' states to where HAProxy reads them when it is started again."""
        if self.state_file:
            _haproxy_state.save(self.state_file, self.ask(f"show servers state {self.name}"), self.name)

    def put_back(self, before: Mapping[str, Server]) -> None:
        """Set the servers to what they were: those that served first, so that there is always one."""
        now, problem = self.some(list(before)), None
        for server in sorted(before.values(), key=lambda server: server.state != "ready"):
            # A backend that balances by a table takes no weight, and has then never been given one.
            steps = [f"weight {server.weight}"] if server.weight != now[server.name].weight else []
            for what in [*steps, f"state {server.state}"]:
                try:
                    self.set(server.name, what)
                except SluiceError as refused:
                    # The others can do with what they had all the more.
                    problem = problem or refused
        if problem:
            raise problem
        self.save()

    @contextlib.contextmanager
    def unharmed(self, names: Sequence[str]) -> Any:
        """Put the servers back when the body fails."""
        before = self.some(names)
        try:
            yield before
        except BaseException:
            # The socket may be what has failed. Then nothing can be put back, and the body's error says so.
            with contextlib.suppress(SluiceError):
                self.put_back(before)
            raise

    def error(self, cause: str, remedy: str = "") -> SluiceError:
        """Return the error about this backend."""
        return SluiceError(f"move backend {self.name}", cause, remedy)


@dataclass
class HaproxyRoute:
    """Two slots, each some servers of one backend. ``slots``: names of the servers by the base port of their slot."""

    backend: Backend
    slots: Mapping[int, Sequence[str]]

    @property
    def ports(self) -> list[int]:
        return list(self.slots)

    @property
    def names(self) -> list[str]:
        return [name for names in self.slots.values() for name in names]

    def live(self) -> int | None:
        servers = self._servers()
        return _haproxy_state.live({port: [servers[name] for name in names] for port, names in self.slots.items()})

    def points_at(self, port: int) -> bool:
        rest = other(self.ports, port)
        servers = self._servers()
        return all(
            servers[name].state == "ready" and servers[name].up and servers[name].has_own_weight
            for name in self.slots[port]
        ) and all(servers[name].state != "ready" for name in self.slots[rest])

    def point(self, port: int) -> None:
        rest = other(self.ports, port)
        self._servers()
        with self.backend.unharmed(self.names):
            self.backend.wait_up(self.slots[port])
            for name in self.slots[port]:
                self.backend.set(name, "weight 100%")
                self.backend.set(name, "state ready")
            # Not maintenance: it is for those that are idle, and this is told to serve what is under way.
            for name, server in self.backend.some(self.slots[rest]).items():
                if server.state == "ready":
                    self.backend.set(name, "state drain")
                if not server.has_own_weight:
                    self.backend.set(name, "weight 100%")
            self._check(self.slots[port])
            self.backend.save()

    def weigh(self, port: int, percent: int) -> None:
        rest = other(self.ports, port)
        if check_percent(percent) in (0, 100):
            self.point(port if percent else rest)
            return
        self._servers()
        with self.backend.unharmed(self.names):
            self.backend.wait_up(self.names)
            for name in self.slots[port]:
                self.backend.set(name, f"weight {percent}")
            for name in self.slots[rest]:
                self.backend.set(name, f"weight {100 - percent}")
            for name in self.names:
                self.backend.set(name, "state ready")
            self._check(self.names)
            self.backend.save()

    def snapshot(self) -> dict[str, Server]:
        return self._servers()

    def restore(self, snapshot: object) -> None:
        if isinstance(snapshot, dict):
            self.backend.put_back(snapshot)

    def settle(self, port: int) -> None:
        """A slot that is empty goes to maintenance.

        So no session goes there for the sake of a cookie, nobody is alarmed when it ends, and HAProxy believes in it
        again only after a check that has seen the next release.
        """
        names = self.slots[port]
        if self.backend.wait_empty(names):
            return
        for name, server in self.backend.some(names).items():
            if server.state == "drain":
                self.backend.set(name, "state maint")
        self.backend.save()

    def describe(self) -> list[dict[str, Any]]:
        servers = self._servers()
        return [{**servers[name].result(), "slot": port} for port, names in self.slots.items() for name in names]

    def _servers(self) -> dict[str, Server]:
        """Return the servers of both slots. SluiceError when one does not lead to the port of its slot."""
        servers = self.backend.some(self.names)
        for base, names in self.slots.items():
            for port, name in enumerate(names, base):
                if servers[name].port not in (0, port):
                    raise self.backend.error(
                        f"its server {name} leads to port {servers[name].port}, and not to {port} as the slot needs",
                        "Correct proxy.servers or HAProxy's configuration; a state file that knows an older "
                        "configuration has to be removed before HAProxy is reloaded",
                    )
        return servers

    def _check(self, names: Sequence[str]) -> None:
        """See that HAProxy does what it was told: a config that tracks another server may have a will of its own."""
        idle = [server for server in self.backend.some(names).values() if server.state != "ready" or not server.up]
        if idle:
            seen = ", ".join(f"{server.name} is {server.status}" for server in idle)
            raise self.backend.error(f"it was told to use its servers, but {seen}", "See HAProxy's log")

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a person, or a role, does with a proxy by hand: move the traffic, or take a server out of it and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.proxy._haproxy import Backend
from ansible_collections.sluice.release.plugins.module_utils.proxy._haproxy_state import Server
from ansible_collections.sluice.release.plugins.module_utils.proxy._route import Route, check_percent, other

Servers = Sequence[Mapping[str, Any]]


def slot_of(to: str, ports: Sequence[int], names: Sequence[Sequence[str]] = ()) -> int:
    """Return the base port that ``to`` means: itself, or the slot of that name, or of a server of that name."""
    if to.isdigit() and int(to) in ports:
        return int(to)
    for port, slot in zip(ports, names):
        if to in slot:
            return port
    known = [*map(str, ports), *(name for slot in names for name in slot)]
    raise SluiceError(f"move traffic to {to}", f"there are {', '.join(known)}", "Name one of them")


def share(servers: Servers, port: int, percent: int) -> list[dict[str, Any]]:
    """Return the servers as they are when the slot at ``port`` has that much of the traffic, and the other the rest."""
    result = []
    for server in servers:
        part = percent if server["slot"] == port else 100 - percent
        idle = "drain" if server["state"] == "ready" else server["state"]
        weight = part if 0 < percent < 100 else server["own_weight"]
        result.append({**server, "state": "ready" if part else idle, "weight": weight})
    return result


def move(route: Route, ports: Sequence[int], port: int, percent: int | None, check_mode: bool) -> dict[str, Any]:
    """Give the slot at ``port`` all traffic, or ``percent`` of it, and wait until the old one has nothing under way."""
    percent = 100 if percent is None else check_percent(percent)
    target, whole = (port if percent else other(ports, port)), percent in (0, 100)
    previous, before = route.live(), route.describe()
    after = share(before, port, percent)
    changed = not route.points_at(target) if whole else before != after
    if changed and not check_mode:
        route.weigh(port, percent)
        if whole and previous is not None and previous != target:
            route.settle(previous)
        after = route.describe()
    main = port if percent > 50 else other(ports, port) if percent < 50 else None
    return {
        "changed": changed,
        "previous": None if previous is None else str(previous),
        "current": _text(main),
        "servers": after,
        "diff": {"before": _seen(before), "after": _seen(after)},
    }


def drain(
    backend: Backend, names: Sequence[str], serving: int, check_mode: bool, warn: Callable[[str], object]
) -> dict[str, Any]:
    """Send the servers nothing new, and wait until what they have is done. ``serving`` others have to be left."""
    before = backend.servers()
    backend.some(names)
    todo = [name for name in names if before[name].state == "ready"]
    # One that does not serve anyway leaves nobody behind: at the first release of all, none does.
    counts = any(before[name].serves for name in todo)
    if counts:
        _check_left(before, names, serving)
    after = {name: _told(server, "drain" if name in todo else server.state) for name, server in before.items()}
    if todo and not check_mode:
        with backend.unharmed(todo):
            for name in todo:
                backend.set(name, "state drain")
            # Another run may have drained the others at the same moment.
            if counts:
                _check_left(backend.servers(), names, serving)
            backend.save()
        left = backend.wait_empty(names)
        if left:
            warn(
                f"{', '.join(names)} of {backend.name} still has {left} sessions after {backend.timeout:g} s; "
                "it gets no new ones."
            )
        after = backend.servers()
    return _servers_result(bool(todo), names, before, after)


def undrain(backend: Backend, names: Sequence[str], check_mode: bool) -> dict[str, Any]:
    """Send the servers requests again, once HAProxy's own checks have seen them up."""
    before = backend.servers()
    backend.some(names)
    todo = [name for name in names if before[name].state != "ready"]
    after = {name: _told(server, "ready" if name in todo else server.state) for name, server in before.items()}
    if not check_mode:
        with backend.unharmed(todo):
            # Also where nothing is to be done: that a server may have requests does not say that it can take them.
            backend.wait_up(names)
            for name in todo:
                backend.set(name, "state ready")
            if todo:
                backend.save()
        after = backend.servers()
    return _servers_result(bool(todo), names, before, after)


def _check_left(servers: Mapping[str, Server], names: Sequence[str], serving: int) -> None:
    left = [server.name for server in servers.values() if server.serves and server.name not in names]
    if len(left) < serving:
        raise SluiceError(
            f"drain {', '.join(names)}",
            f"{', '.join(left) or 'no other server'} would be left of the backend, and {serving} must serve",
            "Bring others back first, switch fewer hosts at once, or lower serving",
        )


def _told(server: Server, state: str) -> Server:
    return Server(**{**server.__dict__, "state": state})


def _servers_result(
    changed: bool, names: Sequence[str], before: Mapping[str, Server], after: Mapping[str, Server]
) -> dict[str, Any]:
    return {
        "changed": changed,
        "previous": before[names[0]].state,
        "current": after[names[0]].state,
        "servers": [server.result() for server in after.values()],
        "diff": {
            "before": {name: server.state for name, server in before.items()},
            "after": {name: server.state for name, server in after.items()},
        },
    }


def _seen(servers: Servers) -> dict[str, str]:
    return {server["name"]: f"{server['state']}, weight {server['weight']}" for server in servers}


def _text(port: int | None) -> str | None:
    return None if port is None else str(port)

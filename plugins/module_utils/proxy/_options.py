# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""From the option ``proxy`` to the route that it names, and all that can be refused before anything moved."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import CommandRunner
from ansible_collections.sluice.release.plugins.module_utils.proxy import _nginx
from ansible_collections.sluice.release.plugins.module_utils.proxy._flag import FlagRoute
from ansible_collections.sluice.release.plugins.module_utils.proxy._haproxy import Backend, HaproxyRoute
from ansible_collections.sluice.release.plugins.module_utils.proxy._haproxy_socket import asker
from ansible_collections.sluice.release.plugins.module_utils.proxy._route import Route

_NAMES = [["blue"], ["green"]]
# What HAProxy takes as a name. More would be more than one word, or command, for its socket.
_NAME = re.compile(r"[-\w.:]+")

# Spread it into an argument_spec; the doc fragment sluice.release._proxy describes it.
PROXY: dict[str, Any] = {
    "proxy": {
        "type": "dict",
        "options": {
            "type": {"type": "str", "required": True, "choices": ["nginx", "haproxy"]},
            "path": {"type": "path"},
            "content": {"type": "str"},
            "test": {"type": "list", "elements": "str", "default": []},
            "reload": {"type": "list", "elements": "str"},
            "pid": {"type": "path"},
            "flag": {"type": "path"},
            "settle": {"type": "float", "default": 1},
            "socket": {"type": "str"},
            "backend": {"type": "str"},
            "servers": {"type": "list", "elements": "list", "default": _NAMES},
            "state_file": {"type": "path"},
            "timeout": {"type": "float", "default": 10},
        },
        "required_if": [
            ("type", "nginx", ("path", "flag"), True),
            ("type", "haproxy", ("socket", "backend")),
        ],
        "required_by": {"path": ("content", "reload")},
        "mutually_exclusive": [("path", "flag")],
    }
}


def from_options(params: Mapping[str, Any], ports: Sequence[int], instances: int, runner: CommandRunner) -> Route:
    """Return the route that option ``proxy`` names. SluiceError for what can never work; nothing is asked yet."""
    _check_ports(ports, instances)
    if params["type"] == "haproxy":
        return HaproxyRoute(backend(params), dict(zip(ports, slot_names(params, instances))))
    if params.get("flag"):
        return FlagRoute(params["flag"], tuple(ports), instances, params.get("settle", 1.0))
    # So that a content that cannot work is found before anything is started.
    _nginx.render(params["content"], [(ports[0], 100)], instances)
    return _nginx.NginxRoute(
        path=params["path"],
        content=params["content"],
        ports=tuple(ports),
        runner=runner,
        reload=tuple(params["reload"]),
        test=tuple(params.get("test") or ()),
        instances=instances,
        pid=params.get("pid"),
        settle_seconds=params.get("settle", 1.0),
        timeout=params.get("timeout", 10.0),
    )


def backend(params: Mapping[str, Any]) -> Backend:
    """Return the backend that option ``proxy`` of type ``haproxy`` names."""
    name = check_name(params["backend"], "proxy.backend")
    return Backend(
        name=name,
        ask=asker(params["socket"], f"move backend {name}"),
        state_file=params.get("state_file"),
        timeout=params.get("timeout", 10.0),
    )


def slot_names(params: Mapping[str, Any], instances: int) -> list[list[str]]:
    """Return the names of each slot's servers; none for a proxy that knows no names."""
    return server_names(params.get("servers") or _NAMES, instances) if params["type"] == "haproxy" else []


def server_names(servers: Sequence[Sequence[str]], instances: int) -> list[list[str]]:
    """Return the names of each slot's servers. One name stands for several: ``blue`` for ``blue1``, ``blue2``, ..."""
    if len(servers) != 2:
        raise _wrong("proxy.servers", f"it names {len(servers)} slots instead of two")
    names = [
        [f"{slot[0]}{number}" for number in range(1, instances + 1)] if len(slot) == 1 < instances else list(slot)
        for slot in servers
    ]
    if any(len(slot) != instances for slot in names):
        raise _wrong("proxy.servers", f"with {instances} instances a slot needs so many names, or one")
    every = [check_name(name, "proxy.servers") for slot in names for name in slot]
    if len(set(every)) != len(every):
        raise _wrong("proxy.servers", "it names a server twice")
    return names


def check_name(name: str, option: str) -> str:
    """Return the name when HAProxy can have such a one."""
    if not _NAME.fullmatch(name):
        raise _wrong(option, f"{name!r} is no name of HAProxy's")
    return name


def _check_ports(ports: Sequence[int], instances: int) -> None:
    if instances < 1:
        raise _wrong("instances", f"it is {instances}")
    if len(ports) != 2 or ports[0] == ports[1]:
        raise _wrong("ports", "it has to name two different ports")
    if abs(ports[0] - ports[1]) < instances:
        raise _wrong("ports", f"with {instances} instances the slots at {ports[0]} and {ports[1]} overlap")


def _wrong(option: str, cause: str) -> SluiceError:
    return SluiceError(f"use the option {option}", cause, "Correct the profile")

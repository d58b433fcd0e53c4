# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""From the options of process_switch to what the switch works with, and all that can be refused before it."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import SubprocessRunner
from ansible_collections.sluice.release.plugins.module_utils.journal._fence import telling
from ansible_collections.sluice.release.plugins.module_utils.process import _program, _unit
from ansible_collections.sluice.release.plugins.module_utils.process._direct import Direct
from ansible_collections.sluice.release.plugins.module_utils.process._program import Program
from ansible_collections.sluice.release.plugins.module_utils.process._systemd import Systemd
from ansible_collections.sluice.release.plugins.module_utils.proxy import _options as proxy_options
from ansible_collections.sluice.release.plugins.module_utils.switch import _ready
from ansible_collections.sluice.release.plugins.module_utils.switch._blue_green import Request, World
from ansible_collections.sluice.release.plugins.module_utils.switch._blue_green_plan import Slots
from ansible_collections.sluice.release.plugins.module_utils.switch._environment import (
    is_to_come,
    read_environment,
    search_path,
    secrets,
)
from ansible_collections.sluice.release.plugins.module_utils.switch._plan import mark


def world(
    params: Mapping[str, Any], check_mode: bool = False, warn: Callable[[str], object] = str
) -> tuple[World, Direct | Systemd]:
    """Return what the switch acts on; ``warn`` takes what a person should know after a success as well."""
    _program.check_name(params["name"])
    wanted = None
    if params["state"] == "active":
        _check(params)
        wanted = program(params, check_mode)
    hidden = secrets(read_environment(params["config"], is_to_come(params, check_mode)))
    # Their texts are read: no colours, no other language.
    plain = {**os.environ, "LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""}
    runner = SubprocessRunner(hidden, base_env=plain)
    directory = os.path.join(params["state_dir"], "process", params["name"])
    runtime: Direct | Systemd
    if params["manager"] == "direct":
        runtime = Direct(
            params["name"], directory, wanted, hidden, params["stop_signal"], drain_timeout=params["drain_timeout"]
        )
    else:
        runtime = Systemd(
            params["name"],
            directory,
            runner,
            wanted,
            socket=params["socket"],
            properties=params["properties"],
            keep=params["keep"],
        )
    route = None
    if wanted and params["ports"]:
        route = proxy_options.from_options(params["proxy"], params["ports"], params["instances"], runner)
    say = telling(params["progress"])
    return World(runtime, route, say=say, warn=warn, owns=runtime.owns), runtime


def program(params: Mapping[str, Any], check_mode: bool = False) -> Program:
    """Return how the processes of the release are started. SluiceError for what can never work."""
    environment = read_environment(params["config"], is_to_come(params, check_mode))
    _program.check_environment(environment)
    _program.check_signal(params["stop_signal"])
    _unit.check_properties(params["properties"])
    path = os.path.abspath(params["path"])
    user = params["user"] or pwd.getpwuid(os.geteuid()).pw_name
    name = mark(
        params["release"],
        environment,
        path,
        *(params[option] for option in ("manager", "command", "path_prepend", "port_variable", "socket")),
        *(params[option] for option in ("properties", "stop_signal", "drain_timeout")),
        user,
    )
    return Program(
        name=params["name"],
        release=params["release"],
        mark=name,
        path=path,
        command=tuple(params["command"]),
        environment=environment,
        user=user,
        search_path=search_path(params["path_prepend"], _program.SYSTEM_PATH),
        port_variable=params["port_variable"],
        stop_signal=params["stop_signal"],
        drain_timeout=params["drain_timeout"],
    )


def request(params: Mapping[str, Any], wanted: Program) -> Request:
    """Return what shall serve."""
    ready = _ready.from_options(params["ready"])
    ports = params["ports"]
    for port in ports or (None,):
        _ready.check(ready if port is None else ready.at_port(port))
    return Request(
        name=params["name"],
        release=params["release"],
        mark=wanted.mark,
        ready=ready,
        instances=params["instances"],
        slots=Slots((ports[0], ports[1]), params["instances"]) if ports else None,
        hold=params["hold"],
        path=wanted.path,
        link=params["link"],
        staged=params["staged"],
    )


def _check(params: Mapping[str, Any]) -> None:
    problem = ""
    if params["instances"] < 1:
        problem = f"instances is {params['instances']}; use state stopped to run none"
    elif params["manager"] == "direct" and params["socket"]:
        problem = "only systemd can hold a socket; with manager direct use ports and proxy"
    elif bool(params["ports"]) == bool(params["socket"]):
        problem = "either ports, with proxy, or socket says where the application answers"
    elif params["ports"] and not params["proxy"]:
        problem = "ports needs proxy, which leads the requests to one of them"
    elif not params["command"] or not params["command"][0]:
        problem = "command is empty"
    elif params["ready"]["successes"] < 1:
        problem = "ready.successes is less than 1"
    elif params["ports"] and (len(params["ports"]) != 2 or params["ports"][0] == params["ports"][1]):
        problem = "ports has to name two different ports"
    if problem:
        raise SluiceError("use the options of process_switch", problem, "Correct the profile")

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""From the options of pm2_switch to what the switch works with, and all that can be refused before anything moved."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import SubprocessRunner
from ansible_collections.sluice.release.plugins.module_utils.journal._fence import telling
from ansible_collections.sluice.release.plugins.module_utils.proxy import _options as proxy_options
from ansible_collections.sluice.release.plugins.module_utils.proxy._options import PROXY
from ansible_collections.sluice.release.plugins.module_utils.proxy._route import Route
from ansible_collections.sluice.release.plugins.module_utils.switch import _ecosystem, _pm2, _ready
from ansible_collections.sluice.release.plugins.module_utils.switch._blue_green_plan import Slots
from ansible_collections.sluice.release.plugins.module_utils.switch._environment import (
    is_to_come,
    read_environment,
    search_path,
    secrets,
    user_home,
)
from ansible_collections.sluice.release.plugins.module_utils.switch._pm2_fork import Upness
from ansible_collections.sluice.release.plugins.module_utils.switch._ready import Ready
from ansible_collections.sluice.release.plugins.module_utils.switch._spec import READY
from ansible_collections.sluice.release.plugins.module_utils.switch._worker import Worker

# A worker that is told to end gets this many seconds more than it should need.
_KILL_MARGIN = 2.0
# Nobody is asked: what a worker without an address says of itself stands for an answer of it.
_NOWHERE = "http://127.0.0.1/"


@dataclass(frozen=True)
class Kind:
    """One kind of worker of the application, and how it is switched."""

    worker: Worker
    instances: int
    ready: Ready
    upness: Upness | None = None
    slots: Slots | None = None
    route: Route | None = None


@dataclass(frozen=True)
class Place:
    """The PM2 daemon and what goes with it."""

    pm2: _pm2.Pm2
    hidden: Sequence[str]
    say: Callable[[str], object]
    warn: Callable[[str], object]


def place(params: Mapping[str, Any], check_mode: bool = False, warn: Callable[[str], object] = str) -> Place:
    """Return what the switch acts on; ``warn`` takes what a person should know after a success as well."""
    _pm2.check_name(params["name"])
    environment = read_environment(params["config"], is_to_come(params, check_mode))
    hidden = secrets(environment)
    variables = {params["port_variable"]}
    pm2 = _pm2.Pm2(
        # Not a byte of our own environment: the daemon would keep it, and hand it to every application.
        SubprocessRunner(base_env={}),
        home=os.path.abspath(params["pm2_home"]),
        user_home=user_home(),
        path=_path(params),
        executable=params["pm2"],
        secrets=hidden,
        variables=sorted(variables),
    )
    return Place(pm2, hidden, telling(params["progress"]), warn)


def names(params: Mapping[str, Any], check_mode: bool = False) -> list[str]:
    """Return the names that the processes have in PM2."""
    return [entry["name"] for entry in _entries(params, check_mode)]


def kinds(params: Mapping[str, Any], check_mode: bool = False) -> list[Kind]:
    """Return what shall serve. SluiceError for what can never work."""
    for option in ("release", "path"):
        # An explicit null counts as given for Ansible.
        if not params[option]:
            raise _wrong(f"{option} is empty")
    to_come = is_to_come(params, check_mode)
    environment = read_environment(params["config"], to_come)
    _pm2.check_environment(environment)
    return [_kind(params, entry, environment, to_come) for entry in _entries(params, check_mode)]


def _path(params: Mapping[str, Any]) -> str:
    return search_path(params["path_prepend"], os.environ.get("PATH", os.defpath))


def _entries(params: Mapping[str, Any], check_mode: bool) -> list[dict[str, Any]]:
    """Return the processes, each with all that the options and the ecosystem file say of it.

    What ``processes`` says of one goes before the file, and the file before the options that hold for all.
    """
    # Role switch adds the version to the option ready, and it is the same for all.
    version = (params["ready"] or {}).get("version")
    common = {"ready": {"version": version}} if version else {}
    listed = [_given(entry, common) for entry in params["processes"] or ()]
    told = {entry["name"]: entry for entry in listed}
    if len(told) != len(listed):
        raise _wrong("two processes have one name")
    filed: list[dict[str, Any]] = []
    if params["ecosystem"] and params["path"] and not is_to_come(params, check_mode):
        path = os.path.join(os.path.abspath(params["path"]), params["ecosystem"])
        plain = {"PATH": _path(params), "HOME": user_home()}
        filed = _ecosystem.apps(_ecosystem.read(path, SubprocessRunner(base_env={}), plain), params["ecosystem_env"])
        for name in set(told) - {entry["name"] for entry in filed}:
            raise _wrong(f"processes names {name}, which the ecosystem file has not")
    if not filed and not told:
        return [{**params, "environment": {}, "limits": []}]
    every = {**params, "environment": {}, "limits": []}
    return [{**every, **entry, **told.get(entry["name"], {})} for entry in filed or told.values()]


def _given(entry: Mapping[str, Any], common: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    given = {name: value for name, value in entry.items() if value is not None}
    for name, options in (("ready", {"ready": {"type": "dict", "options": READY}}), ("proxy", PROXY)):
        if name in given:
            given[name] = _validated(name, {**common.get(name, {}), **given[name]}, options)
    # How a process proves itself is one thing or the other, and who answers nobody tells PM2 nothing either.
    if "up" in given:
        given.setdefault("wait_ready", False)
    elif "ready" in given:
        given["up"] = None
    return given


def _validated(name: str, value: Mapping[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return an option of a process as the option of that name of the module would be."""
    result = ArgumentSpecValidator(options).validate({name: dict(value)})
    if result.error_messages:
        raise _wrong(f"{name} of a process: {', '.join(result.error_messages)}")
    found: dict[str, Any] = result.validated_parameters[name]
    return found


def _kind(params: Mapping[str, Any], entry: Mapping[str, Any], environment: Mapping[str, str], to_come: bool) -> Kind:
    _pm2.check_name(entry["name"])
    _pm2.check_environment(entry["environment"])
    if not entry["script"]:
        raise _wrong(f"script of {entry['name']} is empty")
    worker = Worker(
        name=entry["name"],
        application=params["name"],
        release=params["release"],
        path=os.path.abspath(params["path"]),
        script=entry["script"],
        # The config version has the last word: it goes with the release, forth and back.
        environment={**entry["environment"], **environment},
        exec_mode=entry["exec_mode"],
        port_variable=params["port_variable"],
        args=tuple(entry["args"]),
        node_args=tuple(entry["node_args"]),
        wait_ready=entry["wait_ready"],
        listen_timeout=entry["listen_timeout"],
        kill_timeout=_kill_timeout(entry["drain_timeout"], entry["kill_timeout"]),
        out_file=_log(entry, "out"),
        error_file=_log(entry, "error"),
        merge_logs=entry["merge_logs"],
        limits=tuple(entry["limits"]),
    )
    if not to_come:
        _pm2.check_script(worker.entry)
    up = entry["up"]
    upness = Upness(up["seconds"], up["log"]) if up else None
    # One of its own goes before one that holds for all.
    ready = _ready_of(entry, upness)
    kind = Kind(worker, entry["instances"], ready, upness)
    return _slotted(kind, params, entry)


def _ready_of(entry: Mapping[str, Any], upness: Upness | None) -> Ready:
    if upness:
        wait = (entry["ready"] or {}).get("timeout") or 30.0
        return Ready(url=_NOWHERE, version="up", successes=1, timeout=upness.seconds + wait)
    if not entry["ready"]:
        raise _wrong(f"{entry['name']} has neither ready nor up, so nothing could prove it")
    ready = _ready.from_options(entry["ready"])
    if ready.successes < 1:
        raise _wrong("ready.successes is less than 1")
    return ready


def _slotted(kind: Kind, params: Mapping[str, Any], entry: Mapping[str, Any]) -> Kind:
    fork = kind.worker.exec_mode == "fork"
    ports = tuple(entry["ports"] or ()) if fork and not kind.upness else ()
    problem = ""
    if kind.instances < 1:
        problem = f"instances is {kind.instances}; use state stopped to run none"
    elif fork and not kind.upness and (len(set(ports)) != 2 or len(ports) != 2):
        problem = "ports has to name two different ports"
    elif ports and not entry["proxy"]:
        problem = "fork mode needs proxy, which leads the requests to one of the ports"
    if problem:
        raise _wrong(problem)
    if not ports:
        _ready.check(kind.ready)
        return kind
    slots = Slots((ports[0], ports[1]), kind.instances)
    for port in ports:
        _ready.check(kind.ready.at_port(port))
    runner = SubprocessRunner(
        secrets(read_environment(params["config"])), base_env={**os.environ, "PATH": _path(params)}
    )
    route = proxy_options.from_options(entry["proxy"], ports, kind.instances, runner)
    return Kind(kind.worker, kind.instances, kind.ready, None, slots, route)


def _log(entry: Mapping[str, Any], kind: str) -> str | None:
    path: str | None = entry[f"{kind}_file"]
    if path is None and entry["log_dir"]:
        return os.path.join(os.path.abspath(entry["log_dir"]), f"{entry['name']}-{kind}.log")
    if path is not None and not os.path.isabs(path):
        raise _wrong(f"{kind}_file is not an absolute path, and the release directory goes with its release")
    return path


def _kill_timeout(drain: float, kill: float | None) -> float:
    if kill is None:
        return drain + _KILL_MARGIN
    if kill < drain:
        raise SluiceError(
            "use the options of pm2_switch",
            f"kill_timeout ({kill:g} s) is shorter than drain_timeout ({drain:g} s), so requests would be cut off",
            "Raise kill_timeout or lower drain_timeout",
        )
    return kill


def _wrong(problem: str) -> SluiceError:
    return SluiceError("use the options of pm2_switch", problem, "Correct the profile")

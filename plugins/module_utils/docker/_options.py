# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""From the options of docker_switch to what it works with, and all that can be refused before anything moved."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ansible.module_utils.common.text.formatters import human_to_bytes

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import sha256_file
from ansible_collections.sluice.release.plugins.module_utils._runner import SubprocessRunner
from ansible_collections.sluice.release.plugins.module_utils.docker import _image
from ansible_collections.sluice.release.plugins.module_utils.docker._container import HOST, Place, Spec, creation
from ansible_collections.sluice.release.plugins.module_utils.docker._engine import Engine
from ansible_collections.sluice.release.plugins.module_utils.docker._runtime import DockerRuntime, Host, Wanted
from ansible_collections.sluice.release.plugins.module_utils.journal._fence import telling
from ansible_collections.sluice.release.plugins.module_utils.proxy import _options as proxy_options
from ansible_collections.sluice.release.plugins.module_utils.switch import _ready
from ansible_collections.sluice.release.plugins.module_utils.switch._blue_green import Request, World
from ansible_collections.sluice.release.plugins.module_utils.switch._blue_green_plan import Slots
from ansible_collections.sluice.release.plugins.module_utils.switch._environment import (
    is_to_come,
    read_environment,
    secrets,
)
from ansible_collections.sluice.release.plugins.module_utils.switch._plan import mark
from ansible_collections.sluice.release.plugins.module_utils.switch._spec import BLUE_GREEN, SWITCH

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")
# A file with secrets is not kept in memory beyond this.
_MAX_SECRET = 1 << 20

CONTAINER: dict[str, Any] = {
    "port": {"type": "int", "required": True},
    "address": {"type": "str", "default": "127.0.0.1"},
    "port_variable": {"type": "str", "default": "PORT"},
    "command": {"type": "list", "elements": "str", "default": []},
    "user": {"type": "str"},
    "memory": {"type": "str"},
    "cpus": {"type": "float"},
    "pids": {"type": "int"},
    "networks": {"type": "list", "elements": "str", "default": []},
    "volumes": {"type": "list", "elements": "str", "default": []},
    "secrets": {
        "type": "list",
        "elements": "dict",
        "default": [],
        # A path is no secret; what is in the file never gets here.
        "no_log": False,
        "options": {
            "source": {"type": "path", "required": True},
            "target": {"type": "str", "required": True},
        },
    },
    "tmpfs": {"type": "list", "elements": "str", "default": []},
    "extra_hosts": {"type": "dict", "default": {}},
    "restart": {
        "type": "str",
        "choices": ["unless-stopped", "always", "on-failure", "no"],
        "default": "unless-stopped",
    },
    "log_driver": {"type": "str"},
    "log_options": {"type": "dict", "default": {}},
    "stop_signal": {"type": "str"},
    "healthcheck": {
        "type": "dict",
        "options": {
            "test": {"type": "list", "elements": "str"},
            "interval": {"type": "float"},
            "timeout": {"type": "float"},
            "start_period": {"type": "float"},
            "retries": {"type": "int"},
        },
    },
    "read_only": {"type": "bool", "default": False},
    "cap_drop": {"type": "list", "elements": "str", "default": []},
    "init": {"type": "bool", "default": False},
}


OPTIONS: dict[str, Any] = {
    **SWITCH,
    **BLUE_GREEN,
    **proxy_options.PROXY,
    "image": {"type": "str"},
    "service": {"type": "str"},
    "container": {"type": "dict", "options": CONTAINER},
    "docker_host": {"type": "str"},
}


def runtime(
    params: Mapping[str, Any], host: Host, wanted: Wanted | None = None, hidden: Sequence[str] = ()
) -> DockerRuntime:
    """Return the containers of the application; ``hidden`` are the values that no line may show."""
    return DockerRuntime(
        host, params["name"], params["drain_timeout"], wanted=wanted, keep=params["keep"], secrets=hidden
    )


def world(
    params: Mapping[str, Any],
    containers: DockerRuntime,
    *,
    hidden: Sequence[str] = (),
    warn: Callable[[str], object] = str,
) -> World:
    """Return what the switch acts on; ``warn`` takes what a person should know after a success as well."""
    route = None
    if params["proxy"] and containers.wanted:
        route = proxy_options.from_options(
            params["proxy"], params["ports"], params["instances"], SubprocessRunner(hidden)
        )
    return World(runtime=containers, route=route, say=telling(params["progress"]), warn=warn)


def wanted(params: Mapping[str, Any], engine: Engine, check_mode: bool = False) -> tuple[Wanted, list[str]]:
    """Return what shall run, and what no line may show. SluiceError for what can never work."""
    _check(params)
    to_come = is_to_come(params, check_mode)
    environment = read_environment(params["config"], to_come)
    image = _find_image(params, engine, to_come)
    spec = container_spec(params["container"], image.reference)
    files = [] if to_come else [_secret(source) for source, _target in spec.secrets]
    # The name of the image is not part of it: the same image under another name is the same.
    what = {**asdict(spec), "image": image.id}
    named = mark(params["release"], environment, what, [digest for digest, _text in files])
    places = [(number, base + number) for base in params["ports"] for number in range(params["instances"])]
    hidden = [*secrets(environment), *(text for _digest, text in files if text)]

    def make(place: Place) -> None:
        engine.create(place.name, creation(spec, place, environment, params["drain_timeout"]), spec.networks[1:])

    return Wanted(params["release"], named, [image], places, make, spec.networks), hidden


def request(params: Mapping[str, Any], named: str) -> Request:
    """Return what shall serve."""
    first, second = params["ports"]
    wanted_ready = _ready.from_options(params["ready"])
    for port in (first, second):
        _ready.check(wanted_ready.at_port(port))
    return Request(
        name=params["name"],
        release=params["release"],
        mark=named,
        ready=wanted_ready,
        instances=params["instances"],
        slots=Slots((first, second), params["instances"]),
        hold=params["hold"],
        path=os.path.abspath(params["path"]),
        link=params["link"],
        staged=params["staged"],
    )


def _find_image(params: Mapping[str, Any], host: _image.Images, to_come: bool) -> _image.Image:
    if to_come:
        # It would be built, or pulled, by the run that checks only.
        return _image.Image(params["image"] or "to come")
    pins = {} if params["image"] else _image.read_pins(params["path"])
    return _image.resolve(host, _image.choose(pins, params["service"], params["image"], params["path"]))


def container_spec(options: Mapping[str, Any], image: str) -> Spec:
    """Return how the containers are made. SluiceError for what no engine takes."""
    health = {key: value for key, value in (options["healthcheck"] or {}).items() if value}
    return Spec(
        image=image,
        port=options["port"],
        address=options["address"],
        port_variable=options["port_variable"],
        command=tuple(options["command"]),
        user=options["user"] or "",
        memory=_bytes(options["memory"]),
        cpus=options["cpus"] or 0.0,
        pids=options["pids"] or 0,
        networks=_networks(options["networks"]),
        volumes=tuple(_volume(one) for one in options["volumes"]),
        secrets=tuple((one["source"], one["target"]) for one in options["secrets"]),
        tmpfs=tuple(options["tmpfs"]),
        extra_hosts=_pairs(options["extra_hosts"]),
        restart=options["restart"],
        log_driver=options["log_driver"] or "",
        log_options=_pairs(options["log_options"]),
        stop_signal=options["stop_signal"] or "",
        health=tuple(sorted((key, tuple(value) if key == "test" else value) for key, value in health.items())),
        read_only=options["read_only"],
        cap_drop=tuple(options["cap_drop"]),
        init=options["init"],
    )


def _pairs(options: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((str(name), str(value)) for name, value in options.items()))


def _bytes(text: str | None) -> int:
    if not text:
        return 0
    try:
        size: int = human_to_bytes(text)
    except ValueError as error:
        raise _wrong(f"container.memory {text} is no size such as 512M") from error
    return size


def _networks(names: Sequence[str]) -> tuple[str, ...]:
    if HOST in names and len(names) > 1:
        raise _wrong("container.networks names host and others, and host cannot be joined to others")
    return tuple(names)


def _volume(text: str) -> str:
    source = text.partition(":")[0]
    # The engine would make an empty directory of root's.
    if os.path.isabs(source) and not os.path.exists(source):
        raise _wrong(f"container.volumes needs {source}, and there is no such file or directory")
    return text


def _secret(path: str) -> tuple[str, str]:
    """Return digest and text of a file with a secret. SluiceError when others than its owner and group can read it."""
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            raise _wrong(f"container.secrets: {path} is no file")
        if mode & 0o007:
            raise _wrong(
                f"container.secrets: everybody on the host can read {path}", f"Close it, for example: chmod 0600 {path}"
            )
        with open(path, encoding="utf-8", errors="replace") as stream:
            return sha256_file(path), stream.read(_MAX_SECRET).strip()
    except OSError as error:
        raise _wrong(f"container.secrets: {path}: {error.strerror or error}") from error


def _check(params: Mapping[str, Any]) -> None:
    for option in ("release", "path", "ready", "ports", "container"):
        # An explicit null counts as given for Ansible.
        if not params[option]:
            raise _wrong(f"{option} is empty")
    if not _NAME.match(params["name"]):
        raise _wrong(f"name {params['name']!r} can be no container's")
    if len(params["ports"]) != 2:
        raise _wrong("ports has to name two different ports")
    if params["instances"] < 1:
        raise _wrong(f"instances is {params['instances']}; use state stopped to run none")


def _wrong(cause: str, remedy: str = "Correct the profile") -> SluiceError:
    return SluiceError("use the options of docker_switch", cause, remedy)

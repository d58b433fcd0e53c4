# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""How a container is to be made, and how one that is there is read: plain data of the engine's API."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils.switch._runtime import Instance

LABEL = "sluice."
APPLICATION, RELEASE, MARK = f"{LABEL}application", f"{LABEL}release", f"{LABEL}mark"
NUMBER, PORT, LISTEN = f"{LABEL}number", f"{LABEL}port", f"{LABEL}listen"
HOST = "host"

_NANO = 1_000_000_000
_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_.-]+")


@dataclass(frozen=True)
class Spec:
    """What every container of one release has in common. Sizes in bytes, times in seconds."""

    image: str
    """Reference that the engine resolves."""
    port: int
    """Where the application listens inside."""
    address: str = "127.0.0.1"
    port_variable: str = "PORT"
    command: tuple[str, ...] = ()
    user: str = ""
    memory: int = 0
    cpus: float = 0.0
    pids: int = 0
    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    secrets: tuple[tuple[str, str], ...] = ()
    """Pairs of a file on the host and where it is mounted, read-only."""
    tmpfs: tuple[str, ...] = ()
    extra_hosts: tuple[tuple[str, str], ...] = ()
    restart: str = "unless-stopped"
    log_driver: str = ""
    log_options: tuple[tuple[str, str], ...] = ()
    stop_signal: str = ""
    health: tuple[tuple[str, Any], ...] = ()
    """``test``, ``interval``, ``timeout``, ``start_period``, ``retries``, as far as they differ from the image's."""
    read_only: bool = False
    cap_drop: tuple[str, ...] = ()
    init: bool = False

    @property
    def on_host(self) -> bool:
        """Whether it shares the network of the host, where nothing is published."""
        return HOST in self.networks


@dataclass(frozen=True)
class Place:
    """Which instance of which release a container is."""

    application: str
    release: str
    mark: str
    number: int
    port: int

    @property
    def name(self) -> str:
        """The container's name: of an application's containers no two run at one port."""
        return f"{_NOT_IN_A_NAME.sub('-', f'{self.application}-{self.release}')}-{self.port}"


def labels(place: Place, listen: int) -> dict[str, str]:
    """Return the labels by which a container is known; ``listen``: its port inside."""
    return {
        APPLICATION: place.application,
        RELEASE: place.release,
        MARK: place.mark,
        NUMBER: str(place.number),
        PORT: str(place.port),
        LISTEN: str(listen),
    }


def creation(spec: Spec, place: Place, environment: Mapping[str, str], stop_timeout: float) -> dict[str, Any]:
    """Return the body of ``POST /containers/create``."""
    listen = place.port if spec.on_host else spec.port
    variables = {**environment, spec.port_variable: str(listen), "SLUICE_RELEASE": place.release}
    exposed = f"{spec.port}/tcp"
    config: dict[str, Any] = {
        "Image": spec.image,
        "Env": [f"{name}={value}" for name, value in sorted(variables.items())],
        "Labels": labels(place, listen),
        # What a stop by hand, or the end of the engine, allows it.
        "StopTimeout": math.ceil(stop_timeout),
        "HostConfig": _host_config(spec),
    }
    if spec.command:
        config["Cmd"] = list(spec.command)
    if spec.user:
        config["User"] = spec.user
    if spec.stop_signal:
        config["StopSignal"] = spec.stop_signal
    if spec.health:
        config["Healthcheck"] = _health(dict(spec.health))
    if not spec.on_host:
        config["ExposedPorts"] = {exposed: {}}
        config["HostConfig"]["PortBindings"] = {exposed: [{"HostIp": spec.address, "HostPort": str(place.port)}]}
    return config


def _host_config(spec: Spec) -> dict[str, Any]:
    secrets = [
        {"Type": "bind", "Source": source, "Target": target, "ReadOnly": True} for source, target in spec.secrets
    ]
    values: dict[str, Any] = {
        "RestartPolicy": {"Name": spec.restart},
        "NetworkMode": spec.networks[0] if spec.networks else "bridge",
        "Memory": spec.memory,
        "NanoCpus": round(spec.cpus * _NANO),
        "PidsLimit": spec.pids or None,
        "Binds": list(spec.volumes),
        "Mounts": secrets,
        "Tmpfs": dict.fromkeys(spec.tmpfs, ""),
        "ExtraHosts": [f"{name}:{address}" for name, address in spec.extra_hosts],
        "ReadonlyRootfs": spec.read_only,
        "CapDrop": list(spec.cap_drop),
        "Init": spec.init or None,
    }
    if spec.log_driver:
        values["LogConfig"] = {"Type": spec.log_driver, "Config": dict(spec.log_options)}
    return values


def _health(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the health check; what is left out stays as the image has it."""
    names = {"interval": "Interval", "timeout": "Timeout", "start_period": "StartPeriod"}
    health: dict[str, Any] = {names[key]: round(options[key] * _NANO) for key in names if options.get(key)}
    if options.get("test"):
        health["Test"] = ["CMD", *options["test"]]
    if options.get("retries"):
        health["Retries"] = options["retries"]
    return health


@dataclass(frozen=True)
class Container:
    """A container of an application, as the engine describes it."""

    name: str
    place: Place
    image_id: str
    listen: int
    running: bool
    restarting: bool
    status: str
    pid: int | None
    restarts: int
    stop_signal: str
    ended: str
    """When it has ended, sortable text."""
    health: str = ""
    """``starting``, ``healthy``, ``unhealthy``; empty without a health check."""
    health_test: tuple[str, ...] = field(default=())

    @property
    def alive(self) -> bool:
        return self.running or self.restarting

    def instance(self, healthy: bool | None, mark: str) -> Instance:
        """Return it as a blue-green switch sees it."""
        return Instance(
            id=self.name,
            number=self.place.number,
            port=self.place.port,
            release=self.place.release,
            mark=mark,
            alive=self.alive,
            pid=self.pid,
            restarts=self.restarts,
            status=self.status,
            healthy=healthy,
            checked=bool(self.health),
        )


def read(found: Mapping[str, Any]) -> Container | None:
    """Read ``GET /containers/ID/json``; None when its labels are not ours."""
    carried, state = found["Config"].get("Labels") or {}, found["State"]
    try:
        place = Place(
            application=carried[APPLICATION],
            release=carried[RELEASE],
            mark=carried[MARK],
            number=int(carried[NUMBER]),
            port=int(carried[PORT]),
        )
        listen = int(carried[LISTEN])
    except (KeyError, ValueError):
        return None
    health = state.get("Health") or {}
    status = health.get("Status", "")
    return Container(
        name=found["Name"].lstrip("/"),
        place=place,
        image_id=found["Image"],
        listen=listen,
        running=bool(state.get("Running")),
        restarting=bool(state.get("Restarting")),
        status=_status(state),
        pid=state.get("Pid") or None,
        restarts=found.get("RestartCount", 0),
        stop_signal=found["Config"].get("StopSignal") or "SIGTERM",
        ended=state.get("FinishedAt", ""),
        health="" if status == "none" else status,
        health_test=tuple((found["Config"].get("Healthcheck") or {}).get("Test") or ()),
    )


def _status(state: Mapping[str, Any]) -> str:
    status = str(state.get("Status") or "unknown")
    if status not in ("exited", "restarting", "dead"):
        return status
    killed = ", out of memory" if state.get("OOMKilled") else ""
    return f"{status} with {state.get('ExitCode', 0)}{killed}"


def check_command(test: Sequence[str]) -> list[str] | None:
    """Return the command of a health check, as its words; None when there is none."""
    kind = test[0] if test else ""
    if kind == "CMD":
        return list(test[1:])
    return ["/bin/sh", "-c", *test[1:]] if kind == "CMD-SHELL" else None

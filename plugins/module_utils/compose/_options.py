# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""From the options of compose_switch to what it works with, and all that can be refused before anything moved."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import write_atomic
from ansible_collections.sluice.release.plugins.module_utils._runner import SubprocessRunner
from ansible_collections.sluice.release.plugins.module_utils.compose import _render
from ansible_collections.sluice.release.plugins.module_utils.compose._command import Compose, find
from ansible_collections.sluice.release.plugins.module_utils.compose._render import Side, Slot, Stand
from ansible_collections.sluice.release.plugins.module_utils.compose._routes import Routes
from ansible_collections.sluice.release.plugins.module_utils.docker._container import Place
from ansible_collections.sluice.release.plugins.module_utils.docker._engine import Engine
from ansible_collections.sluice.release.plugins.module_utils.docker._image import Image, Pin, read_pins, resolve
from ansible_collections.sluice.release.plugins.module_utils.docker._runtime import Wanted
from ansible_collections.sluice.release.plugins.module_utils.journal._fence import telling
from ansible_collections.sluice.release.plugins.module_utils.proxy import _options as proxy_options
from ansible_collections.sluice.release.plugins.module_utils.switch import _ready
from ansible_collections.sluice.release.plugins.module_utils.switch._blue_green import Request
from ansible_collections.sluice.release.plugins.module_utils.switch._blue_green_plan import Slots
from ansible_collections.sluice.release.plugins.module_utils.switch._environment import (
    is_to_come,
    read_environment,
    secrets,
)
from ansible_collections.sluice.release.plugins.module_utils.switch._plan import mark
from ansible_collections.sluice.release.plugins.module_utils.switch._ready import Ready
from ansible_collections.sluice.release.plugins.module_utils.switch._spec import BLUE_GREEN, READY, SWITCH

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*\Z")
# What of our own environment the command needs; anything else could be a setting of Compose.
_INHERITED = ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "TMPDIR", "LANG")

OPTIONS: dict[str, Any] = {
    **SWITCH,
    **{key: BLUE_GREEN[key] for key in ("hold", "keep", "link", "staged")},
    "files": {"type": "list", "elements": "str", "default": ["compose.yml"]},
    "services": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "ports": {"type": "list", "elements": "int", "required": True},
            "address": {"type": "str", "default": "127.0.0.1"},
            "instances": {"type": "int", "default": 1},
            # What of them is wrong is told as soon as it is read: what they can be is described elsewhere.
            "ready": {"type": "dict"},
            "proxy": {"type": "dict"},
        },
    },
    "compose": {"type": "list", "elements": "str"},
    "docker_host": {"type": "str"},
}
_OWN_READY = {
    "ready": {
        "type": "dict",
        "options": {
            name: {key: value for key, value in option.items() if key in ("type", "elements")}
            for name, option in READY.items()
        },
    }
}


@dataclass(frozen=True)
class ServiceSlots(Slots):
    """Two slots in which every instance has a port of its own, as its service has it."""

    stands: Sequence[Stand] = ()

    def base(self, port: int | None) -> int | None:
        for side, base in enumerate(self.ports):
            if any(stand.ports[side] == port for stand in self.stands):
                return base
        return None

    def at(self, port: int, number: int) -> int:
        return self.stands[number].ports[self.ports.index(port)]

    def kind(self, port: int | None) -> str:
        return next((stand.slot.service for stand in self.stands if port in stand.ports), "")

    def check(self) -> None:
        """Refuse two instances at one port."""
        every = [port for stand in self.stands for port in stand.ports]
        twice = sorted({port for port in every if every.count(port) > 1})
        if twice:
            raise wrong(f"services: more than one instance would have the port {twice[0]}")


@dataclass(frozen=True)
class ReadyByPort(Ready):
    """The proof of each service, by the port that its instance has."""

    by_port: Mapping[int, Ready] = field(default_factory=dict)

    def at_port(self, port: int) -> Ready:
        return self.by_port[port]


@dataclass(frozen=True)
class Project:
    """A release, ready to be switched to."""

    stands: Sequence[Stand]
    mark: str
    images: Mapping[str, Image]
    """By service, all of them."""
    sides: tuple[Side, Side] | None
    """None when there is no release directory yet, in check mode."""
    rest: Mapping[str, Any]
    volumes: Mapping[str, str]
    """Key and real name of those that the stateless services use and that nobody else makes."""
    networks: Sequence[str] = ()
    """Those that the stateless services use and that somebody else makes."""
    hidden: Sequence[str] = ()


def command(params: Mapping[str, Any], check_mode: bool = False) -> Compose:
    """Return the compose command of this host; what it says shows no value of the configuration."""
    hidden = secrets(read_environment(params["config"], is_to_come(params, check_mode)))
    environment = {key: os.environ[key] for key in _INHERITED if key in os.environ}
    if params["docker_host"]:
        environment["DOCKER_HOST"] = params["docker_host"]
    return find(SubprocessRunner(hidden, base_env={}), params["compose"], environment)


def project(params: Mapping[str, Any], engine: Engine, compose: Compose, check_mode: bool = False) -> Project:
    """Read the release, and refuse what can never work."""
    slots = _slots(params)
    every = _render.stands(slots)
    to_come = is_to_come(params, check_mode)
    environment = read_environment(params["config"], to_come)
    hidden = secrets(environment)
    if to_come:
        return Project(
            every, "to come", {slot.service: Image("to come") for slot in slots}, None, {}, {}, hidden=hidden
        )
    name, path = params["name"], os.path.abspath(params["path"])
    found = compose.config(path, params["files"], name, environment)
    _render.check(found, slots)
    images = _images(found, engine, path)
    names = {service: (image.reference, image.id) for service, image in images.items()}
    stateless = [slot.service for slot in slots]
    bare = [
        _render.definition(_render.stateless_service(found["services"][slot.service], "", {}), names[slot.service][1])
        for slot in slots
    ]
    named = mark(params["release"], environment, bare, [slot.port for slot in slots])
    sides = [_side(params, found, every, names, environment, named, which) for which in (0, 1)]
    outside = _render.external_volumes(found)
    volumes = {key: real for key, real in _render.shared_volumes(found, name, stateless).items() if key not in outside}
    rest = _render.rest(found, name, stateless, names)
    networks = list(_render.outside_networks(found, stateless).values())
    return Project(every, named, images, (sides[0], sides[1]), rest, volumes, networks, hidden)


def wanted(params: Mapping[str, Any], it: Project, compose: Compose, directory: str) -> Wanted:
    """Return what of it the switch starts."""
    sides = it.sides

    def make(place: Place) -> None:
        stand = it.stands[place.number]
        which = stand.ports.index(place.port)
        if sides is None:
            raise SluiceError(f"start {place.name}", "there is no release directory")
        file = os.path.join(directory, f"{sides[which].project}.json")
        write_atomic(file, json.dumps(sides[which].content, indent=1), 0o600)
        compose.create(sides[which].project, file, _render.key(stand.slot.service, place))

    return Wanted(
        release=params["release"],
        mark=it.mark,
        images=[it.images[stand.slot.service] for stand in it.stands],
        places=[(number, port) for number, stand in enumerate(it.stands) for port in stand.ports],
        make=make,
        networks=it.networks,
    )


def request(params: Mapping[str, Any], it: Project) -> Request:
    """Return what shall serve."""
    proofs: dict[int, Ready] = {}
    for service in params["services"]:
        own = {key: value for key, value in _valid(service, "ready", _OWN_READY).items() if value is not None}
        proof = _ready.from_options({**params["ready"], **own})
        for stand in it.stands:
            if stand.slot.service == service["name"]:
                proofs.update({port: proof.at_port(port) for port in stand.ports})
    for proof in proofs.values():
        _ready.check(proof)
    shared = _ready.from_options(params["ready"])
    slots = ServiceSlots(it.stands[0].ports, len(it.stands), it.stands)
    slots.check()
    return Request(
        name=params["name"],
        release=params["release"],
        mark=it.mark,
        ready=ReadyByPort(**{**shared.__dict__, "by_port": proofs}),
        instances=len(it.stands),
        slots=slots,
        hold=params["hold"],
        path=os.path.abspath(params["path"]),
        link=params["link"],
        staged=params["staged"],
    )


def routes(params: Mapping[str, Any], it: Project) -> Routes | None:
    """Return the proxies of all services; None when no service has one."""
    runner = SubprocessRunner(it.hidden)
    members = []
    for service in params["services"]:
        proxy = _valid(service, "proxy", proxy_options.PROXY)
        if proxy:
            first, second = service["ports"]
            route = proxy_options.from_options(proxy, (first, second), service["instances"], runner)
            members.append((route, (first, second)))
    return Routes(it.stands[0].ports, members) if members else None


def _valid(service: Mapping[str, Any], option: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return an option of a service, with its defaults. SluiceError for what is not described."""
    if not service[option]:
        return {}
    result = ArgumentSpecValidator(spec).validate({option: service[option]})
    if result.error_messages:
        raise wrong(f"services, {service['name']}: {'; '.join(result.error_messages)}")
    found: dict[str, Any] = result.validated_parameters[option]
    return found


def say(params: Mapping[str, Any]) -> Callable[[str], object]:
    """Return what tells a person how far it is."""
    return telling(params["progress"])


def check(params: Mapping[str, Any]) -> None:
    """Refuse what is left out."""
    for option in ("release", "path", "ready", "services", "state_dir"):
        # An explicit null counts as given for Ansible.
        if not params[option]:
            raise wrong(f"{option} is empty")
    if not _NAME.match(params["name"]):
        raise wrong(f"name {params['name']!r} can be no project's: lower case letters, digits, - and _")


def _slots(params: Mapping[str, Any]) -> list[Slot]:
    slots = []
    for one in params["services"]:
        if len(one["ports"]) != 2:
            raise wrong(f"ports of service {one['name']} has to name two different ports")
        if one["instances"] < 1:
            raise wrong(f"instances of service {one['name']} is {one['instances']}")
        slots.append(Slot(one["name"], one["port"], tuple(one["ports"]), one["instances"], one["address"]))
    if len({slot.service for slot in slots}) < len(slots):
        raise wrong("services names one of them twice")
    return slots


def _images(found: Mapping[str, Any], engine: Engine, path: str) -> dict[str, Image]:
    """Find the image of every service on this host, as the release names it, or else the project."""
    pins, images = read_pins(path), {}
    for service, reference in _render.references(found).items():
        pin = pins.get(service) or Pin(reference)
        if not pin.reference:
            raise SluiceError(
                f"choose the image of service {service}",
                "the project only says how it is built, and images.json of the release does not name it",
                "Let role sluice.release.artifact build it",
            )
        images[service] = resolve(engine, pin)
    return images


def _side(
    params: Mapping[str, Any],
    found: Mapping[str, Any],
    every: Sequence[Stand],
    names: Mapping[str, tuple[str, str]],
    environment: Mapping[str, str],
    named: str,
    which: int,
) -> Side:
    places = [
        (stand, Place(params["name"], params["release"], named, number, stand.ports[which]))
        for number, stand in enumerate(every)
    ]
    return _render.side(found, places, names, environment, which)


def wrong(cause: str) -> SluiceError:
    """Return the error for options that can never work."""
    return SluiceError("use the options of compose_switch", cause, "Correct the profile")

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""From a project, as ``compose config`` prints it, to the projects that a switch runs: decisions over plain data.

What is stateless moves into a project for each of two slots, which stand side by side. Everything else stays in the
project of the application's own name, and so do the networks and volumes that the two kinds share.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.docker._container import (
    APPLICATION,
    LABEL,
    Place,
    labels,
)

DEFINITION = f"{LABEL}definition"
PROJECT, SERVICE = "com.docker.compose.project", "com.docker.compose.service"
_DEFAULT = "default"
_SIBLINGS = "siblings"
_LETTERS = ("a", "b")


@dataclass(frozen=True)
class Slot:
    """One stateless service: where it listens inside, and its ports on the host in each of the two slots."""

    service: str
    port: int
    ports: tuple[int, int]
    instances: int = 1
    address: str = "127.0.0.1"


@dataclass(frozen=True)
class Stand:
    """An instance of a stateless service: its ports in the two slots."""

    slot: Slot
    ports: tuple[int, int]


def stands(slots: Iterable[Slot]) -> list[Stand]:
    """Return every instance of every stateless service; the place in the list is its number."""
    return [
        Stand(slot, (slot.ports[0] + copy, slot.ports[1] + copy)) for slot in slots for copy in range(slot.instances)
    ]


def check(project: Mapping[str, Any], slots: Sequence[Slot]) -> None:
    """Refuse a project whose services cannot be switched as they are said to be."""
    services = project.get("services") or {}
    for slot in slots:
        service = services.get(slot.service)
        if service is None:
            raise _wrong(f"it has no service {slot.service}; its services are {', '.join(sorted(services))}")
        if service.get("network_mode") or service.get("pid"):
            raise _wrong(
                f"service {slot.service} shares a network or processes with others, so two of it cannot be told apart"
            )


def references(project: Mapping[str, Any]) -> dict[str, str]:
    """Return the image of every service as the project names it; empty for one that is only built."""
    return {name: service.get("image") or "" for name, service in (project.get("services") or {}).items()}


def definition(service: Mapping[str, Any], image_id: str) -> str:
    """Name all that makes a container of a service what it is, its image among it."""
    return _digest([_bare(service), image_id])


def rest(
    project: Mapping[str, Any], name: str, stateless: Collection[str], images: Mapping[str, tuple[str, str]]
) -> dict[str, Any]:
    """Return the project of what is not stateless. ``images``: name and id of the image of each service."""
    services = {}
    for key, service in (project.get("services") or {}).items():
        if key in stateless:
            continue
        reference, image_id = images[key]
        made = {**_without(service, "build"), "image": reference}
        made["depends_on"] = _keys(service.get("depends_on"), lambda other: other not in stateless)
        made = _without(made, *(["depends_on"] if not made["depends_on"] else []))
        mark = definition(made, image_id)
        made["labels"] = {**_mapping(service.get("labels")), APPLICATION: name, DEFINITION: mark}
        services[key] = made
    return {**_without(project, "name", "services"), "services": services}


def shared_volumes(project: Mapping[str, Any], name: str, stateless: Collection[str]) -> dict[str, str]:
    """Return the volumes that stateless services use: key, and the name that the engine knows them by."""
    services = project.get("services") or {}
    used = {key for service in stateless for key in _volumes(services[service])}
    declared = project.get("volumes") or {}
    return {key: _real(declared.get(key), name, key) for key in sorted(used) if key in declared}


def outside_networks(project: Mapping[str, Any], stateless: Collection[str]) -> dict[str, str]:
    """Return the networks that stateless services use and that somebody else makes: key and real name."""
    services, declared = project.get("services") or {}, project.get("networks") or {}
    used = {network for service in stateless for network in _networks(services[service])}
    outside = {network for network in used if (declared.get(network) or {}).get("external")}
    return {network: _real(declared[network], "", network) for network in sorted(outside)}


def external_volumes(project: Mapping[str, Any]) -> set[str]:
    """Return the keys of the volumes that somebody else makes."""
    return {key for key, volume in (project.get("volumes") or {}).items() if (volume or {}).get("external")}


def key(service: str, place: Place) -> str:
    """Return what a slot calls an instance: its own name, so that Compose replaces none that is kept for a rollback."""
    return f"{service}-{place.mark[:8]}-{place.port}"


@dataclass(frozen=True)
class Side:
    """One of the two slots, as a project of its own."""

    project: str
    content: Mapping[str, Any]


def side(
    project: Mapping[str, Any],
    places: Sequence[tuple[Stand, Place]],
    images: Mapping[str, tuple[str, str]],
    environment: Mapping[str, str],
    which: int,
) -> Side:
    """Return the project of one slot. ``places``: what each instance is there, in the order of their numbers."""
    services = project.get("services") or {}
    name = places[0][1].application
    stateless = {stand.slot.service for stand, _place in places}
    shared = {network for other, one in services.items() if other not in stateless for network in _networks(one)}
    shared |= set(outside_networks(project, stateless))
    made: dict[str, Any] = {}
    networks: dict[str, Any] = {}
    declared = project.get("networks") or {}
    for stand, place in places:
        service = services[stand.slot.service]
        joined: dict[str, Any] = {}
        for network, options in _networks(service).items():
            if network in shared:
                # Its siblings in the other slot are here as well: nobody may find it by a name that both have.
                joined[network] = _without(options or {}, "aliases", "ipv4_address", "ipv6_address") or None
                networks[network] = {"external": True, "name": _real(declared.get(network), name, network)}
            else:
                aliases = [*((options or {}).get("aliases") or []), stand.slot.service]
                joined[network] = {**_without(options or {}, "ipv4_address", "ipv6_address"), "aliases": aliases}
                networks[network] = _without(declared.get(network) or {}, "name", "ipam")
        if len(stateless) > 1:
            joined[_SIBLINGS] = {"aliases": [stand.slot.service]}
            networks[_SIBLINGS] = {}
        made[key(stand.slot.service, place)] = {
            **stateless_service(service, images[stand.slot.service][0], environment),
            "container_name": place.name,
            "ports": [f"{stand.slot.address}:{place.port}:{stand.slot.port}"],
            "networks": joined,
            "labels": {**_mapping(service.get("labels")), **labels(place, stand.slot.port)},
        }
    used = shared_volumes(project, name, stateless)
    volumes = {volume: {"external": True, "name": real} for volume, real in used.items()}
    content = {**_without(project, "name", "services", "networks", "volumes"), "services": made}
    content.update({part: value for part, value in (("networks", networks), ("volumes", volumes)) if value})
    return Side(f"{name}-{_LETTERS[which]}", content)


def stateless_service(service: Mapping[str, Any], image: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """Return what all instances of a stateless service have in common."""
    made = {**_without(service, "build", "depends_on", "container_name", "scale", "expose"), "image": image}
    made["environment"] = {
        **_mapping(service.get("environment")),
        # Compose would put something else in the place of a dollar.
        **{key: value.replace("$", "$$") for key, value in environment.items()},
    }
    if made.get("restart") == "always":
        # What was ended would start again with the engine.
        made["restart"] = "unless-stopped"
    if isinstance(made.get("deploy"), Mapping):
        made["deploy"] = _without(made["deploy"], "replicas")
    return made


def _networks(service: Mapping[str, Any]) -> dict[str, Any]:
    if service.get("network_mode"):
        return {}
    found = service.get("networks")
    if isinstance(found, Mapping):
        return dict(found)
    return dict.fromkeys(found or [_DEFAULT])


def _volumes(service: Mapping[str, Any]) -> list[str]:
    """Return the keys of the named volumes of a service, which may stand there as text or as a mapping."""
    keys = []
    for one in service.get("volumes") or []:
        if isinstance(one, Mapping):
            keys += [str(one["source"])] if one.get("type") == "volume" and one.get("source") else []
        else:
            source, colon, _target = str(one).partition(":")
            keys += [source] if colon and not source.startswith(("/", ".", "~")) else []
    return keys


def _real(declared: Mapping[str, Any] | None, project: str, key: str) -> str:
    """Return how the engine calls a network or volume of the project."""
    options = declared or {}
    external = options.get("external")
    named = options.get("name") or (external.get("name") if isinstance(external, Mapping) else None)
    return str(named or (key if external else f"{project}_{key}"))


def _mapping(value: Any) -> dict[str, Any]:
    """Return a mapping that may stand there as a list of ``KEY=value``."""
    if isinstance(value, Mapping):
        return dict(value)
    return {key: text for key, _equals, text in (str(one).partition("=") for one in value or [])}


def _keys(value: Any, keep: Any) -> Any:
    """Return a list, or a mapping, without the names that are not to be kept."""
    if isinstance(value, Mapping):
        return {key: one for key, one in value.items() if keep(key)}
    return [key for key in value or [] if keep(key)]


def _without(value: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: one for key, one in value.items() if key not in keys}


def _bare(value: Any) -> Any:
    """Return it without what says nothing: one Compose prints it, another does not."""
    if isinstance(value, Mapping):
        kept = {str(key): _bare(one) for key, one in value.items()}
        return {key: one for key, one in kept.items() if one not in (None, {}, [])}
    return [_bare(one) for one in value] if isinstance(value, list) else value


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _wrong(cause: str) -> SluiceError:
    return SluiceError("use the Compose project", cause, "Correct the project file or the option services")

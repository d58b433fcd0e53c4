# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Containers of one application under one engine, for a blue-green switch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import redact
from ansible_collections.sluice.release.plugins.module_utils.docker._container import (
    APPLICATION,
    Container,
    Place,
    check_command,
    read,
)
from ansible_collections.sluice.release.plugins.module_utils.docker._image import Image
from ansible_collections.sluice.release.plugins.module_utils.switch._connections import established
from ansible_collections.sluice.release.plugins.module_utils.switch._runtime import Ended, Instance

# Lines of a log that a failure shows, of each of its two streams.
_LINES = 40
_POLL = 0.1
# Seconds after which a new container that has crashed is told once more to end.
_AGAIN = 0.5
# Seconds between two health checks that are run ahead of the engine's own.
_AHEAD = 1.0


class Host(Protocol):
    """What of the engine a runtime uses; see Engine."""

    def containers(self, labels: Sequence[str]) -> list[dict[str, Any]]: ...
    def container(self, name: str) -> dict[str, Any] | None: ...
    def has_network(self, name: str) -> bool: ...
    def log(self, container: str, lines: int, *, errors: bool) -> str: ...
    def start(self, name: str) -> None: ...
    def signal(self, name: str, signal: str) -> None: ...
    def kill(self, name: str) -> None: ...
    def remove(self, name: str) -> None: ...
    def begin_check(self, container: str, command: Sequence[str]) -> str | None: ...
    def end_of_check(self, made: str) -> int | None: ...


@dataclass(frozen=True)
class Wanted:
    """What shall run."""

    release: str
    mark: str
    images: Sequence[Image]
    """By the number of the instance; the last one is that of all further numbers."""
    places: Sequence[tuple[int, int]]
    """Every number that an instance may have, with every port that it may get."""
    make: Callable[[Place], object]
    """Creates the container of a place under its name, and does not start it."""
    networks: Sequence[str] = ()
    """They have to be there."""

    def image(self, number: int) -> Image:
        """Return the image of the instance with this number."""
        return self.images[min(number, len(self.images) - 1)]


@dataclass
class _Ahead:
    """A container's health check, run before the engine gets to it. Times in monotonic seconds."""

    made: str | None = None
    began: float = float("-inf")
    passed: bool = False


@dataclass
class DockerRuntime:
    """The containers of one application. Times in seconds."""

    host: Host
    name: str
    drain_timeout: float
    wanted: Wanted | None = None
    """None when all that there is shall end."""
    keep: int = 1
    secrets: Iterable[str] = ()
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    _checks: dict[str, _Ahead] = field(default_factory=dict)
    _started: set[str] = field(default_factory=set)

    reports_pids = False
    """An application in a container knows itself as number 1, mostly."""

    def instances(self) -> list[Instance]:
        containers = sorted(self._containers(), key=lambda one: (one.place.number, one.name))
        return [one.instance(self._healthy(one), self._mark(one)) for one in containers]

    def images(self) -> list[str]:
        """Return the ids of the images that the wanted containers really run."""
        return sorted({one.image_id for one in self._containers() if one.alive and self._is_ours(one)})

    def check(self) -> None:
        """Refuse a network that is not there, and a name that a container of somebody else has."""
        wanted = self.wanted
        if wanted is None:
            return
        for network in wanted.networks:
            if not self.host.has_network(network):
                raise SluiceError(
                    f"start {self.name}",
                    f"there is no network {network}",
                    f"Create it: docker network create {network}",
                )
        for number, port in wanted.places:
            name = _place(self.name, wanted, number, port).name
            found = self.host.container(name)
            if found is not None and (found["Config"].get("Labels") or {}).get(APPLICATION) != self.name:
                raise SluiceError(
                    f"start container {name}",
                    "a container of that name is there already, and not of this application",
                    "Rename or remove that one",
                )

    def start(self, number: int, port: int | None) -> Instance:
        wanted = self.wanted
        if wanted is None or port is None:
            raise SluiceError(f"start {self.name}", "it has no port", "Set the option ports")
        place = _place(self.name, wanted, number, port)
        found = self._find(place.name)
        if found is not None and not (self._is_ours(found) and found.place == place):
            self.host.remove(place.name)
            found = None
        try:
            if found is None:
                wanted.make(place)
            self._check_image(place.name, wanted.image(number))
            self.host.start(place.name)
        except SluiceError:
            # One that a port or the disk has kept from starting is not left lying about.
            if self._find(place.name) is not None:
                self.host.remove(place.name)
            raise
        self._checks.pop(place.name, None)
        self._started.add(place.name)
        started = self._find(place.name)
        if started is None:
            raise SluiceError(f"start container {place.name}", "it has gone at once", "See the log of the engine")
        return started.instance(self._healthy(started), place.mark)

    def end(self, instance: Instance, *, keep: bool) -> Ended:
        began = self.now()
        found = self._find(instance.id)
        killed, connections = False, None
        if found is not None and found.restarting:
            # There is no process to tell.
            self.host.kill(instance.id)
        elif found is not None and found.running:
            killed, connections = self._drain(found)
        if not keep and found is not None:
            self.host.remove(instance.id)
        return Ended(self.now() - began, killed, connections)

    def lines(self, instance: Instance) -> list[str]:
        try:
            texts = [self.host.log(instance.id, _LINES, errors=errors) for errors in (True, False)]
        except SluiceError:
            # Its log goes where the engine cannot read it back.
            return []
        return redact("".join(texts), self.secrets).splitlines()

    def prune(self, serving: str) -> None:
        ended = [one for one in self._containers() if not one.alive and one.place.release != serving]
        ended.sort(key=lambda one: one.ended, reverse=True)
        releases = list(dict.fromkeys(one.place.release for one in ended))[: self.keep]
        for one in ended:
            if one.place.release not in releases:
                self.host.remove(one.name)

    def _check_image(self, name: str, image: Image) -> None:
        """Refuse another image than the wanted one: a tag may have been moved a moment ago."""
        found = self._find(name)
        if found is not None and found.image_id != image.id:
            raise SluiceError(
                f"start container {name}",
                f"{image.reference} is now {found.image_id}, and {image.id} is wanted",
                "Do not move the tags of images that run; install the release again",
            )

    # -- ending --------------------------------------------------------------------------------------------------

    def _drain(self, container: Container) -> tuple[bool, int | None]:
        """Tell it to end, and wait; whether it had to be killed, and how many connections it still had then."""
        began = told = self.now()
        self.host.signal(container.name, container.stop_signal)
        while True:
            found = self._find(container.name)
            if found is None or not found.alive:
                return False, None
            now = self.now()
            if now - began >= self.drain_timeout:
                break
            if container.restarts and container.name in self._started and now - told >= _AGAIN:
                # The first process of a container ignores what it has no handler for yet, and this one was restarted
                # a moment ago.
                self.host.signal(container.name, container.stop_signal)
                told = now
            self.sleep(_POLL)
        connections = established(container.pid, container.listen) if container.pid else None
        self.host.kill(container.name)
        return True, connections

    # -- looking -------------------------------------------------------------------------------------------------

    def _containers(self) -> list[Container]:
        found = (read(one) for one in self.host.containers([f"{APPLICATION}={self.name}"]))
        return [one for one in found if one is not None]

    def _find(self, name: str) -> Container | None:
        found = self.host.container(name)
        container = None if found is None else read(found)
        return container if container is not None and container.place.application == self.name else None

    def _is_ours(self, container: Container) -> bool:
        wanted = self.wanted
        return (
            wanted is not None
            and container.place.mark == wanted.mark
            and container.image_id == wanted.image(container.place.number).id
        )

    def _mark(self, container: Container) -> str:
        """Return its mark. One that runs another image than its mark says is not what it was."""
        is_another = self.wanted and container.place.mark == self.wanted.mark and not self._is_ours(container)
        return f"{container.place.mark} of another image" if is_another else container.place.mark

    def _healthy(self, container: Container) -> bool | None:
        if container.health in ("healthy", "unhealthy"):
            return container.health == "healthy"
        if not (container.health and container.running and self._is_ours(container)):
            return None
        # The engine makes its first check after a whole interval, half a minute by default.
        return self._check_ahead(container) or None

    def _check_ahead(self, container: Container) -> bool:
        """Run the health check now; whether it has passed. Its failures are the engine's to count."""
        ahead = self._checks.setdefault(container.name, _Ahead())
        command = check_command(container.health_test)
        if ahead.made is not None:
            status = self.host.end_of_check(ahead.made)
            ahead.passed = ahead.passed or status == 0
            if status is not None:
                ahead.made = None
        if command and not ahead.passed and ahead.made is None and self.now() - ahead.began >= _AHEAD:
            ahead.began, ahead.made = self.now(), self.host.begin_check(container.name, command)
        return ahead.passed


def _place(name: str, wanted: Wanted, number: int, port: int) -> Place:
    return Place(name, wanted.release, wanted.mark, number, port)

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The Docker engine of a host, as far as a switch needs it: every refusal of it comes as this collection's error."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._libraries import require

try:
    import docker
    import requests
    from docker.errors import APIError, DockerException, NotFound
except ImportError:
    # Whoever opens an Engine is told.
    pass

DEFAULT_URL = "unix:///var/run/docker.sock"
# Seconds for one answer of the engine. It starts a container in less than one.
PATIENCE = 60.0

# What the engine says, and what that means to a person. The first that fits counts.
_REFUSALS = [
    (
        re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE),
        "the disk of the engine is full ({said})",
        "Make room, for example with: docker system df",
    ),
    (
        re.compile(r"port is already allocated|address already in use", re.IGNORECASE),
        "its port is in use ({said})",
        "See who listens there: ss -ltnp",
    ),
    (
        re.compile(r"network (?P<name>\S+) not found", re.IGNORECASE),
        "there is no network {name}",
        "Create it: docker network create {name}",
    ),
    (
        re.compile(r"no such image: (?P<name>\S+)", re.IGNORECASE),
        "there is no image {name} on this host",
        "Role sluice.release.artifact brings it; nothing is pulled while the switch goes on",
    ),
    (
        re.compile(r"container name \"/?(?P<name>[^\"]+)\" is already in use", re.IGNORECASE),
        "the name {name} is taken by another container",
        "Rename or remove that one",
    ),
]


def refusal(what: str, said: str) -> SluiceError:
    """Return the error for what the engine refused to do, with a remedy where one is known."""
    said = " ".join(said.split()).rstrip(".")
    for pattern, cause, remedy in _REFUSALS:
        found = pattern.search(said)
        if found:
            words = {**{key: value.rstrip(":.,") for key, value in found.groupdict().items()}, "said": said}
            return SluiceError(what, cause.format(**words), remedy.format(**words))
    return SluiceError(what, f"Docker says: {said}")


def unreachable(url: str, said: str) -> SluiceError:
    """Return the error for an engine that does not answer."""
    said = " ".join(said.split())
    if "PermissionError" in said or "Permission denied" in said:
        return SluiceError(
            f"ask Docker at {url}",
            "this user may not use its socket",
            "Become root, or add the user to the group of the socket",
        )
    reason = next(
        (text for sign, text in _SILENCE if sign in said), f"it does not answer ({said[:200]})" if said else "no answer"
    )
    return SluiceError(f"ask Docker at {url}", reason, "Start the engine, for example: systemctl start docker")


_SILENCE = [
    ("FileNotFoundError", "there is no such socket"),
    ("No such file", "there is no such socket"),
    ("ConnectionRefused", "nothing listens there"),
    ("Connection refused", "nothing listens there"),
    ("timed out", "it does not answer in time"),
]


class Engine:
    """A connection to one engine. Every method raises SluiceError when the engine is away or refuses."""

    def __init__(self, url: str | None = None, patience: float = PATIENCE) -> None:
        require("talk to Docker", ["docker"])
        self.url = url or os.environ.get("DOCKER_HOST") or DEFAULT_URL
        environment = {**os.environ, "DOCKER_HOST": self.url}
        with self._asking(f"ask Docker at {self.url}"):
            settings = docker.utils.kwargs_from_env(environment=environment)
            self.api = docker.APIClient(version="auto", timeout=patience, **settings)

    @contextlib.contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        try:
            yield
        except APIError as problem:
            raise refusal(what, str(problem.explanation or problem)) from problem
        except (DockerException, requests.exceptions.RequestException) as problem:
            raise unreachable(self.url, str(problem)) from problem

    # -- looking -------------------------------------------------------------------------------------------------

    def containers(self, labels: Sequence[str]) -> list[dict[str, Any]]:
        """Return what the engine knows of every container that carries all the labels, ended ones as well."""
        with self._asking("list the containers"):
            listed = self.api.containers(all=True, filters={"label": list(labels)})
        found = (self.container(one["Id"]) for one in listed)
        # One that went between the two questions is none.
        return [one for one in found if one is not None]

    def container(self, name: str) -> dict[str, Any] | None:
        """Return what the engine knows of a container; None when there is none of this name or id."""
        with self._asking(f"look at container {name}"), contextlib.suppress(NotFound):
            found: dict[str, Any] = self.api.inspect_container(name)
            return found
        return None

    def image(self, reference: str) -> dict[str, Any] | None:
        """Return what the engine knows of an image; None when it is not on this host."""
        with self._asking(f"look at image {reference}"), contextlib.suppress(NotFound):
            found: dict[str, Any] = self.api.inspect_image(reference)
            return found
        return None

    def has_network(self, name: str) -> bool:
        """Whether there is a network of this name."""
        with self._asking(f"look at network {name}"), contextlib.suppress(NotFound):
            self.api.inspect_network(name)
            return True
        return False

    def has_volume(self, name: str) -> bool:
        """Whether there is a volume of this name."""
        with self._asking(f"look at volume {name}"), contextlib.suppress(NotFound):
            self.api.inspect_volume(name)
            return True
        return False

    def log(self, container: str, lines: int, *, errors: bool) -> str:
        """Return the last lines that a container wrote to stderr, or to stdout."""
        with self._asking(f"read the log of {container}"), contextlib.suppress(NotFound):
            text: bytes = self.api.logs(container, stdout=not errors, stderr=errors, tail=lines)
            return text.decode(errors="replace")
        return ""

    # -- acting --------------------------------------------------------------------------------------------------

    def create(self, name: str, config: Mapping[str, Any], networks: Sequence[str] = ()) -> str:
        """Create a container from a config of the engine's API, and join it to more networks; its id."""
        with self._asking(f"create container {name}"):
            made: str = self.api.create_container_from_config(dict(config), name)["Id"]
        for network in networks:
            with self._asking(f"join container {name} to network {network}"):
                self.api.connect_container_to_network(made, network)
        return made

    def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """Create a volume; one that is there stays as it is."""
        with self._asking(f"create volume {name}"):
            self.api.create_volume(name, labels=dict(labels))

    def start(self, name: str) -> None:
        """Start a container that was created, or has ended."""
        with self._asking(f"start container {name}"):
            self.api.start(name)

    def signal(self, name: str, signal: str) -> None:
        """Send a signal to a container's process. Its restart policy takes its end as wanted from then on."""
        with self._asking(f"signal container {name}"), contextlib.suppress(NotFound):
            try:
                self.api.kill(name, signal)
            except APIError as problem:
                # It ended by itself at this moment.
                if "is not running" not in str(problem.explanation):
                    raise

    def kill(self, name: str) -> None:
        """End a container by force; it has ended when this returns."""
        self.stop(name, 0)

    def stop(self, name: str, seconds: float) -> None:
        """Tell a container to end, and end it by force when it has not after so many seconds."""
        with self._asking(f"end container {name}"), contextlib.suppress(NotFound):
            self.api.stop(name, timeout=round(seconds))

    def remove_networks(self, label: str) -> None:
        """Remove the networks that carry a label and that nothing uses."""
        with self._asking("remove networks"):
            for one in self.api.networks(filters={"label": label}):
                # One that somebody else uses, or has just removed, is none of ours any more.
                with contextlib.suppress(APIError):
                    self.api.remove_network(one["Id"])

    def remove(self, name: str) -> None:
        """Remove a container and the volumes that have no name, by force."""
        with self._asking(f"remove container {name}"), contextlib.suppress(NotFound):
            try:
                self.api.remove_container(name, v=True, force=True)
            except APIError as problem:
                if "already in progress" not in str(problem.explanation):
                    raise

    def begin_check(self, container: str, command: Sequence[str]) -> str | None:
        """Run a command in a container without waiting for it; its id, None when the container does not run."""
        with contextlib.suppress(SluiceError), self._asking(f"check container {container}"):
            made: str = self.api.exec_create(container, list(command))["Id"]
            self.api.exec_start(made, detach=True)
            return made
        return None

    def end_of_check(self, made: str) -> int | None:
        """Return with which status that command has ended; None when it still runs."""
        with self._asking("look at a health check"), contextlib.suppress(NotFound):
            seen = self.api.exec_inspect(made)
            if seen["Running"]:
                return None
            status: int = seen["ExitCode"] or 0
            return status
        return 1

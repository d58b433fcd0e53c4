# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What of a project is not stateless: left alone as long as its definition stays, and its services all run."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import write_atomic
from ansible_collections.sluice.release.plugins.module_utils._runner import redact
from ansible_collections.sluice.release.plugins.module_utils.compose._render import DEFINITION, PROJECT, SERVICE
from ansible_collections.sluice.release.plugins.module_utils.switch import _ready

_POLL = 0.2
_LINES = 40


class Host(Protocol):
    """What of the engine this uses; see Engine."""

    def containers(self, labels: Sequence[str]) -> list[dict[str, Any]]: ...
    def log(self, container: str, lines: int, *, errors: bool) -> str: ...
    def stop(self, name: str, seconds: float) -> None: ...
    def remove(self, name: str) -> None: ...
    def remove_networks(self, label: str) -> None: ...


class Command(Protocol):
    """What of the compose command this uses; see Compose."""

    def up(self, project: str, file: str, services: Sequence[str]) -> None: ...


def state(found: Mapping[str, Any] | None, definition: str) -> str:
    """Return ``as wanted``, ``missing``, ``changed`` or ``ended``: how a service stands, by its container."""
    if found is None:
        return "missing"
    if (found["Config"].get("Labels") or {}).get(DEFINITION) != definition:
        return "changed"
    status = found["State"]
    once = (found["HostConfig"].get("RestartPolicy") or {}).get("Name", "no") in ("no", "")
    if status.get("Running") or (once and status.get("Status") == "exited" and not status.get("ExitCode")):
        return "as wanted"
    return "ended"


def is_up(found: Mapping[str, Any] | None) -> tuple[bool, str]:
    """Return whether a service does what it should, and why it never will, if that can be told."""
    if found is None:
        return False, "it has no container"
    status = found["State"]
    if status.get("Restarting") or status.get("Status") in ("exited", "dead"):
        code = status.get("ExitCode")
        once = (found["HostConfig"].get("RestartPolicy") or {}).get("Name", "no") in ("no", "")
        # A service that has done what it was for.
        return (True, "") if once and not code and not status.get("Restarting") else (False, f"it ended with {code}")
    health = (status.get("Health") or {}).get("Status", "")
    if health == "unhealthy":
        return False, "its health check fails"
    return bool(status.get("Running")) and health in ("", "none", "healthy"), ""


@dataclass
class Rest:
    """The services of a project that are not stateless. Times in seconds."""

    host: Host
    command: Command
    project: str
    directory: str
    content: Mapping[str, Any] = field(default_factory=dict)
    timeout: float = 30.0
    drain_timeout: float = 8.0
    secrets: Iterable[str] = ()
    say: Callable[[str], object] = str
    warn: Callable[[str], object] = str
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    _before: str | None = None
    _done: list[dict[str, str]] = field(default_factory=list)

    @property
    def file(self) -> str:
        """The project file as it runs; the one before is kept beside it."""
        return os.path.join(self.directory, f"{self.project}.json")

    def todo(self) -> list[dict[str, str]]:
        """Return what is not as it shall be: service, and why."""
        found, result = self._found(), []
        for service, wanted in (self.content.get("services") or {}).items():
            why = state(found.get(service), wanted["labels"][DEFINITION])
            if why != "as wanted":
                result.append({"service": service, "was": why})
        return result

    def bring(self, todo: Sequence[Mapping[str, str]]) -> None:
        """Bring about what is missing, and see that all of it runs and is healthy."""
        if not self.content.get("services"):
            return
        if todo:
            for one in todo:
                if one["was"] == "changed":
                    self.warn(
                        f"Service {one['service']} is recreated, because its definition has changed: it is away for a "
                        "moment, and is none of those that are switched beside each other."
                    )
            self._keep()
            write_atomic(self.file, json.dumps(self.content, indent=1), 0o600)
            self._done = [dict(one) for one in todo]
            self.say(f"start {', '.join(one['service'] for one in todo)}")
            self.command.up(self.project, self.file, [one["service"] for one in todo])
        self._await()

    def undo(self) -> None:
        """Put back what ``bring`` has changed, as far as it was there before."""
        changed = [one["service"] for one in self._done if one["was"] == "changed"]
        new = [one["service"] for one in self._done if one["was"] == "missing"]
        found = self._found()
        for service in new:
            if service in found:
                self._end(found[service], remove=True)
        if changed and self._before is not None:
            self.warn(f"Recreated once more, as before: {', '.join(changed)}.")
            write_atomic(self.file, self._before, 0o600)
            self.command.up(self.project, self.file, changed)
        elif changed:
            self.warn(f"There is no earlier definition to put back: {', '.join(changed)} stays as recreated.")
        self._done = []

    def end(self, *, absent: bool) -> list[str]:
        """End all of it; volumes stay in any case. Returns what was ended or removed."""
        ended = []
        for service, found in self._found().items():
            if absent or found["State"].get("Running"):
                self._end(found, remove=absent)
                ended.append(service)
        return ended

    def would_end(self, *, absent: bool) -> list[str]:
        """Return what ``end`` would end."""
        return [name for name, found in self._found().items() if absent or found["State"].get("Running")]

    def clear(self) -> None:
        """Remove the networks and the project file."""
        self.host.remove_networks(f"{PROJECT}={self.project}")
        for path in (self.file, self._previous()):
            with contextlib.suppress(OSError):
                os.unlink(path)

    # -- private -------------------------------------------------------------------------------------------------

    def _previous(self) -> str:
        return f"{self.file}.previous"

    def _keep(self) -> None:
        with contextlib.suppress(OSError):
            with open(self.file, encoding="utf-8") as stream:
                self._before = stream.read()
            write_atomic(self._previous(), self._before, 0o600)

    def _found(self) -> dict[str, dict[str, Any]]:
        """Return the container of each service; one that runs counts more than one that does not."""
        listed = self.host.containers([f"{PROJECT}={self.project}", "com.docker.compose.oneoff=False"])
        listed.sort(key=lambda one: bool(one["State"].get("Running")))
        return {one["Config"]["Labels"].get(SERVICE, ""): one for one in listed}

    def _await(self) -> None:
        began = self.now()
        while True:
            found = self._found()
            seen = {service: is_up(found.get(service)) for service in self.content["services"]}
            broken = next((name for name, (_up, why) in seen.items() if why), None)
            late = next((name for name, (up, _why) in seen.items() if not up), None)
            if late is None:
                return
            if broken or self.now() - began > self.timeout:
                name = broken or late
                why = seen[name][1] or f"it is not healthy after {self.timeout:g} s"
                lines = self._lines(found.get(name))
                said = f"; its log says: {_ready.telling_line(lines)}" if lines else ""
                raise SluiceError(
                    f"run service {name}", f"{why}{said}", "See what it needs", logs=[{"id": name, "lines": lines}]
                )
            self.say(f"wait for {late}")
            self.sleep(_POLL)

    def _lines(self, found: Mapping[str, Any] | None) -> list[str]:
        if found is None:
            return []
        with contextlib.suppress(SluiceError):
            texts = [self.host.log(found["Id"], _LINES, errors=errors) for errors in (True, False)]
            return [line for line in redact("".join(texts), self.secrets).splitlines() if line.strip()]
        return []

    def _end(self, found: Mapping[str, Any], *, remove: bool) -> None:
        self.host.stop(found["Id"], self.drain_timeout)
        if remove:
            self.host.remove(found["Id"])

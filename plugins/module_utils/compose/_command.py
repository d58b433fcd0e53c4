# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The compose command of a host: version 2, a plugin of docker, or version 1, a program of its own."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._libraries import require
from ansible_collections.sluice.release.plugins.module_utils._runner import CommandRunner, tail
from ansible_collections.sluice.release.plugins.module_utils.docker._engine import refusal

# Whoever needs it is told.
with contextlib.suppress(ImportError):
    import yaml

_CANDIDATES = (("docker", "compose"), ("docker-compose",))
# Seconds for one command. What is pulled or built is so before.
_PATIENCE = 120.0


@dataclass(frozen=True)
class Compose:
    """One of the two, and how it is run."""

    argv: tuple[str, ...]
    version: str
    runner: CommandRunner
    environment: Mapping[str, str]

    @property
    def is_first(self) -> bool:
        return self.version.startswith("1.")

    def config(self, directory: str, files: Sequence[str], project: str, values: Mapping[str, str]) -> dict[str, Any]:
        """Return a project with everything filled in; ``values`` are those of the variables in it."""
        named = [word for file in files for word in ("-f", os.path.join(directory, file))]
        form = [] if self.is_first else ["--format", "json"]
        what = f"read the Compose project in {directory}"
        out = self._run(what, ["--project-directory", directory, "-p", project, *named, "config", *form], values)
        if self.is_first:
            require(what, ["yaml"])
        found = yaml.safe_load(out) if self.is_first else json.loads(out)
        if not self.is_first and isinstance(found, dict):
            found.pop("version", None)
        if not isinstance(found, dict) or not found.get("services"):
            raise SluiceError(what, "it has no services", "Correct the project file")
        return found

    def create(self, project: str, file: str, service: str) -> None:
        """Make the container of one service, and what it needs, and do not start it."""
        self._run(
            f"create service {service} of project {project}",
            ["-p", project, "-f", file, "up", "--no-start", "--no-deps", "--no-build", service],
        )

    def up(self, project: str, file: str, services: Sequence[str]) -> None:
        """Start services, and recreate those that are not as the file has them; the others are not touched."""
        self._run(
            f"start {', '.join(services)} of project {project}",
            ["-p", project, "-f", file, "up", "-d", "--no-deps", "--no-build", *services],
        )

    def _run(self, what: str, words: Sequence[str], values: Mapping[str, str] | None = None) -> str:
        # The values of the project come by the environment, which nobody else on the host can read.
        environment = {**(values or {}), **self.environment}
        done = self.runner([*self.argv, *words], env=environment, timeout=_PATIENCE)
        if done.rc:
            raise refusal(what, tail(done.stderr or done.stdout, 6)) if done.stderr else SluiceError(what, "it failed")
        return done.stdout


def find(runner: CommandRunner, argv: Sequence[str] | None, environment: Mapping[str, str]) -> Compose:
    """Return the command that is named, or else the first of the two that this host has."""
    for candidate in [tuple(argv)] if argv else _CANDIDATES:
        try:
            done = runner([*candidate, "version", "--short"], env=environment, timeout=_PATIENCE)
        except SluiceError:
            continue
        version = done.stdout.strip().lstrip("v")
        if done.rc == 0 and version[:1].isdigit():
            return Compose(candidate, version, runner, environment)
    tried = " and ".join(" ".join(one) for one in ([tuple(argv)] if argv else _CANDIDATES))
    raise SluiceError("run Compose", f"{tried} did not answer", "Install the Compose plugin of Docker")

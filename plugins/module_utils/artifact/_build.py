# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection.

"""From a source to an artifact: a release directory that is complete, or not there.

The directory is built at its final place, because build outputs may hold absolute paths; the marker file is written
last, so a directory without it is the rest of a killed run and is removed and built again.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import typing as t

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import write_atomic
from ansible_collections.sluice.release.plugins.module_utils._runner import CommandRunner, tail
from ansible_collections.sluice.release.plugins.module_utils.artifact._source import Identity, Source

MARKER = ".sluice-artifact.json"
# How much of a failed command's output an error carries: its end says why.
TAIL_LINES = 15


@dataclasses.dataclass(frozen=True)
class Step:
    """One command of the build, with the name that an operator knows it by."""

    name: str
    argv: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Request:
    """What to build, and where."""

    version: str
    releases: str
    steps: tuple[Step, ...] = ()
    manifest: str | None = "package.json"
    entry: str | None = None
    environment: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    timeout: float | None = None


def artifact_id(version: str, identity: Identity) -> str:
    """Name the artifact by what it says it is and by what is in it."""
    return f"{version}-{identity.checksum[:12]}"


def read_marker(path: str) -> dict[str, t.Any] | None:
    """Return the marker of the complete artifact at `path`, or None."""
    try:
        with open(os.path.join(path, MARKER), encoding="utf-8") as stream:
            marker = json.load(stream)
    except (OSError, ValueError):
        return None
    return marker if isinstance(marker, dict) else None


def ensure(
    request: Request,
    source: Source,
    runner: CommandRunner,
    *,
    write: bool,
    say: t.Callable[[str], None] = lambda _line: None,
) -> dict[str, t.Any]:
    """Make sure that the artifact exists, complete; return what it is and whether that changed anything."""
    identity = source.identity()
    name = artifact_id(request.version, identity)
    path = os.path.join(request.releases, name)
    artifact = {
        "id": name,
        "path": path,
        "checksum": identity.checksum,
        "version": request.version,
        "source": identity.description,
    }
    present = read_marker(path) is not None
    if not present and write:
        _build(request, source, runner, path, artifact, say)
    return {
        "changed": not present,
        "artifact": artifact,
        "diff": {"before": artifact if present else {}, "after": artifact},
    }


def _build(
    request: Request,
    source: Source,
    runner: CommandRunner,
    path: str,
    artifact: t.Mapping[str, t.Any],
    say: t.Callable[[str], None],
) -> None:
    if os.path.lexists(path):
        shutil.rmtree(path)
    os.makedirs(path, mode=0o755)
    try:
        say("lay the source")
        source.lay(path)
        _check_manifest(request, path)
        for step in request.steps:
            say(step.name)
            _run_step(step, request, runner, path)
        if request.entry and not os.path.isfile(os.path.join(path, request.entry)):
            raise SluiceError(
                f"build version {request.version}",
                f"the entry file {request.entry} is not there after the build",
                "Check artifact_entry and the build command",
            )
    except BaseException:
        # A failed build leaves nothing that could be taken for a release.
        shutil.rmtree(path, ignore_errors=True)
        raise
    write_atomic(os.path.join(path, MARKER), json.dumps(artifact, indent=2, sort_keys=True) + "\n", 0o644)


def _check_manifest(request: Request, path: str) -> None:
    if not request.manifest:
        return
    file = os.path.join(path, request.manifest)
    try:
        with open(file, encoding="utf-8") as stream:
            found = json.load(stream).get("version")
    except FileNotFoundError:
        return
    except (ValueError, AttributeError) as error:
        raise SluiceError(
            f"read {request.manifest} of version {request.version}", str(error), "Correct the file"
        ) from error
    if found != request.version:
        raise SluiceError(
            f"use the source of version {request.version}",
            f"its {request.manifest} says {found}",
            "Release the version that the source holds, or correct the file",
        )


def _run_step(step: Step, request: Request, runner: CommandRunner, path: str) -> None:
    done = runner(step.argv, cwd=path, env=request.environment, timeout=request.timeout)
    if done.rc != 0:
        said = tail(done.stdout + done.stderr, TAIL_LINES).splitlines()
        raise SluiceError(
            f"{step.name} version {request.version}",
            f"{' '.join(step.argv)} exited with {done.rc}: {' | '.join(said[-3:]) or 'it said nothing'}",
            "Read output_tail, correct the source, and release again; nothing was switched",
            output_tail=said,
        )

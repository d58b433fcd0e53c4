# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection.

"""Options that release_artifact and release_image share: where a version comes from, and how commands run."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.sluice.release.plugins.module_utils._argspec import PROGRESS
from ansible_collections.sluice.release.plugins.module_utils._runner import CommandRunner
from ansible_collections.sluice.release.plugins.module_utils.artifact._revert import reverted
from ansible_collections.sluice.release.plugins.module_utils.artifact._signature import Signature
from ansible_collections.sluice.release.plugins.module_utils.artifact._source import (
    EXCLUDED,
    ArchiveSource,
    DirectorySource,
    GitSource,
    Source,
)

_TEXT: dict[str, t.Any] = {"type": "str", "required": True}

# Where a version comes from; of both modules.
SOURCE: dict[str, t.Any] = {
    "type": "dict",
    "options": {
        "type": {"type": "str", "choices": ["directory", "archive", "git"], "required": True},
        "path": {"type": "path"},
        "checksum": {"type": "str"},
        "signature": {"type": "path"},
        "keyring": {"type": "path", "no_log": False},
        "repository": {"type": "str"},
        "ref": {"type": "str"},
    },
    "required_if": [
        ("type", "directory", ["path"]),
        ("type", "archive", ["path"]),
        ("type", "git", ["repository", "ref"]),
    ],
    "required_by": {"signature": ["keyring"]},
}

# What both modules take besides.
COMMON: dict[str, t.Any] = {
    "version": _TEXT,
    "root": {"type": "path", "required": True},
    "state_dir": {"type": "path", "required": True},
    "revert": {"type": "list", "elements": "str", "default": []},
    "exclude": {"type": "list", "elements": "str", "default": list(EXCLUDED)},
    "environment": {"type": "dict", "default": {}},
    "path_prepend": {"type": "list", "elements": "path", "default": []},
    "timeout": {"type": "int", "default": 1800},
    **PROGRESS,
}


def source(params: t.Mapping[str, t.Any], runner: CommandRunner, *, write: bool) -> Source:
    """Make the source that the options describe."""
    found = _source(params, runner, write=write)
    return reverted(found, params["revert"]) if params["revert"] else found


def _source(params: t.Mapping[str, t.Any], runner: CommandRunner, *, write: bool) -> Source:
    options = params["source"]
    if options["type"] == "directory":
        return DirectorySource(options["path"], tuple(params["exclude"]))
    if options["type"] == "archive":
        signature = Signature(options["signature"], options["keyring"], runner) if options["signature"] else None
        return ArchiveSource(options["path"], options["checksum"], signature)
    mirror = os.path.join(params["root"], "repository.git")
    return GitSource(options["repository"], options["ref"], mirror, runner, write=write)


def environment(params: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Return the variables of the commands."""
    path = os.pathsep.join([*params["path_prepend"], os.environ.get("PATH", os.defpath)])
    return {"PATH": path, **{name: str(value) for name, value in params["environment"].items()}}

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Do all package.json files of a project name the same version, and the one that is to be released?"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch

from ansible_collections.sluice.release.plugins.module_utils.preflight._model import Finding, Kind, Params

_FILE = "package.json"
# Directories of others, and what is hidden.
_FOREIGN = ("node_modules", "bower_components", ".*")


def find(root: str, exclude: list[str]) -> Iterator[str]:
    """Every package.json below a directory that is the project's own, as a path relative to it."""
    for directory, names, files in os.walk(root):
        below = os.path.relpath(directory, root)
        names[:] = sorted(
            name
            for name in names
            if not any(fnmatch(name, pattern) for pattern in _FOREIGN)
            and not any(fnmatch(os.path.normpath(os.path.join(below, name)), pattern) for pattern in exclude)
        )
        if _FILE in files:
            yield os.path.normpath(os.path.join(below, _FILE))


def judge(root: str, versions: Mapping[str, str], wanted: str | None) -> Finding:
    """Judge the version that each file names; '' for one that names none."""
    value = {"versions": dict(versions)}
    if not versions:
        return Finding(False, f"{root} holds no {_FILE}", value)
    silent = [path for path, version in versions.items() if not version]
    if silent:
        return Finding(False, f"{', '.join(silent)} of {root} name{'s' * (len(silent) == 1)} no version", value)
    if wanted:
        wrong = [f"{path} has {version}" for path, version in versions.items() if version != wanted.removeprefix("v")]
        if wrong:
            return Finding(
                False, f"the version is not {wanted.removeprefix('v')} everywhere: {', '.join(wrong)}", value
            )
    if len(set(versions.values())) > 1:
        each = ", ".join(f"{path} has {version}" for path, version in versions.items())
        return Finding(False, f"the versions differ: {each}", value)
    count = len(versions)
    return Finding(True, f"{count} {_FILE} name{'s' * (count == 1)} version {next(iter(versions.values()))}", value)


def look(params: Params) -> Finding:
    root = params["path"]
    if not os.path.isdir(root):
        return Finding(False, f"{root} is no directory")
    versions: dict[str, str] = {}
    for path in params["files"] or find(root, params["exclude"] or []):
        try:
            with open(os.path.join(root, path), encoding="utf-8") as stream:
                package = json.load(stream)
        except (OSError, ValueError) as error:
            return Finding(False, f"{path} of {root} cannot be read ({getattr(error, 'strerror', None) or error})")
        versions[path] = str(package.get("version") or "") if isinstance(package, dict) else ""
    return judge(root, versions, params["version"])


KIND = Kind(
    options={
        "path": {"type": "path"},
        "version": {"type": "str"},
        "files": {"type": "list", "elements": "str"},
        "exclude": {"type": "list", "elements": "str"},
    },
    look=look,
    required=("path",),
    group="code",
    cacheable=True,
)

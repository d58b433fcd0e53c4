# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Manifests: read from the release directory, in the order in which they are given."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.k8s._objects import Object, kind, namespace, title

try:
    import yaml
except ImportError:
    # The kubernetes library needs it too, and that is asked for first.
    yaml = None  # type: ignore[assignment]

_ENDINGS = (".yml", ".yaml", ".json")


def read(root: str, paths: Sequence[str]) -> list[Object]:
    """Return all objects below ``root``: of each file or directory in turn, files of a directory by name."""
    found: list[Object] = []
    for path in _files(root, paths):
        try:
            with open(path, encoding="utf-8") as stream:
                documents = list(yaml.safe_load_all(stream))
        except OSError as error:
            raise SluiceError(f"read the manifest {path}", error.strerror or str(error)) from error
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            # Its text is not shown: it quotes the file, and there may be secrets in that.
            where = f"line {mark.line + 1} is not YAML" if mark else "it is not YAML"
            raise SluiceError(
                f"read the manifest {path}", where, "Correct the file and build the release again"
            ) from error
        found += flatten(documents, path)
    check(found, root)
    return found


def _files(root: str, paths: Sequence[str]) -> list[str]:
    files: list[str] = []
    for path in paths:
        full = os.path.join(root, path)
        if os.path.isdir(full):
            names = sorted(entry for entry in os.listdir(full) if entry.endswith(_ENDINGS))
            files += [os.path.join(full, entry) for entry in names]
        elif os.path.isfile(full):
            files.append(full)
        else:
            raise SluiceError(
                f"read the manifests {path}", f"{root} has no such file or directory", "Correct option manifests"
            )
    return files


def flatten(documents: Iterable[Any], path: str) -> list[Object]:
    """Take lists apart, leave empty documents out, and refuse what is no object of the API."""
    found: list[Object] = []
    for document in documents:
        if document is None:
            continue
        if isinstance(document, dict) and kind(document).endswith("List") and isinstance(document.get("items"), list):
            found += flatten(document["items"], path)
            continue
        metadata = document.get("metadata") if isinstance(document, dict) else None
        named = isinstance(metadata, dict) and isinstance(metadata.get("name"), str)
        if not named or not document.get("kind") or not document.get("apiVersion"):
            raise SluiceError(
                f"use the manifest {path}",
                "it holds something without apiVersion, kind and metadata.name",
                "Correct the file and build the release again",
            )
        found.append(document)
    return found


def check(objects: Sequence[Object], root: str) -> None:
    """Refuse what can never be switched."""
    if not any(kind(thing) == "Deployment" for thing in objects):
        raise SluiceError(f"use the manifests in {root}", "they hold no Deployment", "Correct option manifests")
    seen: set[tuple[str, str, str | None]] = set()
    for thing in objects:
        key = (thing["apiVersion"], title(thing), namespace(thing))
        if key in seen:
            raise SluiceError(f"use the manifests in {root}", f"{title(thing)} is in them twice", "Remove one of them")
        seen.add(key)

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The files of a report: which there are, and how they are kept."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._files import write_atomic

POST_MORTEM = "post_mortem"
SUFFIXES = {"json": "json", "markdown": "md", "html": "html", POST_MORTEM: "post-mortem.md"}


def paths(directory: str, release: str, kinds: Mapping[str, Any]) -> dict[str, str]:
    """Return the path of each of these kinds of file."""
    return {kind: os.path.join(directory, f"{release}.{SUFFIXES[kind]}") for kind in kinds}


def keep(contents: Mapping[str, str], files: Mapping[str, str], *, private: bool, check_mode: bool) -> dict[str, Any]:
    """Write what differs, each file by rename; return `changed` and a diff.

    A post-mortem that is there is left as it is: people go on writing in it.
    ``private``: whether nobody but the owner may read it, or the group as well. OSError as open and rename have it.
    """
    before = {kind: _read(path) for kind, path in files.items()}
    stale = [
        kind
        for kind in files
        if before[kind] != contents[kind] and not (kind == POST_MORTEM and before[kind] is not None)
    ]
    if stale and not check_mode:
        for kind in stale:
            os.makedirs(os.path.dirname(files[kind]), mode=0o700 if private else 0o750, exist_ok=True)
            write_atomic(files[kind], contents[kind], 0o600 if private else 0o640)
    # Which file changes; what the pages hold would be a diff of pictures.
    diff = {
        "before": {files[kind]: _digest(before[kind]) for kind in stale},
        "after": {files[kind]: _digest(contents[kind]) for kind in stale},
    }
    return {"changed": bool(stale), "diff": diff}


def _read(path: str) -> Optional[str]:
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def _digest(text: Optional[str]) -> str:
    """Return a text in one word."""
    return "absent" if text is None else f"sha256 {hashlib.sha256(text.encode()).hexdigest()[:12]}"

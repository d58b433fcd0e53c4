# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Whether what the journal calls good is still there. On the host."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils.artifact._build import MARKER
from ansible_collections.sluice.release.plugins.module_utils.config._versions import FILE

_PARTS = (("artifact", MARKER), ("config", FILE))


def with_gone(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state and, as ``gone``, the directories of good targets that are not there, or not whole, any more."""
    paths = {
        str(part["path"]): marker
        for target in state["good"]
        for name, marker in _PARTS
        for part in [target.get(name) or {}]
        if part.get("path")
    }
    return {**state, "gone": sorted(path for path, marker in paths.items() if not _is_whole(path, marker))}


def _is_whole(path: str, marker: str) -> bool:
    # A config version is named by its directory or by its file.
    return os.path.isfile(path) or os.path.isfile(os.path.join(path, marker))

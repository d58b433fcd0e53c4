# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Is there room on the file system that a path lies on, or will lie on?"""

from __future__ import annotations

import os

from ansible_collections.sluice.release.plugins.module_utils.preflight._model import (
    Finding,
    Kind,
    Params,
    existing_part,
)

_MB = 1024 * 1024


def judge(path: str, free: int, total: int, free_mb: float | None, free_pct: float | None) -> Finding:
    """Judge the room; sizes in bytes, ``free`` is what an ordinary user may still fill."""
    megabytes, percent = free / _MB, 100 * free / total if total else 0.0
    value = {"free_mb": round(megabytes, 1), "free_pct": round(percent, 1)}
    text = f"{megabytes:.0f} MB ({percent:.0f} %) are free at {path}"
    for have, need, unit in ((megabytes, free_mb, "MB"), (percent, free_pct, "%")):
        if need is not None and have < need:
            return Finding(False, f"only {text}, {need:g} {unit} are needed", value)
    return Finding(True, text, value)


def look(params: Params) -> Finding:
    try:
        status = os.statvfs(existing_part(params["path"]))
    except OSError as error:
        return Finding(False, f"{params['path']} cannot be looked at ({error.strerror})")
    free, total = status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize
    return judge(params["path"], free, total, params["free_mb"], params["free_pct"])


KIND = Kind(
    options={"path": {"type": "path"}, "free_mb": {"type": "float"}, "free_pct": {"type": "float"}},
    look=look,
    required=("path",),
    one_of=("free_mb", "free_pct"),
    group="filesystem",
)

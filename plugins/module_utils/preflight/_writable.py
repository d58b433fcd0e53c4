# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""May this user write into a directory, or make it? Asked of the kernel, nothing is written."""

from __future__ import annotations

import os
import pwd

from ansible_collections.sluice.release.plugins.module_utils.preflight._model import (
    Finding,
    Kind,
    Params,
    existing_part,
)


def look(params: Params) -> Finding:
    path = params["path"]
    base = existing_part(path)
    value = {"exists": base == os.path.abspath(path), "base": base}
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        user = str(os.geteuid())
    if not os.path.isdir(base):
        return Finding(False, f"{path} cannot be a directory, for {base} is none", value)
    # The kernel also answers for read-only file systems, which a look at the mode would miss.
    if not os.access(base, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        return Finding(False, f"{path} cannot be written by user {user} ({base} does not allow it)", value)
    return Finding(True, f"{path} {'is writable' if value['exists'] else 'can be made'}", value)


KIND = Kind(options={"path": {"type": "path"}}, look=look, required=("path",), group="filesystem")

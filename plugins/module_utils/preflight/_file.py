# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Is a file or directory there, and does it hold anything?"""

from __future__ import annotations

import os
import stat

from ansible_collections.sluice.release.plugins.module_utils.preflight._model import Finding, Kind, Params


def look(params: Params) -> Finding:
    path = params["path"]
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            entries = len(os.listdir(path))
            return Finding(bool(entries), f"{path} {'is there' if entries else 'is empty'}", {"entries": entries})
        with open(path, "rb"):
            pass
    except FileNotFoundError:
        broken = os.path.islink(path)
        return Finding(False, f"{path} {'is a link to nothing' if broken else 'does not exist'}")
    except OSError as error:
        return Finding(False, f"{path} cannot be read ({error.strerror})")
    size = status.st_size
    return Finding(bool(size), f"{path} {'is there' if size else 'is empty'}", {"bytes": size})


KIND = Kind(options={"path": {"type": "path"}}, look=look, required=("path",), group="filesystem")

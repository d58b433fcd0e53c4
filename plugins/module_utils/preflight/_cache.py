# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What has passed for a commit need not be run again for it. One file a check; a failure is never kept."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._clock import parse_utc, utc_text
from ansible_collections.sluice.release.plugins.module_utils._files import write_atomic
from ansible_collections.sluice.release.plugins.module_utils.preflight._model import Finding, Kind

DAYS = 7.0
"""How long a pass counts, unless told otherwise: the tools and their databases of weaknesses move on."""

_DAY = 86400.0


def fingerprint(kind: Kind, check: Mapping[str, Any]) -> str:
    """A hash of what the check asks: a pass of another question is none. Secrets are left out, for it is written."""
    asked = {name: check.get(name) for name, option in sorted(kind.options.items()) if not option.get("no_log")}
    text = json.dumps([check["type"], asked], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def path_of(state_dir: str, title: str) -> str:
    """The file of a check; the hash keeps apart what becomes the same when it is made fit for a file name."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", title).strip("-")[:60]
    return os.path.join(state_dir, "preflight", f"{name}-{hashlib.sha256(title.encode()).hexdigest()[:8]}.json")


def recall(
    state_dir: str, title: str, kind: Kind, check: Mapping[str, Any], now: float | None = None
) -> Finding | None:
    """The finding of an earlier pass for the same key and question; None when there is none that still counts."""
    try:
        with open(path_of(state_dir, title), encoding="utf-8") as stream:
            kept = json.load(stream)
        at = parse_utc(kept["at"])
        age = (time.time() if now is None else now) - at
        days = DAYS if check["cache_days"] is None else check["cache_days"]
        if (kept["key"], kept["fingerprint"]) != (check["cache_key"], fingerprint(kind, check)):
            return None
        # A time to come is that of a clock that was wrong.
        if not 0 <= age <= days * _DAY:
            return None
        message = f"{kept['message']} (passed for {kept['key']} at {kept['at']}, from the cache)"
        return Finding(True, message, dict(kept["value"]), cached=True)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep(state_dir: str, title: str, kind: Kind, check: Mapping[str, Any], finding: Finding) -> None:
    """Write a pass down, whole or not at all. A pass that cannot be kept is run again; that is no failure."""
    content = {
        "check": title,
        "key": check["cache_key"],
        "fingerprint": fingerprint(kind, check),
        "at": utc_text(),
        "message": finding.message,
        "value": finding.value,
    }
    path = path_of(state_dir, title)
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        write_atomic(path, json.dumps(content, default=str) + "\n")
    except OSError:
        return

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Was a release taken back so lately that the next one has to wait, for people to find out why?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._clock import parse_utc
from ansible_collections.sluice.release.plugins.module_utils.journal import _store
from ansible_collections.sluice.release.plugins.module_utils.preflight._model import Finding, Kind, Params

Entry = Mapping[str, Any]


def last_taken_back(entries: Iterable[Entry]) -> Optional[Entry]:
    """Return the entry that closed the last release that went back, unless a deploy has succeeded since.

    A rollback that a person asked for counts like one that a gate brought about. An emergency action that was taken
    back does not: it was no release.
    """
    kind, found = None, None
    for entry in entries:
        if entry["event"] == "opened":
            kind = (entry.get("data") or {}).get("kind")
        elif entry["event"] == "closed":
            outcome = entry.get("outcome")
            if (kind, outcome) in (("deploy", "rolled_back"), ("rollback", "succeeded")):
                found = entry
            elif (kind, outcome) == ("deploy", "succeeded"):
                found = None
    return found


def judge(entries: Iterable[Entry], days: float, now: datetime) -> Finding:
    """Judge whether the days since then are over. ``now``: with its time zone."""
    entry = last_taken_back(entries)
    if entry is None:
        return Finding(True, "nothing was taken back since the last good release", {"release": None, "until": None})
    ended = datetime.fromtimestamp(parse_utc(entry["time"]), timezone.utc)
    until = ended + timedelta(days=days)
    value = {"release": entry["release"], "until": f"{until:%Y-%m-%dT%H:%M:%SZ}"}
    what = f"{entry['release']} went back on {ended:%Y-%m-%d}"
    if now >= until:
        return Finding(True, f"{what}, and the embargo of {days:g} days is over", value)
    return Finding(False, f"{what}; the next release may come on {until:%Y-%m-%d %H:%M} UTC, or by a waiver", value)


def look(params: Params) -> Finding:
    return judge(_store.read(params["path"]), params["embargo_days"], datetime.now(timezone.utc))


KIND = Kind(
    options={"path": {"type": "path"}, "embargo_days": {"type": "float"}},
    look=look,
    required=("path", "embargo_days"),
    group="people",
)

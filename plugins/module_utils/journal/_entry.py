# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the journal consists of: its entries, their words, and the clock that they are written by. Pure.

An entry has the keys ``seq time monotonic boot release event stage name data previous hash`` and, by its event,
``budget`` (seconds), ``seconds``, ``outcome`` and ``reason``. The events of one release::

    opened -> (entered -> left | failed)* -> closed      with noted anywhere, also after closed
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.sluice.release.plugins.module_utils._clock import parse_utc

Entry = dict[str, Any]
Event = dict[str, Any]
State = dict[str, Any]

# The stages that carry a meaning of their own; every other name is the pipeline's business.
SWITCH = "switch"  # from here on the application may have moved
VERIFY = "verify"  # once it is left, the release is as good as it will get
EMERGENCY = "emergency"  # a kind of run: the same code with a few other settings
ROLLBACK = "rollback"  # from here on it is being taken back, whatever had passed before
RESTORE = "restore"  # its evidence says which backup took the database's place

# What is noted with a meaning of its own.
MOVES = "moves"  # from here on a rollback may have changed the database: ``target`` and ``database``
# A kind of run as well: whatever moves in it is brought back, so what runs, what was good and what was bad stay so.
DRILL = "rollback_drill"  # ``levels``: the seconds that each level has taken, null for one that was not carried through
INTERRUPTED = "interrupted"  # the reason of a stage that no run has ended
TRIGGER = "trigger"  # what spoke against ``release``, and what was done about it
WATCH = "watch"  # a watch of ``release``; with ``event`` decided, the same

# The chain keys and the clock of the machine: of no use to whoever reads a result.
_STORAGE_KEYS = ("seq", "previous", "hash", "monotonic", "boot")


class Moment(NamedTuple):
    """A point in time: for people (UTC text), and for measuring (seconds of one boot of one machine)."""

    time: str
    monotonic: float
    boot: str


def elapsed(entry: Mapping[str, Any], now: Moment) -> float:
    """Return the seconds since an entry: by the monotonic clock while the machine stays up, else by the calendar."""
    if entry.get("boot") == now.boot and entry.get("monotonic") is not None:
        return round(max(0.0, now.monotonic - float(entry["monotonic"])), 3)
    return round(max(0.0, parse_utc(now.time) - parse_utc(entry["time"])), 3)


def shown(entry: Mapping[str, Any]) -> Event:
    """Return an entry as a result shows it: without what only the storage needs."""
    return {key: value for key, value in entry.items() if key not in _STORAGE_KEYS}

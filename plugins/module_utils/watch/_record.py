# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A watch as the journal tells it. Pure: journal entries in, what is known of the watch out.

Everything of a watch is an entry ``noted`` with the name ``watch``, whose data has ``release`` (the one that is
watched) and ``event``: ``opened``, ``tick``, ``decided`` or ``ended``. As only the newest run of a journal can be
written to, a tick may lie in the record of a backup that was made since.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._clock import parse_utc, utc_text
from ansible_collections.sluice.release.plugins.module_utils.journal._entry import SWITCH, TRIGGER, WATCH, Moment
from ansible_collections.sluice.release.plugins.module_utils.watch._places import Place, Span, place
from ansible_collections.sluice.release.plugins.module_utils.watch._windows import Window, read_windows

NAME = WATCH
# The stage of a deploy that measures what is usual.
BASELINE = "baseline"
OPENED, TICK, DECIDED, ENDED = "opened", "tick", "decided", "ended"

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Watch:
    """The watch of one release. ``origin`` is the entry that opened it, written ``offset`` seconds after the switch."""

    release: str
    version: str
    origin: Entry
    offset: float
    windows: tuple[Window, ...]
    entries: tuple[Entry, ...]
    """Everything that the journal says of the watch, oldest first."""
    held: tuple[Span, ...]
    baseline: Optional[Mapping[str, Any]] = None
    """What was usual before the release, where its deploy has measured that."""

    @property
    def ticks(self) -> list[Mapping[str, Any]]:
        return [entry["data"] for entry in self.entries if entry["data"]["event"] == TICK]

    @property
    def decisions(self) -> list[Mapping[str, Any]]:
        return [entry["data"] for entry in self.entries if entry["data"]["event"] == DECIDED]

    @property
    def ended(self) -> Optional[Mapping[str, Any]]:
        """How it ended: ``outcome`` and ``reason``; None while it goes on."""
        return next((entry["data"] for entry in self.entries if entry["data"]["event"] == ENDED), None)

    @property
    def first_processes(self) -> list[dict[str, Any]]:
        """The processes as they were when the watch was opened."""
        return list(self.origin["data"].get("processes") or [])

    def seconds(self, moment: Moment) -> float:
        """Return the seconds since the switch: by the monotonic clock while the machine stays up, else the calendar.

        Below the last tick when the machine was started anew with a clock that has gone back.
        """
        return _since(self.origin, moment, self.offset)

    def clock_text(self, seconds: float) -> str:
        """Return the time of day (UTC) of that many seconds after the switch."""
        return utc_text(parse_utc(self.origin["time"]) + seconds - self.offset)

    def places(self, now: float) -> tuple[Place, ...]:
        """Return where every window stands."""
        return tuple(place(window, self._served(window.name), self.held, now) for window in self.windows)

    def history(self, window: str) -> list[Mapping[str, Any]]:
        """Return what was found in the ticks of a window, oldest first; each with ``at``."""
        return [
            {**looked, "at": tick["at"]}
            for tick in self.ticks
            for looked in tick.get("windows") or []
            if looked["window"] == window
        ]

    def _served(self, window: str) -> dict[float, float]:
        return {float(looked["slot"]): float(looked["at"]) for looked in self.history(window)}


def belongs(entry: Entry, release: Optional[str]) -> bool:
    """Return whether an entry belongs to the record of a release: its own, or what was found out about it later."""
    told_elsewhere = _is_note(entry) or (entry.get("event") == "noted" and entry.get("name") == TRIGGER)
    # A tick of another release's watch was only laid down here.
    return bool((entry["data"] if told_elsewhere else entry).get("release") == release)


def find(entries: Sequence[Entry], release: str) -> Optional[Watch]:
    """Return the watch of a release; None when it has none."""
    mine = [entry for entry in entries if _is_note(entry) and entry["data"].get("release") == release]
    opened = [entry for entry in mine if entry["data"]["event"] == OPENED]
    if not opened:
        return None
    # Opened again in the same run (it was repeated): the last word counts, and the ticks after it.
    origin = opened[-1]
    data = origin["data"]
    offset = max(0.0, parse_utc(origin["time"]) - parse_utc(data["start"]))
    return Watch(
        release=release,
        version=str(data.get("version") or ""),
        origin=origin,
        offset=offset,
        windows=read_windows(data["windows"]),
        entries=tuple(mine[mine.index(origin) :]),
        held=tuple(_held(entries, origin, offset)),
        baseline=_baseline(entries, release),
    )


def unfinished(entries: Sequence[Entry]) -> list[str]:
    """Return the releases whose watch was opened and has not ended, oldest first.

    Only those that have succeeded: a deploy that changed nothing, or was taken back, left nothing to watch.
    """
    state: dict[str, bool] = {}
    kept = {entry["release"] for entry in entries if entry["event"] == "closed" and entry["outcome"] == "succeeded"}
    for entry in entries:
        if _is_note(entry) and entry["data"]["event"] in (OPENED, ENDED):
            state[str(entry["data"]["release"])] = entry["data"]["event"] == OPENED
    return [release for release, goes_on in state.items() if goes_on and release in kept]


def switched(entries: Iterable[Entry], release: str) -> Optional[str]:
    """Return when (UTC text) the release had been switched to; None when it was not."""
    times = [e["time"] for e in entries if e["release"] == release and e["event"] == "left" and e["stage"] == SWITCH]
    return times[0] if times else None


def _baseline(entries: Iterable[Entry], release: str) -> Optional[Mapping[str, Any]]:
    for entry in entries:
        if entry["release"] == release and entry["event"] == "left" and entry["stage"] == BASELINE:
            return entry["data"] if entry["data"].get("gates") else None
    return None


def _is_note(entry: Entry) -> bool:
    return entry.get("event") == "noted" and entry.get("name") == NAME


def _since(origin: Entry, moment: Moment, offset: float) -> float:
    if moment.boot and moment.boot == origin.get("boot") and origin.get("monotonic") is not None:
        return round(offset + moment.monotonic - float(origin["monotonic"]), 3)
    return round(offset + parse_utc(moment.time) - parse_utc(origin["time"]), 3)


def _held(entries: Sequence[Entry], origin: Entry, offset: float) -> list[Span]:
    """Return the times, in seconds since the switch, while a run was open; the release's own began before them all."""
    spans: list[Span] = []
    began: Optional[float] = None
    for entry in entries:
        if entry["event"] not in ("opened", "closed"):
            continue
        moment = Moment(entry["time"], float(entry.get("monotonic") or 0.0), str(entry.get("boot") or ""))
        when = (
            -math.inf
            if entry["release"] == origin["release"] and entry["event"] == "opened"
            else _since(origin, moment, offset)
        )
        if entry["event"] == "opened":
            began = when
        elif began is not None:
            spans.append((began, when))
            began = None
    return [*spans, (began, math.inf)] if began is not None else spans

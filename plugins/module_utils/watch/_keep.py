# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Keeps a watch in the journal: what module release_watch does."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils.journal import _advance, _entry, _lock, _state, _store
from ansible_collections.sluice.release.plugins.module_utils.report._words import count_text
from ansible_collections.sluice.release.plugins.module_utils.trigger._decide import spent
from ansible_collections.sluice.release.plugins.module_utils.watch import _record, _tick, _words
from ansible_collections.sluice.release.plugins.module_utils.watch._places import Place, is_late
from ansible_collections.sluice.release.plugins.module_utils.watch._record import Watch
from ansible_collections.sluice.release.plugins.module_utils.watch._windows import read_windows

Result = dict[str, Any]


class Book:
    """The journal as one call of the module sees and extends it."""

    def __init__(self, state_dir: str, *, check_mode: bool) -> None:
        self.state_dir = state_dir
        self.check_mode = check_mode
        self.entries = _store.read(state_dir)
        self.now = _store.now()
        self.added: list[_entry.Entry] = []

    @property
    def state(self) -> _entry.State:
        return _state.derive(self.entries)

    def note(self, data: Mapping[str, Any]) -> None:
        """Write an entry of a watch into the newest record, which is the only one that can be written to."""
        state = self.state
        newest = state["open"] or state["last"]
        if newest is None:
            return
        request = _advance.Request("noted", newest["release"], name=_record.NAME, data=data)
        events = _advance.advance(self.entries, request, self.now, assume=self.check_mode)
        if self.check_mode:
            added = _store.chain(self.entries, events)
        else:
            added = _store.append(self.state_dir, self.entries, events)
        self.entries += added
        self.added += added


def keep(params: Mapping[str, Any], *, check_mode: bool) -> Result:
    """Do what the state asks for, and return the keys of RETURN."""
    if check_mode:
        return _act(Book(params["path"], check_mode=True), params)
    with _store.writing(params["path"], "watch a release"):
        if params["token"] is not None:
            _lock.fence(params["path"], params["release"], params["token"], 900, time.time())
        return _act(Book(params["path"], check_mode=False), params)


def tell(state_dir: str, release: Optional[str]) -> Result:
    """Return the watch of a release, by default of the one that runs, and when its ticks are still due."""
    book = Book(state_dir, check_mode=True)
    watch = _record.find(book.entries, release) if release else _current(book)
    if watch is None:
        return {"changed": False, "watch": None, "calendar": []}
    now = watch.seconds(book.now)
    ahead = [slot for one in watch.places(now) for slot in one.slots if slot > now and slot not in one.done]
    times = [] if watch.ended else [_words.clock(watch.clock_text(slot)) for slot in sorted(ahead)]
    told = _words.summary(watch, _words.standing(watch, now))
    return {"changed": False, "watch": told, "calendar": list(dict.fromkeys(times))}


def _act(book: Book, params: Mapping[str, Any]) -> Result:
    if params["state"] == "opened":
        return _open(book, params)
    if params["state"] == "decided":
        said = {key: params[key] for key in ("action", "reason", "command", "trigger", "level")}
        book.note({"event": _record.DECIDED, "release": params["release"], **said})
        return _result(book, _record.find(book.entries, params["release"]), "watching")
    ended = _end_superseded(book)
    watch = _current(book)
    if watch is None:
        line = "; ".join(f"the watch of {one['version']} is over, {one['outcome']}" for one in ended)
        return _result(book, None, "none", line=line or "nothing is watched", watches=ended)
    if watch.ended is not None:
        line = f"the watch of {watch.version} is over, {watch.ended['outcome']}"
        return _result(book, watch, "over", line=line, watches=ended)
    hindrance = _hindrance(book)
    if hindrance is not None:
        return _result(book, watch, hindrance[0], line=hindrance[1], watches=ended)
    if params["state"] == "begun":
        due = _due(watch, watch.places(watch.seconds(book.now)), watch.seconds(book.now))
        if due:
            return _result(book, watch, "watching", due=due, watches=ended)
        return _tick_of(book, watch, params, ended)
    return _tick_of(book, watch, params, ended)


def _open(book: Book, params: Mapping[str, Any]) -> Result:
    opened = book.state["open"] or {}
    data = {
        "event": _record.OPENED,
        "release": params["release"],
        "version": (opened.get("target") or {}).get("version") or opened.get("version"),
        "start": _record.switched(book.entries, params["release"]) or book.now.time,
        "windows": [window.stored() for window in read_windows(params["windows"])],
        "processes": _tick.kept_processes(params["processes"]),
    }
    known = _record.find(book.entries, params["release"])
    if known is None or known.origin["data"] != data:
        book.note(data)
    watch = _record.find(book.entries, params["release"])
    line = count_text(len(data["windows"]), "window")
    if watch is not None:
        first = min(window.slots()[0] for window in watch.windows)
        line += f", the first tick at {_words.clock(watch.clock_text(first))}"
    return _result(book, watch, "watching", line=line)


def _end_superseded(book: Book) -> list[dict[str, Any]]:
    """End the watches of releases that are not current any more. While a run is open, nobody knows what will be."""
    if book.state["open"] is not None:
        return []
    current = (book.state["current"] or {}).get("release")
    ended = []
    for release in _record.unfinished(book.entries):
        watch = _record.find(book.entries, release)
        if release == current or watch is None:
            continue
        went_back = any(said["action"] == "rollback" for said in watch.decisions)
        now = (book.state["current"] or {}).get("version")
        outcome = "rolled_back" if went_back else "superseded"
        reason = f"{now} runs now" if now else "something else runs now"
        _note_end(book, watch, {"outcome": outcome, "reason": reason})
        ended.append({"release": release, "version": watch.version, "outcome": outcome, "reason": reason})
    return ended


def _note_end(book: Book, watch: Watch, how: Mapping[str, str]) -> None:
    windows = _words.standing(watch, watch.seconds(book.now))
    book.note({"event": _record.ENDED, "release": watch.release, **how, "windows_now": windows})


def _current(book: Book) -> Optional[Watch]:
    """Return the watch of the release that runs."""
    current = (book.state["current"] or {}).get("release")
    return None if current is None else _record.find(book.entries, str(current))


def _hindrance(book: Book) -> Optional[tuple[str, str]]:
    """Return why nothing can be measured now, as a state and in words: a run is under way, or was killed."""
    opened, holder = book.state["open"], _lock.read_lock(book.state_dir)
    held = holder is not None and not _lock.has_expired(holder, time.time())
    if held and holder is not None:
        whose = f"{opened['kind'] or 'run'} {opened['release']}" if opened else f"a run of {holder['owner']}"
        return "held", f"{whose} is under way; nothing was measured"
    if opened is not None:
        return "interrupted", f"{opened['kind'] or 'run'} {opened['release']} was interrupted; run recover.yml"
    return None


def _due(watch: Watch, places: Sequence[Place], now: float) -> list[dict[str, Any]]:
    return [
        {
            "window": one.window.name,
            "slot": one.due,
            "number": one.number(one.due),
            "of": len(one.slots),
            "late": is_late(one.window, one.due, watch.held, now),
        }
        for one in places
        if one.due is not None
    ]


def _tick_of(book: Book, watch: Watch, params: Mapping[str, Any], ended: list[dict[str, Any]]) -> Result:
    """Record a tick, and the end of the watch with its last one."""
    if params["release"] not in (None, watch.release):
        return _result(book, watch, "watching", line="another release runs by now", watches=ended)
    due = {str(name): float(slot) for name, slot in params["due"].items()}
    data = _tick.tick(watch, book.now, params["measured"], params["processes"], due, params["at"])
    if data is not None:
        after = replace(watch, entries=(*watch.entries, {"data": data}))
        windows = _words.standing(after, watch.seconds(book.now))
        done = {str(seen["window"]) for seen in data["windows"]}
        over = {w["window"]: w["verdict"] for w in windows if w["state"] == "over" and w["window"] in done}
        data = {**data, "over": over, "windows_now": windows}
        book.note(data)
        watch = _record.find(book.entries, watch.release) or watch
    now = watch.seconds(book.now)
    if all(one.over for one in watch.places(now)):
        how = _words.ending(watch, now)
        _note_end(book, watch, how)
        watch = _record.find(book.entries, watch.release) or watch
        ended = [*ended, {"release": watch.release, "version": watch.version, **how}]
    return _result(book, watch, "watching", data=data, watches=ended)


def _result(
    book: Book,
    watch: Optional[Watch],
    state: str,
    *,
    line: str = "",
    due: Sequence[Mapping[str, Any]] = (),
    data: Optional[Mapping[str, Any]] = None,
    watches: Sequence[Mapping[str, Any]] = (),
) -> Result:
    places = watch.places(watch.seconds(book.now)) if watch else ()
    upcoming = [one.next for one in places if one.next is not None]
    following = watch.clock_text(min(upcoming)) if watch and upcoming else None
    outcome = watch.ended["outcome"] if watch and watch.ended else None
    goes_on = watch is not None and watch.ended is None
    if not line:
        line = _words.line(data, bool(due), following, outcome)
    told = [{key: entry[key] for key in ("release", "name", "data")} for entry in book.added]
    return {
        "changed": bool(book.added),
        "state": "over" if state == "watching" and not goes_on else state,
        "release": watch.release if watch else None,
        "version": watch.version if watch else None,
        "due": list(due),
        "at": watch.seconds(book.now) if watch else None,
        "baseline": watch.baseline if watch and due else None,
        "next": following,
        "verdict": data["verdict"] if data else None,
        "trigger": bool(data and data["trigger"]),
        "spent": spent(book.state),
        "findings": list(data["findings"]) if data else [],
        # A run that is under way may leave a release that is watched.
        "over": not goes_on and _hindrance(book) is None,
        "watches": list(watches),
        "line": line,
        "diff": {"before": {}, "after": {"written": told} if told else {}},
    }

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What may be written into the journal next. Pure: entries and requests in, events out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import redact
from ansible_collections.sluice.release.plugins.module_utils.journal._entry import (
    DRILL,
    INTERRUPTED,
    ROLLBACK,
    Event,
    Moment,
    State,
    elapsed,
)
from ansible_collections.sluice.release.plugins.module_utils.journal._state import derive

# What every registered result carries beside what its module has found.
_ANSIBLE_KEYS = frozenset(
    [
        *("ansible_facts", "changed", "deprecations", "diff", "exception", "failed", "failed_when_result"),
        *("invocation", "skip_reason", "skipped", "warnings"),
    ]
)


@dataclass(frozen=True)
class Request:
    """What a caller wants recorded. ``budget`` in seconds; see the options of release_journal."""

    state: str
    release: str
    stage: str | None = None
    name: str | None = None
    budget: float | None = None
    reason: str | None = None
    outcome: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)


def findings(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a task found out, without what Ansible adds to every result."""
    return {key: value for key, value in result.items() if key not in _ANSIBLE_KEYS and not key.startswith("_ansible_")}


def advance(
    entries: Sequence[Mapping[str, Any]], request: Request, now: Moment, *, assume: bool = False
) -> list[Event]:
    """Return the events that record the request; none when the journal says it already.

    ``assume``: in check mode the tasks before this one have written nothing, so what they would have written is taken
    for granted instead of being missed. SluiceError when the request does not fit what the journal says.
    """
    state = derive(entries)
    if request.state == "opened":
        return _open(entries, state, request, now, assume=assume)
    opened = state["open"]
    if opened is None or opened["release"] != request.release:
        after = _after_close(entries, state, request, now)
        if after is not None:
            return after
        if not assume:
            raise SluiceError(
                f"record {request.state} in release {request.release}",
                f"release {opened['release']} is open" if opened else "no release is open",
                "Open it first",
            )
        opened = {"stage": None, "failed_stage": None}
    return _IN_OPEN_RELEASE[request.state](entries, opened, request, now)


def advance_all(
    entries: Sequence[Mapping[str, Any]], requests: Iterable[Request], now: Moment, *, assume: bool = False
) -> list[Event]:
    """Return the events that record several requests, one after the other, in one write."""
    events: list[Event] = []
    for request in requests:
        events += advance([*entries, *events], request, now, assume=assume)
    return events


def assumed(entries: Sequence[Mapping[str, Any]], request: Request, now: Moment) -> list[Event]:
    """Return the opening that check mode has not written, when the request speaks of a release that lacks it.

    With it the derived state has an open release, as the tasks that follow expect.
    """
    known = any(entry["release"] == request.release for entry in entries)
    return [] if known or request.state == "opened" else [_event(request.release, "opened", now, data={})]


def _open(
    entries: Sequence[Mapping[str, Any]], state: State, request: Request, now: Moment, *, assume: bool
) -> list[Event]:
    opened = state["open"]
    if opened is not None and opened["release"] == request.release:
        return []
    if opened is not None and not assume:
        raise SluiceError(
            f"open release {request.release}",
            f"release {opened['release']} is still open, in stage {opened['stage'] or opened['failed_stage']}",
            "Run recover.yml, which finishes it or takes it back",
        )
    if any(entry["release"] == request.release for entry in entries):
        raise SluiceError(f"open release {request.release}", "the journal has a release of that name", "Take another")
    extra = {"reason": request.reason} if request.reason else None
    return [_event(request.release, "opened", now, data=request.data, extra=extra)]


def _after_close(
    entries: Sequence[Mapping[str, Any]], state: State, request: Request, now: Moment
) -> list[Event] | None:
    """Return what may still be said about the newest release when it is closed; None when nothing may."""
    last = state["last"]
    if state["open"] is not None or last is None or last["release"] != request.release:
        return None
    if request.state == "noted":
        return _note(entries, {"stage": None}, request, now)
    if request.state == "closed" and request.outcome == last["outcome"]:
        return []
    raise SluiceError(
        f"record {request.state} in release {request.release}",
        f"it was closed as {last['outcome']} at {last['ended']}",
    )


def _enter(
    entries: Sequence[Mapping[str, Any]], opened: Mapping[str, Any], request: Request, now: Moment
) -> list[Event]:
    if opened["stage"] == request.stage:
        return []
    # A stage that is still open when the release is taken back did not succeed: it was cut off. A drill goes from one
    # level to the next, with what the stage before has found.
    goes_on = opened.get("kind") == DRILL and request.evidence
    cut_off = (request.reason or INTERRUPTED) if request.stage == ROLLBACK and not goes_on else None
    entered = _event(
        request.release, "entered", now, stage=request.stage, data=request.data, extra={"budget": request.budget}
    )
    return [*_end_stage(entries, opened, request, now, cut_off), entered]


def _fail(
    entries: Sequence[Mapping[str, Any]], opened: Mapping[str, Any], request: Request, now: Moment
) -> list[Event]:
    if opened["stage"] is not None:
        return _end_stage(entries, opened, request, now, request.reason)
    if opened["failed_stage"] is not None and request.stage in (None, opened["failed_stage"]):
        return []
    extra = {"seconds": None, "budget": None, "reason": request.reason}
    return [_event(request.release, "failed", now, stage=request.stage, data=request.evidence, extra=extra)]


def _note(
    entries: Sequence[Mapping[str, Any]], opened: Mapping[str, Any], request: Request, now: Moment
) -> list[Event]:
    event = _event(request.release, "noted", now, stage=opened["stage"], name=request.name, data=request.data)
    for entry in reversed(entries):
        if entry["release"] == request.release and entry["event"] == "noted" and entry["name"] == request.name:
            return [] if entry["data"] == event["data"] else [event]
    return [event]


def _close(
    entries: Sequence[Mapping[str, Any]], opened: Mapping[str, Any], request: Request, now: Moment
) -> list[Event]:
    # A run that has failed may have led its host back whole, and then the stage in which it did has not failed.
    led_back = opened["stage"] == ROLLBACK and bool(_last_note(entries, request.release, ROLLBACK).get("verified"))
    cut_off = (request.reason or INTERRUPTED) if request.outcome == "failed" and not led_back else None
    began = _newest(entries, request.release, "opened")
    extra = {
        "outcome": request.outcome,
        "reason": request.reason,
        "seconds": elapsed(began, now) if began else 0.0,
    }
    closed = _event(request.release, "closed", now, data=request.data, extra=extra)
    return [*_end_stage(entries, opened, request, now, cut_off), closed]


_IN_OPEN_RELEASE = {"entered": _enter, "failed": _fail, "noted": _note, "closed": _close}


def _end_stage(
    entries: Sequence[Mapping[str, Any]],
    opened: Mapping[str, Any],
    request: Request,
    now: Moment,
    failure: str | None,
) -> list[Event]:
    """Return the event that ends the open stage, if one is open; ``failure`` says why it did not succeed."""
    if opened["stage"] is None:
        return []
    began = _newest(entries, request.release, "entered") or {}
    extra = {
        "seconds": elapsed(began, now),
        "budget": began.get("budget"),
        "outcome": "succeeded" if failure is None else "failed",
    }
    if failure is not None:
        extra["reason"] = failure
    event = "left" if failure is None else "failed"
    return [_event(request.release, event, now, stage=opened["stage"], data=request.evidence, extra=extra)]


def _last_note(entries: Sequence[Mapping[str, Any]], release: str, name: str) -> Mapping[str, Any]:
    """Return the newest note of this name in a release; empty without one."""
    notes = (
        e["data"] for e in reversed(entries) if e["release"] == release and e["event"] == "noted" and e["name"] == name
    )
    return next(notes, {})


def _newest(entries: Sequence[Mapping[str, Any]], release: str, event: str) -> Mapping[str, Any] | None:
    return next((e for e in reversed(entries) if e["release"] == release and e["event"] == event), None)


def _event(
    release: str,
    event: str,
    now: Moment,
    *,
    stage: str | None = None,
    name: str | None = None,
    data: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Event:
    return {
        "time": now.time,
        "monotonic": now.monotonic,
        "boot": now.boot,
        "release": release,
        "event": event,
        "stage": stage,
        "name": name,
        "data": _without_passwords(data or {}),
        **{key: _without_passwords(value) for key, value in (extra or {}).items()},
    }


def _without_passwords(value: Any) -> Any:
    """Return the value with the password of every URL in it masked: a journal lives longer than a secret."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {str(key): _without_passwords(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_passwords(item) for item in value]
    return value

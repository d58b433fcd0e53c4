# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the journal says, and what may be written into it next. Pure: entries and requests in, plain data out.

An entry has the keys ``seq time monotonic boot release event stage name data previous hash`` and, by its event,
``budget`` (seconds), ``seconds``, ``outcome`` and ``reason``. The events of one release::

    opened -> (entered -> left | failed)* -> closed      with noted anywhere, also after closed
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ansible_collections.sluice.release.plugins.module_utils._clock import parse_utc
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import redact
from ansible_collections.sluice.release.plugins.module_utils.journal._ledger import Ledger

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

# What every registered result carries beside what its module has found.
_ANSIBLE_KEYS = frozenset(
    [
        *("ansible_facts", "changed", "deprecations", "diff", "exception", "failed", "failed_when_result"),
        *("invocation", "skip_reason", "skipped", "warnings"),
    ]
)


class Moment(NamedTuple):
    """A point in time: for people (UTC text), and for measuring (seconds of one boot of one machine)."""

    time: str
    monotonic: float
    boot: str


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


def elapsed(entry: Mapping[str, Any], now: Moment) -> float:
    """Return the seconds since an entry: by the monotonic clock while the machine stays up, else by the calendar."""
    if entry.get("boot") == now.boot and entry.get("monotonic") is not None:
        return round(max(0.0, now.monotonic - float(entry["monotonic"])), 3)
    return round(max(0.0, parse_utc(now.time) - parse_utc(entry["time"])), 3)


def shown(entry: Mapping[str, Any]) -> Event:
    """Return an entry as a result shows it: without what only the storage needs."""
    return {key: value for key, value in entry.items() if key not in _STORAGE_KEYS}


# --- what the journal says -------------------------------------------------------------------------------------------


def derive(entries: Iterable[Mapping[str, Any]]) -> State:
    """Fold the entries into what is known about the application; see RETURN of release_journal for the keys."""
    fold = _Fold()
    for entry in entries:
        fold.add(entry)
    return fold.state()


class _Fold:
    """The fold's accumulator. ``goods`` are the targets whose release succeeded, oldest first, each once."""

    def __init__(self) -> None:
        self.goods: list[dict[str, Any]] = []
        self.bad: list[str] = []
        self.current: dict[str, Any] | None = None
        self.open: dict[str, Any] | None = None
        self.last: dict[str, Any] | None = None
        self.releases = 0
        self.head = ""
        self.ledger = Ledger()
        self.marked: dict[str, dict[str, Any]] = {}
        """By artifact that is bad, and by artifact and config that a rollback has left: who has left it, and when."""
        self.measured: dict[str, dict[str, Any]] = {}
        """By level: the newest rollback and the newest drill of it."""
        self.arrival: dict[str, Any] | None = None
        """How what runs now came to run: by which ``release``, what ``kind`` of run that was, since when it serves."""
        self.triggers: list[dict[str, Any]] = []

    def state(self) -> State:
        good = self.goods[-1] if self.goods else None
        older = [target for target in self.goods[:-1] if _artifact_id(target) not in self.bad]
        return {
            "current": self.current,
            "last_known_good": good,
            "previous_good": older[-1] if older else None,
            "good": self.goods[::-1],
            "bad": list(self.bad),
            "open": self.open,
            "last": self.last,
            "marked": dict(self.marked),
            "database": self.ledger.of((self.current or {}).get("release")),
            "since": {target["release"]: self.ledger.since(target["release"]) for target in self.goods},
            "measured": dict(self.measured),
            "arrival": self.arrival,
            "triggers": [one for one in self.triggers if one["release"] in self._judged()],
            "releases": self.releases,
            "head": self.head,
        }

    def _judged(self) -> set[Any]:
        """The releases that somebody may still have to decide about."""
        return {(self.current or {}).get("release"), (self.open or {}).get("release")} - {None}

    def add(self, entry: Mapping[str, Any]) -> None:
        self.head = entry.get("hash", "")
        handler = getattr(self, f"_{entry['event']}", None)
        if handler is not None:
            handler(entry)

    def _opened(self, entry: Mapping[str, Any]) -> None:
        self.releases += 1
        self.ledger.opened(entry["release"])
        self.open = {
            "release": entry["release"],
            "version": entry["data"].get("version"),
            "kind": entry["data"].get("kind"),
            "started": entry["time"],
            "stage": None,
            "stage_started": None,
            "left": [],
            "failed_stage": None,
            "failed_reason": None,
            "moved": False,
            "switched": None,
            "passed": False,
            "target": None,
            "database": None,
            "level": None,
            "data": entry["data"],
        }

    def _entered(self, entry: Mapping[str, Any]) -> None:
        if self.open is None:
            return
        self.open.update(stage=entry["stage"], stage_started=entry["time"])
        if entry["stage"] == SWITCH:
            self.open["switched"] = self.open["switched"] or entry["time"]
            self._moves(entry["release"], entry["data"])
        elif entry["stage"] == ROLLBACK:
            self.open["passed"] = False

    def _moves(self, release: str, data: Mapping[str, Any]) -> None:
        if self.open is None:
            return
        self.open["moved"] = True
        if self.open["kind"] == DRILL:
            return
        # The first switch says where the release goes; taking it back may pass through the same stage.
        if self.open["target"] is None and data.get("artifact"):
            # Other settings are no other release: its backup, its migrations and its watch stay what they are.
            same = self.current if self.open["kind"] == EMERGENCY else None
            self.open["target"] = {
                "release": same["release"] if same else release,
                "version": data.get("version", self.open["version"]),
                "artifact": data["artifact"],
                "config": data.get("config"),
            }

    def _left(self, entry: Mapping[str, Any]) -> None:
        if self.open is None:
            return
        self.open["left"] = [*self.open["left"], entry["stage"]]
        self.open.update(stage=None, stage_started=None)
        if self.open["kind"] == DRILL:
            # Verified or not, it is where the host is not to stay.
            return
        self._note_database(entry)
        if entry["stage"] == VERIFY:
            self.open["passed"] = True

    def _note_database(self, entry: Mapping[str, Any]) -> None:
        data, stage = entry["data"], entry["stage"]
        backup = data.get("backup") or {}
        if stage == "backup" and backup.get("id"):
            self.ledger.backed_up(str(backup["id"]))
        elif stage == "migrate":
            self.ledger.migrated(data.get("applied") or [])
        elif stage in (ROLLBACK, RESTORE) and self.open is not None:
            done = (data.get("database") or {}) if stage == ROLLBACK else data
            backup_id = (done.get("restored") or {}).get("backup_id")
            if self.open["database"] is None and (done.get("reverted") or backup_id):
                self.open["database"] = {"reverted": done.get("reverted"), "backup_id": backup_id}
            if stage == ROLLBACK:
                self.open["level"] = data.get("level")

    def _failed(self, entry: Mapping[str, Any]) -> None:
        if self.open is None:
            return
        self.open.update(stage=None, stage_started=None, failed_stage=entry["stage"], failed_reason=entry.get("reason"))

    def _noted(self, entry: Mapping[str, Any]) -> None:
        data = entry["data"]
        if entry["name"] == DRILL:
            for level, seconds in (data.get("levels") or {}).items():
                self._measure(str(level), "drill", seconds, entry)
        elif entry["name"] == TRIGGER or (entry["name"] == WATCH and data.get("event") == "decided"):
            kept = {key: data.get(key) for key in ("release", "source", "trigger", "level", "action")}
            self.triggers.append({**kept, "time": entry["time"], "alerts": list(data.get("alerts") or [])})
        elif self.open is not None and entry["name"] == ROLLBACK:
            # One that another run had to carry through says nothing of how long it takes.
            self.open.update(passed=False, level=None)
        elif self.open is not None and entry["name"] == MOVES:
            self._moves(entry["release"], data.get("target") or {})
            self.open["database"] = data.get("database")

    def _closed(self, entry: Mapping[str, Any]) -> None:
        if self.open is None:
            return
        release, self.open = self.open, None
        self.last = {
            "release": release["release"],
            "version": release["version"],
            "kind": release["kind"],
            "outcome": entry["outcome"],
            "ended": entry["time"],
        }
        restored = entry["data"].get("restored")
        if entry["outcome"] in ("succeeded", "unchanged") and release["database"] and release["kind"] != DRILL:
            self.ledger.changed(release["database"])
        if entry["outcome"] == "succeeded" and release["kind"] == ROLLBACK and release["level"]:
            self._measure(str(release["level"]), ROLLBACK, entry.get("seconds"), entry)
        if entry["outcome"] == "succeeded" and release["target"] is not None:
            if release["kind"] != EMERGENCY:
                self._came(release)
            self._arrived(release["target"], release["kind"], entry)
        elif entry["outcome"] == "rolled_back":
            abandoned = _artifact_id(release["target"])
            # That somebody's run was killed says nothing against what it was about to release.
            guilty = not entry["data"].get("interrupted")
            if guilty and abandoned is not None and abandoned != _artifact_id(restored):
                self._mark_bad(release["target"], entry)
            # Without a switch nothing had moved, so there is nothing that `restored` would have to say.
            if restored is not None or release["moved"]:
                self.current = restored
                self._left_again(release, entry)
        elif entry["outcome"] == "failed" and release["moved"]:
            self.current = restored
            if restored is not None and _place(restored) == _place(release["target"] or {}):
                # Nobody has taken it back, and nobody has called it good: a person decides.
                self._came(release)
            elif release["kind"] != DRILL:
                self._left_again(release, entry)

    def _came(self, release: Mapping[str, Any]) -> None:
        self.arrival = {"release": release["release"], "kind": release["kind"], "time": release["switched"]}

    def _left_again(self, release: Mapping[str, Any], entry: Mapping[str, Any]) -> None:
        self.arrival = {"release": release["release"], "kind": "rolled_back", "time": entry["time"]}

    def _arrived(self, target: dict[str, Any], kind: str | None, entry: Mapping[str, Any]) -> None:
        """The application runs ``target``, proven. After a person's rollback what was left is not good any more."""
        left = self.current
        if kind != EMERGENCY:
            self.ledger.arrived()
        if kind == ROLLBACK and left is not None and _place(left) != _place(target):
            self.goods = [good for good in self.goods if _place(good) != _place(left)]
            self._mark_bad(left, entry, whole=_artifact_id(left) != _artifact_id(target))
        self.bad = [artifact for artifact in self.bad if artifact != _artifact_id(target)]
        for name in (_artifact_id(target) or "", mark(target)):
            self.marked.pop(name, None)
        gone = [_place(target)]
        if kind == EMERGENCY:
            # A restart runs the same settings under another number, and a toggle that is left is not to come back by
            # itself: neither is a place to go back to.
            gone.append((_artifact_id(target), (target.get("config") or {}).get("same_as")))
            gone += [_place(good) for good in self.goods if (good.get("config") or {}).get("toggles")]
        self.goods = [*(good for good in self.goods if _place(good) not in gone), target]
        self.current = target

    def _mark_bad(self, target: Mapping[str, Any], entry: Mapping[str, Any], *, whole: bool = True) -> None:
        """Mark what was left as bad: the artifact or, when it is not ``whole``, only its configuration."""
        artifact = _artifact_id(target)
        if artifact is None:
            return
        if whole and artifact not in self.bad:
            self.bad.append(artifact)
        by = {"version": target.get("version"), "release": entry["release"], "time": entry["time"]}
        self.marked[artifact if whole else mark(target)] = by

    def _measure(self, level: str, how: str, seconds: float | None, entry: Mapping[str, Any]) -> None:
        if seconds is not None:
            found = {"seconds": float(seconds), "release": entry["release"], "time": entry["time"]}
            self.measured[level] = {**self.measured.get(level, {}), how: found}


def mark(target: Mapping[str, Any]) -> str:
    """Return the name by which the configuration of a target is marked as bad."""
    artifact, config = _place(target)
    return f"{artifact} config {config}"


def _artifact_id(target: Mapping[str, Any] | None) -> str | None:
    identity = ((target or {}).get("artifact") or {}).get("id")
    return None if identity is None else str(identity)


def _place(target: Mapping[str, Any]) -> tuple[str | None, Any]:
    """What makes two targets the same: the code and its configuration, not the release that led there."""
    return _artifact_id(target), (target.get("config") or {}).get("version")


# --- what may be written next ----------------------------------------------------------------------------------------


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

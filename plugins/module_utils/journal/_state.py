# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the journal says of the application. Pure: entries in, plain data out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils.journal._entry import (
    DRILL,
    EMERGENCY,
    MOVES,
    RESTORE,
    ROLLBACK,
    SWITCH,
    TRIGGER,
    VERIFY,
    WATCH,
    State,
)
from ansible_collections.sluice.release.plugins.module_utils.journal._ledger import Ledger


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

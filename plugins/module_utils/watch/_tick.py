# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What one tick found on one host, and what it means. Pure: measurements and the record in, findings out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._clock import parse_utc
from ansible_collections.sluice.release.plugins.module_utils.journal._entry import Moment
from ansible_collections.sluice.release.plugins.module_utils.report._words import count_text, seconds_text, worst
from ansible_collections.sluice.release.plugins.module_utils.trigger._model import CRASHES
from ansible_collections.sluice.release.plugins.module_utils.watch._places import Place, crashes, is_late
from ansible_collections.sluice.release.plugins.module_utils.watch._record import TICK, Watch

# By how many seconds two ticks may be out of order before the clock counts as having gone back.
_CLOCK_SLACK = 2.0

# What the process manager calls a process that does not run and is not about to.
_DOWN = frozenset({"stopped", "errored", "exited", "dead", "gone"})

# What the journal keeps of a check that was green, and of any other. The rest of the evidence is the gate's.
_GREEN_KEYS = ("check", "verdict", "value", "unit")
_KEYS = (*_GREEN_KEYS, "threshold", "direction", "reason", "samples", "sustained")


@dataclass(frozen=True)
class Finding:
    """Something that a person should know. ``check``: which check it is of, where it is a reason to go back.

    ``policy``: what the window says of rollback_automatic; None: what the profile says.
    """

    kind: str
    verdict: str
    text: str
    window: Optional[str] = None
    check: Optional[str] = None
    policy: Optional[str] = None

    def stored(self) -> dict[str, Any]:
        """Return it as the journal keeps it."""
        return {**asdict(self), "trigger": self.check is not None}


def findings_of_time(watch: Watch, places: Sequence[Place], now: float, moment: Moment) -> list[Finding]:
    """Return what the clock says: ticks that were missed since the last one, and that it has gone back itself."""
    found: list[Finding] = []
    last = watch.entries[-1]
    back = max(parse_utc(last["time"]) - parse_utc(moment.time), _last_at(watch) - now)
    if back > _CLOCK_SLACK:
        found.append(Finding("clock", "yellow", f"the clock has gone back by {seconds_text(back)} since the last tick"))
    for one in places:
        new = _newly_missed(watch, one)
        if not new:
            continue
        verdict = "red" if one.failed else "yellow"
        which = ", ".join(str(one.number(slot)) for slot in new[:5]) + (", ..." if len(new) > 5 else "")
        allowed = f", of {one.window.may_miss} that may be" if one.window.may_miss else ""
        text = (
            f"{one.window.name}: {count_text(len(new), 'tick')} missed ({which} of {len(one.slots)})"
            f", {len(one.missed)} in all{allowed}"
        )
        found.append(Finding("missed", verdict, text, one.window.name))
    return found


def findings_of_processes(watch: Watch, processes: Optional[Sequence[Mapping[str, Any]]]) -> tuple[int, list[Finding]]:
    """Return how many crashes there were since the switch, and what is new about them.

    One is red, and for a person to judge; a further one is a reason to go back. None as ``processes``: nobody looked.
    """
    before = crash_count(watch)
    if processes is None:
        return before, []
    total = crashes([*_observed(watch), processes])
    found = []
    if total > before:
        text = f"the application has crashed or was restarted {count_text(total, 'time')} since the switch"
        found.append(Finding("crash", "red", text, check=CRASHES if total > 1 else None))
    down = [str(process["id"]) for process in processes if process.get("status") in _DOWN]
    if not processes and any(_observed(watch)):
        found.append(Finding("down", "red", "no process of the application is there"))
    elif down:
        text = f"{len(down)} of {count_text(len(processes), 'process', 'processes')} down (id {', '.join(down)})"
        found.append(Finding("down", "red", text))
    return total, found


def crash_count(watch: Watch) -> int:
    """Return the crashes that the ticks so far have counted."""
    return max((int(tick.get("crashes") or 0) for tick in watch.ticks), default=0)


def look(watch: Watch, one: Place, slot: float, measured: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Return what the journal keeps of the measurement of one window, with its verdict.

    ``measured``: the result of health_gate. A breach that the checks of one look could only call pending is red once
    it has lasted its ``sustained`` seconds from tick to tick.
    """
    breaching = {breach["check"] for breach in measured.get("breaches") or [] if breach.get("ended") is None}
    history = watch.history(one.window.name)
    gates = []
    for gate in measured.get("gates") or []:
        kept = {key: gate.get(key) for key in (_GREEN_KEYS if gate["verdict"] == "green" else _KEYS)}
        if gate["check"] in breaching:
            kept["since"] = _breach_since(history, one, slot, str(gate["check"]), now)
            lasted = now - kept["since"]
            if gate["verdict"] == "pending" and lasted > 0 and lasted >= float(gate.get("sustained") or 0):
                kept["verdict"] = "red"
                kept["reason"] = f"{gate.get('reason')}; it has lasted {seconds_text(lasted)}, from tick to tick"
        gates.append({key: value for key, value in kept.items() if value is not None})
    return {
        "window": one.window.name,
        "slot": slot,
        "number": one.number(slot),
        "of": len(one.slots),
        "late": is_late(one.window, slot, watch.held, now),
        "verdict": worst([gate["verdict"] for gate in gates]) or "red",
        "gates": gates,
    }


def tick(
    watch: Watch,
    moment: Moment,
    measured: Mapping[str, Mapping[str, Any]],
    processes: Optional[Sequence[Mapping[str, Any]]],
    due: Mapping[str, float],
    began: Optional[float] = None,
) -> Optional[dict[str, Any]]:
    """Return the data of the entry that records a tick; None when there is nothing to record.

    ``due``: the time that each window was due for when the tick ``began`` (in seconds since the switch), ``measured``
    what was found, by window.
    """
    now = watch.seconds(moment)
    # To measure takes its time, which makes no tick late.
    at = now if began is None else min(began, now)
    places = watch.places(now)
    found = findings_of_time(watch, places, now, moment)
    total, more = findings_of_processes(watch, processes)
    found += more
    looked = []
    for one in places:
        slot = due.get(one.window.name)
        # Another tick may have been quicker.
        if slot is None or one.window.name not in measured or slot in one.done:
            continue
        seen = look(watch, one, slot, measured[one.window.name], at)
        looked.append(seen)
        if seen["late"]:
            late = seconds_text(at - slot)
            text = f"{one.window.name}: tick {seen['number']} of {seen['of']} came {late} late"
            found.append(Finding("late", "yellow", text, one.window.name))
        red = [gate for gate in seen["gates"] if gate["verdict"] == "red"]
        for gate in red:
            text = f"{one.window.name}: {gate.get('reason') or gate['check']}"
            found.append(Finding("gate", "red", text, one.window.name, str(gate["check"]), one.window.rollback))
        if seen["verdict"] == "red" and not red:
            found.append(Finding("gate", "red", f"{one.window.name}: nothing was measured", one.window.name))
    if not looked and not found:
        return None
    return {
        "event": TICK,
        "release": watch.release,
        "at": at,
        "verdict": worst([*(seen["verdict"] for seen in looked), *(finding.verdict for finding in found)]),
        "trigger": any(finding.check for finding in found),
        "windows": looked,
        "findings": [finding.stored() for finding in found],
        # Only what is new: a record must not grow with every tick.
        "missed": {one.window.name: new for one in places if (new := _newly_missed(watch, one))},
        "crashes": total,
        "processes": kept_processes(processes),
    }


def kept_processes(processes: Optional[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return what the journal keeps of the processes."""
    kept = ("id", "pid", "restarts", "status")
    return [{key: process.get(key) for key in kept} for process in processes or []]


def _observed(watch: Watch) -> list[Sequence[Mapping[str, Any]]]:
    seen = [tick["processes"] for tick in watch.ticks if tick.get("processes")]
    return [watch.first_processes, *seen] if watch.first_processes else seen


def _last_at(watch: Watch) -> float:
    return float(watch.ticks[-1]["at"]) if watch.ticks else float("-inf")


def _newly_missed(watch: Watch, one: Place) -> list[float]:
    told = {float(slot) for tick in watch.ticks for slot in (tick.get("missed") or {}).get(one.window.name) or []}
    return [slot for slot in one.missed if slot not in told]


def _breach_since(history: Sequence[Mapping[str, Any]], one: Place, slot: float, check: str, now: float) -> float:
    """Return since when the check has been in breach at every tick; one that was not done breaks the chain."""
    index = one.slots.index(slot)
    before = next((seen for seen in history if index and float(seen["slot"]) == one.slots[index - 1]), None)
    gate = next((gate for gate in before["gates"] if gate["check"] == check), None) if before else None
    return now if gate is None else float(gate.get("since", now))

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.report._database import (
    Found,
    backup_of,
    drill_of,
    migration_of,
    restore_of,
)
from ansible_collections.sluice.release.plugins.module_utils.report._rollback_drill import rollback_drill_of
from ansible_collections.sluice.release.plugins.module_utils.report._settings import maintenance_of, settings_of
from ansible_collections.sluice.release.plugins.module_utils.report._trigger import triggers_of
from ansible_collections.sluice.release.plugins.module_utils.report._warming import warming_of
from ansible_collections.sluice.release.plugins.module_utils.report._watch import watch_of
from ansible_collections.sluice.release.plugins.module_utils.report._words import budget_text, seconds_text, worst
from ansible_collections.sluice.release.plugins.module_utils.watch._record import belongs

Entry = Mapping[str, Any]

# What a gate's entry keeps of the evidence, beside the keys that every gate has.
_GATE_KEYS = (
    *("type", "unit", "reason", "series", "direction", "target", "warn", "crit", "target_met", "sustained", "weight"),
    *("no_data", "last", "worst", "optional", "tags", "steps", "found"),
)

_ARTIFACT = re.compile(r"^(.+)-[0-9a-f]{12}$")


def parse_time(text: str) -> datetime:
    """Return the moment that a journal entry names, e.g. 2026-11-22T01:30:00.123Z."""
    # Python before 3.11 does not read the Z.
    moment = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def seconds_between(start: str, end: str) -> float:
    """Return the seconds from one entry's time to another's, never below 0: hosts' clocks may differ a little."""
    return max(0.0, round((parse_time(end) - parse_time(start)).total_seconds(), 3))


def _data(entry: Entry) -> Mapping[str, Any]:
    return entry.get("data") or {}


def _field(entry: Entry, key: str) -> Any:
    """Return a field of an entry, which lies beside its data, or within it."""
    value = entry.get(key)
    return _data(entry).get(key) if value is None else value


def _evidence(entry: Entry) -> Mapping[str, Any]:
    """Return what a stage left behind."""
    evidence = _data(entry).get("evidence")
    return evidence if isinstance(evidence, Mapping) else _data(entry)


class _Host:
    """What the journal of one host says about one release."""

    def __init__(self, name: str, entries: Sequence[Entry]) -> None:
        self.name = name
        self.entries = sorted(entries, key=lambda entry: entry.get("seq", 0))
        self.opened: Mapping[str, Any] = {}
        self.why: str | None = None
        self.closed: Mapping[str, Any] = {}
        self.stages: list[dict[str, Any]] = []
        self.failures: list[dict[str, Any]] = []
        self.evidence: list[tuple[dict[str, Any], Mapping[str, Any]]] = []
        self.notes: dict[str, Mapping[str, Any]] = {}
        self.issues: list[str] = []
        # When it was closed, or the last that is known of it; what is noted later does not make a release longer.
        self.ended: str = self.entries[-1]["time"] if self.entries else ""
        for entry in self.entries:
            self._read(entry)

    @property
    def moved(self) -> bool:
        return any(stage["name"] == "switch" for stage in self.stages)

    @property
    def came_from(self) -> str | None:
        """The version that served before: as the opening says, else as the switch found it."""
        if self.opened.get("from"):
            return str(self.opened["from"])
        for stage, evidence in self.evidence:
            # An artifact is called by its version and the start of its checksum; what is not called so is unknown.
            if stage["name"] == "switch" and (match := _ARTIFACT.match(str(evidence.get("previous")))):
                return match.group(1)
        return None

    @property
    def is_first(self) -> bool:
        """Whether nothing served before, so that nothing could answer until this release did."""
        before = [evidence.get("previous") for stage, evidence in self.evidence if stage["name"] == "switch"]
        return not self.opened.get("from") and bool(before) and not any(before)

    @property
    def outcome(self) -> str | None:
        return self.closed.get("outcome")

    @property
    def keeps(self) -> bool:
        """Whether the release stayed, so that a watch that it opened is its own."""
        return self.outcome == "succeeded"

    @property
    def rollback(self) -> Mapping[str, Any] | None:
        """How it went back: as was noted, or by its stages where going back is what was asked for."""
        if "rollback" in self.notes or self.opened.get("kind") != "rollback":
            return self.notes.get("rollback")
        found = next((evidence for stage, evidence in self.evidence if stage["name"] == "rollback"), {})
        target = found.get("target")
        if not isinstance(target, Mapping):
            return None
        way = [stage for stage in self.stages if stage["name"] in ("rollback", "switch", "warm", "verify")]
        return {
            "level": found.get("level"),
            "to": target.get("version"),
            "artifact": (target.get("artifact") or {}).get("id"),
            "seconds": round(sum(stage["seconds"] or 0 for stage in way), 3),
            "verified": any(stage["name"] == "verify" and stage["outcome"] == "succeeded" for stage in way),
            "budget": found.get("budget"),
        }

    def _read(self, entry: Entry) -> None:
        event = entry.get("event")
        if event == "opened":
            self.opened = _data(entry)
            self.why = _field(entry, "reason")
        elif event == "entered":
            self.stages.append(
                {
                    "name": str(_field(entry, "stage")),
                    "host": self.name,
                    "outcome": "unfinished",
                    "seconds": None,
                    "budget_seconds": _field(entry, "budget"),
                    "started": entry["time"],
                }
            )
        elif event in ("left", "failed"):
            self._end_stage(entry, "succeeded" if event == "left" else "failed")
        elif event == "noted":
            if _field(entry, "name") == "issue":
                self.issues.append(str(_data(entry).get("message") or "an issue without words"))
            self.notes[str(_field(entry, "name"))] = _data(entry)
        elif event == "closed":
            self.closed = {key: _field(entry, key) for key in ("outcome", "verdict", "reason")}
            self.ended = entry["time"]

    def _end_stage(self, entry: Entry, outcome: str) -> None:
        stage = self.stages[-1] if self.stages and self.stages[-1]["outcome"] == "unfinished" else None
        if stage is None:
            # A failure outside any stage, e.g. while the release was being opened.
            name = str(_field(entry, "stage") or "release")
            stage = {"name": name, "host": self.name, "budget_seconds": None, "started": entry["time"]}
            self.stages.append(stage)
        seconds = _field(entry, "seconds")
        stage["outcome"] = outcome
        stage["seconds"] = seconds_between(stage["started"], entry["time"]) if seconds is None else seconds
        if outcome == "failed":
            stage["reason"] = str(_field(entry, "reason") or "no reason was recorded")
            self.failures.append(
                {"stage": stage["name"], "host": self.name, "message": stage["reason"], "time": entry["time"]}
            )
        self.evidence.append((stage, _evidence(entry)))


def build_report(release: str, hosts: Iterable[Mapping[str, Any]], unreachable: Iterable[str] = ()) -> dict[str, Any]:
    """Join the journal entries of one release on all its hosts to one report (see docs/report.schema.json).

    ``hosts``: ``{"host": name, "entries": [journal entries]}``; entries of other releases are left out.
    ``unreachable``: hosts whose journal could not be read; each counts as a failed host.
    The same entries always give the same report. SluiceError when no host has an entry of the release.
    """
    fleet = [
        _Host(host["host"], [entry for entry in host.get("entries") or [] if belongs(entry, release)]) for host in hosts
    ]
    missing = sorted(set(unreachable))
    silent = [host.name for host in fleet if not host.entries and host.name not in missing]
    fleet = [host for host in fleet if host.entries]
    if not fleet:
        raise SluiceError(
            f"report on release {release}", "no journal holds an entry of it", "Ask for a release that report.yml lists"
        )
    opened = next((host.opened for host in fleet if host.opened), {})
    started = min((host.entries[0]["time"] for host in fleet), key=parse_time)
    ended = max((host.ended for host in fleet), key=parse_time)
    outcome = _outcome(fleet, missing)
    gates = [gate for host in fleet for gate in _gates(host)]
    stages = sorted((stage for host in fleet for stage in host.stages), key=lambda stage: parse_time(stage["started"]))
    failures = sorted((f for host in fleet for f in host.failures), key=lambda failure: parse_time(failure["time"]))
    rollback = _rollback(fleet)
    is_drill = opened.get("kind") == "rollback_drill"
    stays = is_drill or opened.get("kind") == "emergency"
    came_from = next((host.came_from for host in fleet if host.came_from), None)
    found = [Found(host.name, stage["name"], evidence) for host in fleet for stage, evidence in host.evidence]
    return {
        "release_id": release,
        "kind": opened.get("kind", "deploy"),
        "application": opened.get("application", ""),
        "environment": opened.get("environment", ""),
        "operator": opened.get("operator"),
        "reason": next((host.why for host in fleet if host.why), None),
        "from": came_from,
        # A rollback finds out by itself where it goes; a drill ends where it began, and an emergency leaves the code.
        "to": str(opened.get("version") or (came_from if stays else (rollback or {}).get("to")) or ""),
        "outcome": outcome,
        "verdict": _verdict(outcome, gates, fleet),
        "started": started,
        "ended": ended,
        "seconds": seconds_between(started, ended),
        "stages": stages,
        "gates": gates,
        "requests": _requests([_probe(host) for host in fleet if "requests" in host.notes]),
        "backup": backup_of(found),
        "rollback": rollback,
        # What a drill has restored is gone again.
        "restore": None if is_drill else restore_of(found),
        "rollback_drill": rollback_drill_of(
            [host.notes["rollback_drill"] for host in fleet if "rollback_drill" in host.notes]
        ),
        "drill": drill_of(found),
        "migration": migration_of(found),
        "warming": warming_of((host.name, host.entries) for host in fleet),
        "settings": settings_of(found),
        "maintenance": maintenance_of((host.name, host.entries) for host in fleet),
        "watch": watch_of([(host.name, host.entries) for host in fleet if host.keeps], release),
        "triggers": triggers_of(host.entries for host in fleet),
        "error": _error(failures, fleet, outcome),
        "preflight": [
            {
                "host": host.name,
                "score": evidence.get("score"),
                "groups": list(evidence.get("groups") or []),
                "checks": list(evidence["checks"]),
            }
            for host in fleet
            for stage, evidence in host.evidence
            if stage["name"] == "preflight" and isinstance(evidence.get("checks"), (list, tuple))
        ],
        "hosts": [_host_summary(host) for host in fleet]
        + [{"host": name, "outcome": "unreachable", "from": None, "journal_head": None} for name in missing],
        "journal_head": {host.name: host.entries[-1].get("hash") for host in fleet},
        "issues": [*_issues(fleet, stages, missing, silent), *_overrun(rollback)],
    }


def _outcome(fleet: Sequence[_Host], missing: Sequence[str]) -> str:
    """Return the outcome for the fleet: the worst that is known of any host."""
    if missing or any(host.outcome is None for host in fleet):
        return "failed"
    outcomes = {host.outcome for host in fleet}
    if "rolled_back" in outcomes:
        # A host that never moved has nothing to take back; one that moved and stayed there has.
        stuck = [host for host in fleet if host.outcome not in ("rolled_back", "unchanged") and host.moved]
        return "failed" if stuck else "rolled_back"
    for outcome in ("failed", "succeeded", "unchanged"):
        if outcome in outcomes:
            return outcome
    return "failed"


def _verdict(outcome: str, gates: Sequence[Mapping[str, Any]], fleet: Sequence[_Host]) -> str | None:
    """Return the worst verdict of the gates; red for what did not last; None when nothing was measured."""
    if outcome in ("rolled_back", "failed"):
        return "red"
    return worst([gate["verdict"] for gate in gates] or [host.closed.get("verdict") for host in fleet])


def _gates(host: _Host) -> Iterable[dict[str, Any]]:
    for stage, evidence in host.evidence:
        for gate in evidence.get("gates") or []:
            yield {
                "check": gate.get("check"),
                "verdict": gate.get("verdict"),
                "value": gate.get("value"),
                "threshold": gate.get("threshold"),
                "samples": gate.get("samples", 0),
                "host": host.name,
                "stage": stage["name"],
                "started": stage["started"],
                # The moment of the verdict, in the seconds of the series.
                "seconds": evidence.get("seconds", stage["seconds"]),
                **{key: gate[key] for key in _GATE_KEYS if gate.get(key) is not None},
            }


def _probe(host: _Host) -> dict[str, Any]:
    """What the prober of a host saw. ``unserved``: what failed before anything served there, of each row too."""
    probe = dict(host.notes["requests"])
    left = probe["unserved"] = probe.get("failed_at_first") or 0 if host.is_first else 0
    rows = []
    for moment, good, bad in probe.get("series") or []:
        rows.append((moment, good, bad, min(bad, left)))
        left -= rows[-1][-1]
    return {**probe, "series": rows}


def _requests(probes: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Sum what the probers of all hosts saw; the longest gap is the longest that any of them saw."""
    if not probes:
        return None
    errors: dict[str, int] = {}
    seconds: dict[float, list[float]] = {}
    for probe in probes:
        for kind, count in (probe.get("errors") or {}).items():
            errors[kind] = errors.get(kind, 0) + count
        for moment, *counts in probe["series"]:
            seconds[moment] = [a + b for a, b in zip(seconds.get(moment, [0, 0, 0]), counts)]
    unserved = sum(probe["unserved"] for probe in probes)
    result: dict[str, Any] = {
        "sent": sum(probe.get("sent") or 0 for probe in probes),
        "failed": sum(probe.get("failed") or 0 for probe in probes),
        "longest_gap_ms": max(probe.get("longest_gap_ms") or 0 for probe in probes),
        "errors": errors,
        "series": [[moment, *seconds[moment][: 3 if unserved else 2]] for moment in sorted(seconds)],
    }
    if unserved:
        result["unserved"] = unserved
    if probes[0].get("started") is not None:
        result["started"] = probes[0]["started"]
    return result


def _rollback(fleet: Sequence[_Host]) -> dict[str, Any] | None:
    """Return the rollback over all hosts: the highest level, the slowest host, verified only where each one is."""
    notes = [(host, note) for host in fleet if (note := host.rollback) is not None]
    if not notes:
        return None
    seconds = [value for host, data in notes if (value := _rollback_seconds(host, data)) is not None]
    return {
        "level": max(int(data.get("level") or 0) for _host, data in notes),
        "to": next((data["to"] for _host, data in notes if data.get("to")), None),
        "seconds": max(seconds, default=None),
        "budget_seconds": next((data["budget"] for _host, data in notes if data.get("budget")), None),
        "artifact": next((data["artifact"] for _host, data in notes if data.get("artifact")), None),
        "reason": next((data["reason"] for _host, data in notes if data.get("reason")), None),
        "verified": all(data.get("verified") for _host, data in notes),
        "hosts": [host.name for host, _note in notes],
    }


def _rollback_seconds(host: _Host, data: Mapping[str, Any]) -> float | None:
    """Return how long the way back took on a host: as it says, else as long as its stage."""
    if data.get("seconds") is not None:
        return float(data["seconds"])
    return next((s["seconds"] for s in reversed(host.stages) if s["name"] == "rollback"), None)


def _error(failures: Sequence[Mapping[str, Any]], fleet: Sequence[_Host], outcome: str) -> dict[str, Any] | None:
    """Return the first failure: what came later mostly follows from it."""
    if failures:
        return {key: failures[0][key] for key in ("stage", "host", "message")}
    if outcome not in ("failed", "rolled_back"):
        return None
    for host in fleet:
        if host.outcome == outcome and host.closed.get("reason"):
            return {"stage": None, "host": host.name, "message": host.closed["reason"]}
    return None


def _host_summary(host: _Host) -> dict[str, Any]:
    return {
        "host": host.name,
        "outcome": host.outcome or "unfinished",
        "from": host.came_from,
        "moved": host.moved,
        "journal_head": host.entries[-1].get("hash"),
    }


def _overrun(rollback: Mapping[str, Any] | None) -> list[str]:
    """Return the finding that a rollback has missed the budget of its level."""
    seconds, budget = (rollback or {}).get("seconds"), (rollback or {}).get("budget_seconds")
    if rollback is None or not budget or seconds is None or seconds <= budget:
        return []
    return [f"The rollback by level {rollback['level']} took {seconds_text(seconds)} of {budget_text(budget)}."]


def _issues(
    fleet: Sequence[_Host], stages: Sequence[Mapping[str, Any]], missing: Sequence[str], silent: Sequence[str]
) -> list[str]:
    """Return what a person should know beside the outcome, in sentences."""
    issues = [f"Host {name} could not be reached. What it runs is not known." for name in missing]
    issues += [f"Host {name} has no entry of this release in its journal." for name in silent]
    for host in fleet:
        if host.outcome is None:
            last = host.stages[-1]["name"] if host.stages else "the start"
            issues.append(f"The run on {host.name} ended in {last} without closing the release.")
        issues += [f"On {host.name}: {text}" for text in host.issues]
    origins = {host.came_from for host in fleet if host.came_from}
    if len(origins) > 1:
        issues.append(f"The hosts came from different versions: {', '.join(sorted(origins))}.")
    for stage in stages:
        seconds, budget = stage["seconds"], stage["budget_seconds"]
        if seconds is not None and budget and seconds > budget:
            issues.append(
                f"Stage {stage['name']} on {stage['host']} took {seconds_text(seconds)} of {budget_text(budget)}."
            )
    return issues

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a person reads while a release runs. Pure: journal events and results in, lines out; nothing here prints."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ansible_collections.sluice.release.plugins.module_utils.report._warming import digest
from ansible_collections.sluice.release.plugins.module_utils.report._words import (
    budget_text,
    count_text,
    list_text,
    seconds_text,
    warming_text,
)
from ansible_collections.sluice.release.plugins.plugin_utils._stage_texts import (
    drill_lines,
    failure_detail,
    rollback_detail,
    stage_detail,
    trigger_detail,
    way_text,
)

# Tones: what the callback turns into colours.
GOOD, BAD, WARN, DIM, STRONG, PLAIN = "good", "bad", "warn", "dim", "strong", ""

_UNICODE = {"good": "✔", "bad": "✘", "run": "▸", "warn": "!"}
_ASCII = {"good": "ok", "bad": "XX", "run": "..", "warn": "! "}

_STAGE_WIDTH = 12
_TIME_WIDTH = 16
_DRILL_WIDTH = 26


class Segment(NamedTuple):
    """A piece of a line in one tone."""

    text: str
    tone: str = PLAIN


Line = list[Segment]


def plain(line: Line) -> str:
    """Return a line without its tones."""
    return "".join(segment.text for segment in line)


def trimmed(line: Line) -> Line:
    """Return a line without space at its end."""
    line = list(line)
    while line:
        last = line.pop()
        if text := last.text.rstrip():
            return [*line, Segment(text, last.tone)]
    return []


def locale_has_unicode(environment: Mapping[str, str]) -> bool:
    """Return whether the person's locale is a Unicode one.

    Python moves a C locale to C.UTF-8 by setting LC_CTYPE, so that variable alone says nothing about the terminal.
    """
    if environment.get("LC_ALL"):
        chosen = environment["LC_ALL"]
    elif environment.get("LC_CTYPE", "") not in ("", "C.UTF-8", "C.utf8", "UTF-8"):
        chosen = environment["LC_CTYPE"]
    else:
        chosen = environment.get("LANG", "")
    return "UTF8" in chosen.upper().replace("-", "")


@dataclass
class _Running:
    """A stage that a host is in."""

    stage: str
    budget: float | None
    # What was noted while it ran and belongs to its last line.
    note: str = ""


@dataclass
class _Failure:
    """A failed task that has not been told yet: the journal may be about to say more about it."""

    host: str
    message: str


@dataclass
class Narrator:
    """Turns what happens into lines. Every method returns the lines to print, mostly none."""

    unicode: bool = True
    check: bool = False
    width: int | None = None
    """Columns of the terminal; None: there is none. Then lines stay long, and a stage has a line as it starts, too."""
    hosts: list[str] = field(default_factory=list)
    """Hosts of the run; more than one get a column."""
    report: dict[str, Any] | None = None
    report_path: str | None = None
    last_word: str = ""
    """What a last `fail` task said after every release was closed."""

    _drill: dict[str, Any] | None = None

    _running: dict[str, _Running] = field(default_factory=dict)
    _pending: list[_Failure] = field(default_factory=list)
    _told: set[str] = field(default_factory=set)
    _release: str | None = None
    _version: str = ""
    _closed: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _ended: dict[str, str] = field(default_factory=dict)

    # --- what the journal says ---------------------------------------------------------------------------------------

    def events(self, host: str, events: Iterable[Mapping[str, Any]], journal: Mapping[str, Any]) -> list[Line]:
        """Tell the events that release_journal has written on a host."""
        lines: list[Line] = []
        for event in events:
            if event.get("release") != self._release:
                lines += self._head(event, journal)
            teller = _TELLERS.get(str(event.get("event")))
            if teller is not None:
                lines += teller(self, host, event)
        return lines

    def _head(self, event: Mapping[str, Any], journal: Mapping[str, Any]) -> list[Line]:
        """Return the first line of a release; before it, how the release ended that was told so far."""
        lines: list[Line] = []
        if self._release is not None:
            ends = [f"{closed['outcome']}: {closed['reason'] or ''}".rstrip(": ") for closed in self._closed.values()]
            lines += [[Segment("  " + end.replace("_", " "), WARN)] for end in dict.fromkeys(ends)]
            lines.append([])
        self._release = str(event.get("release"))
        self._closed.clear()
        self._ended.clear()
        self._running.clear()
        # A run that was killed has opened it long ago; then only the journal knows.
        opened = event if event.get("event") == "opened" else (journal.get("open") or {})
        data = opened.get("data") or {}
        self._version = str(data.get("version") or "")
        came_from = data.get("from") or ((journal.get("current") or {}).get("version"))
        way = way_text(came_from, self._version)
        kind = data.get("kind") if data.get("kind") not in (None, "deploy") else ""
        words = [kind and str(kind).replace("_", " "), data.get("application"), data.get("environment"), way]
        head: Line = [Segment("SLUICE", STRONG)]
        if self.check:
            head.append(Segment("  CHECK", WARN))
        head.append(Segment("  " + "  ".join(str(word) for word in words if word)))
        if self._many:
            head.append(Segment(f"  {count_text(len(self.hosts), 'host')}"))
        return [*lines, [*head, Segment(f"   release {self._release}")]]

    def _entered(self, host: str, event: Mapping[str, Any]) -> list[Line]:
        lines = self._end_in_check(host)
        running = _Running(str(event.get("stage")), _number(event, "budget"))
        self._running[host] = running
        if self.width is not None or self.check:
            return lines
        limit = f"up to {budget_text(running.budget)}" if running.budget else "started"
        return [[*self._start(running.stage, host), Segment(f"{self._mark('run')}  {limit}", DIM)]]

    def _end_in_check(self, host: str) -> list[Line]:
        """End the stage that nothing else ends: in check mode the journal is not written, so it knows of none."""
        running = self._running.pop(host, None) if self.check else None
        return self._end_line(host, running, {}, GOOD, running.note) if running else []

    def _left(self, host: str, event: Mapping[str, Any]) -> list[Line]:
        running = self._end(host, event)
        detail = running.note or stage_detail(running.stage, _evidence(event))
        return self._end_line(host, running, event, GOOD, detail)

    def _failed(self, host: str, event: Mapping[str, Any]) -> list[Line]:
        running = self._end(host, event)
        reason = str(_value(event, "reason") or "")
        told = [failure for failure in self._pending if failure.host == host]
        self._pending = [failure for failure in self._pending if failure.host != host]
        detail = running.note or failure_detail(_evidence(event))
        lines = self._end_line(host, running, event, BAD, detail)
        for message in dict.fromkeys([*(failure.message for failure in told), reason]):
            lines += self._message(message)
        return lines

    def _noted(self, host: str, event: Mapping[str, Any]) -> list[Line]:
        data = event.get("data") or {}
        if event.get("name") == "issue" and data.get("message"):
            return self._remark(str(data["message"]))
        if event.get("name") == "trigger" and data.get("trigger") and data.get("action") != "ask":
            # The hosts of a fleet decide together, so it is said once. Who is asked is told by the error that follows.
            text = trigger_detail(data)
            lines = [] if text in self._told else self._remark(text)
            self._told.add(text)
            return lines
        if event.get("name") == "rollback_drill":
            # The result is that of all hosts, and is told in the end.
            self._drill = dict(data)
            return []
        running = self._running.get(host)
        if event.get("name") == "warming" and "warm" in data:
            text = warming_text(digest(host, data))
            if running is not None and running.stage == "warm":
                running.note = text
                return []
            line = [*self._start("warming", host), self._marked(GOOD if data["warm"] else WARN)]
            first, *rest = self._wrap(text, indent := len(plain(line)) + 2 + _TIME_WIDTH + 2)
            return [
                [*line, Segment(f"  {'':<{_TIME_WIDTH}}  {first}")],
                *([Segment(" " * indent + more)] for more in rest),
            ]
        if event.get("name") != "rollback":
            return []
        note = rollback_detail(data)
        if running is not None and running.stage == "rollback":
            running.note = note
            return []
        line = self._start("rollback", host)
        good = bool(data.get("verified", True)) and data.get("to") is not None
        took = seconds_text(data["seconds"]) if data.get("seconds") is not None else ""
        return [[*line, self._marked(GOOD if good else BAD), Segment(f"  {took:<{_TIME_WIDTH}}  {note}".rstrip())]]

    def _close(self, host: str, event: Mapping[str, Any]) -> list[Line]:
        self._closed[host] = {key: _value(event, key) for key in ("outcome", "reason", "verdict")}
        lines = self._end_in_check(host)
        self._running.pop(host, None)
        if self._closed[host]["outcome"] == "failed" and self._ended.get(host) == "rollback":
            # It was led back, which has not failed, so nothing above says what has.
            lines += self._message(str(self._closed[host]["reason"] or ""))
        return lines

    def _end(self, host: str, event: Mapping[str, Any]) -> _Running:
        stage = str(event.get("stage"))
        running = self._running.pop(host, None)
        self._ended[host] = stage
        if running is None or running.stage != stage:
            # It was entered by a run before this one.
            return _Running(stage, _number(event, "budget"))
        return running

    # --- what the tasks say ------------------------------------------------------------------------------------------

    def failure(self, host: str, message: str) -> None:
        """Take in a failed task; it is told by the next line of the journal, or by ``flush``."""
        self._pending.append(_Failure(host, message.strip()))

    def flush(self) -> list[Line]:
        """Tell the failures that the journal did not tell; hosts that failed alike share one block."""
        lines: list[Line] = []
        for message in dict.fromkeys(failure.message for failure in self._pending):
            hosts = list(dict.fromkeys(failure.host for failure in self._pending if failure.message == message))
            if message in self._told:
                continue
            where = f"{list_text(hosts)}  " if self._many else ""
            first, *rest = self._wrap(message, 4 + len(where) + 2)
            lines.append([Segment("  "), self._marked(BAD), Segment(f" {where}{first}", BAD)])
            lines += [[Segment("      " + line)] for line in rest]
            self._told.add(message)
        self._pending.clear()
        return lines

    def final_failure(self, message: str) -> bool:
        """Keep the message of a last `fail` for the recap; False when a release is still open."""
        if self._release is None or self._running or not self._closed:
            return False
        self.last_word = message.strip()
        return True

    def remark(self, host: str, text: str) -> list[Line]:
        """Tell something that a person should know, of one host."""
        return self._remark(f"{host}: {text}" if self._many else text)

    def recap(self, failed_hosts: Sequence[str], changed: int, seconds: float) -> list[Line]:
        """Return the last lines: the outcome, and where the report lies."""
        lines = [*self.flush(), *self._drilled(), []]
        outcomes = [str(closed.get("outcome")) for closed in self._closed.values()]
        outcome = self.report["outcome"] if self.report else _fleet_outcome(outcomes)
        if self.check:
            tone, word, text = (BAD, "FAILED", self.last_word) if failed_hosts else (GOOD, "CHECK", "")
            text = text or ("the checks did not pass" if failed_hosts else "nothing was changed")
        elif outcome is None:
            tone, word = (BAD, "FAILED") if failed_hosts else (GOOD, "DONE")
            text = f"on {list_text(failed_hosts)}" if failed_hosts else f"{count_text(changed, 'change')}"
            text += f" after {seconds_text(seconds)}"
        elif outcome in ("succeeded", "unchanged"):
            tone, word, text = GOOD, outcome.upper(), self._success(outcome)
            if failed_hosts:
                tone, word = BAD, "FAILED"
                version = self._version or (self.report or {}).get("to") or "the release"
                text = self.last_word or f"{version} serves, but the run failed on {list_text(failed_hosts)}"
        else:
            tone, word, text = BAD, "FAILED", self._failure_text(outcome)
        lines.append([Segment(word, tone), Segment(f"  {text.rstrip('.')}.")])
        if self.report_path:
            lines[-1].append(Segment(f"  Report: {self.report_path}"))
        return lines

    def _drilled(self) -> list[Line]:
        """Tell how long the levels of a drill took."""
        lines: list[Line] = [[]] if self._drill else []
        for number, (good, took, detail) in enumerate(drill_lines(self._drill or {})):
            line = [Segment(f"  {'' if number else 'drill':<{_STAGE_WIDTH}} "), self._marked(GOOD if good else BAD)]
            line.append(Segment(f"  {took:<{_DRILL_WIDTH}}", PLAIN if good else WARN))
            indent = len(plain(line)) + 2
            first, *rest = self._wrap(detail, indent)
            lines += [[*line, Segment(f"  {first}")], *([Segment(" " * indent + text)] for text in rest)]
        return lines

    def _success(self, outcome: str) -> str:
        where = f" on {count_text(len(self._closed), 'host')}" if len(self._closed) > 1 else ""
        version = self._version or (self.report or {}).get("to") or "the release"
        if outcome == "unchanged":
            return f"{version} was already running{where}; nothing was changed"
        parts = [f"{version} serves{where}"]
        report = self.report or {}
        if report.get("seconds") is not None:
            parts.append(f"after {seconds_text(report['seconds'])}")
        text = " ".join(parts)
        if self._drill is not None:
            text = f"{version} serves as before{where}, and the budgets of the drill are met"
        elif report.get("verdict"):
            text += f", verdict {report['verdict']}"
        probe = report.get("requests")
        return f"{text}, {probe['failed']} of {count_text(probe['sent'], 'request')} failed" if probe else text

    def _failure_text(self, outcome: str) -> str:
        report = self.report or {}
        rollback = report.get("rollback") or {}
        if outcome == "rolled_back" and rollback:
            took = f" in {seconds_text(rollback['seconds'])}" if rollback.get("seconds") is not None else ""
            probe = report.get("requests")
            lost = f", {probe['failed']} of {count_text(probe['sent'], 'request')} failed" if probe else ""
            return f"rolled back to {rollback.get('to') or 'what served before'}{took}{lost}"
        error = report.get("error") or {}
        asked = [one for one in report.get("triggers") or [] if one["action"] != "rollback"]
        if asked and outcome == "failed":
            return f"{self._version} is red and serves, for {asked[-1].get('why')}"
        if error.get("stage"):
            on = f" on {error['host']}" if self._many and error.get("host") else ""
            return f"{self._version or 'the run'} failed in stage {error['stage']}{on}"
        reasons = [str(closed["reason"]) for closed in self._closed.values() if closed.get("reason")]
        return self.last_word or next(iter(reasons), outcome.replace("_", " "))

    # --- the line at the bottom of a terminal ------------------------------------------------------------------------

    def live(self, task: str = "") -> str:
        """Return the unfinished line: the stages that run, where, and the task; '' when there is nothing to say."""
        stages: dict[str, list[str]] = {}
        for host, running in self._running.items():
            stages.setdefault(running.stage, []).append(host)
        if not stages:
            return self._cut(f"  {self._mark('run')} {task}") if task else ""
        parts = []
        for stage, hosts in stages.items():
            where = (list_text(hosts) if len(hosts) <= 3 else count_text(len(hosts), "host")) if self._many else ""
            budget = next(r.budget for r in self._running.values() if r.stage == stage)
            limit = f"  up to {budget_text(budget)}" if budget else ""
            parts.append(f"  {stage:<{_STAGE_WIDTH}} {self._mark('run')}  {where}{limit}")
        return self._cut(" ".join(parts) + (f"  {task}" if task else ""))

    def _cut(self, text: str) -> str:
        limit = (self.width or 80) - 1
        return text if len(text) <= limit else text[: limit - 3] + "..."

    # --- pieces of a line --------------------------------------------------------------------------------------------

    @property
    def _many(self) -> bool:
        return len(self.hosts) > 1

    def _mark(self, kind: str) -> str:
        return (_UNICODE if self.unicode else _ASCII)[kind]

    def _marked(self, tone: str) -> Segment:
        return Segment(self._mark(tone), tone)

    def _start(self, stage: str, host: str) -> Line:
        line = [Segment(f"  {stage:<{_STAGE_WIDTH}} ")]
        if self._many:
            line.append(Segment(f"{host:<{max(map(len, self.hosts))}}  "))
        return line

    def _end_line(self, host: str, running: _Running, event: Mapping[str, Any], tone: str, detail: str) -> list[Line]:
        """Return the last line of a stage, and what of its detail does not fit on it."""
        seconds = _number(event, "seconds")
        time = ""
        # A check lasts as long as asking does, which says nothing about the stage.
        if seconds is not None and not self.check:
            limit = f" of {budget_text(running.budget)}" if running.budget else ""
            time = f"{seconds_text(seconds)}{limit}"
        over = bool(seconds and running.budget and seconds > running.budget)
        line = [
            *self._start(running.stage, host),
            self._marked(tone),
            Segment(f"  {time:<{_TIME_WIDTH}}", WARN if over else PLAIN),
        ]
        indent = len(plain(line)) + 2
        first, *rest = self._wrap(detail, indent)
        ink = tone if tone == BAD else PLAIN
        return [[*line, Segment(f"  {first}", ink)], *([Segment(" " * indent + text, ink)] for text in rest)]

    def _message(self, message: str) -> list[Line]:
        """Return a message below its stage, unless it stands above already."""
        if not message or message in self._told:
            return []
        self._told.add(message)
        indent = " " * (2 + _STAGE_WIDTH + 1)
        return [[Segment(indent + line, BAD)] for line in self._wrap(message, len(indent))]

    def _remark(self, text: str) -> list[Line]:
        first, *rest = self._wrap(text, 6)
        lines: list[Line] = [[Segment("  "), self._marked(WARN), Segment(f" {first}", WARN)]]
        return lines + [[Segment(f"    {line}", WARN)] for line in rest]

    def _wrap(self, text: str, indent: int) -> list[str]:
        lines = text.splitlines() or [""]
        if self.width is None:
            return lines
        room = max(30, self.width - indent - 1)
        return [
            part
            for line in lines
            for part in textwrap.wrap(line, room, break_long_words=False, break_on_hyphens=False) or [""]
        ]


_TELLERS = {
    "entered": Narrator._entered,
    "left": Narrator._left,
    "failed": Narrator._failed,
    "noted": Narrator._noted,
    "closed": Narrator._close,
}


def _fleet_outcome(outcomes: Sequence[str]) -> str | None:
    for outcome in ("failed", "rolled_back", "succeeded", "unchanged"):
        if outcome in outcomes:
            return outcome
    return None


def _value(event: Mapping[str, Any], key: str) -> Any:
    """Return a field of an event, which lies beside its data, or within it."""
    value = event.get(key)
    return (event.get("data") or {}).get(key) if value is None else value


def _number(event: Mapping[str, Any], key: str) -> float | None:
    value = _value(event, key)
    return float(value) if isinstance(value, (int, float)) else None


def _evidence(event: Mapping[str, Any]) -> Mapping[str, Any]:
    data = event.get("data") or {}
    evidence = data.get("evidence")
    return evidence if isinstance(evidence, Mapping) else data

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The post-mortem of a release that went wrong: all that the journals know, and blanks for what only people know."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils.report._build import parse_time, seconds_between
from ansible_collections.sluice.release.plugins.module_utils.report._markdown import cell, table
from ansible_collections.sluice.release.plugins.module_utils.report._trigger import trigger_text, triggers_of
from ansible_collections.sluice.release.plugins.module_utils.report._words import (
    count_text,
    gate_text,
    headline,
    list_text,
    loss_words,
    lost,
    newest_text,
    number_text,
    seconds_text,
    threshold_text,
    value_text,
)
from ansible_collections.sluice.release.plugins.module_utils.watch._record import belongs

Entry = Mapping[str, Any]

# Hours within which the people of the release meet, by the checklist that asks for a post-mortem at all.
MEETING_HOURS = 24
# Of each process; a page of the terminal. All of them are in the journal.
LOG_LINES = 40

_BLANKS: tuple[tuple[str, list[str]], ...] = (
    ("Root cause", ["Why it happened, and why nothing before the switch has found it."]),
    ("What went well, what did not", ["Of the release, of the way back, of what people knew and when."]),
    ("What is changed", []),
    ("Next attempt", ["Version, date, and what has to be true before it."]),
)


def is_due(report: Mapping[str, Any]) -> bool:
    """Return whether people should look back at it: it was taken back by whomever, or failed after it had moved.

    What failed before left everything as it was. A host that could not be reached may have moved.
    """
    if report["outcome"] == "rolled_back" or report.get("rollback") is not None:
        return True
    return report["outcome"] == "failed" and any(
        host.get("moved") or host["outcome"] == "unreachable" for host in report["hosts"]
    )


def timeline(hosts: Iterable[Mapping[str, Any]], release: str) -> list[tuple[str, str, str]]:
    """Return what happened in order, as (UTC time, host, what).

    ``hosts``: as for build_report. Clocks of hosts may differ; what one host did stays in its own order.
    """
    rows = [
        (parse_time(entry["time"]), host["host"], int(entry.get("seq", 0)), entry, text)
        for host in hosts
        for entry in host.get("entries") or []
        if belongs(entry, release) and (text := _told(entry))
    ]
    rows.sort(key=lambda row: row[:3])
    return [(entry["time"], host, text) for _time, host, _seq, entry, text in rows]


def _told(entry: Entry) -> str:
    """Return what an entry says, in a few words; nothing for what another entry says as well."""
    data, event, stage = entry.get("data") or {}, entry["event"], entry.get("stage")
    took = f" after {seconds_text(entry['seconds'])}" if entry.get("seconds") is not None else ""
    if event == "opened":
        who = f" by {data['operator']}" if data.get("operator") else ""
        why = f": {entry['reason']}" if entry.get("reason") else ""
        return f"{data.get('kind', 'release')} {data.get('version') or ''}".rstrip() + f" opened{who}{why}"
    if event == "left":
        return f"{stage} done{took}"
    if event == "failed":
        return f"{stage or 'release'} failed{took}: {entry.get('reason') or 'no reason was recorded'}"
    if event == "closed":
        reason = f": {entry['reason']}" if entry.get("reason") else ""
        return f"closed as {str(entry.get('outcome')).replace('_', ' ')}{took}{reason}"
    if event == "noted" and entry.get("name") in ("issue", "rollback"):
        return _noted(str(entry["name"]), data)
    if event == "noted" and (found := triggers_of([[entry]])):
        return f"trigger {found[0]['trigger']} fired: {found[0]['reason']}"
    # The beginning of a stage is the end of the one before.
    return ""


def _noted(name: str, data: Mapping[str, Any]) -> str:
    if name == "issue":
        return str(data.get("message") or "")
    to = data.get("to") or "what served before"
    proof = "verified" if data.get("verified") else "NOT verified"
    return f"back to {to} by level {data.get('level')}, {proof}"


def logs(hosts: Iterable[Mapping[str, Any]], release: str) -> Iterator[tuple[str, str, list[str]]]:
    """Return the last lines that processes wrote around a failure, as (host, what failed and its process, lines)."""
    for host in hosts:
        for entry in host.get("entries") or []:
            if entry["event"] != "failed" or not belongs(entry, release):
                continue
            evidence = entry.get("data") or {}
            for one in evidence.get("logs") or []:
                lines = [str(line) for line in one.get("lines") or []]
                if lines:
                    yield host["host"], f"{entry.get('stage')}, {one.get('id')}", lines[-LOG_LINES:]


def render_post_mortem(report: Mapping[str, Any], hosts: Sequence[Mapping[str, Any]]) -> str:
    """Return the file as Markdown. ``hosts``: what the report was built of."""
    what = " ".join(word for word in (report["application"], report["to"]) if word)
    lines = [
        f"# Post-mortem: {cell(what)}, {report['outcome'].replace('_', ' ')}",
        "",
        f"{cell(headline(report))}.",
        "",
    ]
    lines += [f"- {name}: {cell(text)}" for name, text in _facts(report)]
    lines += ["", "## What happened", ""]
    began = report["started"]
    lines += table(
        ["Time (UTC)", "After", "Host", "What"],
        [
            [time, seconds_text(seconds_between(began, time)), host, text]
            for time, host, text in timeline(hosts, report["release_id"])
        ],
    )
    lines += _decided(report) + _cost(report)
    for host, whose, written in logs(hosts, report["release_id"]):
        fence = _fence(written)
        lines += ["", f"## Log of {cell(whose)} on {cell(host)}", "", fence, *written, fence]
    for title, hints in _BLANKS:
        lines += ["", f"## {title}", "", *(f"<!-- {hint} -->" for hint in hints)]
        if title == "What is changed":
            lines += table(["What", "Who", "Until"], [["", "", ""]])
    return "\n".join(lines).rstrip() + "\n"


def _facts(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "Release", report["release_id"]
    yield "Environment", report["environment"] or "unknown"
    yield "Operator", report.get("operator") or "unknown"
    yield "Hosts", list_text(host["host"] for host in report["hosts"])
    yield "Report", f"{report['release_id']}.html, beside this file"
    meeting = parse_time(report["ended"]) + timedelta(hours=MEETING_HOURS)
    yield "Meeting", f"until {meeting:%Y-%m-%d %H:%M} UTC, {MEETING_HOURS} hours after the end"


def _decided(report: Mapping[str, Any]) -> list[str]:
    """What made it a failure: the error, the triggers that fired, and what the gates have measured."""
    said, measured = [], []
    if report["error"]:
        where = f"Stage {report['error']['stage']}" if report["error"].get("stage") else "The release"
        said = ["", f"{cell(where)} on {cell(report['error']['host'])}: {cell(report['error']['message'])}"]
    bad = [gate for gate in report["gates"] if gate["verdict"] not in ("green", None)]
    if bad:
        measured = [
            "",
            *table(
                ["Check", "Stage", "Host", "Verdict", "Value", "Bound", "Why"],
                [
                    [
                        gate["check"],
                        gate["stage"],
                        gate["host"],
                        gate["verdict"],
                        value_text(gate["value"], gate.get("unit")),
                        threshold_text(gate),
                        gate.get("reason") or gate_text(gate),
                    ]
                    for gate in bad
                ],
            ),
        ]
    asked = f"It was asked for: {cell(report['reason'])}" if report.get("reason") else "No measurement: a person has."
    fired = ["", *(f"- {cell(trigger_text(one))}" for one in report["triggers"])] if report.get("triggers") else []
    return ["", "## What decided it", *(said + fired + measured or ["", asked])]


def _cost(report: Mapping[str, Any]) -> list[str]:
    """What visitors and data have lost by it, as far as it was measured."""
    found = []
    if report["requests"]:
        probe = report["requests"]
        gap = number_text(probe["longest_gap_ms"])
        found.append(
            f"{lost(probe):,} of {count_text(probe['sent'], 'request')} of the prober failed; "
            f"the longest gap between good answers was {gap} ms."
        )
    if report["rollback"] and report["rollback"].get("seconds") is not None:
        found.append(f"The way back took {seconds_text(report['rollback']['seconds'])}.")
    found += [
        f"Table {loss['table']}: {loss_words(loss)}; newest {newest_text(loss) or 'unknown'}."
        for loss in (report.get("restore") or {}).get("losses") or []
    ]
    return ["", "## What it cost", "", *(f"- {cell(text)}" for text in found or ["Nothing of it was measured."])]


def _fence(lines: Iterable[str]) -> str:
    """Return a fence that none of the lines can close."""
    longest = max((len(found) for line in lines for found in re.findall("`+", line)), default=0)
    return "`" * max(3, longest + 1)

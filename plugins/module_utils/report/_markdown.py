# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils.report._trigger import trigger_text
from ansible_collections.sluice.release.plugins.module_utils.report._watch import (
    decision_text,
    finding_text,
    ticks_text,
    verdict_text,
    watch_headline,
)
from ansible_collections.sluice.release.plugins.module_utils.report._words import (
    budget_text,
    copy_text,
    count_text,
    figures,
    gate_text,
    headline,
    loss_words,
    lost,
    maintenance_text,
    newest_text,
    number_text,
    seconds_text,
    still_pending,
    threshold_text,
    value_text,
    warming_text,
)


def cell(text: Any) -> str:
    """Return text for a table's cell: one line, nothing that Markdown would act on."""
    flat = " ".join(str(text).split())
    # An underscore inside a word is only an underscore, and names of checks are full of them.
    return re.sub(r"[\\`*<>|\[\]]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", lambda match: "\\" + match.group(0), flat)


def table(head: list[str], rows: list[list[Any]]) -> list[str]:
    """Return the lines of a table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join(" --- " for _column in head) + "|"]
    return lines + ["| " + " | ".join(cell(value) for value in row) + " |" for row in rows]


def render_markdown(report: Mapping[str, Any]) -> str:
    """Return the report as Markdown: what a chat, a ticket or a terminal shows."""
    several = len(report["hosts"]) > 1
    what = cell(report["to"] or report.get("kind") or "")
    lines = [f"# {cell(report['application'])} {what}: {report['outcome'].replace('_', ' ')}", ""]
    lines += [f"{cell(headline(report))}.", ""]
    facts = [
        ("Release", report["release_id"]),
        ("Environment", report["environment"]),
        *([("From", report["from"] or "nothing"), ("To", report["to"])] if report["to"] else []),
        ("Verdict", report["verdict"] or "not measured"),
        ("Started", report["started"]),
        ("Took", seconds_text(report["seconds"])),
        ("Operator", report.get("operator") or "unknown"),
        ("Hosts", ", ".join(host["host"] for host in report["hosts"])),
    ]
    lines += [f"- {name}: {cell(value)}" for name, value in facts]
    if report["error"]:
        error = report["error"]
        where = [f"stage {error['stage']}" if error.get("stage") else "", f"on {error['host']}" if several else ""]
        lines += ["", f"## What went wrong: {cell(' '.join(word for word in where if word))}".rstrip(": ")]
        lines += ["", "> " + cell(error["message"])]
    lines += ["", "## Stages", ""]
    lines += table(
        ["Stage", *(["Host"] if several else []), "Outcome", "Seconds", "Budget"],
        [
            [
                stage["name"],
                *([stage["host"]] if several else []),
                stage["outcome"],
                "" if stage["seconds"] is None else f"{stage['seconds']:.1f}",
                budget_text(stage["budget_seconds"]) if stage["budget_seconds"] else "",
            ]
            for stage in report["stages"]
        ],
    )
    if report["gates"]:
        lines += ["", "## Gates", ""]
        lines += table(
            ["Check", "Stage", *(["Host"] if several else []), "Verdict", "Value", "Bound", "Samples"],
            [
                [
                    gate["check"],
                    gate["stage"],
                    *([gate["host"]] if several else []),
                    gate["verdict"],
                    value_text(gate["value"], gate.get("unit")),
                    threshold_text(gate),
                    gate["samples"],
                ]
                for gate in report["gates"]
            ],
        )
    lines += _flows(report["gates"], several) + _boxes(report)
    if report["issues"]:
        lines += ["", "## Worth knowing", "", *(f"- {cell(issue)}" for issue in report["issues"])]
    return "\n".join(lines) + "\n"


def _flows(gates: list[Mapping[str, Any]], several: bool) -> list[str]:
    """The steps of the flows that did not pass; of the others the gates say enough."""
    lines: list[str] = []
    for gate in gates:
        bad = [step for step in gate.get("steps") or [] if step["outcome"] == "failed"]
        if not bad or gate["verdict"] == "green":
            continue
        where = f" on {cell(gate.get('host'))}" if several else ""
        lines += ["", f"Flow {cell(gate['check'])}{where}:", ""]
        lines += [f"- {cell(step['name'])}: {cell('; '.join(step.get('failures') or []))}" for step in bad]
    return lines


def _boxes(report: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    probe, backup, rollback = report["requests"], report["backup"], report["rollback"]
    if probe:
        failed = f"{lost(probe):,} of {count_text(probe['sent'], 'request')} failed"
        failed += f", {probe['unserved']:,} more before anything served" if probe.get("unserved") else ""
        gap = f"the longest gap between good answers was {number_text(probe['longest_gap_ms'])} ms"
        lines += ["", "## Requests", "", f"{failed}; {gap}."]
    if backup:
        proof = "verified" if backup["verified"] else "NOT verified"
        parts = [f"`{backup['id']}`", proof]
        if backup.get("tables") is not None:
            parts.append(count_text(backup["tables"], "table"))
        parts += figures(backup)
        lines += ["", "## Backup", "", ", ".join(parts) + "."]
        copies = [f"- Copy in `{copy['to']}`: {copy_text(copy)}" for copy in backup.get("copies") or []]
        lines += ["", *copies] if copies else []
    lines += _restore(report.get("restore")) + _drill(report.get("drill")) + _migration(report.get("migration"))
    if report.get("warming"):
        told = [f"- {cell(one['host'])}: {cell(warming_text(one))}" for one in report["warming"]]
        lines += ["", "## Warming", "", *told]
    lines += _settings(report.get("settings"))
    if report.get("maintenance"):
        told = [f"- {one['time']} {cell(one['host'])}: {cell(maintenance_text(one))}" for one in report["maintenance"]]
        lines += ["", "## Maintenance", "", *told]
    if report.get("triggers"):
        lines += ["", "## Triggers", "", *(f"- {cell(trigger_text(one))}" for one in report["triggers"])]
    lines += _rollback_drill(report.get("rollback_drill"))
    lines += _watch(report.get("watch"), several=len(report["hosts"]) > 1)
    if rollback:
        red = [gate_text(gate) for gate in report["gates"] if gate["verdict"] == "red"]
        proof = "verified" if rollback.get("verified") else "NOT verified"
        back = cell(rollback["to"] or "what served before")
        lines += ["", "## Rollback", ""]
        lines += [f"Level {rollback['level']} to {back} in {seconds_text(rollback['seconds'])}, {proof}."]
        lines += [f"Because of {cell('; '.join(dict.fromkeys(red)))}."] if red else []
    return lines


def _restore(restore: Mapping[str, Any] | None) -> list[str]:
    if not restore:
        return []
    lines = ["", "## Restore", ""]
    of = f"backup `{restore['backup_id']}` of {restore.get('created')} as database `{restore['database']}`"
    if not restore["confirmed"]:
        lines.append(f"Refused, for nobody has confirmed it: {of}.")
    else:
        kept = f"; what it replaced is kept as `{restore['replaced']}`" if restore.get("replaced") else ""
        lines.append(", ".join([f"Restored {of}", *figures(restore)]) + f"{kept}.")
    if not restore["losses"]:
        return [*lines, "", "Nothing was written since."]
    rows = [[loss["table"], loss_words(loss), newest_text(loss)] for loss in restore["losses"]]
    return [*lines, "", *table(["Table", "Lost" if restore["confirmed"] else "Would be lost", "Newest"], rows)]


def _drill(drill: Mapping[str, Any] | None) -> list[str]:
    if not drill:
        return []
    parts = [f"`{drill['backup_id']}`", "verified" if drill["verified"] else "NOT verified"]
    if drill.get("age_hours") is not None:
        parts.append(f"{drill['age_hours']:.1f} h old")
    if drill.get("tables") is not None:
        parts.append(count_text(drill["tables"], "table"))
    expected = ["A restore takes about as long."] if drill["verified"] else []
    return ["", "## Drill", "", " ".join([", ".join([*parts, *figures(drill)]) + ".", *expected])]


def _rollback_drill(drill: Mapping[str, Any] | None) -> list[str]:
    if not drill:
        return []
    where = "where the application runs" if drill["place"] == "here" else "at a shadow beside the application"
    rows = [
        [
            level["level"],
            level["to"],
            seconds_text(level["seconds"]) if level["seconds"] is not None else "not carried through",
            seconds_text(level["budget_seconds"]),
            ", ".join(f"{step} {seconds_text(seconds)}" for step, seconds in level["steps"].items()),
            level["missed"] or "met",
        ]
        for level in drill["levels"]
    ]
    head = ["Level", "To", "Took", "Budget", "Steps", "Result"]
    return ["", "## Rollback drill", "", f"Drilled {where}.", "", *table(head, rows)]


def _settings(settings: Mapping[str, Any] | None) -> list[str]:
    if not settings:
        return []
    on = ", ".join(settings["active"]) or "no toggle"
    lines = ["", "## Settings", "", f"On afterwards: {cell(on)}."]
    rows = [[one["name"], _value(one["was"]), _value(one["is"])] for one in settings["changes"]]
    return [*lines, "", *table(["Variable", "Was", "Is"], rows)] if rows else [*lines, "", "No variable has changed."]


def _value(value: str | None) -> str:
    return "not set" if value is None else value


def _watch(watch: Mapping[str, Any] | None, *, several: bool) -> list[str]:
    if not watch:
        return []
    lines = ["", "## Watch", "", f"{watch_headline(watch)}.", ""]
    rows = [
        [w["window"], *([w["host"]] if several else []), verdict_text(watch, w), w["state"], ticks_text(w)]
        for w in watch["windows"]
    ]
    lines += table(["Window", *(["Host"] if several else []), "Verdict", "State", "Ticks"], rows)
    found = [f"{f['host']}: {finding_text(f)}" if several else finding_text(f) for f in watch["findings"]]
    found += [decision_text(decision) for decision in watch.get("decisions") or []]
    return [*lines, *([""] if found else []), *(f"- {cell(text)}" for text in found)]


def _migration(migration: Mapping[str, Any] | None) -> list[str]:
    if not migration or not any(migration.get(key) for key in ("pending_before", "reverted", "not_reverted")):
        return []
    named = {
        "Applied": migration.get("applied"),
        "Still pending": still_pending(migration),
        "Taken back": migration.get("reverted"),
    }
    lines = [f"- {word}: {cell(', '.join(names))}" for word, names in named.items() if names]
    if migration.get("not_reverted"):
        lines.append(f"- Not taken back, so a backup was restored: {cell(migration['not_reverted'])}")
    for one in (migration.get("blocking") or {}).get("sessions") or []:
        who = f"session {one['pid']} ({', '.join(filter(None, [one.get('user'), one.get('application')]))})"
        side = f"{who} waited for it" if one.get("waits_for") == "migration" else f"it waited for {who}"
        lines.append(f"- Lock: {cell(side)} for {seconds_text(one['seconds'])} or longer")
    rows = migration.get("rows")
    if rows:
        lines.append(f"- Rows: {rows['before']:,} before, {rows['after']:,} after")
    return ["", "## Migration", "", *lines]

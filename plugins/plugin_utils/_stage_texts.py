# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a release, a stage or a failed task has to say for itself, in a few words: the texts of the callback's lines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils.report._words import (
    budget_text,
    bytes_text,
    count_text,
    gate_text,
    list_text,
    seconds_text,
    worst,
)


def way_text(came_from: str | None, version: str) -> str:
    """Return which way a release goes, as its first line says it. A rollback finds out later where it goes."""
    if came_from and not version:
        return f"from {came_from}"
    return f"{came_from} -> {version}" if came_from and came_from != version else version


def stage_detail(stage: str, evidence: Mapping[str, Any]) -> str:
    """Return what a stage that succeeded has found or done, in a few words; '' when there is nothing to say."""
    teller = _DETAILS.get(stage)
    if teller is not None and (text := teller(evidence)):
        return text
    return _gate_detail(evidence)


def failure_detail(evidence: Mapping[str, Any]) -> str:
    """Return which checks a stage failed on, as its gates tell; '' for any other failure."""
    gates = [gate for gate in evidence.get("gates") or [] if isinstance(gate, Mapping)]
    bad = [gate for gate in gates if gate.get("verdict") == "red"]
    if not bad:
        return ""
    more = f"; and {count_text(len(bad) - 1, 'more check')}" if len(bad) > 1 else ""
    return f"red: {gate_text(bad[0])}{more}"


def rollback_detail(data: Mapping[str, Any]) -> str:
    """Return where a rollback led: `level 2 to 1.1.0`."""
    level = f"level {data['level']}" if data.get("level") else "taken back"
    if data.get("to") is None:
        return f"{level} to nothing, as before" if data.get("verified") else f"{level}: NOT taken back"
    return f"{level} to {data['to']}" + ("" if data.get("verified", True) else ", NOT verified")


def trigger_detail(data: Mapping[str, Any]) -> str:
    """Return which trigger has fired and what it leads to."""
    fired = f"Trigger {data['trigger']} has fired"
    if data.get("action") == "rollback":
        return f"{fired}: back by level {data.get('level')}"
    return f"{fired}, which is only recorded, for {data.get('why')}"


def drill_lines(data: Mapping[str, Any]) -> list[tuple[bool, str, str]]:
    """Return for each level of a drill whether it was good enough, what it took, and of what that consists."""
    lines = []
    for level, seconds in (data.get("levels") or {}).items():
        steps = ", ".join(
            f"{step} {seconds_text(took)}" for step, took in ((data.get("steps") or {}).get(level) or {}).items()
        )
        missed = (data.get("missed") or {}).get(level)
        budget = (data.get("budgets") or {}).get(level)
        limit = f" of {budget_text(float(budget))}" if budget else ""
        took = f"{seconds_text(seconds)}{limit}" if seconds is not None else "-"
        lines.append((missed is None, f"level {level}  {took}", str(missed) if seconds is None else steps))
    return lines


def _gate_detail(evidence: Mapping[str, Any]) -> str:
    gates = [gate for gate in evidence.get("gates") or [] if isinstance(gate, Mapping)]
    verdict = evidence.get("verdict") or worst([gate.get("verdict") for gate in gates])
    if verdict is None:
        return _score(evidence)
    doubtful = [gate_text(gate) for gate in gates if gate.get("verdict") in ("yellow", "pending")]
    parts = [f"{verdict}: {doubtful[0]}" if doubtful else str(verdict), _score(evidence)]
    if gates:
        parts.append(count_text(len(gates), "check"))
    return ", ".join(part for part in parts if part)


def _score(evidence: Mapping[str, Any]) -> str:
    score = evidence.get("score")
    return f"score {score:g}" if isinstance(score, (int, float)) else ""


def _preflight_detail(evidence: Mapping[str, Any]) -> str:
    groups = [group for group in evidence.get("groups") or [] if isinstance(group, Mapping)]
    if not groups:
        return ""
    waived = [name for group in groups for name in group.get("waived") or ()]
    good = sum(bool(group.get("passed")) for group in groups)
    parts = [_score(evidence), f"{good} of {count_text(len(groups), 'group')}"]
    return ", ".join(part for part in [*parts, f"waived: {list_text(waived)}" if waived else ""] if part)


def _backup_detail(evidence: Mapping[str, Any]) -> str:
    backup = evidence.get("backup")
    if not isinstance(backup, Mapping):
        return ""
    tables = backup.get("tables")
    count = tables if isinstance(tables, int) else len(tables or ())
    parts = [count_text(count, "table")]
    if isinstance(backup.get("bytes"), (int, float)):
        parts.append(bytes_text(backup["bytes"]))
    verified = backup.get("verified")
    level = verified if isinstance(verified, str) else backup.get("level")
    proof = f"verified by {level}" if level else "verified"
    parts.append(proof if verified else "NOT verified")
    return ", ".join(parts)


def _artifact_detail(evidence: Mapping[str, Any]) -> str:
    artifact = evidence.get("artifact")
    if not isinstance(artifact, Mapping):
        return ""
    return f"{artifact.get('id', '')}{'' if evidence.get('changed', True) else ', built before'}"


def _migrate_detail(evidence: Mapping[str, Any]) -> str:
    applied = evidence.get("applied")
    if isinstance(applied, (list, tuple)):
        return count_text(len(applied), "migration") if applied else "nothing to migrate"
    return ""


def _switch_detail(evidence: Mapping[str, Any]) -> str:
    instances = [instance for instance in evidence.get("instances") or [] if isinstance(instance, Mapping)]
    if not instances:
        return ""
    slowest = max((instance.get("ready_seconds") or 0 for instance in instances), default=0)
    ready = sum(bool(instance.get("ready")) for instance in instances)
    text = f"{ready} of {count_text(len(instances), 'worker')} ready"
    return f"{text}, slowest after {seconds_text(slowest)}" if slowest else text


def _rollback_stage_detail(evidence: Mapping[str, Any]) -> str:
    target = evidence.get("target")
    if not isinstance(target, Mapping) or not evidence.get("level"):
        return ""
    config = f" with config {(target.get('config') or {}).get('version')}" if str(evidence["level"]) == "1" else ""
    return f"level {evidence['level']} to {target.get('version')}{config}"


def _return_detail(evidence: Mapping[str, Any]) -> str:
    return f"to {evidence['to']}, which serves again" if evidence.get("to") else ""


def _finish_detail(evidence: Mapping[str, Any]) -> str:
    return str(evidence.get("line") or "")


_DETAILS = {
    "finish": _finish_detail,
    "preflight": _preflight_detail,
    "backup": _backup_detail,
    "artifact": _artifact_detail,
    "migrate": _migrate_detail,
    "switch": _switch_detail,
    "rollback": _rollback_stage_detail,
    "return": _return_detail,
}


def failure_message(result: Mapping[str, Any]) -> str:
    """Return what a failed task has to say: its message, those of its items, and the end of what a command printed."""
    items = [item for item in result.get("results") or [] if isinstance(item, Mapping) and item.get("failed")]
    if items:
        return "\n".join(dict.fromkeys(failure_message(item) for item in items))
    message = result.get("msg") or result.get("censored") or result.get("reason") or "the task failed without a message"
    lines = [str(message).strip()]
    if result.get("rc"):
        # Only a command has a return code of its own; what it printed says more than `non-zero return code`.
        said = str(result.get("stderr") or result.get("stdout") or "").strip().splitlines()
        lines += [re.sub(r"\s+$", "", line) for line in said[-5:]]
    return "\n".join(lines)

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the findings amount to: groups that pass or fail, and a score from 0 to 100 over the groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils.preflight import _waivers
from ansible_collections.sluice.release.plugins.module_utils.preflight._model import Finding

GROUPS = ("environment", "database", "redis", "filesystem", "rate_limiting", "cache", "notification")
"""The groups that every profile has use for, in the order that they are shown in; others follow."""

Entry = Mapping[str, Any]
"""One check of the result."""


def entry(check: Entry, finding: Finding, waiver: Mapping[str, Any] | None, today: date) -> dict[str, Any]:
    """One check with what was found. A waiver excuses a failure until its last day; from then on it blocks itself.

    It also blocks a check that has passed meanwhile: what a person has let pass has to be closed by a person.
    """
    excuse = {name: waiver[name] for name in ("person", "reason", "until")} if waiver else None
    passed, message, optional = finding.passed, finding.message, check["optional"]
    waived = False
    if waiver and _waivers.last_day(waiver) < today:
        passed = optional = False
        message += f"; the waiver by {waiver['person']} has ended on {waiver['until']}, renew it or take it away"
    elif waiver and not passed:
        waived = True
        message += f"; waived by {waiver['person']} until {waiver['until']}: {waiver['reason']}"
    return {
        "name": check["name"],
        "type": check["type"],
        "group": check["group"],
        "passed": passed,
        "optional": optional,
        "weight": check["weight"],
        "waived": waived,
        "cached": finding.cached,
        "message": message,
        "value": finding.value,
        "waiver": excuse,
    }


def blocks(found: Entry) -> bool:
    """Whether a check alone stops the release."""
    return not (found["passed"] or found["optional"] or found["waived"])


def share(entries: Sequence[Entry], weights: Sequence[float], waived: bool = False) -> float:
    """The weight of the checks that passed as a share of all, from 0 to 1; ``waived``: those count as passed."""
    earned = sum(weight for found, weight in zip(entries, weights) if found["passed"] or (waived and found["waived"]))
    return earned / sum(weights) if sum(weights) else 1.0


def result(
    checks: Sequence[Mapping[str, Any]],
    findings: Sequence[Finding],
    group_weights: Mapping[str, float] | None = None,
    waivers: Sequence[Mapping[str, Any]] = (),
    today: date | None = None,
) -> dict[str, Any]:
    """Score what was found. The checks have their names and groups by now.

    Every group counts alike unless it has a weight, and within it every check by its own weight.
    """
    excused = {waiver["item"]: waiver for waiver in waivers}
    day = today or _waivers.today()
    entries = [entry(check, finding, excused.get(check["name"]), day) for check, finding in zip(checks, findings)]
    names = list(dict.fromkeys(check["group"] for check in checks))
    names.sort(key=lambda name: GROUPS.index(name) if name in GROUPS else len(GROUPS))
    groups, scores = [], []
    for name in names:
        places = [place for place, check in enumerate(checks) if check["group"] == name]
        members, weights = [entries[place] for place in places], [checks[place]["weight"] for place in places]
        weight = (group_weights or {}).get(name, 1.0)
        scores.append((weight, share(members, weights), share(members, weights, waived=True)))
        groups.append(_group(name, weight, members, scores[-1][1]))
    return {
        "changed": False,
        "passed": not any(map(blocks, entries)),
        "score": _mean([(weight, score) for weight, score, _waived in scores]),
        "score_with_waived": _mean([(weight, score) for weight, _score, score in scores]),
        "groups": groups,
        "checks": entries,
    }


def _group(name: str, weight: float, members: Sequence[Entry], score: float) -> dict[str, Any]:
    failed = [found for found in members if not found["passed"]]
    return {
        "name": name,
        "passed": not any(map(blocks, members)),
        "score": round(100 * score, 1),
        "weight": weight,
        "checks": [found["name"] for found in members],
        "failed": [found["name"] for found in failed if not found["waived"]],
        "waived": [found["name"] for found in failed if found["waived"]],
        # The evidence in one line: of a group that is not whole, what is wrong with it.
        "message": "; ".join(f"{found['name']}: {found['message']}" for found in failed or members),
    }


def _mean(scores: Sequence[tuple[float, float]]) -> float:
    weight = sum(weight for weight, _score in scores)
    return round(100 * sum(weight * score for weight, score in scores) / weight, 1) if weight else 100.0

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""From alerting rules to the checks of a gate."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.rules._expr import Split, Whole, split
from ansible_collections.sluice.release.plugins.module_utils.rules._model import TARGET, UNIT, Rule

CRIT, WARN = "crit", "warn"

SEVERITIES: dict[str, str] = {
    "critical": CRIT,
    "crit": CRIT,
    "page": CRIT,
    "error": CRIT,
    "warning": WARN,
    "warn": WARN,
}

IMPORT_SPEC: dict[str, Any] = {
    "url": {"type": "str", "required": True},
    "path": {"type": "path"},
    "content": {"type": "str"},
    "headers": {"type": "dict", "default": {}},
    "secret_headers": {"type": "dict", "no_log": True},
    "timeout": {"type": "float", "default": 10.0},
    "validate_certs": {"type": "bool", "default": True},
    "alerts": {"type": "list", "elements": "str", "default": ["*"]},
    "groups": {"type": "list", "elements": "str", "default": ["*"]},
    "labels": {"type": "dict", "default": {}},
    "severity_label": {"type": "str", "default": "severity"},
    "severities": {"type": "dict", "default": SEVERITIES},
    "other_severities": {"type": "str", "default": "skip", "choices": [CRIT, WARN, "skip"]},
    "empty": {"type": "str", "default": "good", "choices": ["good", "no_data"]},
}


@dataclass(frozen=True)
class Wishes:
    """Which rules become checks, and of what kind."""

    url: str
    """Where the checks ask: the address of a Prometheus server."""
    alerts: Sequence[str] = ("*",)
    """Shell patterns of names."""
    groups: Sequence[str] = ("*",)
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels that a rule must carry, with shell patterns of their values."""
    severity_label: str = "severity"
    severities: Mapping[str, str] = field(default_factory=lambda: SEVERITIES)
    other_severities: str = "skip"
    """What a rule without a known severity becomes: crit, warn or skip."""
    empty: str = "good"

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Wishes:
        """From the module's parameters. Raises SluiceError when a severity means nothing."""
        for severity, level in params["severities"].items():
            if level not in (CRIT, WARN):
                cause = f"severity {severity} means {level}, it can only mean {CRIT} or {WARN}"
                raise SluiceError("make checks of alerting rules", cause, "Correct severities")
        return cls(**{name: params[name] for name in cls.__dataclass_fields__})


@dataclass
class _Draft:
    """A check in the making, from one rule or from a pair that differs in severity alone."""

    rule: Rule
    limits: dict[str, float]
    """By level."""
    found: Split | Whole
    at: dict[str, bool]
    """By level, whether a value equal to the limit is past it."""
    lines: list[int | None]
    severities: list[str]


def to_checks(rules: Sequence[Rule], wishes: Wishes) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[Any]]:
    """Return the checks, where each comes from, and the rules that became none with the reason."""
    drafts: dict[Any, _Draft] = {}
    left_out: list[dict[str, Any]] = []
    for number, rule in enumerate(rules):
        severity = rule.labels.get(wishes.severity_label, "")
        level = wishes.severities.get(severity, wishes.other_severities)
        reason = _unwanted(rule, wishes)
        if not reason and level == "skip":
            reason = f"its {wishes.severity_label} is {severity or 'not given'}, which is neither {CRIT} nor {WARN}"
        if reason:
            left_out.append({"alert": rule.alert, "group": rule.group, "line": rule.line, "reason": reason})
            continue
        draft = _draft(rule, level, severity)
        pair = drafts.get(_key(draft))
        if pair is None or not _merge(pair, draft):
            drafts[_key(draft) if pair is None else number] = draft
    checks, origins = [], []
    names: dict[str, int] = {}
    for draft in drafts.values():
        check = _check(draft, wishes)
        names[check["name"]] = times = names.get(check["name"], 0) + 1
        if times > 1:
            check["name"] += f" ({times})"
        checks.append(check)
        origins.append(_origin(check["name"], draft))
    return checks, origins, left_out


def _draft(rule: Rule, level: str, severity: str) -> _Draft:
    found = split(rule.expr)
    if isinstance(found, Whole):
        return _Draft(rule, {level: 0.0}, found, {}, [rule.line], [severity])
    return _Draft(rule, {level: found.limit}, found, {level: found.inclusive}, [rule.line], [severity])


def _unwanted(rule: Rule, wishes: Wishes) -> str:
    """Why a rule is not asked for; empty when it is."""
    if not any(fnmatchcase(rule.alert, pattern) for pattern in wishes.alerts):
        return "its name is not selected"
    if not any(fnmatchcase(rule.group, pattern) for pattern in wishes.groups):
        return "its group is not selected"
    for name, pattern in wishes.labels.items():
        if not fnmatchcase(rule.labels.get(name, ""), pattern):
            return f"its label {name} is not selected"
    return ""


def _key(draft: _Draft) -> tuple[Any, ...]:
    """What a warning and a critical rule have in common when they are one check."""
    rule, found = draft.rule, draft.found
    direction = found.direction if isinstance(found, Split) else None
    return rule.alert, rule.group, found.query, direction, rule.sustained, rule.recover


def _merge(pair: _Draft, other: _Draft) -> bool:
    """Take the other level into the pair, if one check can say both."""
    if not isinstance(pair.found, Split) or set(pair.limits) & set(other.limits):
        return False
    limits, at = {**pair.limits, **other.limits}, {**pair.at, **other.at}
    beyond = limits[WARN] - limits[CRIT]
    if pair.found.direction != "equals" and beyond * (1 if pair.found.direction == "above" else -1) > 0:
        return False
    if not _inclusive(at):
        return False
    pair.limits, pair.at = limits, at
    pair.lines += other.lines
    pair.severities += other.severities
    return True


def _inclusive(at: Mapping[str, bool]) -> list[bool | None]:
    """With which `inclusive` a check treats values equal to its limits as the rules do; the plainest first."""
    meant: dict[bool | None, dict[str, bool]] = {
        None: {CRIT: True, WARN: False},
        True: {CRIT: True, WARN: True},
        False: {CRIT: False, WARN: False},
    }
    return [option for option, levels in meant.items() if at.items() <= levels.items()]


def _check(draft: _Draft, wishes: Wishes) -> dict[str, Any]:
    rule, found = draft.rule, draft.found
    check: dict[str, Any] = {"name": rule.alert, "type": "promql", "url": wishes.url, "query": found.query}
    if isinstance(found, Whole):
        # A state knows no yellow; the number of findings does.
        check.update({"expect": "empty"} if CRIT in draft.limits else {"series": "count", WARN: 0.0})
    else:
        check.update({"direction": found.direction, **draft.limits, "empty": wishes.empty})
        if found.direction != "equals":
            inclusive = _inclusive(draft.at)[0]
            check.update({} if inclusive is None else {"inclusive": inclusive})
        check.update(_kept(rule))
    times = {"sustained": rule.sustained, "recover": rule.recover}
    return {**check, **{option: seconds for option, seconds in times.items() if seconds}}


def _kept(rule: Rule) -> Iterator[tuple[str, Any]]:
    """What Prometheus has no place for, and the export has put into annotations."""
    if UNIT in rule.annotations:
        yield "unit", rule.annotations[UNIT]
    try:
        target = float(rule.annotations.get(TARGET, ""))
    except ValueError:
        return
    if math.isfinite(target):
        yield "target", target


def _origin(name: str, draft: _Draft) -> dict[str, Any]:
    rule, found = draft.rule, draft.found
    return {
        "check": name,
        "alert": rule.alert,
        "group": rule.group,
        "lines": [line for line in draft.lines if line is not None],
        "severities": draft.severities,
        "summary": rule.annotations.get("summary") or rule.annotations.get("description") or "",
        "whole": found.reason if isinstance(found, Whole) else "",
    }

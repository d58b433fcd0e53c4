# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Does the monitoring know the alerts that the profile counts on? Asked of Prometheus, or what speaks its interface."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._http import fetch
from ansible_collections.sluice.release.plugins.module_utils._runner import redact
from ansible_collections.sluice.release.plugins.module_utils.preflight._model import Finding, Kind, Params
from ansible_collections.sluice.release.plugins.module_utils.rules._server import data_of

Rule = Mapping[str, Any]

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdwy])")


def seconds_of(text: str) -> float:
    """Read a duration as Prometheus writes it, `5m` or `1h30m`, or a number of seconds. ValueError when it is none."""
    text = text.strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not text or _PART.sub("", text):
        raise ValueError(f"{text or 'nothing'} is no duration such as 5m")
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))


def alerts(answer: Mapping[str, Any]) -> list[Rule]:
    """The alerting rules of all groups, out of the answer of /api/v1/rules."""
    groups = answer.get("groups") or []
    return [rule for group in groups for rule in group.get("rules") or [] if rule.get("type") == "alerting"]


def faults(rule: Rule, wanted: Mapping[str, Any]) -> Iterator[str]:
    """How a rule differs from what is wanted of it."""
    expression = str(rule.get("query", ""))
    # The server spells an expression its own way; only spaces differ in what a person would copy from there.
    if wanted["expr"] and "".join(str(wanted["expr"]).split()) not in "".join(expression.split()):
        yield f"its expression is {expression}, without {wanted['expr']}"
    if wanted["for"]:
        lasts = float(rule.get("duration") or 0)
        if lasts != seconds_of(wanted["for"]):
            yield f"it fires after {lasts:g} s, not after {wanted['for']}"
    if wanted["severity"]:
        severity = (rule.get("labels") or {}).get("severity")
        if severity != wanted["severity"]:
            yield f"its severity is {severity or 'not set'}, not {wanted['severity']}"
    if rule.get("health") == "err":
        yield f"it cannot be evaluated ({redact(str(rule.get('lastError') or 'no reason given'))})"


def judge(rules: Sequence[Rule], wanted: Sequence[Mapping[str, Any]]) -> Finding:
    """Judge the alerting rules of a server. Of several rules of one name, one as wanted is enough."""
    problems: list[str] = []
    for want in wanted:
        same = [rule for rule in rules if rule.get("name") == want["name"]]
        found = [list(faults(rule, want)) for rule in same]
        if not same:
            problems.append(f"{want['name']} is missing")
        elif all(found):
            problems.append(f"{want['name']}: {', '.join(found[0])}")
    value = {"wanted": len(wanted), "good": len(wanted) - len(problems), "present": len(rules)}
    good = f"{len(wanted)} alert rule{'s are' if len(wanted) > 1 else ' is'} in place"
    return Finding(not problems, "; ".join(problems) or good, value)


def look(params: Params) -> Finding:
    for rule in params["rules"]:
        try:
            seconds_of(rule["for"] or "0")
        except ValueError as error:
            return Finding(False, f"for of {rule['name']}: {error}")
    try:
        finding = judge(alerts(_ask(params, "rules?type=alert")), params["rules"])
        least = params["min_alertmanagers"]
        if least is None:
            return finding
        active = len(_ask(params, "alertmanagers").get("activeAlertmanagers") or [])
    except ValueError as error:
        return Finding(False, f"the monitoring does not tell its rules: {error}")
    value = {**finding.value, "alertmanagers": active}
    if active < least:
        reason = f"{active} Alertmanager{'s' * (active != 1)} would be told, at least {least} must be"
        return Finding(False, reason if finding.passed else f"{finding.message}; {reason}", value)
    return Finding(finding.passed, finding.message, value)


def _ask(params: Params, what: str) -> dict[str, Any]:
    """The data of one answer. ValueError with the reason why there is none."""
    url = params["url"].rstrip("/")
    answer = fetch(
        f"{url}/api/v1/{what}",
        headers={str(name): str(text) for name, text in (params["secret_headers"] or {}).items()},
        timeout=params["timeout"],
    )
    try:
        return dict(data_of(answer))
    except (TypeError, ValueError) as error:
        raise ValueError(redact(str(error), [url])) from error


KIND = Kind(
    options={
        "url": {"type": "str", "no_log": True},
        "secret_headers": {"type": "dict", "no_log": True},
        "rules": {
            "type": "list",
            "elements": "dict",
            "options": {
                "name": {"type": "str", "required": True},
                "expr": {"type": "str"},
                "for": {"type": "str"},
                "severity": {"type": "str"},
            },
        },
        "min_alertmanagers": {"type": "int"},
    },
    look=look,
    required=("url", "rules"),
    group="monitoring",
)

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""From the checks of a gate to alerting rules."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.gate._kinds import KINDS
from ansible_collections.sluice.release.plugins.module_utils.gate._model import Limits, show
from ansible_collections.sluice.release.plugins.module_utils.gate._schema import CHECK_SPEC
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._kind import word
from ansible_collections.sluice.release.plugins.module_utils.rules._expr import (
    join,
    number_text,
    operand,
    whole,
    wrapped,
)
from ansible_collections.sluice.release.plugins.module_utils.rules._model import TARGET, UNIT, duration_of

SEVERITIES = {"crit": "critical", "warn": "warning"}

_WORDS = {"crit": "critical", "warn": "warning"}

_HEADER = "# Made by sluice.release.gate_rules from the checks of a gate. A change here is lost with the next run.\n"

EXPORT_SPEC: dict[str, Any] = {
    "checks": {"type": "list", "elements": "dict", "required": True, "options": CHECK_SPEC},
    "group": {"type": "str", "required": True},
    "labels": {"type": "dict", "default": {}},
    "matchers": {"type": "dict", "default": {}},
    "least_window": {"type": "float", "default": 60.0},
    "rules_path": {"type": "path"},
    "dashboard_path": {"type": "path"},
    "title": {"type": "str"},
}


@dataclass(frozen=True)
class Setting:
    """What the checks do not know and Prometheus needs."""

    group: str
    labels: Mapping[str, str] = field(default_factory=dict)
    """More labels of every rule."""
    matchers: Mapping[str, str] = field(default_factory=dict)
    """More labels of every metric of an application's own page, which Prometheus has from many applications."""
    least_window: float = 60.0
    """Seconds that a rate looks back at least; less than four scrapes makes gaps."""


class Watched(NamedTuple):
    """A check as Prometheus sees it."""

    name: str
    query: str
    """Yields what the gate measures."""
    limits: Limits
    unit: str
    finding: str | None = None
    """The query of which every series is a finding, of a check without limits."""


def watched(check: Mapping[str, Any], setting: Setting) -> Watched | str:
    """The check as Prometheus sees it, or the reason why it does not. ``check``: validated parameters."""
    if check["type"] in ("prometheus", "promql"):
        _refuse(check)
    if check["type"] == "prometheus":
        query = _scaled(_metric_query(check, setting), check["scale"])
    elif check["type"] == "promql":
        query = check["query"].strip()
    else:
        return f"Prometheus does not see what a check of type {check['type']} measures"
    unit = KINDS[check["type"]].unit(check) if check["unit"] is None else check["unit"]
    limits = Limits(
        direction=check["direction"] or KINDS[check["type"]].direction(check),
        target=check["target"],
        warn=check["warn"],
        crit=check["crit"],
        inclusive=check["inclusive"],
        sustained=check["sustained"],
        recover=check["recover"],
    )
    if check["type"] == "promql":
        if check["expect"] is not None:
            return Watched(check["name"], _counted(query), replace(limits, crit=1), unit, finding=query)
        if _counts_any(check):
            return Watched(check["name"], _counted(query), limits, unit, finding=query)
        query = query if check["series"] == "worst" else f"{check['series']}{wrapped(query)}"
        query = _scaled(query, 1 if check["series"] == "count" else check["scale"])
    if limits.crit is None and limits.warn is None:
        return "it has neither crit nor warn of its own"
    return Watched(check["name"], query, limits, unit)


def _refuse(check: Mapping[str, Any]) -> None:
    """Raise SluiceError when the check makes no sense: a rule made of it would make none either."""
    problems = list(KINDS[check["type"]].problems(check, {}))
    numbers = ("target", "warn", "crit", "scale", "window", "sustained", "recover")
    problems += [f"{name} is no finite number" for name in numbers if not math.isfinite(check[name] or 0)]
    if problems:
        told = "; ".join(f"{check['name']}: {problem}" for problem in problems)
        raise SluiceError("make alerting rules", told, "Correct them in the profile")


def _counts_any(check: Mapping[str, Any]) -> bool:
    """Whether a check warns of any series at all, as an imported alert that is no comparison does."""
    given = {option: check[option] for option in ("target", "warn", "crit") if check[option] is not None}
    return (
        check["series"] == "count"
        and given == {"warn": 0}
        and not check["inclusive"]
        and check["direction"] in (None, "above")
    )


def rules_of(checks: Sequence[Watched], setting: Setting) -> dict[str, Any]:
    """The rule file as data: a rule for each limit that Prometheus can watch."""
    for name in setting.labels:
        if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name):
            raise SluiceError("make alerting rules", f"{name} is no name of a label", "Correct it in labels")
    return {"groups": [{"name": setting.group, "rules": [rule for check in checks for rule in _rules(check, setting)]}]}


def _rules(check: Watched, setting: Setting) -> Iterator[dict[str, Any]]:
    limits = check.limits
    for level, limit, inclusive in (("crit", limits.crit, limits.at_crit), ("warn", limits.warn, limits.at_warn)):
        if limit is None:
            continue
        if check.finding is not None:
            expression = whole(check.finding)
        else:
            expression = join(check.query, limits.direction, limit, inclusive=inclusive)
        rule: dict[str, Any] = {"alert": check.name, "expr": expression}
        if limits.sustained:
            rule["for"] = duration_of(limits.sustained)
        if limits.recover:
            rule["keep_firing_for"] = duration_of(limits.recover)
        rule["labels"] = {**{name: str(value) for name, value in setting.labels.items()}, "severity": SEVERITIES[level]}
        rule["annotations"] = dict(_annotations(check, level, limit, inclusive=inclusive))
        yield rule


def _annotations(check: Watched, level: str, limit: float, *, inclusive: bool) -> Iterator[tuple[str, str]]:
    unit = f" {check.unit}" if check.unit else ""
    side = "at" if check.limits.direction == "equals" else f"{'at or ' * inclusive}{check.limits.direction}"
    text = f"{{{{ $value }}}}{unit}, {_WORDS[level]} {side} {show(limit, check.unit)}"
    if check.finding is not None:
        text = "its query has found something"
    # What looks like a template in a name would be evaluated.
    yield "summary", f"{check.name.replace('{{', '{ {')}: {text}"
    if check.finding is None and check.unit:
        yield UNIT, check.unit
    if check.limits.target is not None:
        yield TARGET, number_text(check.limits.target)


def text_of(rules: Mapping[str, Any]) -> str:
    """The rule file as text, the same for the same rules."""
    import yaml  # the module has made sure that it is there

    return _HEADER + str(yaml.safe_dump(rules, sort_keys=False, allow_unicode=True, width=4096))


def _scaled(query: str, scale: float) -> str:
    return query if scale == 1 else f"{operand(query)} * {number_text(scale)}"


def _counted(query: str) -> str:
    return f"count{wrapped(query)} or vector(0)"


def _metric_query(check: Mapping[str, Any], setting: Setting) -> str:
    """PromQL for what a check of the type `prometheus` computes by itself."""
    window = duration_of(max(check["window"], setting.least_window))
    suffix = "_bucket" if check["aggregate"] == "quantile" else ""
    series = f"{check['metric']}{suffix}{_matchers(check['labels'], setting)}"
    if check["aggregate"] == "value":
        return f"sum({series})"
    rate = f"sum(rate({series}[{window}]))"
    if check["aggregate"] == "rate":
        return rate
    if check["aggregate"] == "quantile":
        share = f"sum by (le) (rate({series}[{window}]))"
        query = f"histogram_quantile({number_text(check['quantile'])}, {share})"
        events = f"{check['metric']}_count{_matchers(check['labels'], setting)}"
    else:
        events = f"{check['over']['metric']}{_matchers(check['over']['labels'], setting)}"
        # No error yet is a series that is not there yet: 0, and not unknown.
        query = f"100 * ({rate} or vector(0)) / sum(rate({events}[{window}]))"
    if check["min_events"] > 1:
        query = f"{query} and sum(increase({events}[{window}])) >= {check['min_events']}"
    return query


def _matchers(labels: Mapping[str, Any] | None, setting: Setting) -> str:
    pairs = [(str(name), word(value)) for name, value in {**setting.matchers, **(labels or {})}.items()]
    return "{" + ", ".join(f"{name}{_matcher(value)}" for name, value in pairs) + "}" if pairs else ""


def _matcher(value: str) -> str:
    for prefix, operator in (("!~", "!~"), ("~", "=~"), ("!", "!=")):
        if value.startswith(prefix):
            return f"{operator}{_quoted(value[len(prefix) :])}"
    return f"={_quoted(value)}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'

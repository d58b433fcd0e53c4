# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils.report import _charts
from ansible_collections.sluice.release.plugins.module_utils.report._build import parse_time
from ansible_collections.sluice.release.plugins.module_utils.report._page import STYLE, TEMPLATE
from ansible_collections.sluice.release.plugins.module_utils.report._trigger import trigger_text
from ansible_collections.sluice.release.plugins.module_utils.report._watch import (
    decision_text,
    finding_text,
    ticks_text,
    verdict_text,
    watch_headline,
)
from ansible_collections.sluice.release.plugins.module_utils.report._words import (
    VERDICTS,
    budget_text,
    bytes_text,
    copy_text,
    count_text,
    figures,
    gate_text,
    headline,
    list_text,
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
    worst,
)

try:
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    HAS_JINJA2 = True
except ImportError:
    HAS_JINJA2 = False

_OUTCOMES = {
    "succeeded": ("✔", "Succeeded", "green"),
    "rolled_back": ("↩", "Rolled back", "red"),
    "failed": ("✘", "Failed", "red"),
    "unchanged": ("=", "Unchanged", "calm"),
}

_LEVELS = {1: "configuration", 2: "code and configuration", 3: "code, configuration and database"}
_STAGE_TONES = {"succeeded": "green", "failed": "red", "unfinished": "yellow"}
_STEP_TONES = {"passed": "green", "failed": "red", "skipped": "calm"}


def render_html(report: Mapping[str, Any]) -> str:
    """Return the report as one page that needs nothing else: no script, no font, no file, no network.

    Without matplotlib the page has every figure in tables and says that it has no charts.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(
        budget=budget_text,
        bytes=bytes_text,
        copy=copy_text,
        count=count_text,
        loss=loss_words,
        maintenance=maintenance_text,
        warming=warming_text,
        lost=lost,
        newest=newest_text,
        number=number_text,
        seconds=seconds_text,
        still_pending=still_pending,
        threshold=threshold_text,
        value=value_text,
        ticks=ticks_text,
        finding=finding_text,
        decision=decision_text,
        trigger=trigger_text,
    )
    mark, outcome, tone = _OUTCOMES[report["outcome"]]
    context = {
        "r": _Lenient(report),
        "mark": mark,
        "outcome": outcome,
        "tone": tone,
        "style": Markup(STYLE),  # noqa: S704  # constant text of this file
        "headline": headline(report),
        "started": parse_time(report["started"]).strftime("%Y-%m-%d %H:%M:%S UTC"),
        "several": len(report["hosts"]) > 1,
        "tiles": _tiles(report),
        "levels": _LEVELS,
        "red": list(dict.fromkeys(gate_text(gate) for gate in report["gates"] if gate["verdict"] == "red")),
        "proof": _proof(report["backup"]),
        "backup_words": _backup_words(report["backup"]),
        "stage_tones": _STAGE_TONES,
        "step_tones": _STEP_TONES,
        "flows": [_Lenient(gate) for gate in report["gates"] if gate.get("steps")],
        "watch_headline": watch_headline(report["watch"]) if report.get("watch") else "",
        "window_verdict": verdict_text,
        "preflight_failed": any(not c.get("passed") for block in report["preflight"] for c in block["checks"]),
        "no_charts": "There are no charts: Python's matplotlib was not installed where this report was made.",
        **_pictures(report),
    }
    return environment.from_string(TEMPLATE).render(context)


class _Lenient(dict[str, Any]):
    """A mapping whose missing keys read as None, at every depth: a report may lack what came with a later version."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        super().__init__({key: _lenient(value) for key, value in data.items()})

    def __missing__(self, key: str) -> None:
        return None


def _lenient(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _Lenient(value)
    if isinstance(value, (list, tuple)):
        return [_lenient(item) for item in value]
    return value


def _pictures(report: Mapping[str, Any]) -> dict[str, Any]:
    """Draw every chart of the page; None and [] without matplotlib."""
    if not _charts.HAS_MATPLOTLIB:
        return {"timeline": None, "requests": None, "warming": None, "charts": []}
    return {
        "timeline": _picture(_charts.timeline(report)),
        "requests": _picture(_charts.requests(report)),
        "warming": _picture(_charts.warming(report)),
        "charts": _metrics(report["gates"]),
    }


def _picture(chart: _charts.Chart | None) -> dict[str, Any] | None:
    # The SVG comes out of matplotlib, which escapes the texts in it; title and description are escaped by _charts.
    return {"svg": Markup(chart.svg), "title": chart.title} if chart else None  # noqa: S704


def _metrics(gates: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one picture per check and stage, the worst first."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for gate in gates:
        groups.setdefault((gate["stage"], gate["check"]), []).append(gate)
    pictures = []
    for index, ((stage, check), group) in enumerate(groups.items()):
        picture = _picture(_charts.metric(f"metric{index}", group))
        if picture is None:
            continue
        verdict = worst([gate["verdict"] for gate in group]) or "pending"
        bad = [gate for gate in group if gate["verdict"] == verdict]
        reasons = list(dict.fromkeys(str(gate["reason"]) for gate in bad if gate.get("reason")))
        where = f" on {list_text(gate['host'] for gate in bad)}" if verdict != "green" and len(group) > 1 else ""
        picture.update(
            check=check,
            verdict=verdict,
            now=", ".join(dict.fromkeys(value_text(gate["value"], gate.get("unit")) for gate in bad[:3])),
            caption=f"stage {stage}{where}: {'; '.join(reasons) or threshold_text(bad[0])}",
        )
        pictures.append(picture)
    return sorted(pictures, key=lambda picture: -VERDICTS.index(picture["verdict"]))


def _tiles(report: Mapping[str, Any]) -> list[dict[str, str]]:
    stages = count_text(len({stage["name"] for stage in report["stages"]}), "stage")
    hosts = count_text(len(report["hosts"]), "host")
    took = seconds_text(report["seconds"])
    tiles = [{"name": "Took", "tone": "", "figure": took, "note": f"{stages} on {hosts}"}]
    verdicts = [gate["verdict"] for gate in report["gates"]]
    if verdicts:
        counts = [f"{verdicts.count(verdict)} {verdict}" for verdict in reversed(VERDICTS) if verdict in verdicts]
        tone = worst(verdicts) or ""
        tiles.append({"name": "Gates", "tone": tone, "figure": tone, "note": ", ".join(counts)})
    probe, rollback = report["requests"], report["rollback"]
    if probe:
        failed, unserved = lost(probe), probe.get("unserved")
        share = f", {number_text(100 * failed / probe['sent'])} %" if probe["sent"] and failed else ""
        share += f", {unserved:,} more before anything served" if unserved else ""
        tiles.append(
            {
                "name": "Failed requests",
                "tone": "red" if failed else "green",
                "figure": f"{failed:,}",
                "note": f"of {probe['sent']:,}{share}; longest gap {number_text(probe['longest_gap_ms'])} ms",
            }
        )
    if rollback:
        took = seconds_text(rollback["seconds"])
        tiles.append(
            {
                "name": "Rollback",
                "tone": "",
                "figure": took,
                "note": f"level {rollback['level']} to {rollback['to'] or 'before'}",
            }
        )
    elif report["backup"]:
        tone = "green" if report["backup"]["verified"] else "red"
        words = {"green": "verified", "red": "not verified"}[tone]
        tiles.append({"name": "Backup", "tone": tone, "figure": words, "note": _backup_words(report["backup"])})
    return tiles


def _proof(backup: Mapping[str, Any] | None) -> str:
    if not backup or not backup["verified"]:
        return "not verified"
    return f"verified by {backup['level']}" if backup.get("level") else "verified"


def _backup_words(backup: Mapping[str, Any] | None) -> str:
    if not backup:
        return ""
    parts = []
    if backup.get("tables") is not None:
        parts.append(count_text(backup["tables"], "table"))
    if backup.get("rows") is not None:
        parts.append(count_text(backup["rows"], "row"))
    return ", ".join([*parts, *figures(backup)])

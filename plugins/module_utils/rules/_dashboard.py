# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A Grafana dashboard of the checks of a gate: a panel for each, with its limits drawn."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils.gate._model import Limits
from ansible_collections.sluice.release.plugins.module_utils.rules._export import Watched

SCHEMA_VERSION = 39
"""Of Grafana 11. Newer ones bring it up to date when they load it."""

WIDTH, HEIGHT = 12, 8
"""Of a panel, in the 24 columns of the grid."""

# Grafana's names of units.
_UNITS = {"%": "percent", "ms": "ms", "s": "s", "B": "bytes", "MB": "decmbytes", "/s": "cps"}

_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def dashboard_of(checks: Sequence[Watched], title: str) -> dict[str, Any]:
    """The dashboard as data, the same for the same checks."""
    return {
        # The same dashboard is replaced, whichever Grafana it goes to; its number there is Grafana's own.
        "uid": hashlib.sha256(title.encode()).hexdigest()[:20],
        "id": None,
        "title": title,
        "tags": ["sluice"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "utc",
        "templating": {
            "list": [{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "annotations": {"list": []},
        "panels": [_panel(number, check) for number, check in enumerate(checks)],
    }


def text_of(dashboard: dict[str, Any]) -> str:
    """The dashboard as text."""
    return json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n"


def _panel(number: int, check: Watched) -> dict[str, Any]:
    row, column = divmod(number, 24 // WIDTH)
    unit = _UNITS.get(check.unit, f"suffix: {check.unit}" if check.unit else "short")
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": check.name,
        "description": _description(check),
        "datasource": _SOURCE,
        "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "targets": [
            {
                "refId": "A",
                "datasource": _SOURCE,
                "expr": check.query,
                "legendFormat": "__auto",
                "editorMode": "code",
                "range": True,
            }
        ],
        "fieldConfig": {
            "defaults": {
                "unit": unit,
                "custom": {"thresholdsStyle": {"mode": "line+area"}},
                "color": {"mode": "palette-classic"},
                "thresholds": {"mode": "absolute", "steps": list(_steps(check.limits))},
            },
            "overrides": [],
        },
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
    }


def _description(check: Watched) -> str:
    lasts = f"Red after {check.limits.sustained:g} s." if check.limits.sustained else "Red at once."
    return lasts if check.limits.crit is not None else "Yellow at most."


def _steps(limits: Limits) -> Iterator[dict[str, Any]]:
    """Colours from the lowest value upwards; the first one has no beginning."""
    if limits.direction == "equals":
        # A single value is no band; only the lines can be shown.
        yield {"color": "transparent", "value": None}
        lines = {limits.warn: "yellow", limits.crit: "red"}
        yield from ({"color": lines[value], "value": value} for value in sorted(x for x in lines if x is not None))
        return
    levels = [("yellow", limits.warn), ("red", limits.crit)]
    given = [(colour, value) for colour, value in levels if value is not None]
    if limits.direction == "above":
        yield {"color": "green", "value": None}
        yield from ({"color": colour, "value": value} for colour, value in given)
        return
    # Below a limit is bad: each colour ends, and the next better one begins, at its limit.
    begins: float | None = None
    for colour, value in reversed(given):
        yield {"color": colour, "value": begins}
        begins = value
    yield {"color": "green", "value": begins}

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import html
import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.sluice.release.plugins.module_utils.report._build import parse_time, seconds_between
from ansible_collections.sluice.release.plugins.module_utils.report._words import (
    count_text,
    gate_text,
    limits,
    lost,
    number_text,
    seconds_text,
    value_text,
    warming_text,
    worst,
)

try:
    from matplotlib import rc_context
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    HAS_MATPLOTLIB = True
except ImportError:
    HAS_MATPLOTLIB = False

# The page decides on colours, by its light and dark variables; matplotlib wants a colour of its own. So each variable
# is drawn in a colour that nobody would choose, and exchanged in the finished SVG.
_INK, _MUTED, _GRID, _SURFACE = "#010101", "#020202", "#030303", "#040404"
_GREEN, _YELLOW, _RED, _BLUE, _CALM = "#050505", "#060606", "#070707", "#080808", "#090909"
_SERIES = (_BLUE, "#0a0a0a", "#0b0b0b", "#0c0c0c")
_VARIABLES = {
    _INK: "--ink",
    _MUTED: "--muted",
    _GRID: "--grid",
    _SURFACE: "--surface",
    _GREEN: "--green",
    _YELLOW: "--yellow",
    _RED: "--red",
    _BLUE: "--series-1",
    _CALM: "--calm",
    _SERIES[1]: "--series-2",
    _SERIES[2]: "--series-3",
    _SERIES[3]: "--series-4",
}
_VERDICT_COLOURS = {"green": _GREEN, "yellow": _YELLOW, "pending": _YELLOW, "red": _RED}
_LIMIT_COLOURS = {"target": _GREEN, "warn": _YELLOW, "crit": _RED}
_STAGE_COLOURS = {"succeeded": _CALM, "failed": _RED, "unfinished": _YELLOW}

_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: it can be found, copied and read aloud
    "svg.hashsalt": "sluice",  # the same report draws the same bytes
    "text.parse_math": False,  # a host or check may be called anything, dollars included
    "font.size": 9,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "text.color": _INK,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.solid_capstyle": "round",
}


class Chart(NamedTuple):
    """One finished picture: inline SVG, its title, and the same in words."""

    svg: str
    title: str
    description: str


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a transparent figure of that size in inches, and its axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasSVG(figure)
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    axes.set_axisbelow(True)
    return figure, axes


def _chart(figure: Figure, key: str, title: str, description: str) -> Chart:
    """Turn a figure into SVG for the middle of a page: no prologue, unique ids, page colours, a title and a text."""
    buffer = io.StringIO()
    empty = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=empty)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].strip()
    # Its metadata name other sites, its style would hold for the whole page.
    svg = re.sub(r"<(metadata|style)\b.*?</\1>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{key}-', svg)
    svg = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{key}-", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    # Size and face of the letters: the page's face, in the size that was laid out.
    svg = re.sub(r"font-family: [^;\"]+", "font-family: inherit", svg)
    svg = re.sub(r"font: (?:\w+ )*?([\d.]+px) [^;\"]+", r"font-size: \1", svg)
    head, rest = svg.split(">", 1)
    box = re.search(r'viewBox="[^"]+"', head)
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    names = (
        f'<title id="{key}-title">{html.escape(title)}</title><desc id="{key}-desc">{html.escape(description)}</desc>'
    )
    opening = (
        f"<svg {spaces} {box.group(0) if box else ''}"
        f' class="chart" role="img" aria-labelledby="{key}-title {key}-desc">'
    )
    return Chart(opening + names + rest, title, description)


def timeline(report: Mapping[str, Any]) -> Chart | None:
    """Draw when each stage ran on each host: one row a stage, one bar a host."""
    stages = [stage for stage in report["stages"] if stage.get("started")]
    if not stages:
        return None
    names = list(dict.fromkeys(stage["name"] for stage in stages))
    hosts = [host["host"] for host in report["hosts"] if any(s["host"] == host["host"] for s in stages)]
    row = max(1.0, 0.78 * min(len(hosts), 6))
    total = max(report["seconds"], 0.1)
    with rc_context(_SETTINGS):
        figure, axes = _figure(9.6, 0.5 + 0.25 * row * len(names))
        for stage in stages:
            start = seconds_between(report["started"], stage["started"])
            width = stage["seconds"] if stage["seconds"] is not None else max(0.0, total - start)
            lane = hosts.index(stage["host"])
            thickness = 0.68 * row / len(hosts)
            bottom = names.index(stage["name"]) * row + 0.16 * row + lane * thickness
            colour = _STAGE_COLOURS.get(stage["outcome"], _MUTED)
            if stage["name"] == "rollback" and stage["outcome"] == "succeeded":
                colour = _BLUE
            # A bar of no width would not be seen at all.
            axes.broken_barh([(start, max(width, total / 400))], (bottom, thickness * 0.86), facecolors=colour)
            words = seconds_text(stage["seconds"]) if stage["seconds"] is not None else "unfinished"
            label = f"{words}  {stage['host']}" if 1 < len(hosts) <= 6 else words
            if len(hosts) <= 6:
                right = start + width + total * 0.006
                axes.text(right, bottom + thickness * 0.43, label, va="center", fontsize=8, color=_MUTED)
        for moment, verdict in _verdict_moments(report):
            axes.axvline(moment, color=_VERDICT_COLOURS[verdict], linewidth=1.1, linestyle=(0, (4, 3)))
            axes.text(
                moment, -0.12 * row, verdict, color=_VERDICT_COLOURS[verdict], ha="center", va="bottom", fontsize=8
            )
        axes.set_yticks([(i + 0.5) * row for i in range(len(names))], names)
        axes.tick_params(axis="y", labelcolor=_INK)
        axes.set_ylim(len(names) * row, -0.1 * row)
        # Room for the words beside the last bar.
        axes.set_xlim(0, total * 1.13)
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("seconds since the start", fontsize=8)
        text = "; ".join(
            f"{s['name']} on {s['host']} {s['outcome']} after {seconds_text(s['seconds'])}"
            if s["seconds"] is not None
            else f"{s['name']} on {s['host']} unfinished"
            for s in stages
        )
        return _chart(figure, "timeline", f"Stages of {report['release_id']} over time", f"{text}.")


def _verdict_moments(report: Mapping[str, Any]) -> list[tuple[float, str]]:
    """Return the second and the verdict of each gate that did not end green; one per stage, the worst of its hosts."""
    moments: dict[str, tuple[float, str]] = {}
    for gate in report["gates"]:
        if gate["verdict"] in ("red", "yellow") and gate.get("started") and gate.get("seconds") is not None:
            moment = seconds_between(report["started"], gate["started"]) + gate["seconds"]
            known = moments.get(gate["stage"])
            verdict = worst([gate["verdict"], known[1] if known else None])
            moments[gate["stage"]] = (max(moment, known[0]) if known else moment, str(verdict))
    return list(moments.values())


def metric(key: str, gates: Sequence[Mapping[str, Any]]) -> Chart | None:
    """Draw one gated metric over its window: a line a host, its target, warning and critical bounds, its verdict.

    ``gates``: the same check of the same stage on each host. None when it left no series of numbers.
    """
    drawn = [(gate, points) for gate in gates for points in [_points(gate)] if points]
    if not drawn:
        return None
    first = drawn[0][0]
    unit = first.get("unit")
    verdict = worst([gate["verdict"] for gate in gates]) or "pending"
    bounds = limits(first)
    values = [value for _gate, points in drawn for _t, value in points if not math.isnan(value)]
    low, high = min([0.0, *values, *bounds.values()]), max([*values, *bounds.values()])
    span = (high - low) or 1.0
    top = high + span * (0.24 if len(drawn) > 1 else 0.14)
    end = max([t for _gate, points in drawn for t, _v in points] + [gate.get("seconds") or 0 for gate, _p in drawn])
    end = end or 1.0
    with rc_context(_SETTINGS):
        figure, axes = _figure(5.4, 2.5)
        if "crit" in bounds and first.get("direction") != "equals":
            beyond = (low - span, bounds["crit"]) if first.get("direction") == "below" else (bounds["crit"], top + span)
            axes.axhspan(*beyond, color=_RED, alpha=0.07, linewidth=0)
        for name, value in bounds.items():
            axes.axhline(value, color=_LIMIT_COLOURS[name], linewidth=1, linestyle=(0, (5, 3)))
        _name_bounds(axes, bounds, span)
        for index, (gate, points) in enumerate(drawn):
            times, heights = zip(*points)
            colour = _SERIES[index % len(_SERIES)]
            dots = "o" if len(points) <= 40 else ""
            axes.plot(times, heights, color=colour, linewidth=1.7, marker=dots, markersize=2.6, label=gate.get("host"))
        moment = max((gate.get("seconds") or 0 for gate, _p in drawn if gate["verdict"] == verdict), default=0)
        if moment:
            axes.axvline(moment, color=_VERDICT_COLOURS.get(verdict, _RED), linewidth=1.4)
            axes.annotate(
                f"{verdict} at {seconds_text(moment)}",
                (moment, 1),
                xycoords=("data", "axes fraction"),
                xytext=(-4, -3),
                textcoords="offset points",
                ha="right",
                va="top",
                fontsize=8,
                fontweight="bold",
                color=_VERDICT_COLOURS.get(verdict, _RED),
            )
        if len(drawn) > 1:
            axes.legend(loc="upper left", frameon=False, fontsize=8, labelcolor=_MUTED, ncols=len(drawn), borderpad=0)
        axes.set_xlim(0, end * 1.005)
        axes.set_ylim(low - (span * 0.03 if low < 0 else 0), top)
        axes.yaxis.set_major_locator(_few_ticks())
        axes.grid(axis="y")
        axes.set_xlabel("seconds of the window", fontsize=8)
        axes.set_ylabel(unit or "", fontsize=8)
        words = "; ".join(
            f"{gate_text(gate)}, verdict {gate['verdict']}" + (f" on {gate['host']}" if gate.get("host") else "")
            for gate in gates
        )
        described = f"{words}. Between {value_text(min(values), unit)} and {value_text(max(values), unit)}"
        return _chart(figure, key, f"{first['check']} in stage {first.get('stage')}", f"{described}.")


def _points(gate: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Return the samples of a gate; NaN where one is missing, so that no line is drawn over what nobody saw.

    A state has no curve, and neither has a check that never had data.
    """
    if gate.get("direction") == "state":
        return []
    points = [
        (float(t), float(v) if isinstance(v, (int, float)) and not isinstance(v, bool) else math.nan)
        for t, v in gate.get("series") or []
    ]
    return points if any(not math.isnan(value) for _t, value in points) else []


def _few_ticks(*, integer: bool = False) -> MaxNLocator:
    return MaxNLocator(nbins=5, min_n_ticks=1 if integer else 3, integer=integer)


def _name_bounds(axes: Axes, bounds: Mapping[str, float], span: float) -> None:
    """Write the names of the bounds right of the picture; bounds that lie close share a line."""
    groups: list[list[str]] = []
    for name in sorted(bounds, key=lambda name: bounds[name]):
        if groups and bounds[name] - bounds[groups[-1][0]] < span * 0.09:
            groups[-1].append(name)
        else:
            groups.append([name])
    for group in groups:
        last = max(group, key=list(_LIMIT_COLOURS).index)
        text = " ".join(f"{name} {number_text(bounds[name])}" for name in group)
        axes.annotate(
            text,
            (1, sum(bounds[name] for name in group) / len(group)),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=_LIMIT_COLOURS[last],
            annotation_clip=False,
        )


def requests(report: Mapping[str, Any]) -> Chart | None:
    """Draw what the prober was answered, second by second: good below, failed in red on top, unserved in grey."""
    probe = report.get("requests") or {}
    series = probe.get("series") or []
    if not series:
        return None
    times = [row[0] for row in series]
    early = [row[3] if len(row) > 3 else 0 for row in series]
    good, bad = [row[1] for row in series], [row[2] - none for row, none in zip(series, early)]
    with rc_context(_SETTINGS):
        figure, axes = _figure(9.6, 1.35)
        axes.bar(times, good, width=0.84, align="edge", color=_CALM, linewidth=0)
        axes.bar(times, bad, width=0.84, align="edge", bottom=good, color=_RED, linewidth=0)
        stacked = [g + b for g, b in zip(good, bad)]
        axes.bar(times, early, width=0.84, align="edge", bottom=stacked, color=_MUTED, linewidth=0)
        for moment, name in _stage_starts(report, probe):
            if 0 <= moment <= max(times):
                axes.axvline(moment, color=_MUTED, linewidth=0.9, linestyle=(0, (2, 2)))
                axes.annotate(
                    name, (moment, 1), xycoords=("data", "axes fraction"), xytext=(3, 0), textcoords="offset points",
                    va="top", fontsize=8, color=_MUTED,
                )  # fmt: skip
        axes.set_xlim(min(times), max(times) + 1)
        axes.set_ylim(0, max(1, *(row[1] + row[2] for row in series)) * 1.3)
        axes.yaxis.set_major_locator(_few_ticks(integer=True))
        axes.grid(axis="y")
        axes.set_xlabel("seconds of the probe", fontsize=8)
        axes.set_ylabel("requests/s", fontsize=8)
        worst_second = max(range(len(bad)), key=bad.__getitem__)
        text = (
            f"{count_text(probe['sent'], 'request')} sent, {lost(probe)} failed."
            + (f" Another {probe['unserved']} failed before anything served." if probe.get("unserved") else "")
            + (f" Most failed in second {times[worst_second]:g}: {bad[worst_second]}." if any(bad) else "")
            + f" The longest gap between good answers was {number_text(probe['longest_gap_ms'])} ms."
        )
        return _chart(figure, "requests", "Requests answered while the release ran", text)


def warming(report: Mapping[str, Any]) -> Chart | None:
    """Draw how long answers took while caches were filled, as the first visitors would have waited, and take since.

    One line for each warming, of the four slowest.
    """
    drawn = [one for one in report.get("warming") or [] if len(one.get("series") or []) > 1]
    drawn = sorted(drawn, key=lambda one: -max(ms for _second, ms in one["series"]))[: len(_SERIES)]
    if not drawn:
        return None
    with rc_context(_SETTINGS):
        figure, axes = _figure(9.6, 2.1)
        for one, colour in zip(drawn, _SERIES):
            label = f"{one['host']} {one.get('address') or ''}".strip()
            axes.plot(*zip(*one["series"]), color=colour, linewidth=1.6, label=label)
            if one.get("second_pass_p95_ms") is not None:
                axes.axhline(one["second_pass_p95_ms"], color=colour, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.set_ylim(bottom=0)
        axes.set_xlim(left=0)
        axes.yaxis.grid(visible=True)
        axes.set_xlabel("seconds of warming")
        axes.set_ylabel("p95, ms")
        axes.legend(frameon=False, loc="upper right", fontsize=8, labelcolor=_MUTED)
        told = "; ".join(f"{one['host']}: {warming_text(one)}" for one in drawn)
        return _chart(figure, "warming", "Answers while the caches were filled, and since (dashed)", told)


def _stage_starts(report: Mapping[str, Any], probe: Mapping[str, Any]) -> list[tuple[float, str]]:
    """Return the seconds of the probe at which the telling stages began."""
    start = probe.get("started")
    if not isinstance(start, str):
        return []
    seen: dict[str, float] = {}
    for stage in report["stages"]:
        if stage["name"] in ("switch", "gate", "verify", "rollback") and stage["name"] not in seen:
            seen[stage["name"]] = (parse_time(stage["started"]) - parse_time(start)).total_seconds()
    return [(moment, name) for name, moment in seen.items()]

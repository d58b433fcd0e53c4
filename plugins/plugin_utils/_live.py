# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What moves at the bottom of a terminal while tasks wait: a line for each host, and a table of its checks. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

Paint = Callable[[str, str], str]
"""Colours a text by a verdict."""

_BARS = {True: "▁▂▃▄▅▆▇█", False: "_.-~=+*#"}
_GAP = {True: "·", False: " "}
_MARKS = {
    True: {"green": "✔", "yellow": "!", "pending": "▸", "red": "✘"},
    False: {"green": "ok", "yellow": "!", "pending": "..", "red": "XX"},
}

# Columns of the spark line: as many of the newest samples.
_SPARK = 20


def pack(host: str, lines: Sequence[str]) -> str:
    """Return the message by which a worker tells the callback what its host's block is now; no lines end it."""
    return "\r" + json.dumps([host, list(lines)])


def unpack(message: str) -> Optional[tuple[str, list[str]]]:
    """Understand such a message. None when it is another that begins with a carriage return."""
    try:
        host, lines = json.loads(message[1:])
    except (ValueError, TypeError):
        return None
    return str(host), [str(line) for line in lines]


def spark(values: Sequence[Optional[float]], *, unicode: bool) -> str:
    """Draw the newest values between the least and the greatest of them; a gap where there was none."""
    shown = list(values)[-_SPARK:]
    known = [value for value in shown if value is not None and math.isfinite(value)]
    if not known:
        return _GAP[unicode] * len(shown)
    bars, low, high = _BARS[unicode], min(known), max(known)
    step = (high - low) / (len(bars) - 1)
    return "".join(
        _GAP[unicode] if value is None or not math.isfinite(value) else bars[round((value - low) / step) if step else 0]
        for value in shown
    )


def table(checks: Sequence[Mapping[str, Any]], *, width: int, unicode: bool, paint: Paint) -> list[str]:
    """Return a line for each check: verdict, name, value, limit, spark line, and what remains to be seen.

    ``checks`` as health_gate reports them while it runs. A line is never wider than ``width`` columns.
    """
    marks = _MARKS[unicode]
    cells = [
        (
            str(check.get("verdict")),
            str(check.get("check", "")),
            str(check.get("value", "")),
            str(check.get("limit", "")),
            spark(check.get("series") or [], unicode=unicode),
            str(check.get("remains", "")),
        )
        for check in checks
    ]
    widths = [max((len(row[column]) for row in cells), default=0) for column in range(5)]
    lines = []
    for verdict, name, value, limit, sparks, remains in cells:
        mark = marks.get(verdict, " ")
        text = (
            f"{name:<{widths[1]}}  {value:>{widths[2]}}  {limit:<{widths[3]}}  {sparks:<{widths[4]}}  {remains}"
        ).rstrip()
        # Cut before it is coloured: a colour takes no column, and one that is cut off would not end.
        start = f"    {mark:<{max(map(len, marks.values()))}}  "
        lines.append(paint(start, verdict) + text[: max(0, width - len(start))])
    return lines


def fitted(blocks: Mapping[str, Sequence[str]], height: int) -> list[str]:
    """Join the blocks of all hosts; where they do not fit, each keeps its first line, and then as many as do."""
    lines = [line for block in blocks.values() for line in block]
    if len(lines) > height:
        lines = [block[0] for block in blocks.values() if block]
    return lines[: max(1, height)]

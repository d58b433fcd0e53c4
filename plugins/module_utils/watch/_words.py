# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A watch in a few keys and in one line, for results, reports and persons. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils.report._words import worst
from ansible_collections.sluice.release.plugins.module_utils.watch._places import Place
from ansible_collections.sluice.release.plugins.module_utils.watch._record import Watch


def standing(watch: Watch, now: float) -> list[dict[str, Any]]:
    """Return where each window stands ``now``, in seconds since the switch."""
    return [_window(watch, one, now) for one in watch.places(now)]


def summary(watch: Watch, windows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a watch as a whole: its windows as they stand, its ticks, its verdict."""
    findings = [finding for tick in watch.ticks for finding in tick["findings"]]
    ended = watch.ended or {}
    return {
        "release": watch.release,
        "start": watch.origin["data"]["start"],
        "verdict": worst([*(w["verdict"] for w in windows), *(f["verdict"] for f in findings)]),
        "outcome": ended.get("outcome"),
        "reason": ended.get("reason"),
        "windows": list(windows),
        "crashes": max((int(tick.get("crashes") or 0) for tick in watch.ticks), default=0),
        "ticks": [_tick(watch, tick) for tick in watch.ticks],
        "decisions": [{key: said.get(key) for key in ("action", "reason", "command")} for said in watch.decisions],
    }


def recorded(watch: Watch) -> dict[str, Any]:
    """Return a watch as its last entry left it: a report does not know what time it is, nor what ran besides."""
    last = next((e["data"]["windows_now"] for e in reversed(watch.entries) if "windows_now" in e["data"]), None)
    return summary(watch, standing(watch, watch.offset) if last is None else last)


def _window(watch: Watch, one: Place, now: float) -> dict[str, Any]:
    window = one.window
    verdicts: list[Optional[str]] = [seen["verdict"] for seen in watch.history(window.name)]
    if one.late or one.missed:
        verdicts.append("red" if one.failed else "yellow")
    state = "over" if one.over else "ahead" if now <= window.start and not one.done else "open"
    return {
        "window": window.name,
        "from": window.start,
        "until": window.until,
        "every": window.every,
        "of": len(one.slots),
        "done": len(one.done),
        "late": len(one.late),
        "missed": len(one.missed),
        "held": len(one.held),
        "state": state,
        "verdict": worst(verdicts),
    }


def _tick(watch: Watch, tick: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "at": tick["at"],
        "time": watch.clock_text(float(tick["at"])),
        "verdict": tick["verdict"],
        "windows": [
            {key: seen[key] for key in ("window", "number", "of", "late", "verdict", "gates")}
            for seen in tick["windows"]
        ],
        "findings": list(tick["findings"]),
        "crashes": tick.get("crashes"),
    }


def ending(watch: Watch, now: float) -> dict[str, str]:
    """Return outcome and reason of a watch whose last tick is over."""
    told = summary(watch, standing(watch, now))
    missed = sum(int(window["missed"]) for window in told["windows"])
    if told["verdict"] == "red":
        return {"outcome": "failed", "reason": "ticks were missed" if missed else "a verdict was red"}
    return {"outcome": "passed", "reason": "every window is over"}


def clock(text: str) -> str:
    """Return a moment of the journal as a person reads it: `2026-11-22 10:05:00 UTC`."""
    return f"{text[:10]} {text[11:19]} UTC"


def line(
    data: Optional[Mapping[str, Any]], is_due: bool, following: Optional[str], outcome: Optional[str] = None
) -> str:
    """Return a tick in one line: its windows, tick n of m, verdict, what was found, and when the next is due.

    ``data`` is what was recorded, if anything was; ``is_due``: something is about to be measured.
    """
    parts = []
    if data is not None:
        over = data.get("over") or {}
        for seen in data["windows"]:
            whole = f", and the window is over, {over[seen['window']]}" if seen["window"] in over else ""
            parts.append(f"{seen['window']}: tick {seen['number']} of {seen['of']} {seen['verdict']}{whole}")
        texts = [str(finding["text"]) for finding in data["findings"]]
        parts += [f"{data['verdict']}: {'; '.join(texts)}"] if texts else []
    elif not is_due:
        parts.append("nothing is due")
    return "; ".join([*parts, _upcoming(following, outcome)])


def _upcoming(following: Optional[str], outcome: Optional[str]) -> str:
    if outcome is not None:
        return f"the watch is over, {outcome}"
    return f"next tick at {clock(following)}" if following else "no tick is left"

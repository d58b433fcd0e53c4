# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a report says of the watch after the release. Pure: journal entries in, plain data and words out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils.report._words import count_text, seconds_text, worst
from ansible_collections.sluice.release.plugins.module_utils.watch._record import find
from ansible_collections.sluice.release.plugins.module_utils.watch._words import clock, recorded

# How the watch of a fleet ended: as on the host where it ended worst.
_OUTCOMES = ("rolled_back", "failed", "superseded", "passed")


def watch_of(hosts: Iterable[tuple[str, Sequence[Mapping[str, Any]]]], release: str) -> Optional[dict[str, Any]]:
    """Return the watch of a release on all its hosts, each given by name and entries; None when there is none."""
    found = [(name, recorded(watch)) for name, entries in hosts if (watch := find(entries, release)) is not None]
    if not found:
        return None
    outcomes = [told["outcome"] for _name, told in found]
    return {
        "start": min(told["start"] for _name, told in found),
        "verdict": worst(told["verdict"] for _name, told in found),
        # While it goes on anywhere, it goes on.
        "outcome": None if None in outcomes else min(outcomes, key=_OUTCOMES.index),
        "reason": next((told["reason"] for _name, told in found if told["reason"]), None),
        "crashes": max(told["crashes"] for _name, told in found),
        "windows": [{"host": name, **window} for name, told in found for window in told["windows"]],
        "ticks": sorted(
            (
                {"host": name, "time": tick["time"], "at": tick["at"], **seen}
                for name, told in found
                for tick in told["ticks"]
                for seen in tick["windows"]
            ),
            key=lambda tick: str(tick["time"]),
        ),
        "findings": sorted(
            (
                {"host": name, "time": tick["time"], **finding}
                for name, told in found
                for tick in told["ticks"]
                for finding in tick["findings"]
            ),
            key=lambda finding: str(finding["time"]),
        ),
        # Every host has recorded the same decision.
        "decisions": max((told["decisions"] for _name, told in found), key=len),
    }


def watch_headline(watch: Mapping[str, Any]) -> str:
    """Return how the watch went, in one sentence without its final period."""
    last = max((float(window["until"]) for window in watch["windows"]), default=0.0)
    done, of = (sum(int(window[key]) for window in watch["windows"]) for key in ("done", "of"))
    ticks = f"{done} of {count_text(of, 'tick')}"
    span = seconds_text(last)
    ends = {
        "passed": f"The release was watched for {span}, and nothing was red",
        "failed": f"The release was watched for {span}, and it has not passed",
        "superseded": "The watch ended early, for another release took its place",
        "rolled_back": "The watch has taken the release back",
    }
    begun = f"The release is watched for {span}" + (f", {watch['verdict']} so far" if watch.get("verdict") else "")
    crashed = f", {count_text(watch['crashes'], 'crash', 'crashes')}" if watch.get("crashes") else ""
    return f"{ends.get(str(watch.get('outcome')), begun)}; {ticks}{crashed}"


def verdict_text(watch: Mapping[str, Any], window: Mapping[str, Any]) -> str:
    """Return the verdict of a window; `pending` before its first tick, `none` when that will not come any more."""
    comes = watch.get("outcome") is None and window["state"] != "over"
    return str(window.get("verdict") or ("pending" if comes else "none"))


def ticks_text(window: Mapping[str, Any]) -> str:
    """Return the ticks of a window in a few words: `4 of 6, 1 late, 2 missed`."""
    odd = [f"{window[key]} {key}" for key in ("late", "missed", "held") if window.get(key)]
    return ", ".join([f"{window['done']} of {window['of']}", *odd])


def finding_text(finding: Mapping[str, Any]) -> str:
    """Return a finding with its moment."""
    return f"{clock(str(finding['time']))}: {finding['text']}"


def decision_text(decision: Mapping[str, Any]) -> str:
    """Return what was done about a red verdict."""
    done = {
        "rollback": "Taken back",
        "ask": "A person was asked",
        "record": "Recorded only",
    }.get(str(decision.get("action")), str(decision.get("action")))
    command = f" ({decision['command']})" if decision.get("command") else ""
    return f"{done}{command}: {decision.get('reason')}"

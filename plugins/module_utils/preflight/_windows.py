# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Can the windows of a watch be kept, and their ticks be judged? The first of them comes long after the switch."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.preflight import _gates
from ansible_collections.sluice.release.plugins.module_utils.watch._windows import Window, read_windows

MEASURED = ("checks", "flows", "duration", "interval", "grace")
"""What a window says of the gate of a tick. The journal, which knows when, does not keep it."""

MOST = 0.8
"""The part of `every` that a tick may measure for: Ansible needs its time too, and the next tick must not be missed."""


def problems(text: str, defaults: str) -> Iterator[str]:
    """Everything that makes the windows impossible to keep or to judge, each with the name of the window.

    ``text`` is a JSON list of windows; ``defaults`` a JSON dictionary of what holds for those that do not say it
    themselves, checks, interval, base_url, and of the checks that are made in each of them, added.
    """
    windows, common = json.loads(text), json.loads(defaults)
    if not isinstance(windows, list) or not all(isinstance(window, dict) for window in windows):
        yield "windows must be a list of windows"
        return
    origins: dict[str, str] = {}
    timed: list[dict[str, Any]] = []
    for number, window in enumerate(windows, 1):
        origin = window.pop(_gates.ORIGIN, None)
        name = str(window.get("name") or f"window {number}")
        if origin:
            origins[name] = origin
        timed.append({key: value for key, value in window.items() if key in Window.KEYS})
    try:
        read_windows(timed)
    except SluiceError as error:
        yield from (f"watch window {part}" for part in _gates.with_origins(error.cause, origins).split("; "))
    for number, window in enumerate(windows, 1):
        name = str(window.get("name") or f"window {number}")
        for problem in _own_problems(window, common):
            yield f"watch window {_gates.named(name, origins)}: {problem}"
        for gate in _gates_of(window, common):
            yield from (f"watch window {name}, {problem}" for problem in _gates.gate_problems(gate))


def _own_problems(window: Mapping[str, Any], common: Mapping[str, Any]) -> Iterator[str]:
    known = (*Window.KEYS, *MEASURED)
    for key in sorted(set(window) - set(known)):
        near = difflib.get_close_matches(key, known, 1)
        yield f"it has no option {key}" + (f"; did you mean {near[0]}?" if near else "")
    if not window.get("checks", common.get("checks")) and not window.get("flows"):
        yield "it has neither checks nor flows, so nothing would be judged"
    try:
        duration, every = float(window.get("duration") or 0), float(window.get("every") or 0)
    except (TypeError, ValueError):
        return  # said elsewhere
    if 0 < every * MOST < duration:
        yield (
            f"its duration is {duration:g} s and it repeats every {every:g} s; a tick may measure for at most"
            f" {every * MOST:g} s of that, or the next one is missed"
        )


def _gates_of(window: Mapping[str, Any], common: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What a tick of the window will ask, as role watch does."""
    checks = [*(window.get("checks", common.get("checks")) or []), *(common.get("added") or [])]
    if checks:
        # What was usual is in the journal by then, or is not: either is known only then.
        gate = {"checks": checks, "interval": common.get("interval", 1), "first_release": True}
        yield {**gate, **{key: window[key] for key in ("duration", "interval", "grace") if key in window}}
    if window.get("flows"):
        yield {"flows": window["flows"], "base_url": common.get("base_url")}

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""How much of the code do the tests reach? Read from what Istanbul (nyc, Jest, c8) or lcov has written."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Mapping
from fnmatch import fnmatch
from typing import Any, NamedTuple

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import CommandRunner
from ansible_collections.sluice.release.plugins.module_utils.preflight import _command
from ansible_collections.sluice.release.plugins.module_utils.preflight._model import Finding, Kind, Params

_MIN_PCT = 80.0
METRICS = ("lines", "statements", "functions", "branches")
# What a record of lcov counts: how many there are, and how many were reached.
_LCOV = {"LF": ("lines", 0), "LH": ("lines", 1), "FNF": ("functions", 0), "FNH": ("functions", 1),
         "BRF": ("branches", 0), "BRH": ("branches", 1)}  # fmt: skip


class Count(NamedTuple):
    """How many there are, and how many of them a test has reached."""

    total: int = 0
    covered: int = 0


Files = Mapping[str, Mapping[str, Count]]
"""By file and metric."""


def read(text: str) -> Files:
    """Read coverage-summary.json or lcov.info. ValueError when it is neither."""
    if not text.lstrip().startswith("{"):
        return _lcov(text)
    summary = json.loads(text)
    found: dict[str, dict[str, Count]] = {}
    for path, metrics in summary.items():
        if path == "total":
            continue
        try:
            found[path] = {name: Count(int(metrics[name]["total"]), int(metrics[name]["covered"])) for name in METRICS}
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"it is no summary of Istanbul (reporter json-summary); {path} has no counts") from None
    return found


def _lcov(text: str) -> Files:
    found: dict[str, dict[str, Count]] = {}
    path = ""
    for line in text.splitlines():
        key, _colon, rest = line.strip().partition(":")
        if key == "SF":
            path = rest
            found.setdefault(path, defaultdict(Count))
        elif key in _LCOV and path and rest.isdigit():
            metric, place = _LCOV[key]
            counts = list(found[path][metric])
            counts[place] += int(rest)
            found[path][metric] = Count(*counts)
    if not found:
        raise ValueError("it holds neither a summary of Istanbul nor records of lcov")
    return found


def judge(files: Files, metric: str, least: float, include: list[str]) -> Finding:
    """Judge the coverage of all files, or of those that match one of the patterns ``include``: above ``least``."""
    chosen = [
        counts[metric]
        for path, counts in files.items()
        if metric in counts and (not include or any(_matches(path, pattern) for pattern in include))
    ]
    total, covered = sum(count.total for count in chosen), sum(count.covered for count in chosen)
    if not total:
        which = f" of {', '.join(include)}" if include else ""
        return Finding(False, f"no {metric}{which} are counted, so nothing is proven", {"files": len(chosen)})
    percent = 100 * covered / total
    value: dict[str, Any] = {"pct": round(percent, 2), "covered": covered, "total": total, "files": len(chosen)}
    text = f"{covered} of {total} {metric} are covered ({percent:.2f} %)"
    if percent > least:
        return Finding(True, text, value)
    return Finding(False, f"only {text}, more than {least:g} % must be", value)


def _matches(path: str, pattern: str) -> bool:
    """Reports name files by their whole path, people by the path in the project."""
    return fnmatch(path, pattern) or fnmatch(path, f"*/{pattern}")


def look(params: Params, runner: CommandRunner | None = None) -> Finding:
    path = os.path.join(params["chdir"] or "", params["path"])
    if params["argv"]:
        try:
            done = _command.execute(params, runner)
        except SluiceError as error:
            return Finding(False, f"{_command.name_of(params)} cannot be run: {error.cause}")
        if done.rc != 0:
            return _command.judge(_command.name_of(params), done, None, None)
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            files = read(stream.read())
    except OSError as error:
        return Finding(False, f"{path} cannot be read ({error.strerror}); let the tests write it first")
    except ValueError as error:
        return Finding(False, f"{path} cannot be judged: {error}")
    least = _MIN_PCT if params["min_pct"] is None else params["min_pct"]
    return judge(files, params["metric"] or METRICS[0], least, params["include"] or [])


KIND = Kind(
    options={
        **_command.PROGRAM,
        "path": {"type": "path"},
        "metric": {"type": "str", "choices": list(METRICS)},
        "min_pct": {"type": "float"},
        "include": {"type": "list", "elements": "str"},
    },
    look=look,
    required=("path",),
    group="code",
    cacheable=True,
)

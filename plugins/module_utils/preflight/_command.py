# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Is a program there, does it end well, is it new enough, and does it say what it should?"""

from __future__ import annotations

import os
import re
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import (
    CommandRunner,
    Completed,
    SubprocessRunner,
    tail,
)
from ansible_collections.sluice.release.plugins.module_utils.preflight._model import Finding, Kind, Params

# Characters of a line of output that a message shows.
_LINE = 200

# A number with dots, wherever it is; or else one that stands alone. The 2 of `pm2` is neither.
_VERSIONS = (re.compile(r"(\d+(?:\.\d+)+)"), re.compile(r"(?<![\w.])v?(\d+)(?![\w.])"))


def version_of(text: str) -> tuple[int, ...] | None:
    """The numbers of a version: `v18.20.4` is (18, 20, 4). None: the text holds no number."""
    match = next(filter(None, (pattern.search(text) for pattern in _VERSIONS)), None)
    return tuple(int(part) for part in match.group(1).split(".")) if match else None


def at_least(found: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether a version is new enough; missing parts are zero, so 18 satisfies 18.0."""
    length = max(len(found), len(wanted))
    return found + (0,) * (length - len(found)) >= wanted + (0,) * (length - len(wanted))


def judge(program: str, done: Completed, min_version: str | None, pattern: str | None) -> Finding:
    """Judge what a program left behind."""
    value: dict[str, Any] = {"rc": done.rc, "seconds": round(done.seconds, 3)}
    if done.rc != 0:
        said = tail(done.stderr, 3) or tail(done.stdout, 3)
        return Finding(False, f"{program} ended with status {done.rc}" + (f" and said: {said}" if said else ""), value)
    if not min_version:
        return Finding(True, f"{program} ended well", value)
    output = f"{done.stdout}\n{done.stderr}"
    match = re.search(pattern or "(?s:.*)", output)
    found = version_of(match.group(match.lastindex or 0)) if match else None
    if found is None:
        return Finding(False, f"{program} shows no version", value)
    text = ".".join(map(str, found))
    value["version"] = text
    wanted = version_of(min_version)
    if wanted is None:
        return Finding(False, f"min_version {min_version} of {program} is no version", value)
    if not at_least(found, wanted):
        return Finding(False, f"{program} is {text}, at least {min_version} is needed", value)
    return Finding(True, f"{program} is {text}", value)


def judge_lines(program: str, output: str, match: str, most: int) -> Finding:
    """Judge how many lines of the output match: warnings of a build, findings of a linter."""
    lines = [line.strip() for line in output.splitlines() if re.search(match, line)]
    value = {"matches": len(lines), "max_matches": most}
    text = f"{len(lines)} line{'s' * (len(lines) != 1)} of {program} match{'es' * (len(lines) == 1)} {match}"
    if len(lines) <= most:
        return Finding(True, text, value)
    return Finding(False, f"{text}, {most} may; the first: {lines[0][:_LINE]}", value)


def judge_number(program: str, output: str, pattern: str, least: float | None) -> Finding:
    """Judge the number that a program says of itself last, its own score for example."""
    found = list(re.finditer(pattern, output))
    try:
        number = float(found[-1].group(found[-1].lastindex or 0))
    except (IndexError, ValueError):
        return Finding(False, f"{program} shows no number where {pattern} looks for one")
    value = {"number": number}
    if least is not None and number < least:
        return Finding(False, f"{program} says {number:g}, at least {least:g} is needed", value)
    return Finding(True, f"{program} says {number:g}", value)


def name_of(params: Params) -> str:
    """What the program is called in a message."""
    return os.path.basename(str(params["argv"][0]))


def execute(params: Params, runner: CommandRunner | None = None) -> Completed:
    """Run the program of a check to its end, whatever its exit status. SluiceError when it cannot be run."""
    argv = params["argv"]
    path = os.pathsep.join([*(params["path_prepend"] or []), os.environ.get("PATH", os.defpath)])
    # PATH of the child decides where an interpreter in a `#!/usr/bin/env` line is found; the lookup of the
    # program itself uses the parent's, so it is done here.
    return (runner or SubprocessRunner())(
        [_which(argv[0], path), *argv[1:]], cwd=params["chdir"], env={"PATH": path}, timeout=params["timeout"]
    )


def look(params: Params, runner: CommandRunner | None = None) -> Finding:
    for option in ("pattern", "match", "number"):
        try:
            re.compile(params[option] or "")
        except re.error as error:
            return Finding(False, f"its {option} is no regular expression ({error})")
    try:
        done = execute(params, runner)
    except SluiceError as error:
        return Finding(False, f"{params['argv'][0]} cannot be run: {error.cause}", {"rc": None})
    program, output = name_of(params), f"{done.stdout}\n{done.stderr}"
    finding = judge(program, done, params["min_version"], params["pattern"])
    if params["number"]:
        # Also of a program that failed: its score says how badly.
        finding = finding + judge_number(program, output, params["number"], params["min_number"])
    if params["match"]:
        finding = finding + judge_lines(program, output, params["match"], params["max_matches"] or 0)
    return finding


def _which(program: str, path: str) -> str:
    if os.sep in program:
        return program
    for directory in path.split(os.pathsep):
        candidate = os.path.join(directory or ".", program)
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    raise SluiceError(f"run {program}", f"it is in none of the directories {path}")


PROGRAM: dict[str, Any] = {
    "argv": {"type": "list", "elements": "str"},
    "chdir": {"type": "path"},
    "path_prepend": {"type": "list", "elements": "path"},
}
"""How a check says which program it runs."""

KIND = Kind(
    options={
        **PROGRAM,
        "min_version": {"type": "str"},
        "pattern": {"type": "str"},
        "match": {"type": "str"},
        "max_matches": {"type": "int"},
        "number": {"type": "str"},
        "min_number": {"type": "float"},
    },
    look=look,
    required=("argv",),
    cacheable=True,
)

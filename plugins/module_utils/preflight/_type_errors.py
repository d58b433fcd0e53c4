# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""How many type errors does a component have left, and may it? Counted in what `tsc --noEmit` prints."""

from __future__ import annotations

import re

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import CommandRunner, Completed, tail
from ansible_collections.sluice.release.plugins.module_utils.preflight import _command
from ansible_collections.sluice.release.plugins.module_utils.preflight._model import Finding, Kind, Params

# `src/app.ts(3,7): error TS2322: ...`, with --pretty `src/app.ts:3:7 - error TS2322: ...`, and `error TS18003: ...`.
# The lines that explain an error may speak of another one; they are indented.
_ERROR = re.compile(r"^(?:(?P<file>\S.*?)(?:\(\d+,\d+\):|:\d+:\d+ -) )?error (?P<code>TS\d+):", re.MULTILINE)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def judge(program: str, done: Completed, budget: int) -> Finding:
    """Judge the output of the compiler. Its exit status says no more than whether there are errors at all."""
    found = list(_ERROR.finditer(_COLOUR.sub("", f"{done.stdout}\n{done.stderr}")))
    files = {match["file"] for match in found if match["file"]}
    value = {"errors": len(found), "budget": budget, "files": len(files), "seconds": round(done.seconds, 3)}
    if not found and done.rc != 0:
        said = tail(done.stderr, 3) or tail(done.stdout, 3) or "nothing"
        return Finding(False, f"{program} ended with status {done.rc} without a type error and said: {said}", value)
    text = f"{len(found)} type error{'s' * (len(found) != 1)}, {budget} may be"
    return Finding(len(found) <= budget, text if len(found) <= budget else f"{text}; the first: {_first(found)}", value)


def _first(found: list[re.Match[str]]) -> str:
    return f"{found[0]['code']} in {found[0]['file'] or 'no file'}"


def look(params: Params, runner: CommandRunner | None = None) -> Finding:
    budget = params["budget"] or 0
    if params["argv"]:
        try:
            return judge(_command.name_of(params), _command.execute(params, runner), budget)
        except SluiceError as error:
            return Finding(False, f"{_command.name_of(params)} cannot be run: {error.cause}")
    path = params["path"]
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return judge(path, Completed(0, stream.read(), "", 0), budget)
    except OSError as error:
        return Finding(False, f"{path} cannot be read ({error.strerror})")


KIND = Kind(
    options={**_command.PROGRAM, "path": {"type": "path"}, "budget": {"type": "int"}},
    look=look,
    one_of=("argv", "path"),
    group="code",
    cacheable=True,
)

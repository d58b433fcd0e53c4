# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply a unified diff to a tree in memory. Strict: every line must be found exactly where the diff says."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .errors import LabError

HUNK = re.compile(r"@@ -(?P<start>\d+)(?:,(?P<old>\d+))? \+\d+(?:,(?P<new>\d+))? @@")
NOTHING = "/dev/null"


def apply(tree: Mapping[str, str], patch: str, name: str) -> dict[str, str]:
    """Return `tree` (path -> text) with `patch` applied; `name` stands in errors.

    Raises LabError when the patch does not fit the tree or is no unified diff.
    """
    result = dict(tree)
    rest = patch.splitlines()
    while rest:
        if not rest[0].startswith("--- "):
            # What stands between files is for people: `diff` and `index` lines, a description.
            rest = rest[1:]
            continue
        before, after = _path(rest[0]), _path("".join(rest[1:2]))
        if before != NOTHING and before not in result:
            raise LabError(f"apply {name}", f"there is no file {before}")
        old = [] if before == NOTHING else result.pop(before).splitlines()
        new, rest = _patch_file(old, rest[2:], f"apply {name} to {after}")
        if after != NOTHING:
            result[after] = "".join(f"{line}\n" for line in new)
    return result


def _path(line: str) -> str:
    """Return the path of a `---` or `+++` line without its `a/` or `b/`."""
    path = line[4:].split("\t", 1)[0].strip()
    return path if path == NOTHING else path.partition("/")[2]


def _patch_file(old: list[str], rest: list[str], what: str) -> tuple[list[str], list[str]]:
    """Apply the hunks that `rest` begins with; return the new lines, and what follows the hunks."""
    new: list[str] = []
    position = 0
    while rest and (header := HUNK.match(rest[0])):
        left, right = (int(header[side] or 1) for side in ("old", "new"))
        # A hunk without old lines stands after the line that it names.
        start = int(header["start"]) - (1 if left else 0)
        new += old[position:start]
        position = start
        rest = rest[1:]
        # Counted, not recognised: a removed SQL comment (`--- Up`) looks like the header of the next file.
        while left or right:
            kind, text = (rest[0][:1] or " ", rest[0][1:]) if rest else ("", "")
            if kind not in (" ", "-", "+"):
                raise LabError(what, "a hunk ends before its lines do")
            rest = rest[1:]
            if kind == "+":
                new.append(text)
                right -= 1
                continue
            if position >= len(old) or old[position] != text:
                raise LabError(what, f"line {position + 1} is not {text!r}", "It was made for another source")
            position += 1
            left -= 1
            if kind == " ":
                new.append(text)
                right -= 1
    return new + old[position:], rest

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Queries as they may be shown: without a literal, for those are people's data and secrets, and short."""

from __future__ import annotations

import re
from typing import Optional

HIDDEN = "<insufficient privilege>"
"""What the server shows instead of the query of another role."""

_LENGTH = 200

_TOKEN = re.compile(
    r"""
    (?P<comment>--[^\n]*)
  | (?P<block>/\*)
  | (?P<dollar>(?<![\w$])\$(?:[^\W\d]\w*)?\$)
  | (?P<quoted>"(?:[^"]|"")*(?:"|$))
  | (?P<string>(?P<prefix>(?<![\w$])(?:[EeNnBbXx]|[Uu]&))?')
  | (?P<number>(?<![\w$])(?:0[xXoObB][\da-fA-F_]+|\d[\d_]*(?:\.[\d_]*)?(?:[eE][+-]?\d+)?|\.\d[\d_]*(?:[eE][+-]?\d+)?))
    """,
    re.VERBOSE,
)

# A value in SET may be a bare word.
_SETTING = re.compile(r"(?i)^(\s*SET\s+(?:(?:LOCAL|SESSION)\s+)?[\w.\"]+).*$", re.DOTALL)


def shown(query: Optional[str], length: int = _LENGTH) -> Optional[str]:
    """Return a query on one line, every literal as ``?``, without comments, at most ``length`` characters long.

    None for what the server does not show. Where it cannot be told how a literal ends, the rest is left out: too
    little is shown rather than too much. The server cuts off long queries itself, in the middle of anything.
    """
    if query is None or query == HIDDEN:
        return None
    pieces = [_SETTING.sub(r"\1 ?", piece) for piece in _without_literals(query).split(";")]
    text = re.sub(r"\s+", " ", ";".join(pieces)).strip()
    # Long lists say no more than short ones.
    text = re.sub(r"\?(?:\s*,\s*\?)+", "?, ...", text)
    text = re.sub(r"(\(\?(?:, \.\.\.)?\))(?:\s*,\s*\(\?(?:, \.\.\.)?\))+", r"\1, ...", text)
    return text if len(text) <= length else text[: length - 3] + "..."


def _without_literals(query: str) -> str:
    kept: list[str] = []
    at = 0
    while at < len(query):
        token = _TOKEN.search(query, at)
        if token is None:
            kept.append(query[at:])
            break
        kept.append(query[at : token.start()])
        if token["comment"] is not None:
            kept.append(" ")
            at = token.end()
        elif token["block"] is not None:
            kept.append(" ")
            at = _block_end(query, token.end())
        elif token["quoted"] is not None:
            # The name of something. One that was cut off may as well be half of a string with a quote in it.
            complete = len(token["quoted"]) > 1 and token["quoted"].endswith('"')
            kept.append(token["quoted"] if complete else "...")
            at = token.end()
        elif token["number"] is not None:
            kept.append("?")
            at = token.end()
        else:
            kept.append("?")
            end = _dollar_end(query, token) if token["dollar"] else _string_end(query, token)
            if end is None:
                kept.append(" ...")
                break
            at = end
    return "".join(kept)


def _block_end(query: str, at: int) -> int:
    """Return where a comment ends; they nest."""
    depth = 1
    for mark in re.compile(r"/\*|\*/").finditer(query, at):
        depth += 1 if mark.group() == "/*" else -1
        if not depth:
            return mark.end()
    return len(query)


def _dollar_end(query: str, token: re.Match[str]) -> Optional[int]:
    found = query.find(token["dollar"], token.end())
    return None if found < 0 else found + len(token["dollar"])


def _string_end(query: str, token: re.Match[str]) -> Optional[int]:
    """Return where a string ends; None when that is not known.

    A backslash before a quote is a character or an escape: with E an escape, without it a matter of the session's
    standard_conforming_strings, which is not known here.
    """
    escapes = (token["prefix"] or "") in ("E", "e")
    at = token.end()
    while at < len(query):
        character = query[at]
        if character == "'":
            if query[at + 1 : at + 2] != "'":
                return at + 1
            at += 2
        elif character == "\\":
            if not escapes and query[at + 1 : at + 2] == "'":
                return None
            at += 2 if escapes else 1
        else:
            at += 1
    return None

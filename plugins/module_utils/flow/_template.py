# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The whole of the substitution: `{name}` is the value of a variable, `{{name}}` is the text {name}."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

# A brace of JSON, CSS or a regular expression is never followed by a bare word and a closing brace.
_PLACE = re.compile(r"\{\{([A-Za-z_]\w*)\}\}|\{([A-Za-z_]\w*)\}")


def text_of(value: Any) -> str:
    """The value as a request spells it: a text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def names_in(value: Any) -> set[str]:
    """The variables that a text, or any text within a structure, asks for."""
    if isinstance(value, str):
        return {match.group(2) for match in _PLACE.finditer(value) if match.group(2)}
    if isinstance(value, Mapping):
        return set().union(*map(names_in, value.keys()), *map(names_in, value.values()))
    if isinstance(value, (list, tuple)):
        return set().union(*map(names_in, value))
    return set()


def fill_text(text: str, variables: Mapping[str, Any], encode: Callable[[str], str] = str) -> str:
    """The text with every variable put in, each passed through `encode`."""

    def put(match: re.Match[str]) -> str:
        literal, name = match.groups()
        return f"{{{literal}}}" if literal else encode(text_of(variables[name]))

    return _PLACE.sub(put, text)


def fill(value: Any, variables: Mapping[str, Any]) -> Any:
    """The value with every variable put in. A text that is one variable and nothing else keeps the variable's type."""
    if isinstance(value, str):
        whole = _PLACE.fullmatch(value)
        return variables[whole.group(2)] if whole and whole.group(2) else fill_text(value, variables)
    if isinstance(value, Mapping):
        return {fill_text(str(name), variables): fill(part, variables) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [fill(part, variables) for part in value]
    return value

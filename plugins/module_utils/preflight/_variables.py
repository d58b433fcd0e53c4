# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Are the variables there that the application needs? Values may be secrets: only names and expectations are shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils.preflight._model import Finding, Kind, Params


def compare(values: Mapping[str, Any], required: list[str], expected: Mapping[str, Any]) -> Finding:
    """Judge the environment. A variable that is empty, or blank, counts as missing."""
    wanted = list(dict.fromkeys([*required, *expected]))
    missing = [name for name in wanted if not text(values.get(name)).strip()]
    wrong = [
        f"{name} is not {text(value)}"
        for name, value in expected.items()
        if name not in missing and text(values[name]) != text(value)
    ]
    problems = []
    if missing:
        problems.append(f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing or empty")
    problems += wrong
    good = len(wanted) - len(missing) - len(wrong)
    value = {
        "required": len(wanted),
        "good": good,
        "missing": missing,
        "wrong": [words.split(" ")[0] for words in wrong],
    }
    return Finding(not problems, "; ".join(problems) or f"{good} of {len(wanted)} variables are there", value)


def text(value: Any) -> str:
    """A value as the process would see it."""
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, bool) else str(value)


def load(params: Params) -> dict[str, Any]:
    """The environment that a check is about. ValueError with the reason when it cannot be had."""
    if params["values"] is not None:
        where, content = "its values", params["values"]
    else:
        where = params["config"]
        try:
            with open(where, encoding="utf-8") as stream:
                content = stream.read()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{where} cannot be read ({getattr(error, 'strerror', None) or error})") from error
    try:
        values = json.loads(content) if isinstance(content, str) else content
    except ValueError:
        values = None
    if isinstance(values, dict):
        return values
    raise ValueError(f"{where} must be a JSON object of variables")


def look(params: Params) -> Finding:
    try:
        values = load(params)
    except ValueError as error:
        return Finding(False, str(error))
    return compare(values, params["required"] or [], params["expected"] or {})


SOURCE: dict[str, Any] = {
    "config": {"type": "path"},
    # JSON and not a dict: Ansible masks every value of a dict that is no_log wherever it occurs in the result,
    # and `true`, `100` and `production` occur everywhere.
    "values": {"type": "json", "no_log": True},
}
"""Where an environment is read from: one of the two."""

KIND = Kind(
    options={"required": {"type": "list", "elements": "str"}, "expected": {"type": "dict"}, **SOURCE},
    look=look,
    one_of=("config", "values"),
)

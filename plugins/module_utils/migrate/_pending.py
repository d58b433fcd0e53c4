# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import tail

# Names of variables whose values are secrets wherever they are used.
_SECRET_NAME = re.compile(r"PASS|PWD|SECRET|TOKEN|KEY|CREDENTIAL|AUTH|PRIVATE|SALT|SIGN|DSN|URL|URI", re.IGNORECASE)

# Long, without spaces or slashes, letters and digits mixed: a token, whatever it is called.
_LOOKS_RANDOM = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[^\s/]{16,}")

# What a variable may say, whatever its name, without being a secret: these would blacken half of the output.
_SHORTEST = 4
_HARMLESS = frozenset(("true", "false", "null", "none", "localhost", "test", "development", "staging", "production"))


def compile_pattern(pattern: str, option: str) -> re.Pattern[str]:
    """Compile the regular expression of an option. SluiceError when it is none."""
    try:
        return re.compile(pattern)
    except re.error as error:
        raise SluiceError(f"use {option}", f"{pattern!r} is not a regular expression ({error})") from None


def pending_names(output: str, pattern: re.Pattern[str]) -> list[str]:
    """Return the pending migrations that a status command printed, in its order, each once.

    A line counts when the pattern is found in it. The name is group ``name``, else the first group, else the line.
    """
    names: dict[str, None] = {}
    for line in output.splitlines():
        match = pattern.search(line)
        if match:
            groups = match.groupdict()
            name = groups.get("name") or (match.group(1) if pattern.groups else None) or line
            names.setdefault(name.strip())
    return list(names)


def read_status(
    rc: int,
    output: str,
    *,
    pending: re.Pattern[str],
    none: Optional[re.Pattern[str]],
    accepted: Sequence[int],
) -> list[str]:
    """Return the pending migrations, or raise SluiceError when the status command did not clearly say which.

    A tool that could not reach its database must not look like one with nothing to do: an exit status other than 0
    counts only with at least one pending migration, and when the pattern ``none`` is given, one of the two must be
    found.
    """
    names = pending_names(output, pending)
    if rc not in accepted or (rc != 0 and not names):
        raise SluiceError(
            "list the pending migrations",
            f"the status command ended with status {rc} and said: {tail(output, 6) or 'nothing'}",
            "Run it by hand in the release's directory",
        )
    if none is not None and not names and not any(none.search(line) for line in output.splitlines()):
        raise SluiceError(
            "list the pending migrations",
            f"the output of the status command matches neither pending_pattern nor none_pattern: "
            f"{tail(output, 6) or 'it is empty'}",
            "Correct the patterns",
        )
    return names


def read_environment(content: str, path: str) -> dict[str, str]:
    """Return the environment variables of a config version."""
    try:
        values = json.loads(content)
    except ValueError:
        raise SluiceError(f"read {path}", "it is not JSON") from None
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise SluiceError(f"read {path}", "it is not an object of strings")
    return values


def secret_values(environment: Mapping[str, str]) -> list[str]:
    """Return the values that no output may show.

    The file does not say which of its variables are secret. One too many only costs a readable word.
    """
    return [
        value
        for name, value in environment.items()
        if len(value) >= _SHORTEST
        and value.lower() not in _HARMLESS
        and (_SECRET_NAME.search(name) or _LOOKS_RANDOM.search(value))
    ]

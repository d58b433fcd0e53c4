# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""All types of preflight checks: their options in one specification, and how a set of them is run and scored."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._libraries import require
from ansible_collections.sluice.release.plugins.module_utils.preflight import (
    _command,
    _disk,
    _file,
    _port,
    _postgres,
    _redis,
    _variables,
    _writable,
)
from ansible_collections.sluice.release.plugins.module_utils.preflight._model import Finding, Kind

KINDS: dict[str, Kind] = {
    "variables": _variables.KIND,
    "command": _command.KIND,
    "port": _port.KIND,
    "postgres": _postgres.KIND,
    "redis": _redis.KIND,
    "disk": _disk.KIND,
    "file": _file.KIND,
    "writable": _writable.KIND,
}

# Seconds on top of twice a check's own timeout, for connecting and ending.
_SLACK = 2.0

COMMON: dict[str, Any] = {
    "type": {"type": "str", "required": True, "choices": list(KINDS)},
    "name": {"type": "str"},
    "optional": {"type": "bool", "default": False},
    "weight": {"type": "float", "default": 1.0},
    "timeout": {"type": "float", "default": 5.0},
}


def check_spec() -> dict[str, Any]:
    """The options of one check: the common ones and those of every type. Which go together is for `problems`."""
    options: dict[str, Any] = dict(COMMON)
    for kind in KINDS.values():
        options.update({name: dict(option) for name, option in kind.options.items()})
    return options


def problems(checks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Everything about the checks that makes no sense, before any of them is run."""
    if not checks:
        yield "there is none, so nothing would be proven"
    for check in checks:
        kind, name = KINDS[check["type"]], title(check)
        given = {option for option in check_spec() if option not in COMMON and check.get(option) is not None}
        for option in sorted(given - set(kind.options)):
            yield f"{name}: {option} does not belong to type {check['type']}"
        for option in kind.required:
            if option not in given:
                yield f"{name}: it has no {option}"
        if kind.one_of and len(given & set(kind.one_of)) != 1:
            yield f"{name}: it needs exactly one of {' and '.join(kind.one_of)}"
        if not check["timeout"] > 0:
            yield f"{name}: timeout must be above 0"
        if not check["weight"] >= 0:
            yield f"{name}: weight must be 0 or more"


def title(check: Mapping[str, Any]) -> str:
    """The name that a check goes by: its own, or its type."""
    return str(check["name"] or check["type"])


def run_checks(checks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Run all checks side by side and return the result of the module. SluiceError when they make no sense."""
    found = list(problems(checks))
    if found:
        raise SluiceError("use the preflight checks", "; ".join(found), "Correct them in the profile")
    require("run the preflight checks", {name for check in checks for name in KINDS[check["type"]].libraries})
    return result(checks, look_at_all(checks))


def look_at_all(checks: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Look at everything side by side. What does not come back in time is a failure, and holds nobody up."""
    answers: list[list[Finding | Exception]] = [[] for _check in checks]

    def look(check: Mapping[str, Any], answer: list[Finding | Exception]) -> None:
        try:
            answer.append(KINDS[check["type"]].look(check))
        except Exception as error:  # noqa: BLE001 - raised again by the thread that waits
            answer.append(error)

    started = time.monotonic()
    threads = [
        threading.Thread(target=look, args=(check, answer), daemon=True) for check, answer in zip(checks, answers)
    ]
    for thread in threads:
        thread.start()
    findings: list[Finding] = []
    for check, thread, answer in zip(checks, threads, answers):
        # Every look bounds itself; this is for a server that connects and then never says another word.
        thread.join(max(0.0, started + 2 * check["timeout"] + _SLACK - time.monotonic()))
        found = answer[0] if answer else Finding(False, f"no answer within {time.monotonic() - started:.0f} s")
        if isinstance(found, Exception):
            raise found
        findings.append(found)
    return findings


def result(checks: Sequence[Mapping[str, Any]], findings: Sequence[Finding]) -> dict[str, Any]:
    """Score what was found. An optional check that failed lowers the score and nothing else."""
    pairs = list(zip(checks, findings))
    weight = sum(check["weight"] for check in checks)
    earned = sum(check["weight"] for check, finding in pairs if finding.passed)
    return {
        "changed": False,
        "passed": all(finding.passed or check["optional"] for check, finding in pairs),
        "score": round(100 * earned / weight, 1) if weight else 100.0,
        "checks": [
            {
                "name": title(check),
                "type": check["type"],
                "passed": finding.passed,
                "optional": check["optional"],
                "message": finding.message,
                "value": finding.value,
            }
            for check, finding in pairs
        ],
    }

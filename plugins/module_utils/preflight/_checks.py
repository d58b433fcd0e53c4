# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""All types of preflight checks: their options in one specification, and how a set of them is run and scored."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._libraries import require
from ansible_collections.sluice.release.plugins.module_utils.preflight import (
    _alert_rules,
    _attestations,
    _audit,
    _cache,
    _certificate,
    _command,
    _contacts,
    _coverage,
    _disk,
    _embargo,
    _file,
    _gates,
    _git,
    _http,
    _mail,
    _package_version,
    _port,
    _postgres,
    _redis,
    _rollback_drill,
    _triggers,
    _type_errors,
    _variables,
    _waivers,
    _windows,
    _writable,
)
from ansible_collections.sluice.release.plugins.module_utils.preflight._model import Finding, Kind
from ansible_collections.sluice.release.plugins.module_utils.preflight._score import result

KINDS: dict[str, Kind] = {
    "variables": _variables.KIND,
    "command": _command.KIND,
    "port": _port.KIND,
    "postgres": _postgres.KIND,
    "redis": _redis.KIND,
    "disk": _disk.KIND,
    "file": _file.KIND,
    "writable": _writable.KIND,
    "mail": _mail.KIND,
    "git": _git.KIND,
    "package_version": _package_version.KIND,
    "coverage": _coverage.KIND,
    "type_errors": _type_errors.KIND,
    "audit": _audit.KIND,
    "certificate": _certificate.KIND,
    "alert_rules": _alert_rules.KIND,
    "http": _http.KIND,
    "contacts": _contacts.KIND,
    "attestations": _attestations.KIND,
    "embargo": _embargo.KIND,
    "rollback_drill": _rollback_drill.KIND,
}

# Seconds on top of twice a check's own timeout, for connecting and ending.
_SLACK = 2.0

COMMON: dict[str, Any] = {
    "type": {"type": "str", "required": True, "choices": list(KINDS)},
    "name": {"type": "str"},
    "group": {"type": "str"},
    "optional": {"type": "bool", "default": False},
    "weight": {"type": "float", "default": 1.0},
    "timeout": {"type": "float", "default": 5.0},
    # It is no secret, whatever Ansible thinks of a name that ends so.
    "cache_key": {"type": "str", "no_log": False},
    "cache_days": {"type": "float"},
}


def check_spec() -> dict[str, Any]:
    """The options of one check: the common ones and those of every type. Which go together is for `problems`."""
    options: dict[str, Any] = dict(COMMON)
    for kind in KINDS.values():
        options.update({name: dict(option) for name, option in kind.options.items()})
    return options


def spec() -> dict[str, Any]:
    """The options of the module."""
    return {
        "checks": {"type": "list", "elements": "dict", "required": True, "options": check_spec()},
        "group_weights": {"type": "dict", "default": {}},
        "waivers": {"type": "list", "elements": "dict", "default": [], "options": _waivers.SPEC},
        # JSON and not a list, for the reason given at `values` of the checks: its checks may hold secrets.
        "gates": {"type": "json", "default": "[]", "no_log": True},
        "windows": {"type": "json", "default": "[]", "no_log": True},
        "window_defaults": {"type": "json", "default": "{}", "no_log": True},
        "triggers": {"type": "json", "default": "{}", "no_log": True},
        "found": {"type": "list", "elements": "dict", "default": []},
        "judge": {"type": "bool", "default": True},
        "state_dir": {"type": "path"},
        "min_score": {"type": "float", "default": 0.0},
    }


def problems(checks: Sequence[Mapping[str, Any]], state_dir: str | None = None) -> Iterator[str]:
    """Everything about the checks that makes no sense, before any of them is run."""
    if not checks:
        yield "there is none, so nothing would be proven"
    for check in checks:
        kind, name = KINDS[check["type"]], title(check)
        given = {option for option in check_spec() if option not in COMMON and check.get(option) is not None}
        for option in sorted(given - set(kind.options)):
            yield f"{name}: {option} does not belong to type {check['type']}"
        yield from (f"{name}: it has no {option}" for option in kind.required if option not in given)
        empty = [option for option in (*kind.required, *kind.one_of) if check[option] == []]
        yield from (f"{name}: its {option} is empty" for option in empty)
        if kind.one_of and len(given & set(kind.one_of)) != 1:
            yield f"{name}: it needs exactly one of {' and '.join(kind.one_of)}"
        if not check["timeout"] > 0:
            yield f"{name}: timeout must be above 0"
        if not check["weight"] >= 0:
            yield f"{name}: weight must be 0 or more"
        yield from (f"{name}: {problem}" for problem in _cache_problems(check, kind, state_dir))


def _cache_problems(check: Mapping[str, Any], kind: Kind, state_dir: str | None) -> Iterator[str]:
    if check["cache_days"] is not None and not check["cache_days"] > 0:
        yield "cache_days must be above 0"
    if check["cache_key"] and not kind.cacheable:
        yield f"what a check of type {check['type']} finds may change at any time, so cache_key is no use"
    if check["cache_key"] and not state_dir:
        yield "cache_key needs state_dir, the directory to keep passes in"


def group_problems(groups: Collection[str], weights: Mapping[str, Any]) -> Iterator[str]:
    """Everything about the weights of groups that makes no sense."""
    for name, weight in weights.items():
        if name not in groups:
            # It would be left out of the score in silence.
            yield f"group_weights names {name}, a group without a check"
        try:
            sound = float(weight) >= 0
        except (TypeError, ValueError):
            sound = False
        if not sound:
            yield f"the weight of group {name} must be 0 or more"


def title(check: Mapping[str, Any]) -> str:
    """The name that a check goes by: its own, or its type."""
    return str(check["name"] or check["type"])


def group_of(check: Mapping[str, Any]) -> str:
    """The group that a check counts in: its own, or that of its type."""
    return str(check["group"] or KINDS[check["type"]].group)


def run_checks(params: Mapping[str, Any], check_mode: bool = False) -> dict[str, Any]:
    """Run all checks side by side and return the result of the module. SluiceError when they make no sense."""
    checks, state_dir, waivers, before = params["checks"], params["state_dir"], params["waivers"], params["found"]
    found = [
        *problems(checks, state_dir),
        *group_problems({*map(group_of, checks), *(one["group"] for one in before)}, params["group_weights"]),
        *_waivers.problems(waivers, {*map(title, checks), *(one["name"] for one in before)}),
    ]
    if found:
        raise SluiceError("use the preflight checks", "; ".join(found), "Correct them in the profile")
    unjudgeable = [*_gates.problems(params["gates"]), *_windows.problems(params["windows"], params["window_defaults"])]
    unjudgeable += _triggers.problems(params["triggers"], _gates.check_names(params["gates"], params["windows"]))
    if unjudgeable:
        raise SluiceError("use the gates of this profile", "; ".join(unjudgeable), "Correct them, nothing was moved")
    require("run the preflight checks", {name for check in checks for name in KINDS[check["type"]].libraries})
    findings = look_with_cache(checks, state_dir, check_mode)
    weights = {name: float(weight) for name, weight in params["group_weights"].items()}
    named = [{**check, "name": title(check), "group": group_of(check)} for check in checks]
    earlier = [Finding(one["passed"], one["message"], one["value"], one["cached"]) for one in before]
    return result([*before, *named], [*earlier, *findings], weights, waivers)


def look_with_cache(
    checks: Sequence[Mapping[str, Any]], state_dir: str | None, check_mode: bool = False
) -> list[Finding]:
    """Look at everything that has not passed for its key before, and keep what passes now, but not in check mode."""
    kept: list[Finding | None] = [
        _cache.recall(state_dir, title(check), KINDS[check["type"]], check)
        if state_dir and check["cache_key"]
        else None
        for check in checks
    ]
    fresh = iter(look_at_all([check for check, finding in zip(checks, kept) if finding is None]))
    findings = []
    for check, old in zip(checks, kept):
        finding = old or next(fresh)
        if state_dir and check["cache_key"] and finding.passed and not finding.cached and not check_mode:
            _cache.keep(state_dir, title(check), KINDS[check["type"]], check, finding)
        findings.append(finding)
    return findings


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

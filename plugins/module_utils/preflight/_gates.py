# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Can the gates of a profile be judged at all? Found before anything moves, and not after the switch."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._libraries import require
from ansible_collections.sluice.release.plugins.module_utils._runner import redact
from ansible_collections.sluice.release.plugins.module_utils.gate._schema import GATE_SPEC, needs, read

ORIGIN = "sluice_origin"
"""Key of a check under which the controller notes where it is written, as `file:line`."""


def problems(text: str) -> Iterator[str]:
    """Everything that makes the gates impossible to judge, each with the name of the gate and of the check.

    ``text`` is a JSON list of gates: a name, and beside it the options of health_gate.
    """
    gates = json.loads(text)
    if not isinstance(gates, list) or not all(isinstance(gate, dict) for gate in gates):
        yield "gates must be a list of gates"
        return
    for number, gate in enumerate(gates, 1):
        options = dict(gate)
        name = str(options.pop("name", "") or f"gate {number}")
        yield from (f"{name}, {problem}" for problem in _gate_problems(options))


def _gate_problems(gate: dict[str, Any]) -> Iterator[str]:
    raw = gate.pop("checks", None) or []
    if not isinstance(raw, list) or not all(isinstance(check, dict) for check in raw):
        yield "checks must be a list of checks"
        return
    spec = {name: option for name, option in GATE_SPEC.items() if name != "checks"}
    settings = ArgumentSpecValidator(spec).validate(gate)
    yield from _messages(settings, gate, spec)
    checks: list[dict[str, Any]] = []
    origins: dict[str, str] = {}
    options = GATE_SPEC["checks"]["options"]
    for number, entry in enumerate(raw, 1):
        check = dict(entry)
        origin = check.pop(ORIGIN, None)
        name = str(check.get("name") or f"check {number}")
        if origin:
            origins[name] = origin
        result = ArgumentSpecValidator(options).validate(check)
        for message in _messages(result, check, options):
            yield f"{_named(name, origins)}: {message}"
        if not result.error_messages:
            checks.append(result.validated_parameters)
    if settings.error_messages or len(checks) < min(1, len(raw)):
        return
    params = {**settings.validated_parameters, "checks": checks}
    require("judge the gates", needs(params))
    try:
        read(params)
    except SluiceError as error:
        yield _with_origins(error.cause, origins)


def _messages(result: Any, given: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[str]:
    """The messages of Ansible's own validation, without secrets and without the list of everything there is."""
    secrets: list[str] = []
    for name, option in spec.items():
        if option.get("no_log"):
            value = given.get(name)
            secrets += map(str, value.values() if isinstance(value, dict) else [value] if value else [])
    for message in result.error_messages:
        short = message.partition(". Supported parameters include")[0]
        if short == message:
            yield redact(message, secrets)
    # Within an option of its own a name comes as the tuple of all names on the way to it.
    unknown = (name if isinstance(name, str) else ".".join(map(str, name)) for name in result.unsupported_parameters)
    for name in sorted(unknown):
        near = difflib.get_close_matches(name, spec, 1)
        yield f"it has no option {name}" + (f"; did you mean {near[0]}?" if near else "")


def _named(name: str, origins: Mapping[str, str]) -> str:
    return f"{name} ({origins[name]})" if name in origins else name


def _with_origins(cause: str, origins: Mapping[str, str]) -> str:
    """The list of problems with the place of each check that it names."""
    parts = []
    for part in cause.split("; "):
        name = next((name for name in sorted(origins, key=len, reverse=True) if part.startswith(f"{name}: ")), None)
        parts.append(part if name is None else _named(name, origins) + part[len(name) :])
    return "; ".join(parts)

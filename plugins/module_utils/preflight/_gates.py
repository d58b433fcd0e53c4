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
from ansible_collections.sluice.release.plugins.module_utils.flow._schema import CHECK_SPEC as FLOW_SPEC
from ansible_collections.sluice.release.plugins.module_utils.flow._schema import read as read_flows
from ansible_collections.sluice.release.plugins.module_utils.gate._comparison import SPEC, Comparison
from ansible_collections.sluice.release.plugins.module_utils.gate._comparison import problems as compared_problems
from ansible_collections.sluice.release.plugins.module_utils.gate._model import SAME_TIME
from ansible_collections.sluice.release.plugins.module_utils.gate._schema import GATE_SPEC, needs, read

ORIGIN = "sluice_origin"
"""Key of a check under which the controller notes where it is written, as `file:line`."""


def problems(text: str) -> Iterator[str]:
    """Everything that makes the gates impossible to judge, each with the name of the gate and of the check.

    ``text`` is a JSON list of gates: a name, and beside it the options of health_gate, with `comparisons` of its
    checks, or those of flow_check.
    """
    gates = json.loads(text)
    if not isinstance(gates, list) or not all(isinstance(gate, dict) for gate in gates):
        yield "gates must be a list of gates"
        return
    for number, gate in enumerate(gates, 1):
        options = dict(gate)
        name = str(options.pop("name", "") or f"gate {number}")
        yield from (f"{name}, {problem}" for problem in gate_problems(options))


def check_names(*texts: str) -> list[str]:
    """The names of everything that gates judge; ``texts`` are lists of gates, as for `problems`, or of windows."""
    found = []
    for gate in [gate for text in texts for gate in json.loads(text) if isinstance(gate, dict)]:
        for kind in ("checks", "comparisons", "flows", "security"):
            entries = [entry for entry in gate.get(kind) or [] if isinstance(entry, dict)]
            found += [str(entry.get("name") or entry.get("set")) for entry in entries]
    return found


def gate_problems(gate: dict[str, Any]) -> Iterator[str]:
    """Everything that makes one gate impossible to judge."""
    yield from _walk_problems(gate) if gate.keys() & {"flows", "security"} else _measure_problems(gate)


def _measure_problems(gate: dict[str, Any]) -> Iterator[str]:
    compared = _Entries("comparison", gate.pop("comparisons", None), SPEC)
    checks = _Entries("check", gate.pop("checks", None), GATE_SPEC["checks"]["options"])
    spec = {name: option for name, option in GATE_SPEC.items() if name != "checks"}
    settings = ArgumentSpecValidator(spec).validate(gate)
    yield from (*_messages(settings, gate, spec), *checks.problems, *compared.problems)
    if settings.error_messages or checks.unusable:
        return
    params = {**settings.validated_parameters, "checks": checks.valid}
    require("judge the gates", needs(params))
    try:
        read_checks, _settings = read(params)
    except SluiceError as error:
        yield with_origins(error.cause, checks.origins)
        return
    directions = {check.name: "state" if check.is_state else check.limits.direction for check in read_checks}
    # Where a check is no check, nothing can be said of who is compared with it.
    if not checks.problems:
        for one in compared.valid:
            for problem in (*compared_problems(Comparison(**one), directions), *_too_few(one, params)):
                yield f"{named(one['name'], compared.origins)}: {problem}"


def _too_few(comparison: Mapping[str, Any], gate: Mapping[str, Any]) -> Iterator[str]:
    """Whether a comparison would never be used."""
    possible = int((gate["duration"] - gate["grace"] + SAME_TIME) / gate["interval"]) + 1
    if comparison["min_samples"] > possible:
        least, span = comparison["min_samples"], gate["duration"] - gate["grace"]
        yield f"min_samples is {least}, but {span:g} s hold only {possible} samples"


def _walk_problems(walk: dict[str, Any]) -> Iterator[str]:
    flows = _Entries("flow", walk.pop("flows", None), FLOW_SPEC["flows"]["options"])
    security = _Entries("set", walk.pop("security", None), FLOW_SPEC["security"]["options"])
    spec = {name: option for name, option in FLOW_SPEC.items() if name not in ("flows", "security")}
    settings = ArgumentSpecValidator(spec).validate(walk)
    yield from (*_messages(settings, walk, spec), *flows.problems, *security.problems)
    if settings.error_messages or flows.unusable or security.unusable or not (flows.valid or security.valid):
        return
    require("judge the flows", ["jmespath"])
    try:
        read_flows({**settings.validated_parameters, "flows": flows.valid, "security": security.valid})
    except SluiceError as error:
        yield with_origins(error.cause, {**security.origins, **flows.origins})


class _Entries:
    """The entries of one list of a gate: those that have valid options, and where each is written."""

    def __init__(self, kind: str, given: Any, spec: Mapping[str, Any]) -> None:
        self.valid: list[dict[str, Any]] = []
        self.origins: dict[str, str] = {}
        self.problems: list[str] = []
        raw = given or []
        if not isinstance(raw, list) or not all(isinstance(entry, dict) for entry in raw):
            self.problems = [f"{kind}s must be a list of {kind}s"]
            raw = []
        for number, entry in enumerate(raw, 1):
            options = dict(entry)
            origin = options.pop(ORIGIN, None)
            name = str(options.get("name") or options.get("set") or f"{kind} {number}")
            if origin:
                self.origins[name] = origin
            result = ArgumentSpecValidator(dict(spec)).validate(options)
            self.problems += [f"{named(name, self.origins)}: {text}" for text in _messages(result, options, spec)]
            if not result.error_messages:
                self.valid.append(result.validated_parameters)

    @property
    def unusable(self) -> bool:
        """Whether there are entries, and none of them is valid."""
        return bool(self.problems) and not self.valid


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


def named(name: str, origins: Mapping[str, str]) -> str:
    """A name with the place where it is written, if that is known."""
    return f"{name} ({origins[name]})" if name in origins else name


def with_origins(cause: str, origins: Mapping[str, str]) -> str:
    """The list of problems with the place of each check that it names."""
    parts = []
    for part in cause.split("; "):
        name = next((name for name in sorted(origins, key=len, reverse=True) if part.startswith(f"{name}: ")), None)
        parts.append(part if name is None else named(name, origins) + part[len(name) :])
    return "; ".join(parts)

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a check may say: its options, and what makes sense of them together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.gate import _baseline
from ansible_collections.sluice.release.plugins.module_utils.gate._kinds import KINDS
from ansible_collections.sluice.release.plugins.module_utils.gate._model import SAME_TIME, Check, Limits
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._kind import word

COMMON: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "type": {"type": "str", "required": True, "choices": list(KINDS)},
    "timeout": {"type": "float", "default": 5.0},
    "scale": {"type": "float", "default": 1.0},
    "direction": {"type": "str", "choices": ["above", "below", "equals"]},
    "target": {"type": "float"},
    "warn": {"type": "float"},
    "crit": {"type": "float"},
    "inclusive": {"type": "bool"},
    "baseline": {"type": "dict", "options": _baseline.OPTIONS},
    "sustained": {"type": "float", "default": 0.0},
    "recover": {"type": "float", "default": 0.0},
    "grace": {"type": "float"},
    "on_no_data": {"type": "str", "default": "fail", "choices": ["fail", "hold", "pass"]},
    "min_samples": {"type": "int", "default": 1},
    "successes": {"type": "int", "default": 0},
    "unit": {"type": "str"},
    "judge": {"type": "bool", "default": True},
    "weight": {"type": "float", "default": 1.0},
}
"""What every check may say."""

CHECK_SPEC: dict[str, Any] = {
    **COMMON,
    **{name: option for kind in KINDS.values() for name, option in kind.options.items()},
}

GATE_SPEC: dict[str, Any] = {
    "checks": {"type": "list", "elements": "dict", "required": True, "options": CHECK_SPEC},
    "duration": {"type": "float", "default": 0.0},
    "interval": {"type": "float", "default": 1.0},
    "grace": {"type": "float", "default": 0.0},
    "baseline": {"type": "dict"},
    "take_baseline": {"type": "bool", "default": False},
    "first_release": {"type": "bool", "default": False},
    "stop_on_red": {"type": "bool", "default": True},
    "fail_on_red": {"type": "bool", "default": True},
    "fail_on_pending": {"type": "bool", "default": False},
}


@dataclass(frozen=True)
class Settings:
    """How long and how often a gate looks. All times in seconds."""

    duration: float = 0.0
    """0: one look at each check."""
    interval: float = 1.0
    stop_on_red: bool = True


def needs(params: Mapping[str, Any]) -> set[str]:
    """The libraries beyond the standard one that these checks need."""
    return {library for check in params["checks"] for library in KINDS[check["type"]].libraries(check)}


def read(params: Mapping[str, Any]) -> tuple[list[Check], Settings]:
    """Turn the module's parameters into checks. Raises SluiceError that lists everything that makes no sense."""
    settings = Settings(params["duration"], params["interval"], params["stop_on_red"])
    problems = list(_gate_problems(params))
    checks: list[Check] = []
    for raw in params["checks"]:
        found = list(_problems(raw, params)) or list(_baseline_problems(raw, params))
        problems += [f"{raw['name']}: {problem}" for problem in found]
        if not found:
            checks.append(_check(raw, params))
    if problems:
        raise SluiceError("use the checks of this gate", "; ".join(problems), "Correct them in the profile")
    return checks, settings


def _gate_problems(params: Mapping[str, Any]) -> Iterator[str]:
    names = [check["name"] for check in params["checks"]]
    if not names:
        # A gate that asks nothing would let everything through.
        yield "there is none, so nothing would be judged"
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"the name {name} is used more than once"
    if params["take_baseline"] and params["baseline"]:
        yield "baseline cannot go with take_baseline"
    if params["take_baseline"] and not any(check["baseline"] for check in params["checks"]):
        yield "take_baseline makes no sense where no check compares with a baseline"
    for option in ("duration", "grace"):
        if not _finite(params[option]) or params[option] < 0:
            yield f"{option} is {params[option]:g}, it must be 0 or more"
    if not _finite(params["interval"]) or params["interval"] < 0.05:
        yield f"interval is {params['interval']:g}, it must be at least 0.05 (s)"
    if names and not any(check["weight"] > 0 and check["judge"] for check in params["checks"]):
        yield "no check has a weight above 0"


def _problems(raw: Mapping[str, Any], gate: Mapping[str, Any]) -> Iterator[str]:
    yield from _foreign(raw)
    yield from _number_problems(raw)
    yield from KINDS[raw["type"]].problems(raw, gate)
    yield from _limit_problems(raw)
    yield from _time_problems(raw, gate)


def _foreign(raw: Mapping[str, Any]) -> Iterator[str]:
    """Options of other types. What has its default counts as not given: nobody can tell the two apart."""
    known = {*COMMON, *KINDS[raw["type"]].options}
    for option, spec in CHECK_SPEC.items():
        if option not in known and raw[option] != spec.get("default"):
            yield f"{option} does not belong to type {raw['type']}"


def _finite(number: float | None) -> bool:
    return number is None or math.isfinite(number)


def _number_problems(raw: Mapping[str, Any]) -> Iterator[str]:
    for option in ("target", "warn", "crit", "scale"):
        if not _finite(raw[option]):
            yield f"{option} is no finite number"
    for option, least in (("sustained", 0), ("recover", 0), ("grace", 0), ("weight", 0), ("successes", 0),
                          ("min_samples", 1), ("min_events", 1)):  # fmt: skip
        value = raw[option]
        if value is not None and not (_finite(value) and value >= least):
            yield f"{option} is {value:g}, it must be {least} or more"
    for option in ("timeout", "window"):
        if not (_finite(raw[option]) and raw[option] > 0):
            yield f"{option} is {raw[option]:g}, it must be above 0"


def _limit_problems(raw: Mapping[str, Any]) -> Iterator[str]:
    given = {option: raw[option] for option in ("target", "warn", "crit") if raw[option] is not None}
    kind = KINDS[raw["type"]]
    if not raw["judge"]:
        yield from _unjudged_problems(raw, given)
        return
    if kind.state(raw) is not None or raw["expect"] is not None:
        what = "expect" if raw["expect"] is not None else kind.stated_by
        given.update({name: raw[name] for name in ("baseline", "inclusive") if raw[name] is not None})
        if given:
            yield f"{', '.join(given)} cannot go with {what}, which knows only right and wrong"
        return
    yield from _baseline.problems(raw, _direction(raw))
    if not given and not raw["baseline"]:
        yield "it has no limit (target, warn, crit or expect)"
    direction = _direction(raw)
    if direction == "equals":
        if "target" in given:
            yield "target cannot go with direction=equals"
        if raw["inclusive"] is not None:
            yield "inclusive cannot go with direction=equals"
        return
    for option in ("target", "warn"):
        if "crit" in given and option in given:
            beyond = given[option] > given["crit"] if direction == "above" else given[option] < given["crit"]
            if beyond:
                yield f"{option} {given[option]:g} lies past crit {given['crit']:g} (the bad side is {direction})"


def _unjudged_problems(raw: Mapping[str, Any], given: Mapping[str, float]) -> Iterator[str]:
    """What a check says of limits although it is only measured."""
    kind = KINDS[raw["type"]]
    limits = [*given, *(option for option in ("baseline", "expect", "successes") if raw[option])]
    if limits:
        yield f"{', '.join(limits)} cannot go with judge=false"
    if kind.state(raw) is not None:
        yield f"{kind.stated_by} cannot go with judge=false, for it yields no numbers"


def _time_problems(raw: Mapping[str, Any], gate: Mapping[str, Any]) -> Iterator[str]:
    duration, interval = gate["duration"], gate["interval"]
    grace = gate["grace"] if raw["grace"] is None else raw["grace"]
    if not all(map(_finite, (duration, interval, grace))) or interval <= 0:
        return
    if duration == 0:
        compared = KINDS[raw["type"]].two_looks(raw)
        if compared:
            yield f"{compared} needs two looks; set duration"
        if raw["successes"] > 1 or raw["min_samples"] > 1:
            yield "more than one sample needs time; set duration"
        return
    if grace >= duration:
        yield f"its grace of {grace:g} s leaves nothing of {duration:g} s to judge"
        return
    # The ticks from the grace to the end; the first scrape of what compares two is no sample.
    first, last = math.ceil((grace - SAME_TIME) / interval), int((duration + SAME_TIME) / interval)
    possible = last - first + (0 if KINDS[raw["type"]].two_looks(raw) else 1)
    for option in ("successes", "min_samples"):
        if raw[option] > possible:
            yield f"{option} is {raw[option]}, but {duration:g} s hold only {possible} samples"


def _baseline_problems(raw: Mapping[str, Any], gate: Mapping[str, Any]) -> Iterator[str]:
    """What keeps a limit from being found in the baseline, of a check that makes sense by itself."""
    band = _baseline.band_of(raw["baseline"])
    if band is None or gate["take_baseline"]:
        return
    try:
        usual = _baseline.statistics_of(gate["baseline"], raw["name"])
    except (AttributeError, KeyError, TypeError, ValueError):
        yield "baseline of the gate is no result of health_gate"
        return
    missing = band.missing(usual, _direction(raw), _unit(raw))
    if missing and band.on_missing == "fail" and not gate["first_release"]:
        yield missing


def lacking(params: Mapping[str, Any], gates: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say of a baseline that has been taken why checks could not be compared with it; empty when all can."""
    found = []
    for raw in params["checks"]:
        band = _baseline.band_of(raw["baseline"])
        if band and band.on_missing == "fail":
            usual = _baseline.statistics_of({"gates": gates}, raw["name"])
            missing = band.missing(usual, _direction(raw), _unit(raw))
            found += [f"{raw['name']}: {missing}"] if missing else []
    return found


def _banded(raw: Mapping[str, Any], gate: Mapping[str, Any]) -> dict[str, Any]:
    """The limit that the baseline gives, as fields of Limits; none while the baseline is being taken."""
    band = _baseline.band_of(raw["baseline"])
    if band is None:
        return {} if raw["judge"] else {"origin": "it is measured and not judged"}
    if gate["take_baseline"]:
        return {"origin": "a baseline is being taken"}
    usual, direction, unit = _baseline.statistics_of(gate["baseline"], raw["name"]), _direction(raw), _unit(raw)
    missing = band.missing(usual, direction, unit)
    if missing:
        return {"origin": "nothing ran before" if gate["first_release"] else missing}
    return {band.limit: band.at(usual, direction), "banded": band.limit, "origin": band.origin(usual, unit)}


def _unit(raw: Mapping[str, Any]) -> str:
    return KINDS[raw["type"]].unit(raw) if raw["unit"] is None else str(raw["unit"])


def _direction(raw: Mapping[str, Any]) -> str:
    return str(raw["direction"] or KINDS[raw["type"]].direction(raw))


def _check(raw: Mapping[str, Any], gate: Mapping[str, Any]) -> Check:
    kind = KINDS[raw["type"]]
    expect = None if raw["expect"] is None else word(raw["expect"])
    return Check(
        name=raw["name"],
        type=raw["type"],
        target=kind.target(raw, gate),
        begin=kind.begin(raw),
        limits=Limits(
            direction=_direction(raw),
            target=raw["target"],
            **{"warn": raw["warn"], "crit": raw["crit"], **_banded(raw, gate)},
            inclusive=raw["inclusive"],
            expect=expect,
            sustained=raw["sustained"],
            recover=raw["recover"],
            on_no_data=raw["on_no_data"] if raw["judge"] else "pass",
            min_samples=raw["min_samples"],
            successes=raw["successes"],
            grace=gate["grace"] if raw["grace"] is None else raw["grace"],
        ),
        state=kind.state(raw) if expect is None else expect,
        unit=_unit(raw),
        weight=raw["weight"] if raw["judge"] else 0.0,
        scale=raw["scale"],
        window=raw["window"],
        min_events=raw["min_events"],
    )

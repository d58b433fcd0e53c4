# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""From what was found to a verdict and a score; the same for flows and for workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError

ORDER = ("green", "yellow", "pending", "red")
"""From best to worst."""


def gate(
    name: str, passed: bool, *, kind: str, reason: str, optional: bool, weight: float, samples: int, **more: Any
) -> dict[str, Any]:
    """One judged thing in the form of a check of health_gate, so that journal, report and terminal know it."""
    return {
        "check": name,
        "type": kind,
        "verdict": "green" if passed else "yellow" if optional else "red",
        "value": "passed" if passed else "failed",
        "threshold": "passed",
        "direction": "state",
        "reason": reason,
        "optional": optional,
        "weight": weight,
        "samples": samples,
        **more,
    }


def score_of(gates: Sequence[Mapping[str, Any]]) -> float:
    """Weight of what passed, in percent of all; what failed earns nothing, also where it is optional."""
    weight = sum(one["weight"] for one in gates)
    earned = sum(one["weight"] for one in gates if one["value"] == "passed")
    return round(100 * earned / weight, 1) if weight else 100.0


def summary(gates: Sequence[Mapping[str, Any]], what: str, min_score: float) -> dict[str, Any]:
    """Verdict, score and all gates. Where a pass mark is asked for it is the last of the gates."""
    score = score_of(gates)
    everything = list(gates)
    if min_score > 0:
        everything.append(
            gate(
                f"score of the {what}",
                score >= min_score,
                kind="score",
                reason=f"the {what} scored {score:g}, at least {min_score:g} is needed",
                optional=False,
                weight=0.0,
                samples=len(gates),
            )
            | {"value": score, "threshold": f"at least {min_score:g}"}
        )
    return {
        "verdict": max((one["verdict"] for one in everything), key=ORDER.index, default="green"),
        "score": score,
        "gates": everything,
    }


def red_words(gates: Sequence[Mapping[str, Any]], what: str) -> str:
    """`2 of 5 flows are red: why; why`, and '' when none is."""
    return _words(gates, what, "red")


def refusal(gates: Sequence[Mapping[str, Any]], what: str, *, on_red: bool, on_pending: bool) -> str:
    """Why a gate may not be passed, and '' when it may: for what is red, else for what is pending.

    Pending at the end of a gate means that it was never decided, for want of data.
    """
    return (_words(gates, what, "red") if on_red else "") or (_words(gates, what, "pending") if on_pending else "")


def _words(gates: Sequence[Mapping[str, Any]], what: str, verdict: str) -> str:
    found = [one for one in gates if one["verdict"] == verdict]
    if not found:
        return ""
    total = len(gates)
    count = f"{len(found)} of {total} {what}{'s' * (total != 1)} {'is' if len(found) == 1 else 'are'} {verdict}"
    return f"{count}: {'; '.join(str(one['reason']) for one in found)}"


def join(evidence: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The verdict on several results together. SluiceError when none of them has one."""
    parts = [part for part in evidence if part.get("verdict")]
    if not parts:
        # A verdict on nothing would let everything through.
        raise SluiceError("judge the evidence", "there is none", "Measure something before it is judged")
    gates = [one for part in parts for one in part["gates"]]
    weights = [sum(one.get("weight") or 0.0 for one in part["gates"]) for part in parts]
    whole = sum(weights)
    earned = sum(weight * (part.get("score") or 0.0) for weight, part in zip(weights, parts))
    return {
        "verdict": max((part["verdict"] for part in parts), key=ORDER.index),
        "score": round(earned / whole, 1) if whole else 100.0,
        "gates": gates,
        "breaches": [breach for part in parts for breach in part.get("breaches") or ()],
        "samples": sum(part.get("samples") or 0 for part in parts),
        "seconds": round(sum(part.get("seconds") or 0.0 for part in parts), 3),
    }

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Is the new version worse than the old one, while both serve? A two-sample test on what a gate has measured. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.flow._score import score_of
from ansible_collections.sluice.release.plugins.module_utils.gate._comparison import Comparison, problems
from ansible_collections.sluice.release.plugins.module_utils.gate._model import show


def compare(evidence: Mapping[str, Any], comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Return the verdict on all comparisons, in the form of the gate that they go with. SluiceError when unusable."""
    checks = {gate["check"]: gate for gate in evidence.get("gates") or ()}
    directions = {name: str(gate.get("direction")) for name, gate in checks.items()}
    found = [f"{one.name}: {problem}" for one in comparisons for problem in problems(one, directions)]
    if found:
        raise SluiceError("compare the versions", "; ".join(found), "Correct the comparisons in the profile")
    gates = [_judge(comparison, checks[comparison.new], checks[comparison.old]) for comparison in comparisons]
    order = ("green", "yellow", "red")
    return {
        "verdict": max((gate["verdict"] for gate in gates), key=order.index, default="green"),
        "score": score_of(gates),
        "gates": gates,
        "samples": sum(gate["samples"] for gate in gates),
    }


def values_of(gate: Mapping[str, Any]) -> list[float]:
    """The judged values of a check: of its series what lies after the grace and is a number."""
    grace = gate.get("grace") or 0.0
    return [
        float(value)
        for t, value in gate.get("series") or ()
        if t >= grace and value is not None and math.isfinite(value)
    ]


def _judge(comparison: Comparison, new: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    mine, theirs = values_of(new), values_of(old)
    unit, below = str(new.get("unit") or ""), new["direction"] == "below"
    fewest = min(len(mine), len(theirs))
    result: dict[str, Any] = {
        "check": comparison.name,
        "type": "comparison",
        "verdict": "green",
        "value": None,
        "threshold": None,
        "unit": unit,
        "direction": new["direction"],
        "optional": comparison.optional,
        "weight": comparison.weight,
        "samples": len(mine) + len(theirs),
        "used": fewest >= comparison.min_samples,
        "p_value": None,
    }
    if not result["used"]:
        reason = f"was not used: {fewest} of at least {comparison.min_samples} samples on either side"
        # It says nothing, so it earns nothing and costs nothing.
        return {**result, "weight": 0.0, "value": "passed", "reason": f"{comparison.name} {reason}"}
    ours, usual = statistics.median(mine), statistics.median(theirs)
    p_value = _p_value(mine, theirs, below=below)
    limit = usual - abs(usual) * comparison.tolerance if below else usual + abs(usual) * comparison.tolerance
    beyond = ours < limit if below else ours > limit
    worse = beyond and p_value < comparison.alpha
    words = (
        f"{comparison.name}: the new version's median was {show(ours, unit)}, the old one's {show(usual, unit)}"
        f" (Mann-Whitney p = {p_value:.2g}, {len(mine)} and {len(theirs)} samples)"
    )
    allowed = f"{comparison.tolerance:.0%} are allowed at p >= {comparison.alpha:g}"
    return {
        **result,
        "verdict": ("yellow" if comparison.optional else "red") if worse else "green",
        "value": "failed" if worse else "passed",
        "threshold": "passed",
        "reason": f"{words}; {allowed}" if worse else words,
        "p_value": p_value,
        "new_median": ours,
        "old_median": usual,
    }


def _p_value(mine: Sequence[float], theirs: Sequence[float], *, below: bool) -> float:
    """How likely the new values lie this far on the bad side of the old ones by chance alone.

    Mann-Whitney's U, one-sided: of ranks, because latencies and rates are anything but normally distributed. It is the
    test of Kayenta's judge.
    """
    from scipy.stats import mannwhitneyu

    found = mannwhitneyu(mine, theirs, alternative="less" if below else "greater")
    # All values equal: nothing speaks against them being the same.
    return 1.0 if math.isnan(found.pvalue) else float(found.pvalue)

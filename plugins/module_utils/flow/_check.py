# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What module flow_check gives back."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils.flow._model import Flow
from ansible_collections.sluice.release.plugins.module_utils.flow._run import run_flows
from ansible_collections.sluice.release.plugins.module_utils.flow._score import gate, summary


def judge_flows(flows: Sequence[Flow], params: Mapping[str, Any], *, send: bool = True) -> dict[str, Any]:
    """Run the flows and judge them; without `send` everything stays undecided."""
    if not send:
        gates = [_undecided(flow) for flow in flows]
        return {"verdict": "pending", "score": None, "gates": gates, "samples": 0, "seconds": 0.0}
    started = time.monotonic()
    gates = run_flows(flows, params["deadline"])
    return {
        **summary(gates, "flows", params["min_score"]),
        "samples": sum(one["samples"] for one in gates),
        "seconds": round(time.monotonic() - started, 3),
    }


def _undecided(flow: Flow) -> dict[str, Any]:
    """A flow that makes sense and was not sent."""
    steps: list[dict[str, Any]] = [
        {
            "name": step.name,
            "method": step.method,
            "path": step.path,
            "outcome": "skipped",
            "status": None,
            "ms": None,
            "attempts": 0,
            "failures": [],
            "reason": "check mode sends nothing",
        }
        for step in flow.steps
    ]
    judged = gate(
        flow.name,
        False,
        kind=flow.kind,
        reason=f"{flow.name} was not run: check mode sends nothing",
        optional=flow.optional,
        weight=flow.weight,
        samples=0,
        seconds=0.0,
        tags=list(flow.tags),
        steps=steps,
    )
    return judged | {"verdict": "pending", "value": None}

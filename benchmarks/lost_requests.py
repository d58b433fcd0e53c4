# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that are lost in upgrades under load, and in automatic rollbacks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from sluice_lab.lab import Facts, Lab
from sluice_lab.load import Tally, load

from benchmarks.playbooks import deploy, playbook

# Requests a second.
RATE = 50


async def under_load(lab: Lab, facts: Facts, version: str) -> tuple[int, Tally]:
    """Deploy under load; return the exit status and what became of the requests."""
    async with load(f"http://127.0.0.1:{facts.app_port}", RATE) as tally:
        arguments = ("deploy.yml", "-l", "lab", "-e", f"release_version={version}")
        status, _seconds, _output = await asyncio.to_thread(playbook, lab, *arguments)
    return status, tally


def measure(lab: Lab, facts: Facts, rounds: int) -> dict[str, Any]:
    """Upgrade under load, and let a bad release be taken back under load."""
    upgrades, rollbacks = [], []
    for _ in range(rounds):
        deploy(lab, "1.0.0", "-e", "gate_duration=2")
        status, tally = asyncio.run(under_load(lab, facts, "1.1.0"))
        upgrades.append({"exit_status": status, **tally.as_dict()})
        status, tally = asyncio.run(under_load(lab, facts, "1.2.0"))
        rollbacks.append({"exit_status": status, **tally.as_dict()})
    return {
        "rate": RATE,
        "upgrade": upgrades,
        "rollback": rollbacks,
        "lost_in_upgrades": sum(run["failed"] for run in upgrades),
        # What the bad version itself answered is not lost.
        "lost_in_rollbacks": sum(run["lost"] for run in rollbacks),
    }


def render(found: Mapping[str, Any]) -> list[str]:
    """Return the results as lines of a page for people."""
    runs, sent = len(found["upgrade"]), sum(run["sent"] for run in found["upgrade"])
    back = sum(run["sent"] for run in found["rollback"])
    return [
        "",
        f"## Requests lost at {found['rate']} requests a second",
        "",
        f"- {runs} upgrades from 1.0.0 to 1.1.0: **{found['lost_in_upgrades']}** of {sent} (no 2xx, or no answer)",
        f"- {runs} automatic rollbacks from 1.2.0: **{found['lost_in_rollbacks']}** of {back} (no answer; what",
        "  the bad version itself answered is not counted)",
    ]

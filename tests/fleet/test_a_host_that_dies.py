# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host loses its power in the middle of a release: the others move together or not at all, and it is brought back.

SLUICE_DEATHS=all tries every stage in every batch; otherwise a few that stand for the others. SLUICE_FLEET_HOSTS sets
the size of the fleet.
"""

from __future__ import annotations

import os

import pytest
from plays import LIMIT, begin, deploy, play
from sluice_lab.fleet import STAGES, VERSIONS, Fleet, Host, wait_for

from ansible_collections.sluice.release.plugins.module_utils.journal import _entry, _state
from ansible_collections.sluice.release.plugins.module_utils.journal._fleet import differences, who_runs_what

# In which batch the host is: 1 host, half of them, the rest.
FIRST, MIDDLE, LAST = 0, 1, -1
EVERY = [(stage, place) for stage in STAGES for place in (FIRST, MIDDLE, LAST) if stage != "migrate" or place == FIRST]
# While the first batch serves the new version already; when all have moved.
FEW = [("switch", MIDDLE), ("verify", LAST)]
CASES = EVERY if os.environ.get("SLUICE_DEATHS") == "all" else FEW


def states(hosts: list[Host]) -> dict[str, _entry.State]:
    return {host.name: _state.derive(host.journal()) for host in hosts}


def other(version: str | None) -> str:
    return VERSIONS[1] if version == VERSIONS[0] else VERSIONS[0]


@pytest.mark.parametrize(("stage", "place"), CASES, ids=str)
def test_a_host_that_dies(fleet: Fleet, stage: str, place: int) -> None:
    victim = fleet.hosts[place]
    others = [host for host in fleet.hosts if host is not victim]
    served = fleet.hosts[0].version()
    wanted = other(served)
    if stage == "migrate":
        victim.run("rm", "-f", "/migrated")
    victim.hold(stage)
    with begin(fleet, "deploy.yml", "-e", f"release_version={wanted}") as process:
        wait_for(f"stage {stage}", lambda: victim.has(f"/held/{stage}") or process.poll() is not None, LIMIT)
        assert process.poll() is None, process.communicate()[0][-3000:]
        victim.kill()
        output, _none = process.communicate(timeout=LIMIT)

    # The job says who and why, and the rest of the fleet is on one version: the one that served before.
    assert process.returncode != 0
    assert victim.name in " ".join(output.split())
    assert [host.version() for host in others] == [served] * len(others), output[-3000:]
    found = states(others)
    assert {state["open"] is None for state in found.values()} == {True}
    assert {state["last"]["outcome"] for state in found.values()} <= {"failed", "rolled_back"}
    assert {(state["current"] or {}).get("version") for state in found.values()} == {served}

    # It comes back as it was when it lost its power; the next run brings the whole fleet where it should be.
    victim.start()
    victim.release()
    fleet.write_inventory()
    wait_for(f"SSH on {victim.name}", lambda: victim.has("/run/sshd.pid"))
    again = deploy(fleet, wanted)
    assert again.returncode == 0, again.stdout[-3000:]
    assert fleet.versions() == [wanted] * len(fleet.hosts)
    found = states(fleet.hosts)
    assert differences(who_runs_what(found)) == []
    assert {state["current"]["version"] for state in found.values()} == {wanted}


def test_a_run_on_a_part_of_the_fleet(fleet: Fleet) -> None:
    part = fleet.hosts[-1]
    wanted = other(fleet.hosts[0].version())
    done = deploy(fleet, wanted, "--limit", part.name)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "take no part" in done.stdout
    told = play(fleet, "status.yml", "-e", "status_strict=true")
    assert told.returncode != 0
    assert f"{part.name}: {wanted}-" in told.stdout
    assert deploy(fleet, wanted).returncode == 0
    assert fleet.versions() == [wanted] * len(fleet.hosts)
    assert play(fleet, "status.yml", "-e", "status_strict=true").returncode == 0

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 of the controller at random moments of a deploy: what serves goes on serving, and the next run tidies up.

SLUICE_KILLS is how often (default 20; `make test` takes fewer), SLUICE_SEED repeats the moments of an earlier run.
"""

from __future__ import annotations

import contextlib
import os
import random
import secrets
from pathlib import Path

from sluice_lab.processes import command_line
from world import WORKERS, World, kill_controller, pids, wait_for

KILLS = int(os.environ.get("SLUICE_KILLS", "20"))
SEED = int(os.environ.get("SLUICE_SEED", "0")) or secrets.randbelow(10**9)
VERSIONS = ("1.0.0", "1.1.0")


def interrupted(world: World, version: str, seconds: float) -> bool:
    """Start a deploy and kill its controller after `seconds`; whether it was still running then."""
    variables = ["-e", f"release_version={version}", "-e", "gate_duration=2", "-e", "backup_verify=manifest"]
    log = world.directory / "tmp" / "killed.log"
    with log.open("w") as output:
        process = world.start("deploy", *variables, output=output)
        if wait_for(lambda: process.poll() is not None, seconds, 0.05):
            assert process.returncode == 0, log.read_text()
            return False
        kill_controller(process)
    return True


def built(world: World) -> set[str]:
    """The versions of which there is a whole artifact."""
    return {path.parent.name.split("-")[0] for path in (world.root / "releases").glob("*/.sluice-artifact.json")}


def half_done(world: World) -> list[str]:
    """What a build or a config version that was cut off would leave behind."""
    artifacts = [path for path in (world.root / "releases").iterdir() if not (path / ".sluice-artifact.json").is_file()]
    configs = [path for path in (world.root / "config").glob("[0-9]*") if not (path / "env.json").is_file()]
    return sorted(str(path.relative_to(world.root)) for path in [*artifacts, *configs])


def orphans(world: World) -> list[str]:
    """Modules and probers of an earlier run that still act on this lab: Python processes with its home."""
    found = []
    for pid in pids():
        with contextlib.suppress(OSError):
            program = Path(f"/proc/{pid}/exe").readlink().name
            settings = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            if program.startswith("python") and f"HOME={world.home}".encode() in settings:
                found.append(f"{pid} {command_line(pid)}")
    return found


def test_kills_at_random_moments(world: World) -> None:
    print(f"SLUICE_SEED={SEED} SLUICE_KILLS={KILLS}")
    draw = random.Random(SEED)
    # Both versions are built, so that every attempt has the same stages; the last before them tells how long one takes.
    if not built(world) >= set(VERSIONS) or world.serving() not in VERSIONS:
        world.ensure(VERSIONS[1])
    turns = VERSIONS if world.serving() == VERSIONS[1] else VERSIONS[::-1]
    whole = world.deploy(turns[0])
    assert whole.status == 0, whole.output
    assert built(world) >= set(VERSIONS)
    bad = set(world.state()["bad"])
    killed = attempts = 0
    while killed < KILLS:
        attempts += 1
        assert attempts <= 3 * KILLS, "the deploys end before they can be killed"
        version = turns[attempts % 2]
        seconds = draw.uniform(0.5, whole.seconds)
        hit = interrupted(world, version, seconds)
        killed += hit
        opened = world.state()["open"] or {}
        where = opened.get("stage") or ("between two stages" if opened else "outside of the record")
        print(f"{killed:3} deploy of {version} {f'killed after {seconds:.1f} s, {where}' if hit else 'ended before'}")
        # Exactly one version answers a request, and only good ones, whatever moment it was.
        seen = world.ask(6)
        assert seen.troubles == (), (SEED, seconds, where, seen)
        assert seen.versions <= set(VERSIONS), (SEED, seconds, where, seen)

    final = VERSIONS[1] if world.serving() == VERSIONS[0] else VERSIONS[0]
    run = world.deploy(final)
    assert run.status == 0, (SEED, run.output)
    world.assert_serves(final)
    state = world.state()
    assert state["open"] is None
    assert (state["last"]["outcome"], state["last"]["version"]) == ("succeeded", final)
    assert set(state["bad"]) <= bad, "an interrupted release is not a bad one"
    assert world.lock() is None
    assert half_done(world) == []
    assert wait_for(lambda: not orphans(world), 60), orphans(world)
    assert len(world.workers()) == WORKERS
    assert Path((world.root / "current").readlink()).name.startswith(f"{final}-")

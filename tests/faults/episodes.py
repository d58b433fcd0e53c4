# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An episode: an operation, a fault at a moment of it, the world mended, and what must hold then."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults import fault
from matrix import Cell
from sluice_lab.processes import command_line
from world import LIMIT, QUICK, Run, World, pids, wait_for

VERSIONS = ("1.0.0", "1.1.0")

PLAYS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "deploy": ("deploy", QUICK),
    "rollback": ("rollback", {"rollback_level": 2}),
    "rollback with the database": ("rollback", {"rollback_level": 3, "rollback_revert": False}),
    "restore": ("restore", {"backup_id": "latest", "confirm_restore": True}),
}
# What may take rows with it, as a person has said.
RESTORES = ("rollback with the database", "restore")


@dataclass
class Site:
    """A lab that is well between two episodes: both versions are known to be good, and one of them serves."""

    world: World
    numbers: itertools.count[int] = field(default_factory=itertools.count)
    saved: list[str] = field(default_factory=list)
    """Titles of rows that were there before the newest backup."""

    def settle(self) -> None:
        """Begin: every version was deployed, so that no backup is older than a migration."""
        if not self.saved:
            for version in VERSIONS:
                self.deploy(version)
            # The backup of the next deploy has it.
            self.saved.append(self.write())
            self.deploy(VERSIONS[0])

    @property
    def other(self) -> str:
        """The version that does not serve."""
        return VERSIONS[1] if self.world.serving() == VERSIONS[0] else VERSIONS[0]

    def deploy(self, version: str) -> None:
        run = self.world.deploy(version)
        assert run.status == 0, run.output
        self.world.assert_serves(version)

    def write(self) -> str:
        """Write a row as a user does; its title."""
        title = f"row {next(self.numbers)}"
        deal = {"title": title, "merchant": "Test", "price_cents": 100}
        status, answer = self.world.get("/api/deals", method="POST", body=deal)
        assert status == 201, answer
        return title

    def rows(self, database: str = "dealradar") -> set[str]:
        """The titles of the rows that there are."""
        found = self.world.sql("SELECT title FROM deals WHERE title LIKE 'row %%'", database=database)
        return {title for (title,) in found}

    def aside(self) -> set[str]:
        """The titles of the rows in the databases that a restore has put aside."""
        names = [name for name in self.world.databases() if name.startswith("dealradar__replaced_")]
        return set().union(*(self.rows(name) for name in names))


@dataclass
class Outcome:
    """How the operation ended; `status` is None when it was killed."""

    status: int | None
    output: str
    release: str | None
    """Its record in the journal, when it came to that."""


def play(site: Site, cell: Cell, recovery: str = "recover", delay: float = 0.0) -> str:
    """Play an episode; say how it went.

    `recovery` is what a person runs who finds a run that was killed, `delay` the seconds from the cell's moment until
    the fault strikes.
    """
    world, before = site.world, site.world.serving()
    bad = set(world.state()["bad"])
    fresh = site.write()
    outcome = strike(world, cell, site.other, delay)
    assert not (cell.harmless and outcome.status), f"{cell} must not fail an operation\n{outcome.output}"

    state = world.state()
    left = state["open"] is not None or world.lock() is not None
    if not left and state["current"] is None:
        # What was away was needed to prove either version: the run says so, and what to do when it is back.
        assert "Mend that, then run rollback.yml" in " ".join(outcome.output.split()), outcome.output
        left, recovery = True, "rollback"
    if left:
        run = recover(world, recovery, site.other)
        assert run.status == 0, run.output
    assert_agreement(site, outcome)
    if cell.ends_the_run:
        assert_nothing_is_left(world)
        assert cell.operation != "deploy" or set(world.state()["bad"]) <= bad, "an interrupted release is not a bad one"
    assert_rows(site, cell, outcome, fresh)
    after = world.serving()
    # The next deploy works, and its backup has all rows that there are.
    site.saved = sorted(site.rows())
    site.deploy(site.other)
    ended = "was killed" if outcome.status is None else f"ended with {outcome.status}"
    return f"{cell}: {ended}{f', then {recovery}' if left else ''}; {before} served before, {after} after"


def strike(world: World, cell: Cell, version: str, delay: float) -> Outcome:
    """Run the operation, let the fault happen at its moment, and mend it when the run has ended."""
    what = fault(cell.fault, world)
    name, variables = PLAYS[cell.operation]
    asked = {**variables, **({"release_version": version} if name == "deploy" else {})}
    log = world.directory / "tmp" / "episode.log"
    known = len(world.entries())
    struck = False
    try:
        if cell.when == "before":
            what.strike(None)
            struck = True
        with log.open("w") as output:
            process = world.start(name, *words(asked), output=output, **what.environment())
            try:
                if cell.when != "before":
                    wait_for(lambda: process.poll() is not None or has(world, known, cell), LIMIT, 0.05)
                    assert has(world, known, cell), f"{cell}: the moment did not come\n{log.read_text()}"
                    wait_for(lambda: process.poll() is not None, delay, 0.05)
                    what.strike(process)
                    struck = True
                status = process.wait(LIMIT)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
    finally:
        if struck:
            what.mend()
    opened = [entry["release"] for entry in world.entries()[known:] if entry["event"] == "opened"]
    return Outcome(None if status < 0 else status, log.read_text(), opened[0] if opened else None)


def words(variables: Mapping[str, Any]) -> list[str]:
    """The variables as words of a command line, JSON each, so that a list stays one."""
    return ["-e", json.dumps(dict(variables))]


def has(world: World, known: int, cell: Cell) -> bool:
    """Whether the moment has come, by what the journal has beside what it had."""
    event = "entered" if cell.when == "during" else "left"
    return any((entry["event"], entry.get("stage")) == (event, cell.stage) for entry in world.entries()[known:])


def recover(world: World, recovery: str, version: str) -> Run:
    """What a person runs who finds that a run has not ended, or that nothing is known to serve."""
    if recovery == "deploy":
        return world.deploy(version)
    return world.play(recovery, variables={"rollback_level": 2} if recovery == "rollback" else {})


def assert_agreement(site: Site, outcome: Outcome) -> None:
    """One healthy version serves everywhere, and the journal says which."""
    world = site.world
    state = world.state()
    assert (state["open"], world.lock()) == (None, None), outcome.output
    # Connections that a server has lost are made anew within a second or two.
    assert wait_for(lambda: world.ask(3).troubles == (), 30), (world.ask(3), outcome.output)
    assert world.ask().versions == {world.serving()}, outcome.output
    world.assert_serves(str(world.serving()))
    serving = {path.name.split("-")[0] for path in [(world.root / "current").readlink()]}
    assert serving == {world.serving()}, outcome.output


def assert_nothing_is_left(world: World) -> None:
    """No half-made artifact or configuration, and no module or prober of the run that was killed."""
    artifacts = [path for path in (world.root / "releases").iterdir() if not (path / ".sluice-artifact.json").is_file()]
    configs = [path for path in (world.root / "config").glob("[0-9]*") if not (path / "env.json").is_file()]
    assert [*artifacts, *configs] == []
    assert wait_for(lambda: not orphans(world), 60), orphans(world)


def orphans(world: World) -> list[str]:
    """Modules and probers that still act on this lab: Python processes with its home."""
    found = []
    for pid in pids():
        with contextlib.suppress(OSError):
            program = Path(f"/proc/{pid}/exe").readlink().name
            settings = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            if program.startswith("python") and f"HOME={world.home}".encode() in settings:
                found.append(f"{pid} {command_line(pid)}")
    return found


def assert_rows(site: Site, cell: Cell, outcome: Outcome, fresh: str) -> None:
    """No row is lost: those that a restore was to lose are in the database that it has put aside."""
    rows = site.rows()
    assert set(site.saved) <= rows, (set(site.saved) - rows, outcome.output)
    # What a person has asked for stays when only the proof after it fails. A rollback that fails goes back, unless it
    # had passed all its stages and only could not write that down: then the recovery closes it as one that went well.
    stays = cell.operation == "restore" or outcome.status in (0, None) or went_well(site.world, outcome)
    may_move = cell.operation in RESTORES and stays
    assert fresh in (rows | site.aside() if may_move else rows), outcome.output
    if cell.operation in RESTORES and outcome.status == 0:
        assert fresh not in rows, outcome.output


def went_well(world: World, outcome: Outcome) -> bool:
    """Whether the record of the operation was closed as green, by itself or by the recovery."""
    closed = [entry for entry in world.entries() if (entry["event"], entry["release"]) == ("closed", outcome.release)]
    return [entry["data"]["verdict"] for entry in closed] == ["green"]

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever goes wrong at whatever moment: afterwards one healthy version serves, the journal agrees with what is there,
no data is lost, and the next deploy works.

SLUICE_FAULTS=all plays every cell of the table; otherwise what was found once is played, and then episodes are drawn
from it, each fault once before any twice.
SLUICE_EPISODES is how many (default 200, in `make test` 20), SLUICE_SEED repeats an earlier draw.
"""

from __future__ import annotations

import os
import random
import secrets

import needs
import pytest
from episodes import Site, play
from matrix import ELSEWHERE, FAULTS, FOUND, Cell, cells

EPISODES = int(os.environ.get("SLUICE_EPISODES", "200"))
SEED = int(os.environ.get("SLUICE_SEED", "0")) or secrets.randbelow(10**9)
WHICH = os.environ.get("SLUICE_FAULTS", "draw")


def draw(count: int) -> list[tuple[Cell, str, float]]:
    """Draw cells, in rounds of one for each fault, what a person would run after a kill, and seconds of delay."""
    chance = random.Random(SEED)
    table = cells()
    found: list[tuple[Cell, str, float]] = []
    while len(found) < count:
        for fault in chance.sample(sorted(FAULTS), len(FAULTS)):
            cell = chance.choice([one for one in table if one.fault == fault])
            delay = 0.0 if cell.when == "before" else round(chance.uniform(0.0, 2.0), 1)
            found.append((cell, chance.choice(["recover", "deploy"]), delay))
    return found[:count]


def chosen() -> list[tuple[Cell, str, float]]:
    """Return the episodes of this run."""
    if WHICH == "all":
        return [(cell, "recover", 0.0) for cell in cells()]
    return [*((cell, "recover", 0.0) for cell in FOUND), *draw(EPISODES)][:EPISODES]


@pytest.mark.parametrize(("cell", "recovery", "delay"), chosen(), ids=str)
def test_afterwards_all_is_well(site: Site, cell: Cell, recovery: str, delay: float) -> None:
    print(f"SLUICE_SEED={SEED}")
    site.settle()
    print(play(site, cell, recovery, delay))


@pytest.mark.parametrize("what", ELSEWHERE)
def test_what_needs_another_lab_is_tried_there(what: str) -> None:
    file, name = ELSEWHERE[what].split("::")
    assert f"def {name}(" in (needs.ROOT / file).read_text()

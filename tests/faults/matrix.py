# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may go wrong, and when: the table of which every cell is a test.

A cell is a fault at a moment of an operation: before it begins, while a stage is on its way, and right after it, which
is right before the next one. `test_matrix.py` says what must hold afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

When = Literal["before", "during", "after"]

FAULTS: Mapping[str, str] = {
    "controller": "ansible-playbook and its workers are killed; what they started on the host lives on",
    "power": "everything of the host is killed at once: controller, modules, application and servers; then it boots",
    "database": "PostgreSQL is shut down until the run has ended",
    "redis": "the cache is shut down until the run has ended",
    "disk": "the file system of host and controller is full until the run has ended",
    "source": "the source of the artifacts is away until the run has ended",
    "operator": "a second operator starts a deploy of the other version",
    "clock": "the clock of controller and host jumps ahead by an hour; when the run has ended, it jumps back",
}

# The stages that the journal knows of each operation.
OPERATIONS: Mapping[str, Sequence[str]] = {
    "deploy": ("preflight", "artifact", "backup", "migrate", "switch", "gate", "verify"),
    "rollback": ("rollback", "switch", "verify"),
    "rollback with the database": ("rollback", "switch", "verify"),
    "restore": ("restore", "verify"),
}

# Cells that take another lab than an application under PM2 on one host: where their tests are.
ELSEWHERE: Mapping[str, str] = {
    "a host of a fleet loses its power": "tests/fleet/test_a_host_that_dies.py::test_a_host_that_dies",
    "the registry of the images is gone": "tests/integration/test_release_image.py::test_a_failure_leaves_nothing",
    "the proxy refuses its configuration": "tests/integration/proxy/test_nginx.py::"
    "test_nginx_refuses_a_broken_configuration_and_nothing_changes",
    "the proxy does not reload": "tests/integration/proxy/test_nginx.py::"
    "test_nginx_that_does_not_carry_the_reload_out_is_found",
}


@dataclass(frozen=True)
class Cell:
    """One fault at one moment; `stage` is empty before the operation."""

    fault: str
    operation: str
    when: When
    stage: str = ""

    def __str__(self) -> str:
        return " ".join(word for word in (self.fault, self.when, self.stage or "all", "of", self.operation) if word)

    @property
    def ends_the_run(self) -> bool:
        """Whether nobody is left who could end the run in an orderly way."""
        return self.fault in ("controller", "power")

    @property
    def harmless(self) -> bool:
        """Whether the operation must succeed although this happens."""
        needs_source = self.operation == "deploy" and (self.when == "before" or self.stage in ("preflight", "artifact"))
        return self.fault in ("operator", "clock") or (self.fault == "source" and not needs_source)


# What a soak has found once is played in every run, before anything is drawn.
FOUND: Sequence[Cell] = (
    # The server dies between swap and switch: who comes next has to give the database its place back.
    Cell("database", "rollback with the database", "after", "rollback"),
)


def cells() -> list[Cell]:
    """Return the whole table. Before an operation there is no run that could be killed, or met by a second operator."""
    found = []
    for fault in FAULTS:
        for operation, stages in OPERATIONS.items():
            if fault not in ("controller", "power", "operator"):
                found.append(Cell(fault, operation, "before"))
            for stage in stages:
                found += [Cell(fault, operation, "during", stage), Cell(fault, operation, "after", stage)]
    return found

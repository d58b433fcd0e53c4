# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What releases have done to the database, by the journal: backups made, migrations applied and taken back. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class _Page:
    """One run. ``arrived``: it moved the application for good; ``migrations``: those that are still applied."""

    release: str
    backup_id: str | None = None
    migrations: list[str] = field(default_factory=list)
    arrived: bool = False


class Ledger:
    """Folds what the journal says of the database, oldest first."""

    def __init__(self) -> None:
        self.pages: list[_Page] = []

    def opened(self, release: str) -> None:
        """A run begins."""
        self.pages.append(_Page(release))

    def backed_up(self, backup_id: str) -> None:
        """The run has made a backup; the first one is as the database was before the run."""
        if self.pages and self.pages[-1].backup_id is None:
            self.pages[-1].backup_id = backup_id

    def migrated(self, names: Iterable[Any]) -> None:
        """The run has applied migrations."""
        if not self.pages:
            return
        fresh = [str(name) for name in names]
        # What could be applied was not: a run that could not reach this host has taken it back meanwhile.
        for page in self.pages:
            page.migrations = [name for name in page.migrations if name not in fresh]
        self.pages[-1].migrations += fresh

    def arrived(self) -> None:
        """The run has moved the application, for good."""
        if self.pages:
            self.pages[-1].arrived = True

    def changed(self, done: Mapping[str, Any]) -> None:
        """A rollback or a restore has put the database back: ``reverted`` names, or ``backup_id``."""
        gone = set(map(str, done.get("reverted") or ()))
        backup_id = done.get("backup_id")
        numbers = [number for number, page in enumerate(self.pages) if backup_id and page.backup_id == backup_id]
        for number, page in enumerate(self.pages):
            # Nobody knows which migrations are in a backup of another journal.
            if numbers and number >= numbers[0]:
                page.migrations = []
            page.migrations = [name for name in page.migrations if name not in gone]

    def of(self, release: str | None) -> dict[str, Any]:
        """Return the backup and the migrations of one run."""
        page = next((page for page in self.pages if page.release == release), _Page(""))
        return {"backup_id": page.backup_id, "migrations": list(page.migrations)}

    def since(self, release: str | None) -> dict[str, Any]:
        """Return what came after a run: the migrations still applied, oldest first, and the backup that goes before.

        It is the newest one that was made before the first of these migrations or, without any, before the first later
        run that has moved the application: what was written while ``release`` served is in it.
        """
        numbers = [number for number, page in enumerate(self.pages) if page.release == release]
        later = self.pages[numbers[0] + 1 :] if numbers else []
        first = next((number for number, page in enumerate(later) if page.migrations), None)
        if first is None:
            first = next((number for number, page in enumerate(later) if page.arrived), len(later) - 1)
        backups = [page.backup_id for page in later[: first + 1] if page.backup_id]
        return {
            "backup_id": backups[-1] if backups else None,
            "migrations": [name for page in later for name in page.migrations],
        }

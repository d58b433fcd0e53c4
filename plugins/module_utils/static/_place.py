# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a frontend can be published in, as the switch sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.sluice.release.plugins.module_utils.static._ledger import Ledger
from ansible_collections.sluice.release.plugins.module_utils.static._tree import Tree


@dataclass(frozen=True)
class Changes:
    """What publishing a tree changes. ``size`` in bytes; ``move``: whether what browsers see changes."""

    publish: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    unchanged: int = 0
    size: int = 0
    move: bool = False

    def __bool__(self) -> bool:
        return bool(self.publish or self.remove or self.move)


class Place(Protocol):
    """A document root, or a bucket. Every method raises SluiceError for what it cannot do."""

    @property
    def id(self) -> str:
        """Name the place, for a person."""

    def look(self) -> Ledger:
        """Return what is published."""

    def plan(self, tree: Tree, before: Ledger, after: Ledger) -> Changes:
        """Return what publishing would change, and remember it for what follows; changes nothing."""

    def publish(self) -> None:
        """Make ready what no browser asks for yet."""

    def move(self) -> None:
        """Let browsers see the release."""

    def undo(self) -> None:
        """Let browsers see again what they saw before."""

    def tidy(self) -> None:
        """Remove what nobody asks for any more."""

    def end(self, *, absent: bool) -> None:
        """Serve nothing."""

    def refresh(self) -> bool:
        """Let caches between the place and browsers ask again; whether there are any."""

    def evidence(self) -> dict[str, Any]:
        """Return what else there is to tell."""

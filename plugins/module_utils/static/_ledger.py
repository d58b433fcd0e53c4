# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What is published: the release that serves, and the older ones whose files browsers may still ask for. Pure.

A browser that has the page of an older version open loads the rest of that version as its user goes on. So whatever
older versions had and the new one has no file of that name for stays, until enough releases and days have passed. Entry
pages and service workers never stay: they are always those of the release that serves.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.static._tree import (
    ENTRY,
    HASHED,
    ORDER,
    WORKER,
    Tree,
    is_packed,
)

# What was published before by other means.
UNKNOWN = "unknown"
_LASTING = tuple(kind for kind in ORDER if kind not in (ENTRY, WORKER))


@dataclass(frozen=True)
class Published:
    """One file of an edition."""

    kind: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Edition:
    """The files of one release. ``left``: UTC time when it ceased to serve; None while it serves, or is about to."""

    release: str
    files: Mapping[str, Published]
    left: str | None = None


@dataclass(frozen=True)
class Ledger:
    """All editions whose files are published, the one that left last first after the one that serves."""

    current: str | None = None
    editions: tuple[Edition, ...] = ()
    headers: str = ""
    """Which headers the files were published with."""

    def edition(self, release: str | None) -> Edition | None:
        """Return the edition of a release."""
        return next((edition for edition in self.editions if edition.release == release), None)

    def served(self) -> dict[str, Published]:
        """Return all that is to be had: the release whole, of the others what it has no file of that name for."""
        current = self.edition(self.current)
        found = dict(current.files) if current else {}
        for one in self.editions:
            for name, file in one.files.items():
                if file.kind in _LASTING:
                    found.setdefault(name, file)
        return found


@dataclass(frozen=True)
class Keep:
    """How long older editions stay: the last ``releases`` of them, and any that served within ``days``."""

    releases: int = 3
    days: float = 7.0


def edition(tree: Tree) -> Edition:
    """Return the edition that a tree is published as."""
    return Edition(
        tree.release, {name: Published(file.kind, file.size, file.sha256) for name, file in tree.files.items()}
    )


def staged(ledger: Ledger, tree: Tree, now: datetime) -> Ledger:
    """Return the ledger with the tree's files beside what serves; what a killed run had staged has left with it."""
    rest = [one for one in ledger.editions if one.release != tree.release]
    rest = [one if one.left or one.release == ledger.current else replace(one, left=_text(now)) for one in rest]
    whole = edition(tree)
    # What keeps its name is not touched before the release moves.
    ahead = replace(whole, files={name: file for name, file in whole.files.items() if file.kind == HASHED})
    return replace(ledger, editions=_ordered(ledger.current, [ahead, *rest]))


def moved(ledger: Ledger, tree: Tree, now: datetime, headers: str = "") -> Ledger:
    """Return the ledger with the tree as what serves."""
    rest = [one for one in ledger.editions if one.release != tree.release]
    rest = [one if one.left else replace(one, left=_text(now)) for one in rest]
    return Ledger(tree.release, _ordered(tree.release, [edition(tree), *rest]), headers)


def retained(ledger: Ledger, keep: Keep, now: datetime) -> tuple[Ledger, tuple[Edition, ...]]:
    """Return the ledger without the editions that nobody needs any more, and those."""
    oldest = _text(now - timedelta(days=keep.days))
    old = [one for one in ledger.editions if one.release != ledger.current and one.left]
    gone = {one.release for number, one in enumerate(old) if number >= keep.releases and (one.left or "") <= oldest}
    kept = tuple(one for one in ledger.editions if one.release not in gone)
    return replace(ledger, editions=kept), tuple(one for one in ledger.editions if one.release in gone)


def _ordered(current: str | None, editions: Iterable[Edition]) -> tuple[Edition, ...]:
    newest_first = sorted(editions, key=lambda one: one.left or "~", reverse=True)
    return tuple(sorted(newest_first, key=lambda one: one.release != current))


def check_hashes(ledger: Ledger, tree: Tree) -> None:
    """Refuse a hashed file that is published under its name with another content: browsers keep the old one."""
    for one in ledger.editions:
        for name, published in one.files.items():
            wanted = tree.files.get(name)
            if wanted is None or wanted.kind != HASHED or published.kind != HASHED or is_packed(name):
                continue
            if wanted.sha256 != published.sha256:
                raise SluiceError(
                    f"publish release {tree.release}",
                    f"{name} differs from the file of that name of release {one.release}, which browsers keep for a "
                    "year",
                    "Its name has no hash of its content: correct rules.hashed, or the build",
                )


def mark(ledger: Ledger) -> str:
    """Name a ledger by what is published, whatever the times in it."""
    content = [
        [one.release, sorted((name, file.sha256) for name, file in one.files.items())] for one in ledger.editions
    ]
    return hashlib.sha256(json.dumps([ledger.current, content]).encode()).hexdigest()[:12]


# -- as text -----------------------------------------------------------------------------------------------------------


def render(ledger: Ledger) -> str:
    """Return the ledger as JSON."""
    editions = [
        {
            "release": one.release,
            "left": one.left,
            "files": {name: [file.kind, file.size, file.sha256] for name, file in sorted(one.files.items())},
        }
        for one in ledger.editions
    ]
    document = {"current": ledger.current, "headers": ledger.headers, "editions": editions}
    return json.dumps(document, separators=(",", ":")) + "\n"


def parse(text: str, where: str) -> Ledger:
    """Read it back. SluiceError when it is none, for without it nothing could be removed safely."""
    try:
        document: dict[str, Any] = json.loads(text)
        editions = tuple(
            Edition(one["release"], {name: Published(*file) for name, file in one["files"].items()}, one["left"])
            for one in document["editions"]
        )
        return Ledger(document["current"], editions, document["headers"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SluiceError(
            f"read {where}", "it is not what was written there", "Remove it; what it lists then stays published"
        ) from error


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""All sources one after the other: each request once, and never more than are allowed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.sluice.release.plugins.module_utils.warm._http_tally import Seen
from ansible_collections.sluice.release.plugins.module_utils.warm._model import Request
from ansible_collections.sluice.release.plugins.module_utils.warm._sources_common import (
    AGAIN,
    READ_BEFORE,
    Item,
    Notes,
    Source,
    SourceError,
    World,
)

_EVERY = 200
"""Duplicates in a row after which AGAIN is said."""


def requests(sources: Sequence[Source], world: World, notes: Sequence[Notes], most: int) -> Iterator[Item]:
    """Every request once, in the order of the sources. What cannot be read is noted, and the next one is read.

    Which requests have been there is remembered by eight bytes each; see Seen.
    """
    seen = Seen()
    for source, own in zip(sources, notes):
        try:
            for item in source.read(world, own):
                if not isinstance(item, Request):
                    yield item
                elif seen.count < most and seen.add(item):
                    own.urls += 1
                    yield item
                elif not seen.holds(item):
                    own.cut = f"more than {most} URLs"
                    break
                else:
                    own.duplicates += 1
                    if own.duplicates % _EVERY == 0:
                        yield AGAIN
        except SourceError as error:
            own.problem = str(error)
            # Whoever waits may want to stop here.
            yield READ_BEFORE

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Where a profile names the database itself, past any pooler of connections. Pure; no message holds a value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.migrate._session import DIRECT_URL_VARIABLE

_DOING = "find the URL of the database"


class Place(NamedTuple):
    """A variable of the profile, or one entry of an environment that it holds."""

    variable: str
    entry: str = ""

    def __str__(self) -> str:
        return f"{self.entry} in {self.variable}" if self.entry else self.variable


PLACES = (
    Place("sluice_migration_url"),
    Place("sluice_secrets", DIRECT_URL_VARIABLE),
    Place("sluice_env", DIRECT_URL_VARIABLE),
    Place("sluice_database_url"),
)
"""The most direct one first; the last may lead to a pooler, where nothing says otherwise."""


def direct_url(read: Callable[[Place], Any], before: Sequence[str] = (), *, required: bool = True) -> str:
    """Return the first URL that is not empty; '' without one, if none is ``required``.

    ``read`` returns what a place holds, None where there is no such place. ``before``: variables that are looked at
    before the usual places. SluiceError when there is none, and when a place holds something that is no text.
    """
    places = [*map(Place, before), *PLACES]
    for place in places:
        value = read(place)
        if value is None:
            continue
        if not isinstance(value, str):
            raise SluiceError(
                _DOING, f"{place} is no text", "Write it as postgresql://user:password@host:port/database"
            )
        if value.strip():
            return value.strip()
    if not required:
        return ""
    looked = ", ".join(map(str, places))
    raise SluiceError(_DOING, f"none of {looked} is set", f"Set {PLACES[-1]} in the profile")

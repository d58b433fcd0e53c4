# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError

# What is imported, and what it is installed as, where the two differ.
_PACKAGES = {"prometheus_client": "prometheus-client", "psycopg2": "psycopg2-binary"}


def require(verb_and_thing: str, libraries: Iterable[str]) -> None:
    """Raise SluiceError when one of the Python libraries is not there; nothing is imported."""
    missing = [name for name in sorted(libraries) if importlib.util.find_spec(name) is None]
    if missing:
        packages = " ".join(_PACKAGES.get(name, name) for name in missing)
        raise SluiceError(
            verb_and_thing,
            f"{sys.executable} of this host has no {' and no '.join(missing)}",
            f"Let role sluice.release.toolbelt lay them, or install {packages} for that Python",
        )

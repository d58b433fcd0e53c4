# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterable, Mapping

from ansible.module_utils.compat.version import LooseVersion

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError

# What is imported, and what it is installed as, where the two differ.
_PACKAGES = {"prometheus_client": "prometheus-client", "psycopg2": "psycopg2-binary"}


def require(verb_and_thing: str, libraries: Iterable[str], at_least: Mapping[str, str] | None = None) -> None:
    """Raise SluiceError when a Python library is not there, or older than ``at_least`` says; nothing is imported."""
    missing = [name for name in sorted(libraries) if importlib.util.find_spec(name) is None]
    if missing:
        packages = " ".join(_PACKAGES.get(name, name) for name in missing)
        raise SluiceError(
            verb_and_thing,
            f"{sys.executable} of this host has no {' and no '.join(missing)}",
            f"Let role sluice.release.toolbelt lay them, or install {packages} for that Python",
        )
    for name, least in sorted((at_least or {}).items()):
        package = _PACKAGES.get(name, name)
        found = importlib.metadata.version(package)
        if LooseVersion(found) < LooseVersion(least):
            raise SluiceError(
                verb_and_thing,
                f"{sys.executable} of this host has {package} {found}, and {least} is needed",
                f"Let role sluice.release.toolbelt lay it, or install '{package}>={least}' for that Python",
            )

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Can the triggers of a profile fire, and lead where they say? Found before they are needed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils.preflight import _gates
from ansible_collections.sluice.release.plugins.module_utils.trigger import _model


def problems(text: str, checks: Sequence[str]) -> Iterator[str]:
    """Everything that makes no sense, each with the name of the trigger and where it is written.

    ``text``: a JSON dictionary of what the profile says, triggers, automatic, the levels that it has, and the names of
    more checks. ``checks``: the names of those that its gates and windows make.
    """
    said = json.loads(text)
    if not said:
        return
    try:
        _model.policy(said.get("automatic"))
    except ValueError as error:
        yield f"rollback_automatic {error}"
    triggers: Any = said.get("triggers") or []
    origins: dict[str, str] = {}
    if isinstance(triggers, list) and all(isinstance(one, dict) for one in triggers):
        for number, one in enumerate(triggers, 1):
            origin = one.pop(_gates.ORIGIN, None)
            if origin:
                origins[str(one.get("name") or f"trigger {number}")] = origin
    for problem in _model.problems(triggers, [*checks, *(said.get("checks") or [])], said.get("levels")):
        yield f"trigger {_gates.with_origins(problem, origins)}"

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs preflight_check, and notes for each check of its gates in which line of which file it is written.

Only the controller knows that: a value loses its origin on the way to the host.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible.plugins.filter.core import to_json

from ansible_collections.sluice.release.plugins.action.run_module import ActionModule as RunModule
from ansible_collections.sluice.release.plugins.module_utils.preflight._gates import ORIGIN

try:
    # Not public; without it, messages do not have the line.
    from ansible._internal._datatag import _tags
except ImportError:
    _tags = None  # type: ignore[assignment]


class ActionModule(RunModule):
    def _module(self, args: dict[str, Any], task_vars: dict[str, Any], wrap_async: bool = False) -> dict[str, Any]:
        if isinstance(args.get("gates"), list):
            args = {**args, "gates": str(to_json([_with_origins(gate) for gate in args["gates"]]))}
        return super()._module(args, task_vars, wrap_async)


def _with_origins(gate: Any) -> Any:
    """The gate, each of its checks with the place where it is written, if that is known."""
    if not isinstance(gate, Mapping) or not isinstance(gate.get("checks"), list):
        return gate
    checks = []
    for check in gate["checks"]:
        place = _place(check) if isinstance(check, Mapping) else None
        checks.append({**check, ORIGIN: place} if place else check)
    return {**gate, "checks": checks}


def _place(check: Mapping[str, Any]) -> str | None:
    """`file:line` of a value, the file as seen from here where it lies below."""
    origin = _tags.Origin.get_tag(check) if _tags is not None else None
    if origin is None or not origin.path or not origin.line_num:
        return None
    path = os.path.relpath(origin.path)
    return f"{origin.path if path.startswith('..') else path}:{origin.line_num}"

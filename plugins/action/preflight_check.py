# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs preflight_check, and notes for each check and trigger in which line of which file it is written.

Only the controller knows that: a value loses its origin on the way to the host.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.plugins.filter.core import to_json

from ansible_collections.sluice.release.plugins.action.run_module import ActionModule as RunModule
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._libraries import require
from ansible_collections.sluice.release.plugins.module_utils.preflight._gates import ORIGIN

try:
    # Not public; without it, messages do not have the line.
    from ansible._internal._datatag import _tags
except ImportError:
    _tags = None  # type: ignore[assignment]


# Lists of an entry whose own entries a person has written.
_WRITTEN = ("checks", "flows", "security", "comparisons", "added", "triggers")


class ActionModule(RunModule):
    def _module(self, args: dict[str, Any], task_vars: dict[str, Any], wrap_async: bool = False) -> dict[str, Any]:
        args = dict(args)
        try:
            if isinstance(args.get("gates"), list):
                _see_that_versions_can_be_compared(args["gates"])
                args["gates"] = str(to_json([_with_origins(gate) for gate in args["gates"]]))
        except SluiceError as error:
            return {"failed": True, "changed": False, "msg": str(error)}
        if isinstance(args.get("windows"), list):
            args["windows"] = str(to_json([_with_origin(window, _with_origins(window)) for window in args["windows"]]))
        if isinstance(args.get("window_defaults"), Mapping):
            args["window_defaults"] = str(to_json(_with_origins(args["window_defaults"])))
        if isinstance(args.get("triggers"), Mapping):
            args["triggers"] = str(to_json(_with_origins(args["triggers"])))
        return super()._module(args, task_vars, wrap_async)


def _see_that_versions_can_be_compared(gates: Iterable[Any]) -> None:
    """Raise SluiceError when they are to be compared and the controller, which does that, lacks the library."""
    if any(isinstance(gate, Mapping) and gate.get("comparisons") for gate in gates):
        require("compare the versions on the controller", {"scipy"})


def _with_origins(entry: Any) -> Any:
    """The gate or window, each of its checks with the place where it is written, if that is known."""
    if not isinstance(entry, Mapping):
        return entry
    lists = {key: entry[key] for key in _WRITTEN if isinstance(entry.get(key), list)}
    return {**entry, **{key: [_with_origin(one, one) for one in given] for key, given in lists.items()}}


def _with_origin(written: Any, entry: Any) -> Any:
    """The entry with the place where it is written. ``written`` is the same, as Ansible has read it."""
    place = _place(written) if isinstance(written, Mapping) else None
    return {**entry, ORIGIN: place} if place else entry


def _place(check: Mapping[str, Any]) -> str | None:
    """`file:line` of a value, the file as seen from here where it lies below."""
    origin = _tags.Origin.get_tag(check) if _tags is not None else None
    if origin is None or not origin.path or not origin.line_num:
        return None
    path = os.path.relpath(origin.path)
    return f"{origin.path if path.startswith('..') else path}:{origin.line_num}"

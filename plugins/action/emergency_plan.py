# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds what an emergency action does to a host; see the module of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar

from ansible_collections.sluice.release.plugins.module_utils._clock import utc_text
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.config import _toggles
from ansible_collections.sluice.release.plugins.plugin_utils._fleet_action import FleetAction


class ActionModule(FleetAction):
    ARGUMENTS: ClassVar[Mapping[str, Any]] = {
        "actions": {"type": "list", "elements": "str", "required": True},
        "undo": {"type": "bool", "default": False},
        "toggles": {"type": "dict", "default": {}},
        "driver": {"type": "str", "required": True},
        "proxy": {"type": "bool", "default": False},
        "level": {"type": "str", "choices": ["1", "2", "3", "auto"]},
    }

    def act(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        state = (task_vars.get("ansible_facts") or {}).get("sluice_journal")
        if state is None:
            host = task_vars["inventory_hostname"]
            raise SluiceError(f"find what runs on {host}", "its journal was not read", "Read it first")
        toggles = _toggles.read(args["toggles"])
        if args["level"] is not None:
            _toggles.check_level(args["level"], args["actions"])
        has = _toggles.known(toggles, proxy=args["proxy"])
        plan = _toggles.plan(
            args["actions"], toggles, state["current"],
            undo=args["undo"], driver=args["driver"], proxy=args["proxy"], moment=utc_text(),
        )  # fmt: skip
        current = state["current"]
        told = _toggles.preview(current, plan, toggles) if plan.does == _toggles.CONFIG else []
        return {**asdict(plan), "known": has, "lines": _toggles.lines(current, toggles, has), "preview": told}

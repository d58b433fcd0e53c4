# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lets a restore begin only on a person's word; see the module of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible import constants, context

from ansible_collections.sluice.release.plugins.module_utils.restore._confirm import (
    plan_text,
    refusal,
    restore_command,
    take_word,
)
from ansible_collections.sluice.release.plugins.plugin_utils._fleet_action import FleetAction


class ActionModule(FleetAction):
    ARGUMENTS: ClassVar[Mapping[str, Any]] = {
        "backup_id": {"type": "str", "required": True},
        "confirmed": {"type": "raw", "required": True},
        "application": {"type": "str", "required": True},
        "preview": {"type": "dict"},
        "expected_seconds": {"type": "float"},
    }

    def act(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        word = take_word(args["backup_id"], args["confirmed"])
        result: dict[str, Any] = {"backup_id": word.backup_id, "confirmed": word.confirmed, "plan": None}
        preview = args["preview"]
        if preview is None:
            return result
        if not word.confirmed and not self._task.check_mode:
            command = _command(task_vars, preview["restored"]["backup_id"])
            raise refusal(args["application"], preview, args["expected_seconds"], command)
        return {**result, "plan": plan_text(preview, args["expected_seconds"])}


def _command(task_vars: Mapping[str, Any], backup_id: str) -> str:
    """The command of this run, as far as it chooses playbook and hosts. Other variables may be secrets."""
    given = context.CLIARGS.get("args") or ("restore.yml",)
    inventories = list(context.CLIARGS.get("inventory") or [])
    if sorted(inventories) == sorted(constants.DEFAULT_HOST_LIST):  # type: ignore[attr-defined]
        inventories = []
    return restore_command(str(given[0]), inventories, task_vars.get("ansible_limit"), backup_id)

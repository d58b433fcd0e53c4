# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides for all hosts of the play what a tick of the watch leads to; see the module of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible import constants, context

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.watch._fleet import Host, decide, rollback_command
from ansible_collections.sluice.release.plugins.module_utils.watch._windows import policy
from ansible_collections.sluice.release.plugins.plugin_utils._fleet_action import FleetAction, failure_text


class ActionModule(FleetAction):
    ARGUMENTS: ClassVar[Mapping[str, Any]] = {
        "auto_rollback": {"type": "str", "default": "true"},
        "level": {"type": "int", "choices": [1, 2, 3], "default": 2},
    }

    def act(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        try:
            default = policy(args["auto_rollback"]) or "true"
        except ValueError as error:
            raise SluiceError("watch the release", str(error), "Correct watch_auto_rollback in the profile") from None
        inventories = list(context.CLIARGS.get("inventory") or [])
        if sorted(inventories) == sorted(constants.DEFAULT_HOST_LIST):  # type: ignore[attr-defined]
            inventories = []
        command = rollback_command(args["level"], inventories, task_vars.get("ansible_limit"))
        told = decide(_hosts(task_vars), default, command)
        return {
            "action": told.action,
            "release": told.release,
            "report": told.report,
            "verdict": told.verdict,
            "reason": told.reason,
            "level": args["level"],
            "command": command,
            "message": told.message,
            "failed_watch": told.failed,
            "over": told.over,
        }


def _hosts(task_vars: Mapping[str, Any]) -> dict[str, Host]:
    alive, hostvars = set(task_vars["ansible_play_hosts"]), task_vars["hostvars"]
    hosts = {}
    for name in task_vars["ansible_play_hosts_all"]:
        failure = failure_text(hostvars[name].get("watch_failure"))
        if failure is None and name not in alive:
            failure = "the host has failed or cannot be reached"
        results = (hostvars[name].get(variable) or {} for variable in ("watch_ticked", "watch_begun"))
        # A task that was skipped has left a result, too.
        tick = next((result for result in results if "state" in result and not result.get("failed")), None)
        hosts[name] = Host(tick, failure)
    return hosts

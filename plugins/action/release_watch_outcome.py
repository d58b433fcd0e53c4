# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides for all hosts of the play what a tick of the watch leads to; see the module of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible_collections.sluice.release.plugins.module_utils.trigger._decide import Circumstances
from ansible_collections.sluice.release.plugins.module_utils.trigger._model import automatic, read_triggers
from ansible_collections.sluice.release.plugins.module_utils.watch._fleet import Host, decide, weigh
from ansible_collections.sluice.release.plugins.plugin_utils._fleet_action import (
    FleetAction,
    asked_command,
    auto_level,
    failure_text,
)


class ActionModule(FleetAction):
    ARGUMENTS: ClassVar[Mapping[str, Any]] = {
        "triggers": {"type": "list", "elements": "dict", "default": []},
        "automatic": {"type": "str", "default": "true"},
        "breaking": {"type": "list", "elements": "str", "default": []},
    }

    def act(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        hosts, word = _hosts(task_vars), automatic(args["automatic"])
        where = Circumstances(word, auto=auto_level(task_vars, args["breaking"]))
        weighed = weigh(hosts, read_triggers(args["triggers"]), where)
        command = asked_command(weighed.level, weighed.trigger, task_vars)
        told = decide(hosts, weighed, word, command)
        return {
            "action": told.action,
            "trigger": told.trigger,
            "level": told.level,
            "release": told.release,
            "report": told.report,
            "verdict": told.verdict,
            "reason": told.reason,
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

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides for every host of the play how its release goes on; see the module of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible_collections.sluice.release.plugins.module_utils.journal._fleet import decide, fleet_outcome
from ansible_collections.sluice.release.plugins.plugin_utils._fleet_action import FleetAction, fleet


class ActionModule(FleetAction):
    ARGUMENTS: ClassVar[Mapping[str, Any]] = {
        "point": {"type": "str", "required": True, "choices": ["recover", "decide"]}
    }

    def act(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        hosts = fleet(task_vars)
        verdicts = decide(args["point"], hosts)
        own = verdicts[task_vars["inventory_hostname"]]
        return {
            "action": own.action,
            "reason": own.reason,
            "outcome": fleet_outcome(hosts, verdicts),
            "hosts": {name: verdict.action for name, verdict in verdicts.items()},
        }

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Says how a drill of the rollbacks went, for all hosts of the play; see the module of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.drill import _levels
from ansible_collections.sluice.release.plugins.plugin_utils._fleet_action import FleetAction, failure_text


class ActionModule(FleetAction):
    ARGUMENTS: ClassVar[Mapping[str, Any]] = {
        "levels": {"type": "list", "elements": "int", "required": True},
        "entries": {"type": "str", "required": True},
        "budgets": {"type": "dict", "default": {}},
    }

    def act(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        levels = _levels.read_levels(args["levels"])
        hosts = {
            name: _measured(task_vars["hostvars"][name], args["entries"], levels)
            for name in task_vars["ansible_play_hosts_all"]
        }
        data = _levels.result(hosts, levels, args["budgets"])
        return {"result": data, "met": data["met"], "message": str(_missed(data)) if data["missed"] else ""}


def _measured(hostvars: Mapping[str, Any], variable: str, levels: tuple[int, ...]) -> dict[int, _levels.Measured]:
    entries = (hostvars.get(variable) or {}).get("entries")
    why = failure_text(hostvars.get("pipeline_failure"))
    if entries is None:
        return {level: _levels.Measured(None, why=why or "the host cannot be asked") for level in levels}
    return _levels.measure(entries, levels, why)


def _missed(data: Mapping[str, Any]) -> SluiceError:
    remedy = "Mend the way back, and run rollback_drill.yml again"
    return SluiceError("pass the drill", _levels.missed_text(data), remedy)

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lets a stage begin only when every host of the play is ready; see the module of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible_collections.sluice.release.plugins.module_utils.journal._fleet import check_barrier, settled
from ansible_collections.sluice.release.plugins.plugin_utils._fleet_action import FleetAction, fleet


class ActionModule(FleetAction):
    ARGUMENTS: ClassVar[Mapping[str, Any]] = {"stage": {"type": "str", "required": True}}

    def act(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        hosts = fleet(task_vars)
        check_barrier(args["stage"], hosts)
        return {"hosts": sorted(hosts), "settled": settled(hosts)}

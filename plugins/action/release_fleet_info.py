# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Says which host of the play runs what; see the module of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible_collections.sluice.release.plugins.module_utils.journal._fleet import differences, table, who_runs_what
from ansible_collections.sluice.release.plugins.plugin_utils._fleet_action import FleetAction, fleet


class ActionModule(FleetAction):
    ARGUMENTS: ClassVar[Mapping[str, Any]] = {}

    def act(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        rows = who_runs_what({name: host.state for name, host in fleet(task_vars).items()})
        found = differences(rows)
        return {"hosts": rows, "differences": found, "lines": [*table(rows), *found]}

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds what a drill of the rollbacks would do, and whether it may; see the module of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.drill import _levels, _shadow
from ansible_collections.sluice.release.plugins.module_utils.journal._target import DATABASE
from ansible_collections.sluice.release.plugins.plugin_utils._fleet_action import FleetAction, fleet


class ActionModule(FleetAction):
    ARGUMENTS: ClassVar[Mapping[str, Any]] = {
        "levels": {"type": "list", "elements": "int", "required": True},
        "place": {"type": "str", "required": True, "choices": [_levels.HERE, _levels.SHADOW]},
        "production": {"type": "bool", "default": False},
        "environment": {"type": "str", "default": ""},
        "backup_id": {"type": "str"},
        "budgets": {"type": "dict", "default": {}},
        "live": {"type": "dict", "no_log": True},
        "shadow": {"type": "dict", "no_log": True},
    }

    def act(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        levels = _levels.read_levels(args["levels"])
        _levels.check_place(args["place"], args["environment"] or "this environment", production=args["production"])
        if args["place"] == _levels.SHADOW:
            _shadow.check(args["live"] or {}, args["shadow"] or {})
        states = _states(task_vars)
        where = _levels.goals(states, levels, args["backup_id"])
        host = task_vars["inventory_hostname"]
        return {
            "levels": list(levels),
            "serves": states[host]["current"],
            "targets": {str(level): goals[host].target for level, goals in where.items()},
            "backup_id": where[DATABASE][host].backup_id if DATABASE in where else None,
            "before": _levels.before({level: goals[host] for level, goals in where.items()}),
            # A shadow is made with one configuration.
            "stand_in": args["place"] == _levels.SHADOW or _levels.needs_stand_in(states[host], levels),
            "database": _shadow.database_name((args["live"] or {}).get("database_url")),
            "lines": _levels.plan_lines(where, states, args["budgets"], args["place"]),
        }


def _states(task_vars: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return what the journal says of every host. SluiceError when one cannot be asked: then none is moved."""
    hosts = fleet(task_vars)
    lost = sorted(name for name, host in hosts.items() if not host.alive or host.state is None)
    if lost:
        raise SluiceError(
            "drill the rollback",
            f"the journal of {', '.join(lost)} cannot be read",
            "Bring it back, or leave it out by -l",
        )
    return {name: host.state for name, host in hosts.items() if host.state is not None}

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides for every host of the play how its release goes on; see the module of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar

from ansible_collections.sluice.release.plugins.module_utils.journal._fleet import close, decide
from ansible_collections.sluice.release.plugins.plugin_utils._fleet_action import FleetAction, fleet


class ActionModule(FleetAction):
    ARGUMENTS: ClassVar[Mapping[str, Any]] = {
        "point": {"type": "str", "required": True, "choices": ["recover", "decide", "close"]},
        "action": {"type": "str", "choices": ["none", "finish", "take_back", "abandon", "leave"]},
    }

    def act(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        hosts, name = fleet(task_vars), task_vars["inventory_hostname"]
        if args["point"] == "close":
            ending = close(args["action"], name, hosts)
            # The journal keeps the verdict with the end, and what runs again where that is known.
            kept = {"verdict": ending.verdict, **({"restored": ending.restored} if ending.restored else {})}
            return {**asdict(ending), "data": kept}
        verdicts = decide(args["point"], hosts)
        return {
            "action": verdicts[name].action,
            "reason": verdicts[name].reason,
            "release": (hosts[name].open or {}).get("release"),
            "kind": (hosts[name].open or {}).get("kind"),
            "hosts": {host: verdict.action for host, verdict in verdicts.items()},
        }

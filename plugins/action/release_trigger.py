# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides for all hosts of the play what alerts, or a person's word, lead to; see the module of the same name."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from ansible.plugins.filter.core import to_json

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.trigger._decide import ASK, NONE, Circumstances
from ansible_collections.sluice.release.plugins.module_utils.trigger._model import automatic, read_triggers
from ansible_collections.sluice.release.plugins.module_utils.trigger._raise import Host, declare, hear
from ansible_collections.sluice.release.plugins.plugin_utils._fleet_action import (
    FleetAction,
    asked_command,
    auto_level,
)

# It comes from the network. Whatever looks like a template in it must not become one, so it is never an option of a
# task, and of no role: those are templated.
_ALERTS = "trigger_alerts"


class ActionModule(FleetAction):
    ARGUMENTS: ClassVar[Mapping[str, Any]] = {
        "name": {"type": "str", "default": ""},
        "reason": {"type": "str", "default": ""},
        "triggers": {"type": "list", "elements": "dict", "default": []},
        "automatic": {"type": "str", "default": "true"},
        "breaking": {"type": "list", "elements": "str", "default": []},
        "within": {"type": "float", "default": 259200.0},
    }

    def act(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        hosts, triggers, now = _hosts(task_vars), read_triggers(args["triggers"]), time.time()
        where = Circumstances(automatic(args["automatic"]), auto=auto_level(task_vars, args["breaking"]))
        payload = task_vars.get(_ALERTS)
        if payload is not None and args["name"]:
            raise SluiceError("raise a trigger", "alerts have come, and a trigger was named as well", "Pass one")
        if payload is not None:
            source, raised = "alert", hear(_plain(payload), triggers, hosts, where, within=args["within"], now=now)
        else:
            operator = (task_vars["ansible_facts"].get("sluice_plan") or {}).get("operator") or "somebody"
            words = f"{operator} has declared it" + (f": {args['reason'].rstrip('.')}" if args["reason"] else "")
            source, raised = "declared", declare(args["name"], words, triggers, hosts, where, now)
        decision = raised.decision
        command = asked_command(decision.level, decision.trigger, task_vars)
        message = "" if decision.action == NONE else raised.message(command)
        stored = {"release": raised.release, "source": source, **decision.stored(), "alerts": list(raised.alerts)}
        if decision.action == ASK:
            stored["command"] = command
        return {
            "action": decision.action,
            "trigger": decision.trigger,
            "level": decision.level,
            "reason": decision.reason,
            "release": raised.release,
            "command": command,
            "message": message,
            "lines": [*raised.lines, *([message] if message else [])],
            "data": stored,
        }


def _hosts(task_vars: Mapping[str, Any]) -> dict[str, Host]:
    hostvars, hosts = task_vars["hostvars"], {}
    for name in task_vars["ansible_play_hosts"]:
        state = (hostvars[name].get("ansible_facts") or {}).get("sluice_journal")
        if state is None:
            raise SluiceError(f"decide about {name}", "its journal was not read", "Run trigger.yml")
        hosts[name] = Host(state, (hostvars[name].get("__trigger_lock") or {}).get("holder"))
    return hosts


def _plain(payload: Any) -> Any:
    """Return the payload as plain data, without Ansible's mark that its texts may be templates."""
    plain = json.loads(to_json(payload))
    if not isinstance(plain, str):
        return plain
    try:
        return json.loads(plain)
    except ValueError:
        raise SluiceError("read the alerts", "they are no JSON", "Pass them as Alertmanager has sent them") from None

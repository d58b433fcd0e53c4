# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides for every host of the play how its release goes on; see the module of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar

from ansible.errors import AnsibleError
from ansible.utils.display import Display

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.journal._entry import TRIGGER
from ansible_collections.sluice.release.plugins.module_utils.journal._fleet import (
    Host,
    close,
    decide,
    is_held,
    to_fence,
    weigh,
)
from ansible_collections.sluice.release.plugins.module_utils.trigger._decide import Circumstances, Decision
from ansible_collections.sluice.release.plugins.module_utils.trigger._model import automatic, read_triggers
from ansible_collections.sluice.release.plugins.plugin_utils._fleet_action import FleetAction, asked_command, fleet

display = Display()


class ActionModule(FleetAction):
    ARGUMENTS: ClassVar[Mapping[str, Any]] = {
        "point": {"type": "str", "required": True, "choices": ["recover", "decide", "close"]},
        "action": {"type": "str", "choices": ["none", "finish", "take_back", "hold", "abandon", "leave"]},
    }

    def act(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        hosts, name = fleet(task_vars), task_vars["inventory_hostname"]
        weighed = self._weigh(hosts, task_vars) if args["point"] != "recover" else None
        command = asked_command(weighed.level, weighed.trigger, task_vars) if weighed else ""
        if args["point"] == "close":
            plan = task_vars["ansible_facts"].get("sluice_plan") or {}
            ending = close(args["action"], name, hosts, weighed, command, by=str(plan.get("kind")))
            # The journal keeps the verdict with the end, and what runs again, or still, where that is known.
            kept: dict[str, Any] = {"verdict": ending.verdict}
            if ending.restored:
                kept["restored"] = ending.restored
            if ending.interrupted:
                kept["interrupted"] = True
            return {**asdict(ending), "data": kept, "notes": _notes(hosts[name], weighed, command)}
        verdicts = decide(args["point"], hosts, weighed)
        return {
            "action": verdicts[name].action,
            "reason": verdicts[name].reason,
            "release": (hosts[name].open or {}).get("release"),
            "kind": (hosts[name].open or {}).get("kind"),
            "hosts": {host: verdict.action for host, verdict in verdicts.items()},
            "fence": to_fence(hosts) if args["point"] == "decide" else [],
        }

    def _weigh(self, hosts: Mapping[str, Host], task_vars: dict[str, Any]) -> Decision | None:
        """Return what the red checks lead to; None where none has failed a host.

        None as well where the triggers make no sense, which role preflight has said: a release has to end all the same.
        """
        if all(host.red is None for host in hosts.values()):
            return None
        try:
            said = {name: task_vars.get(name) for name in ("rollback_triggers", "rollback_automatic")}
            said["rollback_triggers"] = unmeasured(said["rollback_triggers"])
            read = self._templar.template({name: value for name, value in said.items() if value is not None})
            circumstances = Circumstances(automatic(read.get("rollback_automatic")))
            return weigh(hosts, read_triggers(read.get("rollback_triggers", [])), circumstances)
        except (AnsibleError, SluiceError) as error:
            display.warning(f"The triggers of the profile were left aside: {error}")
            return None


def unmeasured(triggers: Any) -> Any:
    """Return triggers that are not templated yet without what their own checks measure, which may need a release to be.

    As they are where the profile takes the whole list from elsewhere.
    """
    if not isinstance(triggers, list) or not all(isinstance(trigger, Mapping) for trigger in triggers):
        return triggers
    own = [trigger.get("check") for trigger in triggers]
    names = [{"check": check.get("name")} if isinstance(check, Mapping) else {} for check in own]
    return [{**trigger, **name} for trigger, name in zip(triggers, names, strict=True)]


def _notes(host: Host, weighed: Decision | None, command: str) -> list[dict[str, Any]]:
    """Return what the journal keeps of why the release was taken back, or was not."""
    if weighed is None or host.open is None:
        return []
    asked = {"command": command} if is_held(weighed) else {}
    data = {"release": host.open["release"], "source": "gate", **weighed.stored(), **asked}
    return [{"name": TRIGGER, "data": data}]

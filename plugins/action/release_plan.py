# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks at the profiles of all hosts before anything begins, and names the release; see the module of the same name."""

from __future__ import annotations

import getpass
import os
import re
import socket
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import yaml
from ansible.utils.display import Display

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.journal._fleet import (
    check_keys,
    left_out,
    one_environment,
    release_id,
)
from ansible_collections.sluice.release.plugins.module_utils.watch._windows import Window, read_windows
from ansible_collections.sluice.release.plugins.plugin_utils._fleet_action import FleetAction

display = Display()

# The facts of this module, release_journal and release_lock, which may also be among the variables.
FACTS = ("sluice_journal", "sluice_lock", "sluice_plan")
# The roles lie beside the plugins: in an installed collection, and in a checkout seen through its links.
_ROLES = Path(__file__).parent.parent.parent / "roles"


class ActionModule(FleetAction):
    ARGUMENTS: ClassVar[Mapping[str, Any]] = {
        "version": {"type": "str", "default": ""},
        "reason": {"type": "str", "default": ""},
        "kind": {
            "type": "str",
            "default": "deploy",
            "choices": [
                *("deploy", "rollback", "rollback_drill", "recover", "backup", "restore", "drill", "emergency", "lock"),
                "trigger",
            ],
        },
    }

    def act(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        hosts, hostvars = list(task_vars["ansible_play_hosts_all"]), task_vars["hostvars"]
        environment = one_environment({host: hostvars[host].get("sluice_environment") for host in hosts})
        names = {str(name) for host in hosts for name in hostvars[host]}
        check_keys(names, [*known_options(_ROLES), *FACTS])
        for host in hosts:
            # Before anything is touched, not once the release has been switched to.
            read_windows(self._templar.template(times_of(hostvars.raw_get(host).get("watch_windows"))))
        if args["kind"] == "deploy" and not args["version"]:
            raise SluiceError("plan the release", "no version was asked for", "Name it with -e release_version=")
        fleets = {host: _application(hostvars[host]) for host in hostvars}
        absent = left_out(hosts, fleets, fleets[hosts[0]] or "")
        if absent and args["kind"] == "deploy":
            display.warning(f"{', '.join(absent)} of {environment} take no part and go on running what they run.")
        plan = {
            "release_id": release_id(datetime.now(UTC), args["version"] or args["kind"]),
            "version": args["version"],
            "environment": environment,
            "hosts": hosts,
            "left_out": absent,
            "batches": one_order({host: hostvars[host].get("sluice_batches") for host in hosts}),
            "operator": _operator(task_vars),
            "purpose": purpose(args["kind"], args["version"], args["reason"]),
        }
        return {**plan, "ansible_facts": {"sluice_plan": plan}}


def _application(profile: Mapping[str, Any]) -> str | None:
    """Return what makes hosts a fleet: the environment and the application; None for a host of neither."""
    names = [profile.get("sluice_environment"), profile.get("sluice_application")]
    return " ".join(map(str, names)) if all(names) else None


def one_order(batches: Mapping[str, Any]) -> list[Any]:
    """Return the batches in which all hosts switch. SluiceError when the hosts do not agree, or they make no sense."""
    found = [[str(one) for one in said] if isinstance(said, (list, tuple)) else said for said in batches.values()]
    if any(one != found[0] for one in found):
        raise SluiceError("plan the release", "the hosts have not the same sluice_batches", "Set it for their group")
    said = found[0]
    if said is None:
        return []
    said = [said] if isinstance(said, (int, str)) else said
    wrong = [str(one) for one in said if not re.fullmatch(r"[1-9]\d*%?", str(one))]
    if wrong or not said:
        cause = f"sluice_batches has {', '.join(wrong)}" if wrong else "sluice_batches is empty"
        raise SluiceError("plan the release", cause, 'It takes numbers of hosts and percentages, as [1, "50%", "100%"]')
    return [one if one.endswith("%") else int(one) for one in map(str, said)]


def known_options(roles: Path) -> Iterator[str]:
    """Yield the options of every entry point of every role. SluiceError when there are none: then none was found."""
    specs = sorted(roles.glob("*/meta/argument_specs.yml"))
    if not specs:
        raise SluiceError(
            "check the profile", f"no role has argument specs under {roles}", "Install the collection anew"
        )
    for path in specs:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        for entry_point in content.get("argument_specs", {}).values():
            yield from entry_point.get("options") or {}


def times_of(windows: Any) -> list[dict[str, Any]]:
    """Return the windows of a profile, not templated yet, without what they measure: that may need a release to be.

    Nothing where the profile takes the whole list from elsewhere; then the stage watch is the first to read it.
    """
    if not isinstance(windows, list) or not all(isinstance(window, Mapping) for window in windows):
        return []
    return [{key: value for key, value in window.items() if key in Window.KEYS} for window in windows]


def purpose(kind: str, version: str, reason: str) -> str:
    """Return what a run holds its lock for, as another who waits reads it, or one that has lost it."""
    return ": ".join(filter(None, [f"{kind.replace('_', ' ')} {version}".strip(), " ".join(reason.split())]))


def _operator(task_vars: dict[str, Any]) -> str:
    """Who releases: a person of AWX, else the account on the controller."""
    person = task_vars.get("awx_user_name") or task_vars.get("tower_user_name")
    if not person:
        try:
            person = getpass.getuser()
        except (KeyError, OSError):  # a container's user often has no name
            person = str(os.getuid())
    return f"{person}@{socket.gethostname()}"

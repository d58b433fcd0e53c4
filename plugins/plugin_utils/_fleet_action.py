# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the action plugins have in common that decide on the controller, for all hosts of the play."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ansible import constants, context
from ansible.plugins.action import ActionBase

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.journal._entry import VERIFY
from ansible_collections.sluice.release.plugins.module_utils.journal._fleet import Host
from ansible_collections.sluice.release.plugins.module_utils.journal._target import Wish, smallest_level
from ansible_collections.sluice.release.plugins.module_utils.trigger._decide import command

# The stages that measure what has been switched to.
GATE = "gate"


class FleetAction(ActionBase):
    """Base class: validates the options by ``ARGUMENTS``, calls ``act``, and turns SluiceError into a failed task."""

    _supports_check_mode = True
    _requires_connection = False
    ARGUMENTS: ClassVar[Mapping[str, Any]] = {}

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _valid, args = self.validate_argument_spec(argument_spec=dict(self.ARGUMENTS))
        try:
            result.update(changed=False, **self.act(args, task_vars or {}))
        except SluiceError as error:
            result.update(failed=True, changed=False, msg=str(error), **error.fields)
        return result

    @abstractmethod
    def act(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return the result. SluiceError when the answer is no."""


def fleet(task_vars: Mapping[str, Any]) -> dict[str, Host]:
    """Return what is known of every host of the play, also of those that have dropped out of it."""
    alive = set(task_vars["ansible_play_hosts"])
    hostvars = task_vars["hostvars"]
    return {
        name: Host(
            state=(hostvars[name].get("ansible_facts") or {}).get("sluice_journal"),
            alive=name in alive,
            failure=failure_text(hostvars[name].get("pipeline_failure")),
            target=hostvars[name].get("rollback_target") or hostvars[name].get("artifact_target"),
            changed=bool((hostvars[name].get("switch_evidence") or {}).get("changed")),
            back=hostvars[name].get("rollback_evidence"),
            fenced=has_failed_by("fenced", hostvars[name].get("pipeline_failure")),
            unreachable=has_failed_by("unreachable", hostvars[name].get("pipeline_failure"))
            or has_failed_by("unreachable_host", hostvars[name].get("__open_lock")),
            waited=has_failed_by("waited", hostvars[name].get("pipeline_failure")),
            red=red_checks(hostvars[name].get("pipeline_failure")),
            verdicts=tuple(
                str(evidence["verdict"])
                for evidence in (hostvars[name].get(stage) or {} for stage in ("gate_evidence", "verify_evidence"))
                if evidence.get("verdict")
            ),
        )
        for name in task_vars["ansible_play_hosts_all"]
    }


def has_failed_by(cause: str, failure: Any) -> bool:
    """Return whether a host failed because its run had lost the lock (fenced), or because it was unreachable.

    ``failure`` is what its pipeline has remembered, or the result of the task that asks each host first.
    """
    return isinstance(failure, Mapping) and bool(failure.get(cause))


def red_checks(failure: Any) -> tuple[tuple[str | None, str], ...] | None:
    """Return the checks that a gate has failed a host for, by name and in words; None when it was no gate."""
    gates = failure.get("gates") if isinstance(failure, Mapping) else None
    # Steps of a canary are measured as well, and cannot stay half-way.
    if not gates or failure.get("stage") not in (GATE, VERIFY):
        return None
    red = [gate for gate in gates if gate.get("verdict") == "red"]
    # A gate that was left undecided may fail, too.
    return tuple((gate["check"], str(gate.get("reason") or f"{gate['check']} is red")) for gate in red) or (
        (None, failure_text(failure) or ""),
    )


def asked_command(level: str | None, trigger: str | None, task_vars: Mapping[str, Any]) -> str:
    """Return the command that a person runs who is asked to roll back, as this run was called."""
    inventories, limit = list(context.CLIARGS.get("inventory") or []), task_vars.get("ansible_limit")
    if sorted(inventories) == sorted(constants.DEFAULT_HOST_LIST):  # type: ignore[attr-defined]
        inventories = []
    if "AWX_ISOLATED_DATA_DIR" in os.environ:
        # AWX and ansible-rulebook copy the inventory to where nobody finds it again.
        inventories, limit = [], task_vars.get("sluice_environment")
    return command(level or "2", trigger, inventories, limit)


def auto_level(task_vars: Mapping[str, Any], breaking: Sequence[str]) -> int | None:
    """Return what level auto of a rollback comes to; None where the journals were not read."""
    names, hostvars = task_vars["ansible_play_hosts"], task_vars["hostvars"]
    states = [(hostvars[name].get("ansible_facts") or {}).get("sluice_journal") for name in names]
    known = [state for state in states if state]
    return smallest_level(known, Wish(breaking=tuple(breaking)))[0] if known else None


def failure_text(failure: Any) -> str | None:
    """Return why a host failed as one line: from a text, or from the result of the task that failed."""
    if not failure:
        return None
    if isinstance(failure, Mapping):
        failure = failure.get("message") or failure.get("msg") or failure.get("reason") or "no reason is known"
    return " ".join(str(failure).split())

# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release_outcome weighs red checks by the profile, and ends a release also where that makes no sense."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleError

from ansible_collections.sluice.release.plugins.action.release_outcome import ActionModule, unmeasured

RED = {"check": "errors", "verdict": "red", "reason": "errors was 7 %"}


class Templar:
    """Understands what is no template."""

    def template(self, value: Any) -> Any:
        if "{{" in str(value):
            raise AnsibleError("'verify_version' is undefined")
        return value


def outcome(point: str = "decide", failure: Any = None, **variables: Any) -> dict[str, Any]:
    action = ActionModule.__new__(ActionModule)
    action._templar = Templar()  # type: ignore[assignment]
    target = {"version": "1.1.0", "artifact": {"id": "a"}, "config": {"version": 1}}
    opened = {"release": "r", "kind": "deploy", "version": "1.1.0", "moved": True, "target": target, "passed": False}
    host = {"ansible_facts": {"sluice_journal": {"open": opened}}, "pipeline_failure": failure}
    known = {"inventory_hostname": "app1", "ansible_play_hosts": ["app1"], "ansible_play_hosts_all": ["app1"]}
    known |= {"hostvars": {"app1": host}, "ansible_facts": {}, "ansible_limit": "prod", **variables}
    told: dict[str, Any] = action.act({"point": point, "action": "hold"}, known)
    return told


FAILED = {"stage": "gate", "message": "Cannot pass the gate: red.", "gates": [RED]}


@pytest.mark.parametrize(
    ("failure", "variables", "action"),
    [
        (FAILED, {}, "take_back"),
        (FAILED, {"rollback_automatic": "ask"}, "hold"),
        (FAILED, {"rollback_automatic": False}, "hold"),
        (FAILED, {"rollback_triggers": [{"name": "a", "check": "errors", "action": "consider"}]}, "hold"),
        # A check of its own may need what only its stage knows.
        (
            FAILED,
            {"rollback_triggers": [{"name": "a", "check": {"name": "errors", "url": "{{ x }}"}, "action": "consider"}]},
            "hold",
        ),
        # A release has to end, whatever the profile says.
        (FAILED, {"rollback_triggers": [{"name": "a"}]}, "take_back"),
        (FAILED, {"rollback_triggers": "{{ nothing }}"}, "take_back"),
        (FAILED, {"rollback_automatic": "perhaps"}, "take_back"),
        ({"stage": "preflight", "message": "no"}, {"rollback_triggers": "{{ nothing }}"}, "take_back"),
        (None, {"rollback_triggers": "{{ nothing }}"}, "finish"),
    ],
)
def test_how_a_release_goes_on(failure: Any, variables: dict[str, Any], action: str) -> None:
    assert outcome(failure=failure, **variables)["action"] == action


def test_what_is_held_is_noted_with_its_command() -> None:
    told = outcome("close", FAILED, rollback_automatic="ask")
    assert (told["outcome"], told["data"]["restored"]["version"]) == ("failed", "1.1.0")
    (note,) = told["notes"]
    assert (note["name"], note["data"]["source"], note["data"]["trigger"]) == ("trigger", "gate", "errors")
    assert note["data"]["command"] == "ansible-playbook rollback_level2.yml -l prod -e release_reason=errors"
    assert note["data"]["command"] in told["message"]


def test_what_a_check_measures_is_not_looked_at() -> None:
    triggers = [{"name": "a", "check": {"name": "c", "type": "http"}}, {"name": "b", "check": "d"}, {"name": "e"}]
    assert unmeasured(triggers) == [{"name": "a", "check": "c"}, {"name": "b", "check": "d"}, {"name": "e"}]
    assert (unmeasured("{{ own }}"), unmeasured(None)) == ("{{ own }}", None)

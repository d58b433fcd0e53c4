# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: release_batches
short_description: In which batches the hosts of a release switch
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Returns what C(sluice_batches) of the profile says, for the keyword C(serial) of a play.
  - A play reads C(serial) before it has any host, and knows no variable of an inventory then, only those of the command
    line. So module M(sluice.release.release_plan) of an earlier play has read them, and this finds them in its plan.
  - All hosts at once where nothing was planned.
options: {}
seealso:
  - module: sluice.release.release_plan
"""

EXAMPLES = r"""
- name: Switch, batch by batch
  hosts: sluice
  serial: "{{ query('sluice.release.release_batches') }}"
  roles:
    - role: sluice.release.switch
"""

RETURN = r"""
_raw:
  description: Numbers of hosts, or percentages. Use C(query), which returns a list always.
  type: list
  elements: raw
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible.plugins.lookup import LookupBase

ALL = "100%"


class LookupModule(LookupBase):
    def run(
        self,
        terms: Sequence[str],  # noqa: ARG002 - there is nothing to ask for
        variables: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> list[Any]:
        self.set_options(var_options=variables, direct=kwargs)
        hostvars = (variables or {}).get("hostvars") or {}
        return batches(hostvars[name].get("ansible_facts") or {} for name in hostvars)


def batches(facts: Iterable[Mapping[str, Any]]) -> list[Any]:
    """Return the batches of the newest plan among the facts of all hosts: a cache of facts may keep older ones."""
    plans = [found["sluice_plan"] for found in facts if found.get("sluice_plan")]
    newest: Mapping[str, Any] = max(plans, key=lambda plan: str(plan["release_id"]), default={})
    return list(newest.get("batches") or [ALL])

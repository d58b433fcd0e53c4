# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks that triggers bring along, which gate and watch make beside those of the profile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils.trigger._model import own_checks

DOCUMENTATION = r"""
name: trigger_checks
short_description: The checks that triggers bring along
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - A trigger of C(rollback_triggers) names a check of the profile, or has one of its own. This gives the latter, as
    M(sluice.release.health_gate) takes them.
options:
  _input:
    description: The triggers of a profile.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Measure the checks of the gate, and those of triggers
  sluice.release.health_gate:
    checks: "{{ gate_checks + rollback_triggers | sluice.release.trigger_checks }}"
"""

RETURN = r"""
_value:
  description: The checks.
  type: list
  elements: dict
"""


class FilterModule:
    """Ansible's way to find the filters of a file."""

    def filters(self) -> dict[str, Callable[[Any], list[Any]]]:
        return {"trigger_checks": own_checks}

#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gate_verdict
short_description: Join the evidence of several gates to one verdict
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Takes results of M(sluice.release.health_gate), M(sluice.release.flow_check) and M(sluice.release.worker_check),
    each called so that red does not fail it, and gives the verdict on all of them together. So every part is measured
    and recorded before any of them decides.
  - Runs on the controller.
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
options:
  evidence:
    description: The results. One that was skipped counts for nothing; at least one was not.
    type: list
    elements: dict
    required: true
  fail_on_red:
    description: Whether the task fails when the verdict is V(red). The failure carries the same result.
    type: bool
    default: true
  fail_on_pending:
    description: Whether the task fails when the verdict is V(pending), because checks with O(ignore:on_no_data=hold)
      never had any data.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Decide on the smoke requests and the flows
  sluice.release.gate_verdict:
    evidence: ["{{ smoke }}", "{{ flows }}"]
  register: verify_evidence
"""

RETURN = r"""
verdict:
  description: The worst verdict of all, where red is worse than pending, pending than yellow, yellow than green.
  returned: when there is any evidence
  type: str
  sample: green
score:
  description: The scores, each with the weights of its checks.
  returned: when there is any evidence
  type: float
  sample: 100.0
gates:
  description: All checks, in order. See the modules that they are of.
  returned: when there is any evidence
  type: list
  elements: dict
breaches:
  description: All breaches, as M(sluice.release.health_gate) gives them.
  returned: when there is any evidence
  type: list
  elements: dict
samples:
  description: Samples, requests and keys of all together.
  returned: when there is any evidence
  type: int
  sample: 40
seconds:
  description: How long all took together.
  returned: when there is any evidence
  type: float
  sample: 0.6
"""

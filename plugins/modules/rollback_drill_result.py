#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollback_drill_result
short_description: Say how a drill of the rollbacks went
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Works out, from the journal entries of the drill on all hosts of the play, how many seconds each level has taken,
    and each of its steps. A level took as long as on the slowest host.
  - A level is missed when it failed on a host, when the way back from it failed, or when it took longer than its
    budget.
  - Runs on the controller.
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
options:
  levels:
    description: The levels that the drill was to carry out.
    type: list
    elements: int
    required: true
  entries:
    description:
      - Name of the variable in which each host has registered M(sluice.release.release_journal_info) of the drill.
    type: str
    required: true
  budgets:
    description: Seconds that a rollback may take, by level. A level that is left out has 120, 300 or 600.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Read what the drill has written
  sluice.release.release_journal_info:
    path: /var/lib/sluice/shop
    release: latest
  register: drill_read

- name: Say how it went
  sluice.release.rollback_drill_result:
    levels: [1, 2]
    entries: drill_read
  register: drill
"""

RETURN = r"""
result:
  description: What the journal keeps, under the name C(rollback_drill). The same on every host.
  returned: success
  type: dict
  contains:
    levels: {description: "By level, the seconds that it took; null where it was not carried through.", type: dict}
    steps: {description: "By level, the seconds of C(rollback), C(switch) and C(verify).", type: dict}
    budgets: {description: "By level, the seconds that it may take.", type: dict}
    missed: {description: "By level that was missed, why.", type: dict}
    met: {description: Whether none was missed., type: bool}
  sample:
    levels: {"1": 6.1}
    steps: {"1": {"rollback": 0.8, "switch": 3.9, "verify": 1.4}}
    budgets: {"1": 120}
    missed: {}
    met: true
met:
  description: Whether every level was carried through within its budget.
  returned: success
  type: bool
message:
  description: What was missed; empty when nothing was.
  returned: success
  type: str
"""

#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollback_drill_plan
short_description: Find what a drill of the rollbacks would do, and whether it may
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Returns where each level of a rollback would lead every host of the play, out of what the hosts' journals say (fact
    C(sluice_journal)). When one level has nowhere to go on one host, the answer is no, before anything has changed.
  - In production the levels are not drilled where the application runs.
  - A shadow is compared with the application by everything that a process, a database, a cache or a proxy is found by.
    One that could touch what serves is refused, and everything by which it could is named, but no value.
  - Runs on the controller.
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
options:
  levels:
    description: The levels to drill, out of 1, 2 and 3.
    type: list
    elements: int
    required: true
  place:
    description:
      - V(here) is where the application runs.
      - V(shadow) is beside it, which O(live) and O(shadow) describe.
    type: str
    choices: [here, shadow]
    required: true
  production:
    description: Whether this is production; then V(here) is refused.
    type: bool
    default: false
  environment:
    description: Its name, for the message.
    type: str
    default: ''
  backup_id:
    description: The backup that level 3 restores, instead of the one that was made before the release that is left.
    type: str
  budgets:
    description: Seconds that a rollback may take, by level. A level that is left out has 120, 300 or 600.
    type: dict
    default: {}
  live:
    description: What the application is found by. The role C(rollback_drill) has the keys.
    type: dict
  shadow:
    description: What the shadow is found by, with the same keys.
    type: dict
"""

EXAMPLES = r"""
- name: See whether every level has somewhere to go
  sluice.release.rollback_drill_plan:
    levels: [1, 2, 3]
    place: here
  register: plan
"""

RETURN = r"""
levels:
  description: The levels in order, each once.
  returned: success
  type: list
  elements: int
serves:
  description: What runs on this host now, and again after each level.
  returned: success
  type: dict
targets:
  description: By level, where it leads this host.
  returned: success
  type: dict
before:
  description: The version that the levels 2 and 3 go to; null when neither is drilled.
  returned: success
  type: dict
backup_id:
  description: The backup that level 3 restores; null without level 3.
  returned: success
  type: str
database:
  description: Name of the database in O(live); null without one.
  returned: success
  type: str
stand_in:
  description:
    - Whether level 1 needs a config version to go to on this host, for the running code has run with no other.
  returned: success
  type: bool
lines:
  description: What the drill would do on every host, line by line, for a person.
  returned: success
  type: list
  elements: str
problems:
  description: Everything by which the shadow could touch what serves.
  returned: when it could
  type: list
  elements: str
  sample: [its sluice_port is one of the application's]
"""

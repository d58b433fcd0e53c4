#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: emergency_plan
short_description: Find what an emergency action does to a host
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Returns what an action of the profile comes to, out of what the host's journal says, which the modules that read and
    write it leave as the fact C(sluice_journal).
  - It runs on the controller and changes nothing.
  - A toggle of the profile is a few variables with other values. Any that is on can be taken back, in any order.
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
options:
  actions:
    description:
      - Names of toggles of O(toggles), or one of V(maintenance), V(restart) and V(status) alone.
    type: list
    elements: str
    required: true
  undo:
    description: Whether they are taken back.
    type: bool
    default: false
  toggles:
    description:
      - The profile's toggles by their names, each with C(env) (names and values of variables, no secrets).
      - It may have C(label) (a few words for people) and C(instances) (how many there may be while it is on, which is
        reached before anything else is changed).
    type: dict
    default: {}
  driver:
    description: What runs the application.
    type: str
    required: true
  proxy:
    description: Whether the profile names a proxy that can turn requests away.
    type: bool
    default: false
  level:
    description:
      - The level of the rollback that names O(actions). They have to be toggles then, and the level V(1) or V(auto),
        for they stay with the running code.
    type: str
    choices: ["1", "2", "3", auto]
"""

EXAMPLES = r"""
- name: See what turning the cache off does
  sluice.release.emergency_plan:
    actions: [cache_off]
    toggles:
      cache_off: {env: {CACHE_ENABLED: "false"}, label: no cache}
    driver: pm2
  register: plan
"""

RETURN = r"""
does:
  description: Whether a configuration is made (V(config)), or what else is done, V(maintenance) or V(status).
  returned: success
  type: str
  sample: config
base:
  description: Number of the config version that RV(variables) are laid on.
  returned: success
  type: int
variables:
  description: The variables that differ from it.
  returned: success
  type: dict
  sample: {CACHE_ENABLED: "false"}
config:
  description: What the journal keeps beside the number of the new version.
  returned: success
  type: dict
  contains:
    base: {description: As RV(base)., type: int, returned: when something is on}
    toggles: {description: What is on., type: list, elements: dict, returned: when something is on}
    instances: {description: How many instances there may be., type: int, returned: when a toggle says so}
    same_as: {description: After a restart the version with the same settings., type: int, returned: after a restart}
scaled:
  description: What runs now, as it has to be before anything else changes; none where nothing has to be.
  returned: success
  type: dict
names:
  description: The toggles that are on afterwards.
  returned: success
  type: list
  elements: str
touched:
  description: The variables that a toggle has a say in, before or after.
  returned: success
  type: list
  elements: str
labels:
  description: What the actions are called for people.
  returned: success
  type: list
  elements: str
lines:
  description: What is on now, for a terminal.
  returned: success
  type: list
  elements: str
preview:
  description: What a rollback by these toggles would do, for a terminal.
  returned: success
  type: list
  elements: str
known:
  description: The actions that the profile has.
  returned: success
  type: list
  elements: str
"""

#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_trigger
short_description: Decide what an alert, or a person's word, leads to
description:
  - Decides for all hosts of the play together, from the journals (fact C(sluice_journal)) and from who holds the locks
    (variable C(__trigger_lock), a result of M(sluice.release.release_lock) with C(state=shown)).
  - The alerts are read from the variable C(trigger_alerts), the payload of Alertmanager's webhook, a list of alerts or
    one alert. They come from the network, so they are no option of this module, which would make templates of them.
  - An alert counts when it fires, when a trigger names it, when it began after the release did that serves, and when it
    was not acted on for this release before.
  - A release is taken back by itself once at most. What serves because something was gone back to, what has served for
    longer than O(within), and what a person holds the lock of, is asked about.
  - Runs on the controller.
version_added: 0.1.0
author: The Sluice Authors (@sluice-release)
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
options:
  name:
    description: The trigger that a person declares, where no alerts have come.
    type: str
    default: ''
  reason:
    description: What the person says about it.
    type: str
    default: ''
  triggers:
    description: The triggers of the profile, C(rollback_triggers).
    type: list
    elements: dict
    default: []
  automatic:
    description: What of the profile C(rollback_automatic) says, V(true), V(ask) or V(false).
    type: str
    default: 'true'
  breaking:
    description: C(rollback_breaking), for triggers of level C(auto).
    type: list
    elements: str
    default: []
  within:
    description: Seconds after its switch for which an alert speaks against a release by itself. Later it asks.
    type: float
    default: 259200
"""

EXAMPLES = r"""
- name: Read the journal, and who holds the lock
  sluice.release.release_lock:
    path: /var/lib/sluice/shop
    state: shown
  register: __trigger_lock

- name: Decide
  sluice.release.release_trigger:
    name: data_corruption
    reason: orders without lines
    triggers:
      - {name: data_corruption, declared: true, level: 3}
  register: trigger_outcome
"""

RETURN = r"""
action:
  description: V(none), V(record), V(ask) or V(rollback), the same on every host.
  returned: success
  type: str
  sample: ask
trigger:
  description: The strongest trigger that has fired; null when none has.
  returned: success
  type: str
  sample: data_corruption
level:
  description: Level of the rollback that it asks for; null when none has fired.
  returned: success
  type: str
  sample: '3'
reason:
  description: What was said.
  returned: success
  type: str
release:
  description: The release that it speaks against; null when none is known.
  returned: success
  type: str
command:
  description: What a person runs to roll back.
  returned: success
  type: str
  sample: ansible-playbook rollback_level3.yml -l prod -e release_reason=data_corruption
message:
  description: What is done, and why; empty when nothing is.
  returned: success
  type: str
lines:
  description: The same, and what became of alerts that were left aside.
  returned: success
  type: list
  elements: str
data:
  description: What the journal keeps.
  returned: success
  type: dict
"""

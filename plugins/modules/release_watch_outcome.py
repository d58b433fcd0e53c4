#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_watch_outcome
short_description: Decide what a tick of the watch leads to
description:
  - Decides for all hosts of the play together, from what M(sluice.release.release_watch) has found on each (variables
    C(watch_ticked) and C(watch_begun)) and from C(watch_failure).
  - One host with a reason to go back takes all of them back. A host that could not be looked at is red, and no reason
    to go back.
  - Runs on the controller.
version_added: 0.1.0
author: The Sluice Authors (@sluice-release)
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
options:
  triggers:
    description: The triggers of the profile, C(rollback_triggers), which say what a red check leads to.
    type: list
    elements: dict
    default: []
  automatic:
    description: What of the profile C(rollback_automatic) says, V(true), V(ask) or V(false), where no window differs.
    type: str
    default: 'true'
  breaking:
    description: C(rollback_breaking), for triggers of level C(auto). They want the fact C(sluice_journal).
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Decide for all hosts
  sluice.release.release_watch_outcome:
    automatic: ask
    triggers:
      - {name: errors, check: error_rate_pct}
      - {name: slow, check: p95_ms, action: consider}
  register: watch_outcome
"""

RETURN = r"""
action:
  description: V(none), V(record), V(ask) or V(rollback), the same on every host.
  returned: success
  type: str
  sample: rollback
release:
  description: The release that is watched; null when none is.
  returned: success
  type: str
report:
  description: The release whose report has something new to say; null when there is nothing new.
  returned: success
  type: str
verdict:
  description: The worst verdict of all hosts; null when nothing was measured.
  returned: success
  type: str
  sample: red
reason:
  description: What is red, and on which host.
  returned: success
  type: str
trigger:
  description: The strongest trigger that has fired; null when none has.
  returned: success
  type: str
  sample: errors
level:
  description: Level of the rollback that it asks for; null when none has fired.
  returned: success
  type: str
  sample: '2'
command:
  description: What a person runs to take the release back.
  returned: success
  type: str
  sample: ansible-playbook rollback_level2.yml -l prod
message:
  description: What the run ends with when it fails.
  returned: success
  type: str
failed_watch:
  description: Whether the run is to end with an error, so that somebody hears of it.
  returned: success
  type: bool
over:
  description: Whether no host is watched any more.
  returned: success
  type: bool
"""

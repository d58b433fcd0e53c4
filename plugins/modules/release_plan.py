#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_plan
short_description: Check the profiles of all hosts and name the release
description:
  - Makes sure that all hosts of the play belong to one environment (variable C(sluice_environment)), and that no key of
    their profiles is misspelt. Known keys are the options of the roles of this collection.
  - Runs on the controller. Run it once, before anything else.
version_added: 0.1.0
author: The Sluice Authors (@sluice-release)
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
options:
  version:
    description: The version that the release goes to; part of its id. Only a deploy needs one.
    type: str
    default: ''
  kind:
    description: What kind of run this is; stands in the id in place of an empty O(version).
    type: str
    choices: [deploy, rollback, rollback_drill, recover, backup, restore, drill, emergency, lock, trigger]
    default: deploy
  reason:
    description: Why it takes place; part of RV(purpose).
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Plan the release
  sluice.release.release_plan:
    version: 1.1.0
  run_once: true
  register: pipeline_plan
"""

RETURN = r"""
release_id:
  description: The id of this release, made of the time (UTC) and O(version).
  returned: success
  type: str
  sample: 20261122T013000Z-1.1.0
version:
  description: The version that was asked for.
  returned: success
  type: str
environment:
  description: The environment of all hosts.
  returned: success
  type: str
  sample: prod
hosts:
  description: All hosts of the play.
  returned: success
  type: list
  elements: str
batches:
  description: In which batches the hosts switch, by C(sluice_batches) of the profile; empty for all at once.
  returned: success
  type: list
  elements: raw
  sample: [1, "50%", "100%"]
left_out:
  description: Hosts of the same application and environment that take no part, because the run was limited.
  returned: success
  type: list
  elements: str
operator:
  description: Who releases. With AWX the user who launched the job.
  returned: success
  type: str
  sample: alice@ci
purpose:
  description: What the run holds its lock for, as another who waits reads it, or one who has lost it.
  returned: success
  type: str
  sample: 'rollback: errors since the release'
ansible_facts:
  description: The same, as the fact C(sluice_plan) of the host.
  returned: success
  type: dict
  contains:
    sluice_plan:
      description: See above.
      type: dict
      returned: always
unknown_keys:
  description: The misspelt keys, each with what it may have been meant to be.
  returned: when there are any
  type: list
  elements: str
"""

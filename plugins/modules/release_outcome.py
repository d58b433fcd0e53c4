#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_outcome
short_description: Decide how a release goes on
description:
  - Decides for each host, from the journals (fact C(sluice_journal)) and C(pipeline_failure) of all hosts of the play,
    whether its open release is finished, taken back or abandoned.
  - Runs on the controller.
version_added: 0.1.0
author: The Sluice Authors (@sluice-release)
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
options:
  point:
    description:
      - V(recover) judges what a run that was killed has left. When the release has succeeded on any host, or was
        verified on all, it is finished, else taken back where it had moved and abandoned where not.
      - V(decide) ends this run. When nothing has failed on any host the release is finished, else taken back where it
        had moved and abandoned where not.
    type: str
    choices: [recover, decide]
    required: true
"""

EXAMPLES = r"""
- name: Decide whether the release stays
  sluice.release.release_outcome:
    point: decide
  register: pipeline_outcome
"""

RETURN = r"""
action:
  description: What this host does. V(none) when it has no open release.
  returned: success
  type: str
  sample: take_back
reason:
  description: Why.
  returned: success
  type: str
outcome:
  description: How the release ends for the fleet, V(succeeded), V(rolled_back), V(failed) or V(unchanged).
  returned: success
  type: str
  sample: rolled_back
hosts:
  description: The action of every host.
  returned: success
  type: dict
  sample: {app1: take_back, app2: abandon}
"""

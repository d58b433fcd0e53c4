#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_barrier
short_description: Let a stage begin on all hosts or on none
description:
  - Fails on every host when any host of the play has failed, has set C(pipeline_failure), or has dropped out of the
    play because it cannot be reached.
  - Fails as well when the hosts of a release do not have one and the same artifact, by its checksum. A rollback takes
    each host to where it was, so it is not asked.
  - Runs on the controller.
version_added: 0.1.0
author: The Sluice Authors (@sluice-release)
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
options:
  stage:
    description: The stage that would begin, for the message.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Migrate only when every host is ready
  sluice.release.release_barrier:
    stage: migrate
"""

RETURN = r"""
hosts:
  description: The hosts that are ready, which are all.
  returned: success
  type: list
  elements: str
settled:
  description: Whether every host runs already what the run goes to, by its journal.
  returned: success
  type: bool
not_ready:
  description: The hosts that are not.
  returned: failure because of one
  type: list
  elements: str
artifacts:
  description: Id of the artifact of each host.
  returned: failure because they differ
  type: dict
  sample:
    app1: 1.1.0-3f2a9c51b7de
    app2: 1.1.0-8c1d77aa02f4
"""

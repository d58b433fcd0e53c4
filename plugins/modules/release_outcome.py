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
        had moved and abandoned where not. A run that has lost its lock leaves it to whoever has the lock now.
      - Where nothing but red checks have failed a deploy, the variables C(rollback_triggers) and C(rollback_automatic)
        of the profile say whether it is taken back or held, which leaves it as it is until a person decides. They are
        no options, so that a mistake in them keeps no release from ending.
      - A rollback that has failed on one host goes back on all to what it was to leave, with which one version serves.
      - V(close) says how the record of the release ends, after O(action) was carried out.
    type: str
    choices: [recover, decide, close]
    required: true
  action:
    description: What was carried out on this host. Required with O(point=close).
    type: str
    choices: [none, finish, take_back, hold, abandon, leave]
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
  returned: when O(point) is V(recover) or V(decide)
  type: str
  sample: take_back
reason:
  description: Why.
  returned: when O(point) is V(recover) or V(decide)
  type: str
release:
  description: The release that is open on this host.
  returned: when O(point) is V(recover) or V(decide)
  type: str
kind:
  description: What kind of run that is.
  returned: when O(point) is V(recover) or V(decide)
  type: str
  sample: deploy
hosts:
  description: The action of every host.
  returned: when O(point) is V(recover) or V(decide)
  type: dict
  sample: {app1: take_back, app2: abandon}
fence:
  description: Hosts that cannot be reached, and may serve another version than the fleet goes to.
  returned: when O(point) is V(decide)
  type: list
  elements: str
outcome:
  description: How the release ends, V(succeeded), V(rolled_back), V(failed) or V(unchanged).
  returned: when O(point) is V(close)
  type: str
  sample: rolled_back
verdict:
  description: The worst verdict of the gates, V(red) unless the release was kept.
  returned: when O(point) is V(close)
  type: str
  sample: red
good:
  description: Whether the application runs what was asked for.
  returned: when O(point) is V(close)
  type: bool
message:
  description: Why not, on which host, and what the application runs now.
  returned: when O(point) is V(close)
  type: str
restored:
  description: The target that runs again where the release was taken back, or still, where it was held.
  returned: when O(point) is V(close)
  type: dict
interrupted:
  description: Whether the release was taken back only because its run was killed, which marks nothing as bad.
  returned: when O(point) is V(close)
  type: bool
stays_open:
  description: Whether the record is not closed, because a database that was moved is still where it should not be.
  returned: when O(point) is V(close)
  type: bool
data:
  description: What the journal keeps with the end, the verdict, the target that was restored and whether it was killed.
  returned: when O(point) is V(close)
  type: dict
notes:
  description: What the journal keeps of the trigger that fired, for C(notes) of M(sluice.release.release_journal).
  returned: when O(point) is V(close)
  type: list
  elements: dict
"""

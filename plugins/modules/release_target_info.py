#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_target_info
short_description: Find where a rollback of an application goes
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Returns the version, the artifact and the config version that a rollback goes to, out of what the host's journal
    says, which the modules that write it leave as the fact C(sluice_journal).
  - It runs on the controller. What it names lies on the host, and needs no registry and no build.
  - Only a release that has succeeded is a target, and never one that was marked bad, or whose files are gone.
  - When one host has nowhere to go, the answer is no on every host.
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
options:
  level:
    description:
      - V(0) is the automatic rollback of a failed release, to the last known good. For a rollback that was interrupted
        it is where that one was going, and for one that has failed what it was to leave. For a drill it is what served
        before it.
      - V(1) is the same code with the configuration that it had before.
      - V(2) is the last known good code before the current one, with its configuration.
      - V(3) is V(2) and the database as it was before the release that is left.
      - V(auto) is the smallest of them that leads back to the last known good on every host. RV(why) explains it.
    type: str
    choices: ["0", "1", "2", "3", auto]
    required: true
  version:
    description: A version to go to by name. For O(level=2), O(level=3) and O(level=auto).
    type: str
  backup_id:
    description: A backup to restore by name. For O(level=3).
    type: str
  revertible:
    description: Whether there is a command that takes migrations back, and it may be used. For O(level=3).
    type: bool
    default: true
  breaking:
    description:
      - Shell patterns of the names of migrations that the code before them cannot live with. For O(level=auto).
    type: list
    elements: str
    default: []
  budgets:
    description: Seconds that a rollback may take, by level. A level that is left out has 120, 300 or 600.
    type: dict
    default: {}
  stand_in:
    description:
      - A config version (C(version), C(path)) that a drill goes to where the running code has run with no other. For
        O(level=1).
    type: dict
"""

EXAMPLES = r"""
- name: Find the last known good
  sluice.release.release_target_info:
    level: 2
  register: rollback
"""

RETURN = r"""
target:
  description: Where the rollback goes; none with O(level=0) where nothing ran before.
  returned: success
  type: dict
  contains:
    release:
      description: The release that led there.
      type: str
    version:
      description: Its version.
      type: str
    artifact:
      description: Its artifact.
      type: dict
    config:
      description: Its config version.
      type: dict
backup_id:
  description: The backup that goes with it; none unless the database goes back.
  returned: success
  type: str
migrations:
  description:
    - The migrations that were applied since the target served. With O(level=3) alone, and not with O(backup_id).
    - Where they can be taken back, nothing that was written since is lost, as it is by a restore.
  returned: success
  type: list
  elements: str
moves_database:
  description: Whether the database goes back as well.
  returned: success
  type: bool
level:
  description: The level; a number also with O(level=auto).
  returned: success
  type: int
why:
  description: Why it is this level, in one sentence. Null unless O(level=auto).
  returned: success
  type: str
returns:
  description: Whether RV(target) is what a rollback was to leave that has failed.
  returned: success
  type: bool
budget:
  description: Seconds that the rollback may take.
  returned: unless O(level=0)
  type: float
expected:
  description: How long it took the last time, in a drill (RV(ignore:how)) or else in a rollback; null when never.
  returned: unless O(level=0)
  type: dict
  contains:
    seconds: {description: Seconds., type: float}
    how: {description: V(drill) or V(rollback)., type: str}
    release: {description: The run that measured it., type: str}
    time: {description: When (UTC)., type: str}
preview:
  description: What the rollback would do on every host, line by line, for a person.
  returned: unless O(level=0)
  type: list
  elements: str
leaves:
  description: What runs now and is left, as RV(target); none where the journal does not know.
  returned: success
  type: dict
verifies:
  description: Whether what serves after it has to pass the verification of a release.
  returned: success
  type: bool
reason:
  description: Why this target.
  returned: success
  type: str
  sample: the last known good
"""

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
  - Reads the journal and returns the version, the artifact and the config version that a rollback goes to.
  - Needs no network, no registry and no build; what it names lies on the host.
  - Only a release that has succeeded is a target, and never one that was marked bad.
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
options:
  path:
    description: The application's state directory.
    type: path
    required: true
  level:
    description:
      - V(0) is the automatic rollback of a failed release, to the last known good.
      - V(1) is the same code with the configuration that it had before.
      - V(2) is the last known good code before the current one, with its configuration.
      - V(3) is V(2) and the database as it was before the release that is left.
    type: int
    choices: [0, 1, 2, 3]
    required: true
  version:
    description: A version to go to by name. For O(level=2) and O(level=3).
    type: str
  backup_id:
    description: A backup to restore by name. For O(level=3).
    type: str
"""

EXAMPLES = r"""
- name: Find the last known good
  sluice.release.release_target_info:
    path: /var/lib/sluice/dealradarus
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
    - The migrations that the release has applied that is left. With O(level=3) alone, and not with O(backup_id).
    - Where they can be taken back, nothing that was written since is lost, as it is by a restore.
  returned: success
  type: list
  elements: str
leaves:
  description: What runs now and is left, as RV(target); none where the journal does not know.
  returned: success
  type: dict
reason:
  description: Why this target.
  returned: success
  type: str
  sample: the last known good
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._argspec import STATE_PATH
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.journal import _store
from ansible_collections.sluice.release.plugins.module_utils.journal._state import derive
from ansible_collections.sluice.release.plugins.module_utils.journal._target import choose


def find(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Read the journal and choose."""
    entries = _store.read(params["path"])
    state = derive(entries)
    goal = choose(state, entries, params["level"], version=params["version"], backup_id=params["backup_id"])
    return {
        "changed": False,
        "level": params["level"],
        "target": goal.target,
        "backup_id": goal.backup_id,
        "migrations": list(goal.migrations),
        "leaves": state["current"],
        "reason": goal.reason,
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **STATE_PATH,
            "level": {"type": "int", "choices": [0, 1, 2, 3], "required": True},
            "version": {"type": "str"},
            "backup_id": {"type": "str"},
        },
        supports_check_mode=True,
    )
    run(module, find)


if __name__ == "__main__":
    main()

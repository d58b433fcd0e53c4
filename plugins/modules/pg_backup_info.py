#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_backup_info
short_description: List the backups of a database and what is known of them
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Reads the manifests of the backups that M(sluice.release.pg_backup) made, and what M(sluice.release.pg_verify) has
    recorded beside them. No archive is read, and no database is asked.
  - With O(max_age_hours) it fails unless a proven backup is young enough, which tells whether the backups that a
    schedule should make are made.
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
options:
  path:
    description: Directory of the backups.
    type: path
    required: true
  backup_id:
    description: Name of a backup, to list this one alone. It must be there.
    type: str
  level:
    description: The least that counts as a proof.
    type: str
    choices: [archive, restore]
    default: restore
  max_age_hours:
    description: Hours that the newest proven backup may be old.
    type: float
seealso:
  - module: sluice.release.pg_backup
  - module: sluice.release.pg_verify
"""

EXAMPLES = r"""
- name: See that the backups are made that should be made
  sluice.release.pg_backup_info:
    path: /var/lib/sluice/dealradarus/backups
    max_age_hours: 26
"""

RETURN = r"""
backups:
  description: All backups whose manifest can be trusted, newest first.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: Name of the backup.
      type: str
      sample: 20261122T013000Z
    created:
      description: The time that the data is of.
      type: str
      sample: '2026-11-22T01:30:00+00:00'
    age_hours:
      description: How long ago that is.
      type: float
    bytes:
      description: Size of its files together.
      type: int
    database_bytes:
      description: Size of the database then.
      type: int
    tables:
      description: Number of tables.
      type: int
    rows:
      description: Rows of all tables.
      type: int
    seconds:
      description: Seconds that the backup took.
      type: float
    proven:
      description: Whether it was proven at O(level) or above.
      type: bool
    level:
      description: The level at which it was proven best; null when it was not, or did not hold.
      type: str
    checked:
      description: When it was checked last; null when it never was.
      type: str
    proof_seconds:
      description: Seconds that this took, which is about what a restore takes when it was at level V(restore).
      type: float
newest:
  description: Name of the newest backup; null without any.
  returned: always
  type: str
newest_proven:
  description: Name of the newest proven backup; null without any.
  returned: always
  type: str
faults:
  description: What is wrong with each directory that should be a backup and cannot be trusted.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.postgres._listing import list_known

LEVELS = ["archive", "restore"]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "backup_id": {"type": "str"},
            "level": {"type": "str", "choices": LEVELS, "default": "restore"},
            "max_age_hours": {"type": "float"},
        },
        supports_check_mode=True,
    )
    run(module, lambda params: list_known(**params))


if __name__ == "__main__":
    main()

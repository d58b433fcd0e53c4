#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_verify
short_description: Prove that a PostgreSQL backup can be restored
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Checks a backup of M(sluice.release.pg_backup) up to a level and fails when anything is amiss, naming the tables
    that differ.
  - The outcome is written beside the backup as C(verified.json); retention counts only backups that passed.
  - The scratch database C(sluice_verify_<random>) is dropped when the module ends, however it ends; one that a killed
    run left is dropped by the next run. The source database is not touched, not even read.
extends_documentation_fragment:
  - sluice.release._attributes
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
  - sluice.release._postgres
  - sluice.release._postgres.admin
  - sluice.release._progress
attributes:
  check_mode:
    support: full
    details: No database is made in check mode, so level V(restore) ends as V(archive) there, and the result says so.
  diff_mode:
    support: N/A
    details: Nothing but the record of the verification changes.
options:
  database_url:
    description: URL of any database on the server that takes the scratch database. Needed for level V(restore).
    type: str
  backup_id:
    description: Name of the backup, or V(latest).
    type: str
    default: latest
  level:
    description:
      - V(manifest) checks that not a byte of manifest and archive has changed since the backup was made.
      - V(archive) also decompresses the archive to its end and finds every table in it.
      - V(restore) also restores it into a scratch database, and compares the rows of every table, the large objects,
        the sequences and all definitions with what the source had when the backup was made.
    type: str
    choices: [manifest, archive, restore]
    default: restore
seealso:
  - module: sluice.release.pg_backup
"""

EXAMPLES = r"""
- name: Prove the backup of this release by restoring it
  sluice.release.pg_verify:
    database_url: "{{ sluice_database_url }}"
    path: /var/lib/sluice/dealradarus/backups
    backup_id: "{{ release_id }}"

- name: Read the newest backup to its end
  sluice.release.pg_verify:
    path: /var/lib/sluice/dealradarus/backups
    level: archive
"""

RETURN = r"""
backup_id:
  description: Name of the backup.
  returned: always
  type: str
  sample: 20261122T013000Z
level:
  description: The level that was done.
  returned: always
  type: str
  sample: restore
verified:
  description: Whether nothing was amiss.
  returned: always
  type: bool
differences:
  description: What is amiss.
  returned: always
  type: list
  elements: dict
  contains:
    kind:
      description: One of V(archive), V(table), V(large_objects), V(sequence) and V(object).
      type: str
    name:
      description: What is concerned.
      type: str
      sample: public.orders
    what:
      description:
        - For an archive, what is wrong with it.
        - Else one of V(missing), V(unexpected), V(rows) (their number), V(content) (the rows themselves), V(behind) (a
          sequence) and V(definition).
      type: str
    expected:
      description: What the manifest says, where that is a number.
      type: int
    found:
      description: What was found, where that is a number.
      type: int
seconds:
  description: Seconds that it took.
  returned: always
  type: float
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._argspec import PROGRESS
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.postgres._entry import ADMIN, TOOLS, admin_url, means
from ansible_collections.sluice.release.plugins.module_utils.postgres._store import LATEST, LEVELS
from ansible_collections.sluice.release.plugins.module_utils.postgres._verify import VerifyOptions, verify_backup

NAMES = ("path", "backup_id", "level", "bin_path", "timeout", "jobs")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **TOOLS,
            **ADMIN,
            **PROGRESS,
            "database_url": {"type": "str", "no_log": True},
            "backup_id": {"type": "str", "default": LATEST},
            "level": {"type": "str", "choices": list(LEVELS), "default": "restore"},
        },
        required_if=[("level", "restore", ("database_url", "admin_url"), True)],
        supports_check_mode=True,
    )
    run(
        module,
        lambda params: verify_backup(
            VerifyOptions(admin=admin_url(params), **{name: params[name] for name in NAMES}),
            means(module),
        ),
    )


if __name__ == "__main__":
    main()

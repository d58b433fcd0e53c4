#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_restore
short_description: Put a proven PostgreSQL backup in the place of a database
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Restores a backup of M(sluice.release.pg_backup) into C(<database>__restore_<random>), compares it with the backup's
    manifest table by table, and only then lets it take the database's name. Until then the database serves on; a
    failure leaves it as it was.
  - The swap is one transaction of two renames. Sessions are ended, and new ones wait until it is over. Whatever kills
    the module in the middle, the server takes both renames back.
  - The new database gets the owner, settings, grants, connection limit and comment of the one that it replaces.
  - What it replaces is kept as C(<database>__replaced_<time>). Drop it when nobody needs its last writes any more.
  - When the database does not exist any more, it is made from the backup.
  - Says what is lost, by table, and in check mode what would be lost.
extends_documentation_fragment:
  - sluice.release._attributes
  - sluice.release._attributes.not_idempotent
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
  - sluice.release._postgres
  - sluice.release._postgres.admin
  - sluice.release._progress
options:
  database_url:
    description: URL of the database to replace, C(postgresql://user:password@host:port/database).
    type: str
    required: true
  backup_id:
    description:
      - Name of the backup, or V(latest).
      - V(latest) passes over backups whose manifest cannot be trusted, with a warning.
    type: str
    required: true
  of_database:
    description:
      - Name of the database that the backup must be of; another one is refused.
      - By default the database of O(database_url).
    type: str
seealso:
  - module: sluice.release.pg_backup
  - module: sluice.release.pg_verify
"""

EXAMPLES = r"""
- name: Say what a restore would lose
  sluice.release.pg_restore:
    database_url: "{{ sluice_database_url }}"
    path: /var/lib/sluice/dealradarus/backups
    backup_id: latest
  check_mode: true
  register: restore

- name: Restore
  sluice.release.pg_restore:
    database_url: "{{ sluice_database_url }}"
    admin_url: "{{ sluice_database_admin_url }}"
    path: /var/lib/sluice/dealradarus/backups
    backup_id: 20261122T013000Z
"""

RETURN = r"""
restored:
  description: What now has the database's name.
  returned: success
  type: dict
  contains:
    database:
      description: Name of the database.
      type: str
    backup_id:
      description: Name of the backup.
      type: str
      sample: 20261122T013000Z
    created:
      description: The time that the data is of.
      type: str
      sample: '2026-11-22T01:30:00+00:00'
replaced:
  description: Name under which the database that was replaced is kept; null when there was none.
  returned: success
  type: str
  sample: shop__replaced_20261122T021500Z
losses:
  description:
    - The tables that had something that the backup does not have, counted after the swap (in check mode now).
    - Empty, with a warning, when the replaced database could not be read.
  returned: success
  type: list
  elements: dict
  contains:
    table:
      description: Name of the table.
      type: str
      sample: public.orders
    what:
      description:
        - V(rows) when it had more rows, V(content) when it had other rows but not more, V(table) when the backup has no
          such table, V(unreadable) when nobody knows.
      type: str
    rows_now:
      description: Rows before the restore; null when it could not be read.
      type: int
    rows_in_backup:
      description: Rows in the backup.
      type: int
    rows_lost:
      description: Rows now minus rows in the backup, at least 0; null when it could not be read.
      type: int
seconds:
  description: Seconds that it took.
  returned: success
  type: float
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._argspec import PROGRESS
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.postgres._entry import (
    ADMIN,
    TOOLS,
    admin_url,
    database_url,
    means,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._restore import RestoreOptions, restore_backup

NAMES = ("path", "backup_id", "bin_path", "timeout", "jobs")


def options(params: Mapping[str, Any]) -> RestoreOptions:
    url = database_url(params)
    return RestoreOptions(
        url=url,
        admin=admin_url(params) or url,
        of_database=params["of_database"] or url.database,
        **{name: params[name] for name in NAMES},
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **TOOLS,
            **ADMIN,
            **PROGRESS,
            "database_url": {"type": "str", "required": True, "no_log": True},
            "backup_id": {"type": "str", "required": True},
            "of_database": {"type": "str"},
        },
        supports_check_mode=True,
    )
    run(module, lambda params: restore_backup(options(params), means(module)))


if __name__ == "__main__":
    main()

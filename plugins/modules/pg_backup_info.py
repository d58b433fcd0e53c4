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
    description: Name of a backup, or V(latest), to list this one alone. It must be there.
    type: str
  database:
    description:
      - Name of a database, to list its backups alone. Others may lie in O(path), and a young one of another database
        says nothing about this one.
      - Backups that hold only some of its schemas are others, too, unless O(schemas) and O(exclude_schemas) are those
        that they were made with; O(sluice.release.pg_backup#module:keep) tells them apart in the same way.
    type: str
  database_url:
    description: URL of that database, as other modules take it, instead of O(database). Only its name is looked at.
    type: str
  schemas:
    description: As O(sluice.release.pg_backup#module:schemas) of the backups that are meant.
    type: list
    elements: str
    default: []
  exclude_schemas:
    description: As O(sluice.release.pg_backup#module:exclude_schemas) of the backups that are meant.
    type: list
    elements: str
    default: []
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
    database_url: "{{ sluice_database_url }}"
    max_age_hours: 26

- name: The same for those of one tenant
  sluice.release.pg_backup_info:
    path: /var/lib/sluice/dealradarus/backups
    database: shop
    schemas: [tenant_42]
    max_age_hours: 26
"""

RETURN = r"""
backups:
  description: The backups whose manifest can be trusted, newest first.
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
    database:
      description: The database that it is of.
      type: str
      sample: dealradarus
    schemas:
      description: The schemas that it holds; null for the whole database.
      type: list
      elements: str
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

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.postgres._listing import list_known
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import parse_url

LEVELS = ["archive", "restore"]
NAMES = ("path", "backup_id", "level", "max_age_hours", "database", "schemas", "exclude_schemas")


def known(params: Mapping[str, Any]) -> dict[str, Any]:
    options = {name: params[name] for name in NAMES}
    if params["database_url"]:
        options["database"] = parse_url(params["database_url"]).database
    return list_known(**options)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "backup_id": {"type": "str"},
            "database": {"type": "str"},
            "database_url": {"type": "str", "no_log": True},
            "schemas": {"type": "list", "elements": "str", "default": []},
            "exclude_schemas": {"type": "list", "elements": "str", "default": []},
            "level": {"type": "str", "choices": LEVELS, "default": "restore"},
            "max_age_hours": {"type": "float"},
        },
        mutually_exclusive=[("database", "database_url")],
        supports_check_mode=True,
    )
    run(module, known)


if __name__ == "__main__":
    main()

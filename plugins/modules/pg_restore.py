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
  - The swap is one transaction of two renames, and the only maintenance of connections that there is. From its
    beginning the server lets nobody new into the database; who comes meanwhile waits, for milliseconds as a rule, and
    then finds the new one, or gets one error and has to connect again. Idle sessions are ended at once, those in a
    transaction when it ends or after O(drain_timeout). Whatever kills the module or the server in the middle, the
    server takes both renames back, and no database is left that refuses connections.
  - The new database gets the owner, settings, grants, connection limit and comment of the one that it replaces.
  - What it replaces is kept as C(<database>__replaced_<time>), for as long as O(keep_replaced) and
    O(keep_replaced_days) say.
  - When the database does not exist any more, it is made from the backup.
  - A backup that this server cannot take is refused before anything is made, and all that is missing is named. That is
    one of another database, of a newer server or C(pg_dump), of some schemas alone where it would replace all others,
    or one that needs an extension, a locale, a tablespace or a role that the server does not have.
  - Says what is lost, by table, and in check mode what would be lost.
extends_documentation_fragment:
  - sluice.release._attributes
  - sluice.release._attributes.not_idempotent
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
  - sluice.release._postgres
  - sluice.release._postgres.admin
  - sluice.release._postgres.identity
  - sluice.release._progress
options:
  database_url:
    description: URL of the database to replace, C(postgresql://user:password@host:port/database).
    type: str
    required: true
  backup_id:
    description:
      - Name of the backup, or V(latest).
      - V(latest) is the newest of O(of_database). It passes over backups whose manifest cannot be trusted, with a
        warning.
    type: str
    required: true
  of_database:
    description:
      - Name of the database that the backup must be of; another one is refused.
      - By default the database of O(database_url).
    type: str
  globals:
    description:
      - Make the roles that the backup needs and the server lacks from the roles beside the backup, together with their
        members and the groups that they are members of, with their passwords if the backup has them.
      - Roles that exist keep password and attributes. When the restore fails, the new ones are dropped again.
      - Without it, missing roles are an error.
    type: bool
    default: false
  drain_timeout:
    description:
      - Seconds that a transaction in the database may take to end before its session is ended.
      - New sessions wait meanwhile.
    type: float
    default: 2.0
  keep_replaced:
    description:
      - Number of replaced databases to keep. The newest is always kept.
      - With O(keep_replaced_days) a database is dropped when neither keeps it; without both nothing is dropped.
      - Only those of the database in O(database_url) count. One that somebody is connected to stays, with a warning.
    type: int
  keep_replaced_days:
    description: Days for which replaced databases are kept. The newest is always kept.
    type: int
  state:
    description:
      - V(restored) does the whole in one step.
      - V(prepared) restores the backup beside the database and proves it, and leaves it there for the swap. The other
        two, which take a moment, can be run again after a kill, and see by the names that are there what was done.
      - V(swapped) lets O(prepared) take the place of the database, which is kept as O(replaced).
      - V(returned) gives O(replaced) its place back, and what had taken it is called O(prepared) again. The next
        restore drops that one.
      - V(discarded) drops O(prepared), as after a drill.
      - V(absent) drops the database of O(database_url) and what restores of it have left. Its name has to end with
        C(__shadow), as that of a database does which a drill has made.
    type: str
    choices: [restored, prepared, swapped, returned, discarded, absent]
    default: restored
  prepared:
    description: Name of the database that was prepared, as RV(prepared) gave it.
    type: str
  replaced:
    description: Name for the database that is replaced, as RV(replaced) gave it with O(state=prepared).
    type: str
  state_dir:
    description: State directory of the application on this host, where the lock of O(token) lies.
    type: path
  token:
    description:
      - Swap only while the lock of M(sluice.release.release_lock) in O(state_dir) is held by this token.
      - Not looked at in check mode, in which no lock is taken.
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
    keep_replaced: 2

- name: Restore on a new server, which does not know the roles yet
  sluice.release.pg_restore:
    database_url: "{{ new_database_url }}"
    admin_url: "{{ new_database_admin_url }}"
    path: /var/lib/sluice/dealradarus/backups
    backup_id: latest
    globals: true
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
prepared:
  description: Name of the database that waits for the swap, or that was taken back; null otherwise.
  returned: success
  type: str
  sample: shop__prepared_0f3a9c21
removed:
  description: Names of the databases that were dropped, in check mode those that would be.
  returned: success
  type: list
  elements: str
roles:
  description: Names of the roles that were made, in check mode those that would be.
  returned: success
  type: list
  elements: str
bytes:
  description: Bytes of the backup; null with a state that needs no backup, as RV(tables) and RV(rows) are.
  returned: success
  type: int
tables:
  description: Number of tables in the backup.
  returned: success
  type: int
rows:
  description: Rows of all tables in the backup.
  returned: success
  type: int
losses:
  description:
    - The tables that had something that the backup does not have, counted after the swap (in check mode now).
    - Empty with O(state=prepared), for whatever is written until the swap is lost, too.
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
    rows_changed:
      description:
        - Rows inserted or updated since the snapshot of the backup; deleted ones are not among them.
        - Null when that cannot be told, that is when the database is not the one that was backed up but the result of a
          restore, or when the backup does not say of which snapshot it is.
      type: int
    newest:
      description: The newest time in every column that holds times.
      type: list
      elements: dict
      contains:
        column:
          description: Name of the column.
          type: str
          sample: created_at
        time:
          description: The time, in UTC where the column has a time zone.
          type: str
          sample: '2026-11-22 02:14:59.123+00'
seconds:
  description: Seconds that it took.
  returned: success
  type: float
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.journal._fence import under
from ansible_collections.sluice.release.plugins.module_utils.postgres._entry import (
    RESTORING,
    admin_url,
    database_url,
    key,
    means,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._handover import restore
from ansible_collections.sluice.release.plugins.module_utils.postgres._restore import RestoreOptions

NAMES = (
    *("path", "backup_id", "keep_replaced", "keep_replaced_days", "bin_path", "timeout", "jobs"),
    *("state", "prepared", "replaced"),
)

ARGUMENTS = {
    **RESTORING,
    "database_url": {"type": "str", "required": True, "no_log": True},
    "backup_id": {"type": "str", "required": True},
    "of_database": {"type": "str"},
    "globals": {"type": "bool", "default": False},
    "drain_timeout": {"type": "float", "default": 2.0},
    "keep_replaced": {"type": "int"},
    "keep_replaced_days": {"type": "int"},
    "state": {
        "type": "str",
        "choices": ["restored", "prepared", "swapped", "returned", "discarded", "absent"],
        "default": "restored",
    },
    "prepared": {"type": "str"},
    "replaced": {"type": "str"},
    "state_dir": {"type": "path"},
    "token": {"type": "str", "no_log": False},
}


def options(params: Mapping[str, Any]) -> RestoreOptions:
    url = database_url(params)
    return RestoreOptions(
        url=url,
        admin=admin_url(params) or url,
        of_database=params["of_database"] or url.database,
        make_roles=params["globals"],
        drain=params["drain_timeout"],
        key=key(params),
        **{name: params[name] for name in NAMES},
    )


def run_restore(module: AnsibleModule, params: Mapping[str, Any]) -> dict[str, Any]:
    token = None if module.check_mode else params["token"]
    with under(params["state_dir"], token, f"restore the database {database_url(params).database}"):
        return restore(options(params), means(module))


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        required_if=[
            ("state", "swapped", ["prepared"]),
            ("state", "returned", ["prepared", "replaced"]),
            ("state", "discarded", ["prepared"]),
        ],
        required_together=[("state_dir", "token")],
        supports_check_mode=True,
    )
    run(module, lambda params: run_restore(module, params))


if __name__ == "__main__":
    main()

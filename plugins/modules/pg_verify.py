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
  - A server that cannot take the backup is refused before anything is made there, and all that it lacks is named.
    That is a server or C(pg_restore) older than those that made the backup, and one without an extension, a locale,
    a tablespace or a role that the backup needs.
  - Restored by another major version, definitions are compared by their names alone, with a warning, because every
    version spells them in words of its own. Rows, large objects and sequences are compared as ever.
extends_documentation_fragment:
  - sluice.release._attributes
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
  - sluice.release._postgres
  - sluice.release._postgres.admin
  - sluice.release._postgres.identity
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
    description:
      - URL of any database on the server that takes the scratch database. It need not be the server of the source.
      - Needed for level V(restore) unless O(admin_url) is set or O(scratch) is V(embedded).
    type: str
  backup_id:
    description: Name of the backup, or V(latest).
    type: str
    default: latest
  level:
    description:
      - V(manifest) finds every change of any file of the backup since it was made, to the bit, and every missing or
        additional file. It needs neither tools nor a server nor a key. It does not find damage from before the
        checksums.
      - V(archive) also decompresses the archive to its end and finds every table in it. So it also finds an archive
        that was cut off or cannot be read, whenever that happened, as far as its compression tells; it does not know
        whether the rows are right.
      - V(restore) also restores it, and compares the rows of every table, the large objects, the sequences and all
        definitions with what the source had when the backup was made. So it also finds rows, tables, large objects and
        definitions that are missing, additional or other ones, sequences that are behind, and an archive that does not
        restore, whatever the cause.
    type: str
    choices: [manifest, archive, restore]
    default: restore
  scratch:
    description:
      - Where level V(restore) restores to.
      - V(server) is a scratch database on the server of O(admin_url) or O(database_url).
      - V(embedded) is a server of its own in a private directory, on a Unix socket that nobody else reaches, from the
        programs in O(bin_path). It is stopped and removed when the module ends, however it ends; what a killed run left
        is removed by the next. Roles that the backup names exist there by their names alone, and tablespaces are not
        used.
    type: str
    choices: [server, embedded]
    default: server
  scratch_user:
    description:
      - User of the operating system that the embedded server runs as.
      - Needed when the module runs as root, which PostgreSQL refuses; needs C(setpriv) of util-linux then.
      - Nobody may read the restored data but root and this user, so it should be one that nothing else runs as.
    type: str
  scratch_path:
    description:
      - Directory for the data of the embedded server, with room for a copy of the database. Its path must be short,
        about 70 characters, for a socket lies in it.
      - By default the system's directory for temporary files.
    type: path
seealso:
  - module: sluice.release.pg_backup
"""

EXAMPLES = r"""
- name: Prove the backup of this release by restoring it
  sluice.release.pg_verify:
    database_url: "{{ sluice_database_url }}"
    path: /var/lib/sluice/dealradarus/backups
    backup_id: "{{ release_id }}"

- name: Restore the newest backup of a server that must not be touched, beside the backups
  sluice.release.pg_verify:
    path: /var/lib/sluice/dealradarus/backups
    bin_path: /usr/lib/postgresql/17/bin
    scratch: embedded
    scratch_user: nobody

- name: Restore the newest backup, which is encrypted
  sluice.release.pg_verify:
    database_url: "{{ sluice_database_url }}"
    path: /var/lib/sluice/dealradarus/backups
    identity: /root/.config/age/backup.key

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
      description: What is concerned. For an archive, the file.
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

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.postgres._embedded import Throwaway
from ansible_collections.sluice.release.plugins.module_utils.postgres._entry import (
    RESTORING,
    admin_url,
    key,
    means,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._store import LATEST, LEVELS
from ansible_collections.sluice.release.plugins.module_utils.postgres._verify import VerifyOptions, verify_backup

NAMES = ("path", "backup_id", "level", "bin_path", "timeout", "jobs")


def options(params: Mapping[str, Any]) -> VerifyOptions:
    embedded = params["scratch"] == "embedded"
    own = Throwaway(params["scratch_user"], params["scratch_path"], params["bin_path"]) if embedded else None
    known = {name: params[name] for name in NAMES}
    return VerifyOptions(admin=admin_url(params), throwaway=own, key=key(params), **known)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **RESTORING,
            "database_url": {"type": "str", "no_log": True},
            "backup_id": {"type": "str", "default": LATEST},
            "level": {"type": "str", "choices": list(LEVELS), "default": "restore"},
            "scratch": {"type": "str", "choices": ["server", "embedded"], "default": "server"},
            "scratch_user": {"type": "str"},
            "scratch_path": {"type": "path"},
        },
        supports_check_mode=True,
    )
    run(module, lambda params: verify_backup(options(params), means(module)))


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_backup_copy
short_description: Copy a PostgreSQL backup to a second place, and prove the copy
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Copies a backup of M(sluice.release.pg_backup) to another directory, such as a mounted disk, or by C(rsync) to
    another host, over C(ssh) or to a daemon.
  - Before, every file of the backup is compared with its manifest, so a damaged one is never copied. The copy lies
    under a name that nothing takes for a backup until every file of it was read again and found right; a run that is
    killed leaves nothing that looks like a backup, and the next one clears it away.
  - In a directory the SHA-256 of every file is compared with the manifest, read from the disk and not from what the
    kernel remembers.
  - With C(rsync) the promise rests on C(rsync). When all files are there, a second run of it (C(--checksum --dry-run))
    has the other side open each of them and make a checksum of the whole, which must be that of the file here; the
    files here were compared with the manifest by SHA-256 right before. That finds what was lost or changed on the way
    or on that disk, a file that is missing and one too many.
  - What that does not promise. The other kernel may answer out of its memory, not off its disk. The checksum is the
    first that both C(rsync) know, such as xxh128 or MD5; it tells damage, not malice. And the C(rsync) of the other
    side is believed. Whoever needs more runs M(sluice.release.pg_verify) there.
  - A copy takes its name by hard links to the files that were read, or, where that disk has none, is read again.
  - A copy that is there already is read again, too. A damaged one is replaced, with a warning that names its files.
  - M(sluice.release.pg_verify) and M(sluice.release.pg_restore) work on a copy as on the backup itself; what is known
    of the backup's verification is copied with it.
  - One host fills a place, and every application has a place of its own.
extends_documentation_fragment:
  - sluice.release._attributes
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
  - sluice.release._progress
options:
  path:
    description: Directory of the backups.
    type: path
    required: true
  backup_id:
    description: Name of the backup, or V(latest).
    type: str
    default: latest
  to:
    description:
      - Directory of the copies. It, or the directory that it is in, must exist.
      - V(host:path) or V(user@host:path) for C(rsync) over C(ssh), V(rsync://host/module/path) for a daemon. The
        directory must exist.
    type: str
    required: true
  rsh:
    description:
      - The command by which C(rsync) reaches another host, such as C(ssh -o BatchMode=yes -i /root/.ssh/backup).
      - By default C(ssh -o BatchMode=yes).
    type: str
  password_file:
    description: File, readable by its owner alone, with the password for an C(rsync) daemon.
    type: path
  free_mb_min:
    description: MiB that must stay free in a directory. How much another host has free is not asked.
    type: int
    default: 256
  keep:
    description:
      - Number of verified copies to keep, as O(sluice.release.pg_backup#module:keep) counts backups; never fewer than
        three.
    type: int
  keep_days:
    description:
      - Days for which a copy is kept even if O(keep) would let it go.
      - Below zero there is no such limit; without O(keep), none is removed then.
    type: int
    default: 30
  timeout:
    description: Seconds that each run of C(rsync) may take; then it is ended, and the module fails.
    type: float
    default: 3600.0
requirements:
  - C(rsync) on both hosts, for another host
seealso:
  - module: sluice.release.pg_backup
  - module: sluice.release.pg_verify
"""

EXAMPLES = r"""
- name: Copy the newest backup to another disk
  sluice.release.pg_backup_copy:
    path: /var/lib/sluice/dealradarus/backups
    to: /mnt/backup/dealradarus
    keep: 7
    keep_days: 90

- name: Copy the backup of this release to another host
  sluice.release.pg_backup_copy:
    path: /var/lib/sluice/dealradarus/backups
    backup_id: "{{ release_id }}"
    to: backup@vault.example.org:/srv/backups/dealradarus
    rsh: ssh -o BatchMode=yes -i /root/.ssh/backup
"""

RETURN = r"""
copy:
  description: The copy; in check mode the one that would be made.
  returned: success
  type: dict
  contains:
    backup_id:
      description: Name of the backup.
      type: str
      sample: 20261122T013000Z
    to:
      description: Where the copy is.
      type: str
      sample: /mnt/backup/dealradarus/20261122T013000Z
    way:
      description: How it got there, V(directory) or V(rsync).
      type: str
      sample: directory
    verified:
      description: Whether every file of it was read again there and was right. In check mode false for a new copy.
      type: bool
    bytes:
      description: Size of its files.
      type: int
    files:
      description: Number of its files, without the manifest.
      type: int
    sha256:
      description: The backup's checksum.
      type: str
    copied:
      description: Whether it was copied now; it may have been there.
      type: bool
    seconds:
      description: Seconds that it took.
      type: float
damaged:
  description:
    - On success, what was wrong with the copy that was there before.
    - On a failure, what was wrong with the new one when it was read again.
  returned: success, and when the new copy is not what was written
  type: list
  elements: dict
  contains:
    name:
      description: Name of a file of the set.
      type: str
      sample: database.dump
    what:
      description: What was wrong with it.
      type: str
removed:
  description: Names of the copies that O(keep) and O(keep_days) let go.
  returned: success
  type: list
  elements: str
"""

import contextlib
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._argspec import PROGRESS
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.postgres._backup import Means
from ansible_collections.sluice.release.plugins.module_utils.postgres._copy import CopyOptions, Directory, copy_backup
from ansible_collections.sluice.release.plugins.module_utils.postgres._entry import means
from ansible_collections.sluice.release.plugins.module_utils.postgres._rsync import Rsync, is_remote
from ansible_collections.sluice.release.plugins.module_utils.postgres._store import LATEST

NAMES = ("path", "backup_id", "to", "keep", "keep_days", "free_mb_min", "rsh", "password_file", "timeout")


def copy(params: Mapping[str, Any], work: Means) -> dict[str, Any]:
    options = CopyOptions(**{name: params[name] for name in NAMES})
    if not is_remote(options.to):
        return copy_backup(options, work, Directory(options.to, options.path, options.free_mb_min, work.warn))
    with contextlib.closing(Rsync(options, work.runner)) as place:
        return copy_backup(options, work, place)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **PROGRESS,
            "path": {"type": "path", "required": True},
            "backup_id": {"type": "str", "default": LATEST},
            "to": {"type": "str", "required": True},
            "rsh": {"type": "str"},
            # A path; the argument spec would take it for the password itself.
            "password_file": {"type": "path", "no_log": False},
            "free_mb_min": {"type": "int", "default": 256},
            "keep": {"type": "int"},
            "keep_days": {"type": "int", "default": 30},
            "timeout": {"type": "float", "default": 3600.0},
        },
        supports_check_mode=True,
    )
    run(module, lambda params: copy(params, means(module)))


if __name__ == "__main__":
    main()

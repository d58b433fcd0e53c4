#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_backup
short_description: Back up a PostgreSQL database so that the backup can be proven
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Dumps one snapshot of a database with C(pg_dump) and, side by side and in the very same snapshot, counts and digests
    the rows of every table. M(sluice.release.pg_verify) compares a restored copy with that; writes that go on meanwhile
    make no difference.
  - A backup is a set of files in the directory O(path)/O(backup_id), with the archive (file C(database.dump) or
    directory C(database)) and, written last, C(manifest.json), which has size and SHA-256 of every other file. Until
    the set is whole it lies under a name that nothing takes for a backup, so a killed run, a full disk or a wrong
    password leaves none.
  - A set holds one database, at one moment of its own. For several, run the module once for each, in a loop. They may
    share O(path); each counts its own backups when old ones are removed.
  - Refuses to begin when the file system has too little room.
  - The password is in no argument list, message, result or manifest.
  - Roles and tablespaces belong to the server, not to the database. With O(globals) they are written into
    C(globals.sql) beside the archive.
extends_documentation_fragment:
  - sluice.release._attributes
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
  - sluice.release._postgres
  - sluice.release._progress
attributes:
  idempotent:
    support: partial
    details: With O(backup_id), the second run finds the backup and changes nothing. Without it, every run makes one.
options:
  database_url:
    description: URL of the database, C(postgresql://user:password@host:port/database).
    type: str
    required: true
  backup_id:
    description:
      - Name of the backup, for example that of the release.
      - A backup of that name that is there already is left alone and returned.
      - By default the time, C(YYYYMMDDTHHMMSSZ).
    type: str
  release:
    description: Release that the backup is made for; recorded in the manifest.
    type: str
    default: ''
  format:
    description:
      - V(custom) writes one file. It is easy to copy and to encrypt, and the dump goes on when somebody waits for an
        exclusive lock on a table meanwhile.
      - V(directory) writes a file for each table, over several connections at once. That is quicker where the server
        and this host have processors to spare; but it needs several connections more, and when somebody asks for an
        exclusive lock on a table that C(pg_dump) has not come to yet, it gives up, and the dump begins anew.
      - M(sluice.release.pg_restore) restores both over several connections.
    type: str
    choices: [custom, directory]
    default: custom
  jobs:
    description:
      - Number of connections over which V(directory) is dumped, all in the same snapshot.
      - By default 2 for V(directory), and 1 for V(custom), which allows no more.
    type: int
  compression:
    description:
      - Method of compression.
      - V(zstd) is quicker and writes smaller files. It needs a C(pg_dump) of version 16 or newer that was built with
        it, both here and where the backup is restored.
      - Within the archive only V(gzip) has checksums; with all three the manifest has the SHA-256 of every file, and
        M(sluice.release.pg_verify) compares the restored content.
    type: str
    choices: [gzip, zstd, none]
    default: gzip
  compression_level:
    description: Level of the compression; by default 6 of 1 to 9 for V(gzip), and 3 of 1 to 22 for V(zstd).
    type: int
  schemas:
    description:
      - Glob patterns (C(*), C(?), C([...])) of the schemas to back up, for example C(tenant_42) or C(tenant_*); by
        default all.
      - They hold for the archive, the digests, the sequences and the definitions alike, and are read in the very
        snapshot of the dump. A pattern that fits no schema is an error.
      - Extensions, large objects and whatever else belongs to no schema are always in the backup. What a schema needs
        from another one must be in it too, or else it cannot be restored, and M(sluice.release.pg_verify) says so.
    type: list
    elements: str
    default: []
  exclude_schemas:
    description: Glob patterns of the schemas to leave out, even if O(schemas) names them.
    type: list
    elements: str
    default: []
  globals:
    description:
      - Whether to write the roles and tablespaces of the server beside the archive, with C(pg_dumpall).
      - Whoever may read C(pg_authid), as a superuser may, gets them with their passwords, as the server stores them.
        For any other user they are without. RV(backup.role_passwords) and the manifest say which.
    type: bool
    default: true
  encryption:
    description:
      - With what the files of the backup are encrypted, all but the manifest, which names tables and their number of
        rows and holds digests of them.
      - Each is encrypted whole, after the dump was checked and before the backup has its name. Until then the dump lies
        in plain text in a directory that only its owner can enter; it is removed, not overwritten, when it has been
        encrypted. A killed run leaves that directory until the next one.
      - Space for both is checked before. C(gpg) needs part of a second for each file, so O(format=custom) suits it.
      - M(sluice.release.pg_verify) needs the secret key for the levels V(archive) and V(restore).
    type: str
    choices: [none, age, gpg]
    default: none
  recipients:
    description:
      - Who can decrypt it. For V(age) public keys, C(age1...) or those of C(ssh); for V(gpg) fingerprints, or names
        that fit only one key of O(gnupg_home), whose fingerprint is recorded then. The keys need not be trusted there.
      - One that the tool does not know is refused before the dump begins.
    type: list
    elements: str
    default: []
  gnupg_home:
    description: GnuPG home with the recipients' public keys. By default that of the user.
    type: path
  free_mb_min:
    description:
      - MiB that must stay free on the file system of O(path). The backup does not begin without them, and it stops when
        they are gone while it is written.
      - The size of the backup is estimated by the one before it, or else by the size of the database.
    type: int
    default: 256
  keep:
    description:
      - Number of verified backups to keep. An older backup is removed only when so many verified ones are newer; never
        fewer than three, whatever the number here.
      - Only backups of the same database, and of the same O(schemas) and O(exclude_schemas), count for each other.
    type: int
  keep_days:
    description:
      - Days for which a backup is kept even if O(keep) would let it go.
      - With V(-1) O(keep) alone decides, and without that none is removed.
    type: int
    default: 30
seealso:
  - module: sluice.release.pg_verify
  - module: sluice.release.pg_restore
"""

EXAMPLES = r"""
- name: Back up the database before the release
  sluice.release.pg_backup:
    database_url: "{{ sluice_database_url }}"
    path: /var/lib/sluice/dealradarus/backups
    backup_id: "{{ release_id }}"
    release: "{{ release_id }}"
    keep: 7

- name: Back up several databases
  sluice.release.pg_backup:
    database_url: "postgresql://backup:{{ secret }}@db.example.com/{{ item }}"
    path: "/var/lib/sluice/backups/{{ item }}"
  loop: [shop, billing]

- name: Back up one tenant, over four connections
  sluice.release.pg_backup:
    database_url: "{{ sluice_database_url }}"
    path: /var/lib/sluice/dealradarus/backups
    schemas: [tenant_42]
    format: directory
    jobs: 4

- name: Back up and encrypt, so that only the holder of a key can read it
  sluice.release.pg_backup:
    database_url: "{{ sluice_database_url }}"
    path: /var/lib/sluice/dealradarus/backups
    encryption: age
    recipients:
      - age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kudd9k9hqw5q6sd

- name: Back up with the tools of a certain version
  sluice.release.pg_backup:
    database_url: "{{ sluice_database_url }}"
    path: /var/lib/sluice/dealradarus/backups
    bin_path: /usr/lib/postgresql/17/bin
"""

RETURN = r"""
backup:
  description: The backup; in check mode the one that would be made.
  returned: success
  type: dict
  contains:
    id:
      description: Its name.
      type: str
      sample: 20261122T013000Z
    path:
      description: Its directory.
      type: str
      sample: /var/lib/sluice/dealradarus/backups/20261122T013000Z
    format:
      description: Format of the archive.
      type: str
      sample: custom
    compression:
      description: Method and level of the compression.
      type: str
      sample: gzip:6
    files:
      description: Number of files, without the manifest; null in check mode.
      type: int
    schemas:
      description: The schemas that it holds; null for the whole database.
      type: list
      elements: str
    role_passwords:
      description: Whether the roles beside the archive have their passwords; null without O(globals).
      type: bool
    bytes:
      description: Size of these files together; in check mode the estimate.
      type: int
    sha256:
      description: Checksum over these files, that of the list that C(sha256sum) prints of them in the order of their
        names; null in check mode.
      type: str
    tables:
      description: Number of tables.
      type: int
    encryption:
      description: With what it is encrypted, V(tool) and V(recipients); null when it is not.
      type: dict
    rows:
      description: Number of rows in all tables; null in check mode.
      type: int
    created:
      description: When it was begun; null in check mode.
      type: str
      sample: '2026-11-22T01:30:00+00:00'
    seconds:
      description: Seconds that it took.
      type: float
    verified:
      description: Whether M(sluice.release.pg_verify) has read or restored it since. False for a new one.
      type: bool
removed:
  description: Names of the backups that O(keep) and O(keep_days) let go.
  returned: success
  type: list
  elements: str
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._argspec import PROGRESS
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.postgres._backup import BackupOptions, make_backup
from ansible_collections.sluice.release.plugins.module_utils.postgres._dump import choose_form
from ansible_collections.sluice.release.plugins.module_utils.postgres._entry import (
    ENCRYPTION,
    TOOLS,
    database_url,
    means,
)

NAMES = (
    "path",
    "backup_id",
    "release",
    "bin_path",
    "free_mb_min",
    "timeout",
    "keep",
    "keep_days",
    "schemas",
    "exclude_schemas",
    "globals",
    "encryption",
    "recipients",
    "gnupg_home",
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **TOOLS,
            **ENCRYPTION,
            **PROGRESS,
            "database_url": {"type": "str", "required": True, "no_log": True},
            "backup_id": {"type": "str"},
            "release": {"type": "str", "default": ""},
            "format": {"type": "str", "choices": ["custom", "directory"], "default": "custom"},
            "jobs": {"type": "int"},
            "compression": {"type": "str", "choices": ["gzip", "zstd", "none"], "default": "gzip"},
            "compression_level": {"type": "int"},
            "schemas": {"type": "list", "elements": "str", "default": []},
            "exclude_schemas": {"type": "list", "elements": "str", "default": []},
            "globals": {"type": "bool", "default": True},
            "free_mb_min": {"type": "int", "default": 256},
            "keep": {"type": "int"},
            "keep_days": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    run(module, lambda params: make_backup(_options(params), means(module)))


def _options(params: Mapping[str, Any]) -> BackupOptions:
    form = choose_form(params["format"], params["compression"], params["compression_level"], params["jobs"])
    return BackupOptions(url=database_url(params), form=form, **{name: params[name] for name in NAMES})


if __name__ == "__main__":
    main()

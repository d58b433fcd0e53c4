# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    # The options that go with TOOLS of module_utils/postgres/_entry.py
    DOCUMENTATION = r"""
options:
  path:
    description: Directory of the backups. Every backup is a directory below it.
    type: path
    required: true
  bin_path:
    description:
      - Directory of C(pg_dump) and C(pg_restore).
      - Without it they are looked for on E(PATH), then where distributions put those of the server's version.
    type: path
  timeout:
    description: Seconds that each run of a tool may take; then it is ended, and the module fails.
    type: float
    default: 3600.0
requirements:
  - PostgreSQL 14 or newer
  - C(pg_dump) and C(pg_restore) of the server's version
  - psycopg2
"""

    # The options that go with ADMIN of module_utils/postgres/_entry.py: sluice.release._postgres.admin
    ADMIN = r"""
options:
  admin_url:
    description:
      - URL of a user who may create databases and own what the backup holds; its database does not matter.
      - Without it O(database_url) is used.
    type: str
  maintenance_database:
    description:
      - Database to connect to while others are created and renamed.
      - By default C(postgres), or C(template1) when O(database_url) names C(postgres).
    type: str
  jobs:
    description: Number of connections over which an archive is restored.
    type: int
    default: 2
"""

    # The options that go with IDENTITY of module_utils/postgres/_entry.py: sluice.release._postgres.identity
    IDENTITY = r"""
options:
  identity:
    description:
      - What decrypts an encrypted backup, on the host that the module runs on. For V(age) a file of identities that is
        itself in plain text, for V(gpg) a GnuPG home with the secret key.
      - While it is needed in plain text, the backup lies in a directory beside it that only its owner can enter. It is
        removed when the module ends; what a killed run left, by the next run. Space for that is checked before.
    type: path
  identity_passphrase:
    description: Passphrase of the GnuPG key. It is given to C(gpg) on its standard input.
    type: str
requirements:
  - C(age) or C(gpg), for encrypted backups
"""

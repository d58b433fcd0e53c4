# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    # The options that go with ACCESS of module_utils/warm/_redis_entry.py
    DOCUMENTATION = r"""
options:
  url:
    description:
      - URL of a Redis 6 to 8 or a Valkey, C(redis://user:password@host:port/database). C(rediss) speaks TLS, C(unix)
        goes through a socket.
      - Of a cluster any node will do; the others are found.
    type: str
    required: true
  username:
    description: User of the server's ACL, where the URL names none.
    type: str
  password:
    description: The user's password, where the URL has none.
    type: str
  ca_path:
    description: File with the certificates of the authorities that the server's certificate may come from.
    type: path
  client_cert:
    description: File with the certificate that this client shows.
    type: path
  client_key:
    description: File with the key of O(client_cert).
    type: path
  validate_certs:
    description: Whether the server's certificate must be valid, for this host name.
    type: bool
    default: true
  cluster:
    description: Whether the server is a cluster. By default it is asked; with a value it must be so.
    type: bool
  timeout:
    description: Seconds that connecting, and each answer, may take.
    type: float
    default: 10.0
requirements:
  - redis
  - hiredis
  - Redis 6 or newer, or Valkey
"""

    # The options that go with SELECTION of module_utils/warm/_redis_entry.py: sluice.release._redis.selection
    SELECTION = r"""
options:
  patterns:
    description: Keys that are taken, as C(SCAN) knows patterns. One that fits is enough.
    type: list
    elements: str
    default: ['*']
  exclude:
    description: Patterns of keys that are left out, even if O(patterns) names them.
    type: list
    elements: str
    default: []
  max_keys:
    description:
      - Number of keys that are taken at most.
      - The hottest ones are, where the server tells which these are, by C(OBJECT FREQ) under an LFU policy, else by
        C(OBJECT IDLETIME). That takes a second pass over all keys.
    type: int
  max_bytes:
    description: Bytes of memory, as C(MEMORY USAGE) counts them, that the keys may take together; the hottest as above.
    type: int
  max_value_bytes:
    description: A key that takes more bytes of memory is left out, and counted in RV(ignore:large).
    type: int
    default: 8388608
"""
